"""One number, one spelling; what is written down gives no number away."""

import re
from itertools import count

import phonenumbers
import pytest
from hypothesis import given, strategies
from phonenumbers import COUNTRY_CODES_FOR_NON_GEO_REGIONS, SUPPORTED_REGIONS, PhoneNumberFormat, PhoneNumberType

from domain.phone import PhoneNumber, parse
from domain.refusals import InvalidPhoneNumber


def examples() -> list[tuple[str, str, str]]:
    """Every example number that libphonenumber knows: its region, its E.164 form and its national digits."""
    numbers = [
        (region, phonenumbers.example_number_for_type(region, kind))
        for region in SUPPORTED_REGIONS
        for kind in PhoneNumberType.values()
    ]
    numbers += [("001", phonenumbers.example_number_for_non_geo_entity(c)) for c in COUNTRY_CODES_FOR_NON_GEO_REGIONS]
    found = []
    for region, number in numbers:
        if number is not None:
            e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
            found.append((region, e164, e164[1 + len(str(number.country_code)) :]))
    return found


EXAMPLES = examples()
NUMBERS = sorted({e164 for _, e164, _ in EXAMPLES})


def refuses(spelling: str) -> bool:
    try:
        parse(spelling)
    except InvalidPhoneNumber:
        return True
    return False


@pytest.mark.parametrize(
    "spelling",
    [
        "+447911123456",
        "+44 7911 123456",
        "+44 (0)7911 123456",
        "+44 07911 123456",
        "+44-7911-123-456",
        "+44.7911.123456",
        "+44/7911/123456",
        "+44 (7911) 123456",
    ],
    ids=count(1),
)
def test_every_spelling_of_a_number_is_that_number(spelling):
    assert parse(spelling) == PhoneNumber(e164="+447911123456", country="GG", mask="+44791****3456", kind="mobile")


def test_a_leading_zero_that_belongs_to_the_number_stays():
    assert parse("+39 06 1234 5678") == PhoneNumber("+390612345678", "IT", "+39061****5678", "fixed_line")


def test_a_number_of_no_country_belongs_to_the_world():
    assert parse("+80012345678") == PhoneNumber("+80012345678", "001", "+8001****5678", "toll_free")


@pytest.mark.parametrize(
    ("number", "mask"),
    [
        ("+905321232719", "+90532****2719"),
        ("+14155552671", "+1415****2671"),
        ("+8613800138000", "+86138****8000"),
        ("+260211234567", "+26021****4567"),
        ("+25271123456", "+2527****3456"),
        ("+2524012345", "+252****2345"),
        ("+247542011", "+247****011"),
        ("+3114020", "+31****20"),
        ("+6903101", "+690****1"),
    ],
    ids=count(1),
)
def test_a_mask_shows_less_of_a_shorter_number(number, mask):
    assert parse(number).mask == mask


def test_the_mask_of_every_regions_example_numbers_hides_three_digits_and_shows_nothing_else_than_its_ends():
    assert {region for region, _, _ in EXAMPLES} == {*SUPPORTED_REGIONS, "001"}
    for _, e164, national in EXAMPLES:
        number = parse(e164)
        assert number.e164 == e164
        calling_code = e164.removesuffix(national)
        lead, tail = number.mask.split("****")
        assert e164.startswith(lead)
        assert lead.startswith(calling_code)
        assert e164.endswith(tail)
        shown = len(lead) - len(calling_code) + len(tail)
        assert len(lead) - len(calling_code) <= 3
        assert len(tail) <= 4
        assert len(national) - shown >= 3, e164


@given(number=strategies.sampled_from(NUMBERS), digits=strategies.integers(min_value=0))
def test_a_mask_fits_all_the_numbers_that_differ_in_the_hidden_digits(number, digits):
    lead, tail = parse(number).mask.split("****")
    hidden = len(number) - len(lead) - len(tail)
    other = lead + str(digits % 10**hidden).zfill(hidden) + tail
    assert hidden >= 3
    is_a_number = (
        not refuses(other) and parse(other).e164 == other
    )  # not the same one with a trunk zero that falls away
    assert not is_a_number or parse(other).mask == parse(number).mask


@given(
    number=strategies.sampled_from(NUMBERS),
    noise=strategies.lists(strategies.sampled_from(["", " ", "-", ".", "/", "(", ")"]), min_size=16, max_size=16),
)
def test_punctuation_changes_nothing(number, noise):
    noisy = number[:2] + "".join(digit + mark for digit, mark in zip(number[2:], noise, strict=False))
    assert parse(noisy) == parse(number)


@pytest.mark.parametrize(
    "spelling",
    [
        "",
        "+",
        "14155552671",
        "0014155552671",
        "tel:+14155552671",
        " +14155552671",
        "+14155552671\n",
        "+1415555\t2671",
        "+1415555CALL",
        "+14155552671;ext=5",
        "+14155552671x5",
        "+14155552671,5",
        "\uff0b14155552671",  # a full-width plus
        "+\uff11\uff14155552671",  # full-width digits
        "+1415555\u0662\u0666\u0667\u0661",  # Arabic-Indic digits
        "+1415\u2010555\u20102671",  # a Unicode hyphen
        "+1415\u00a05552671",  # a space that does not break
        "++14155552671",
        "+1 415 555 267",
        "+1 415 555 26711",
        "+999123456789",
        "+123456",
        "+1 (((((((((((((((((((((((((((((((((((( 4155552671",
        "+" + "1" * 32,
        "+()-./ ",
    ],
    ids=count(1),
)
def test_what_is_not_strictly_a_number_in_international_form_is_refused(spelling):
    assert refuses(spelling)


def test_a_number_with_two_spellings_that_libphonenumber_takes_for_two_numbers_is_refused():
    # Read once more, +3758103841362 loses another trunk prefix and is +375103841362.
    assert refuses("+37588103841362")


def test_a_spelling_may_have_31_characters_after_the_plus_and_no_more():
    assert parse("+" + "14155552671".ljust(31)).e164 == "+14155552671"
    assert refuses("+" + "14155552671".ljust(32))


@given(strategies.text(max_size=40) | strategies.from_regex(re.compile(r"\+[0-9 ()./-]{6,31}"), fullmatch=True))
def test_whatever_is_accepted_is_ascii_and_comes_back_as_itself(spelling):
    if not refuses(spelling):
        number = parse(spelling)
        assert spelling.isascii()
        assert re.fullmatch(r"\+[1-9][0-9]{6,16}", number.e164)
        assert parse(number.e164) == number


def test_what_is_refused_twice_is_refused_anew():
    with pytest.raises(InvalidPhoneNumber) as first:
        parse("+1")
    with pytest.raises(InvalidPhoneNumber) as second:
        parse("+1")
    assert first.value is not second.value
