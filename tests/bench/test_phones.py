"""The numbers that are verified."""

import phonenumbers
from hypothesis import given
from hypothesis import strategies as st

from domain import phone
from interfaces.bench.phones import AREA_CODES, NUMBERS_MAX, mask, number


def test_every_exchange_of_every_area_code_is_valid_in_the_united_states():
    refused = [
        spelling
        for area in AREA_CODES
        for exchange in range(200, 1000)
        if phonenumbers.region_code_for_number(phonenumbers.parse(spelling := f"+1{area}{exchange}0000")) != "US"
    ]
    assert refused == []


@given(index=st.integers(0, NUMBERS_MAX - 1))
def test_a_number_is_canonical_and_masked_as_the_service_masks_it(index):
    spelling = number(index)
    assert phone.parse(spelling) == phone.PhoneNumber(spelling, "US", mask(spelling), "fixed_line_or_mobile")


@given(first=st.integers(0, NUMBERS_MAX - 1), second=st.integers(0, NUMBERS_MAX - 1))
def test_different_indexes_are_different_numbers(first, second):
    assert (number(first) == number(second)) == (first == second)


def test_a_run_of_numbers_is_distinct_and_spread_over_as_many_prefixes_as_it_can_be():
    numbers = [number(index) for index in range(40_000)]
    prefixes = {spelling[:8] for spelling in numbers}
    assert len(set(numbers)) == 40_000
    assert max(sum(spelling.startswith(prefix) for spelling in numbers[:3_000]) for prefix in list(prefixes)[:200]) <= 2
