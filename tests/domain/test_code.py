"""Codes: the truncation of RFC 4226 over a keyed hash."""

import hmac

import pytest
from hypothesis import given, strategies

from domain.code import derive, truncate

KEY = b"k" * 32
# RFC 4226, appendix D: secret "12345678901234567890", counts 0 to 9.
DECIMALS = [
    1284755224,
    1094287082,
    137359152,
    1726969429,
    1640338314,
    868254676,
    1918287922,
    82162583,
    673399871,
    645520489,
]
HOTP = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]


def hotp(count: int) -> bytes:
    return hmac.digest(b"12345678901234567890", count.to_bytes(8, "big"), "sha1")


def test_truncation_gives_the_values_of_rfc_4226_appendix_d():
    assert [truncate(hotp(count), digits=6) for count in range(10)] == HOTP


@pytest.mark.parametrize("digits", range(4, 11))
def test_a_code_of_any_length_is_the_end_of_the_truncated_decimal(digits):
    codes = [truncate(hotp(count), digits=digits) for count in range(10)]
    assert codes == [str(decimal).zfill(10)[-digits:] for decimal in DECIMALS]


def test_the_offset_is_the_low_four_bits_of_the_last_byte_and_the_sign_bit_is_dropped():
    digest = bytes.fromhex("ff" * 15 + "ffffffff" + "00" * 12 + "3f")
    assert truncate(digest, digits=10) == str(0x7FFF_FFFF)
    assert truncate(bytes(31) + b"\xf0", digits=10) == "0000000000"


@given(
    key=strategies.binary(min_size=32, max_size=32),
    parts=strategies.lists(strategies.text()),
    digits=strategies.integers(4, 10),
)
def test_a_code_is_as_many_ascii_digits_as_asked_for_and_the_same_every_time(key, parts, digits):
    code = derive(key, bound_to=parts, digits=digits)
    assert len(code) == digits
    assert set(code) <= set("0123456789")
    assert derive(key, bound_to=iter(parts), digits=digits) == code


def test_a_code_is_the_truncated_sha_256_hmac_of_its_length_delimited_parts():
    message = b"\0\0\0\1a\0\0\0\4\xe2\x82\xacb"
    assert derive(KEY, bound_to=["a", "€b"], digits=10) == truncate(hmac.digest(KEY, message, "sha256"), digits=10)


def test_moving_a_character_from_one_part_to_the_next_changes_the_code():
    splits = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("abc",)]
    assert len({derive(KEY, bound_to=split, digits=10) for split in splits}) == len(splits)


def test_another_key_gives_another_code():
    assert derive(KEY, bound_to=["a"], digits=10) != derive(b"l" * 32, bound_to=["a"], digits=10)


def test_codes_are_spread_evenly():
    codes = [derive(KEY, bound_to=[str(n)], digits=4) for n in range(20_000)]
    firsts = [sum(code[0] == digit for code in codes) for digit in "0123456789"]
    assert all(1_800 < count < 2_200 for count in firsts)
