"""What may be a text of an account's own, and what it costs."""

import pytest

from domain.templates import Cost, advice, brand_faults, cost, faults

SOUND = "{code} is your code for Shop. It is valid for {minutes} min."


@pytest.mark.parametrize(
    "text",
    [SOUND, "Shop: {code}", "Code {code}, 24/7 at your service", "کد ورود\u200cها: {code}", "シ ョップ: {code}。"],
)
def test_a_text_of_fixed_words_and_a_code_may_be_sent(text):
    assert faults(text) == []


LINK = "A text has no link and no domain; after a full stop comes a space."
DIGITS = "A text has no four digits in a row: they would be taken for the code or for a phone number."
SIGNS = "A text has no @ and no #: browsers read them as the line `@host #code`."
ONCE = "A text has {code} exactly once."
BRACES = "A text has no braces but those of {code} and {minutes}: nothing else is filled in."
TOUCHED = "{code} must not touch a letter or a digit: phones would not find the code."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Your code for Shop.", [ONCE]),
        ("{code} {code}", [ONCE]),
        ("{code} {minutes} {minutes}", ["A text has {minutes} at most once."]),
        ("{name}, {code}", [BRACES]),
        ("{code} }", [BRACES]),
        ("x{code}", [TOUCHED]),
        ("{code}番", [TOUCHED]),
        ("1{code}", [TOUCHED]),
        ("{code} https://a", [LINK]),
        ("{code} WWW.x", [LINK]),
        ("{code} shop.example", [LINK]),
        ("{code} shop.рф", [LINK]),
        ("{code} ｓｈｏｐ．ｃｏｍ", [LINK]),
        ("{code}. Call 555 0100", [DIGITS]),
        ("{code} 12-34", [DIGITS]),
        ("{code} ٠١٢٣", [DIGITS]),
        ("{code} @shop", [SIGNS]),
        ("{code} #1", [SIGNS]),
        ("{code} a::b", ["A text has nothing that is spelled as an address of a machine could be."]),
        (" {code}", ["A text neither begins nor ends with a space."]),
        ("", [ONCE, "There is no text."]),
        ("{code}\nShop", ["U+000A is not shown, or not everywhere alike."]),
        ("{code}\u202e Shop", ["U+202E RIGHT-TO-LEFT OVERRIDE is not shown, or not everywhere alike."]),
        ("{code} 😀", ["U+1F600 GRINNING FACE is not shown, or not everywhere alike."]),
        ("{code} for 5 €", ["U+20AC EURO SIGN counts twice and is lost in some networks."]),
        (
            "{code} " + "я" * 124,
            ["With the longest code a message would take 3 segments in UCS-2; at most 2 are sent."],
        ),
        ("{code} " + "x" * 320, ["A text has at most 320 characters."]),
    ],
)
def test_each_fault_is_told_in_words(text, found):
    assert faults(text) == found


def test_two_segments_with_the_longest_code_may_be_sent():
    assert faults("{code} " + "я" * 123) == []
    assert faults("{code} " + "x" * 295) == []


def test_a_cost_is_that_of_the_text_alone_and_with_what_browsers_and_phones_read():
    assert cost("{code} ist Ihr Code.") == Cost(
        encoding="GSM-7", units=20, segments=1, segments_with_web_origin=1, segments_with_app_hash=1
    )
    assert cost("Код: {code} " + "я" * 45) == Cost(
        encoding="UCS-2", units=57, segments=1, segments_with_web_origin=2, segments_with_app_hash=1
    )
    assert cost("Код: {code}", digits=10, minutes=30).units == 15


def test_advice_names_the_characters_that_make_a_text_dear():
    told = advice("{code} é o código de verificação da sua conta. Ele vale por {minutes} minutos.")
    dear = "ó (U+00F3 LATIN SMALL LETTER O WITH ACUTE), ç (U+00E7 LATIN SMALL LETTER C WITH CEDILLA)"
    assert told == [f"2 segments in UCS-2; 1 without {dear}, ã (U+00E3 LATIN SMALL LETTER A WITH TILDE)."]
    assert advice(SOUND) == []
    assert advice("Код: {code}") == []


def test_a_name_is_fixed_and_short():
    assert brand_faults("Shop 24") == []
    assert brand_faults("x" * 41) == ["A name has at most 40 characters."]
    assert brand_faults("{code}") == ["A name is fixed: it has no braces."]
    assert brand_faults("shop.example") == [LINK]
