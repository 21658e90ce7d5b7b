"""What a message says, and what it costs the air."""

from itertools import count

import pytest
from hypothesis import given, strategies

from domain.text import Encoded, compose, measure

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"


def test_the_basic_alphabet_has_127_characters_of_one_septet_besides_the_escape():
    assert len(set(BASIC)) == 127
    assert {character: measure(character) for character in BASIC} == dict.fromkeys(BASIC, Encoded("GSM-7", 1, 1))


def test_the_ten_characters_of_the_extension_table_take_two_septets():
    assert {character: measure(character) for character in EXTENDED} == dict.fromkeys(EXTENDED, Encoded("GSM-7", 2, 1))


@pytest.mark.parametrize("character", ["ç", "`", "\t", "\u0131", "я", "中", "\x1b"])
def test_any_other_character_makes_a_message_ucs_2(character):
    assert measure("a" + character) == Encoded("UCS-2", 2, 1)


def test_an_empty_message_is_one_segment():
    assert measure("") == Encoded("GSM-7", 0, 1)


@pytest.mark.parametrize(
    ("text", "encoded"),
    [
        ("a" * 160, Encoded("GSM-7", 160, 1)),
        ("a" * 161, Encoded("GSM-7", 161, 2)),
        ("a" * 306, Encoded("GSM-7", 306, 2)),
        ("a" * 307, Encoded("GSM-7", 307, 3)),
        ("€" * 80, Encoded("GSM-7", 160, 1)),
        ("a" * 159 + "€", Encoded("GSM-7", 161, 2)),
        ("a" * 152 + "€" + "a" * 152, Encoded("GSM-7", 306, 3)),  # the escape is not torn from what it escapes
        ("a" * 151 + "€" + "a" * 153, Encoded("GSM-7", 306, 2)),
        ("€" * 153, Encoded("GSM-7", 306, 3)),
        ("€" * 152, Encoded("GSM-7", 304, 2)),
        ("я" * 70, Encoded("UCS-2", 70, 1)),
        ("я" * 71, Encoded("UCS-2", 71, 2)),
        ("я" * 134, Encoded("UCS-2", 134, 2)),
        ("я" * 135, Encoded("UCS-2", 135, 3)),
        ("😀", Encoded("UCS-2", 2, 1)),
        ("😀" * 35, Encoded("UCS-2", 70, 1)),
        ("😀" * 36, Encoded("UCS-2", 72, 2)),
        ("😀" * 67, Encoded("UCS-2", 134, 3)),  # 33 of them fill a part of 67: the 34th is not split
        ("я" * 66 + "😀" + "я" * 66, Encoded("UCS-2", 134, 3)),
        ("я" * 65 + "😀" + "я" * 67, Encoded("UCS-2", 134, 2)),
        ("\uffff" * 70, Encoded("UCS-2", 70, 1)),
        ("\U00010000", Encoded("UCS-2", 2, 1)),
    ],
    ids=count(1),
)
def test_segments_are_counted_at_the_borders(text, encoded):
    assert measure(text) == encoded


def parts(text: str, *, width: int, of: dict[bool, int], single: int) -> int:
    """Segments counted the slow way: whole characters put into parts one by one."""
    if sum(of[len(c.encode("utf-16-le")) > 2 or c in EXTENDED] for c in text) <= single:
        return 1
    filled = [0]
    for character in text:
        size = of[len(character.encode("utf-16-le")) > 2 or character in EXTENDED]
        if filled[-1] + size > width:
            filled.append(0)
        filled[-1] += size
    return len(filled)


@given(strategies.text(alphabet=BASIC + EXTENDED, max_size=700))
def test_gsm_7_never_splits_a_character(text):
    assert measure(text).segments == parts(text, width=153, of={False: 1, True: 2}, single=160)


@given(strategies.text(alphabet="яab😀👩\u200d", max_size=300).map(lambda text: "я" + text))
def test_ucs_2_never_splits_an_emoji(text):
    assert measure(text) == Encoded(
        "UCS-2", len(text.encode("utf-16-le")) // 2, parts(text, width=67, of={False: 1, True: 2}, single=70)
    )


def test_a_message_is_its_code_and_no_link():
    assert compose("493812", minutes=5) == (
        "493812 is your verification code. It is valid for 5 minutes. Do not share it."
    )


def test_a_message_for_a_page_ends_in_the_line_that_browsers_read():
    assert compose("493812", minutes=5, web_origin="example.com") == (
        "493812 is your verification code. It is valid for 5 minutes. Do not share it.\n\n@example.com #493812"
    )


def test_a_message_for_an_app_ends_in_its_hash():
    assert compose("493812", minutes=1, web_origin="example.com", app_hash="FA+9qCX9VSu") == (
        "493812 is your verification code. It is valid for 1 minutes. Do not share it.\n\n"
        "@example.com #493812\nFA+9qCX9VSu"
    )


def test_a_message_of_the_longest_code_is_one_segment():
    assert measure(compose("4938124938", minutes=30)).segments == 1
