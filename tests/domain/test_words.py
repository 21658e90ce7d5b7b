"""What people write into the ledger holds no number and no address, and an auditor agrees."""

import pytest
from hypothesis import given, settings, strategies

from domain.refusals import InvalidRequest
from domain.words import is_personal, require_words
from projections.audit.masks import unmasked

PERSONAL = [
    "+14155552671",
    "call +1 (415) 555-2671",
    "+ 1 4 1 5 5 5 5 2 6 7 1",
    "+１４１５５５５２６７１",  # noqa: RUF001 - full-width digits are the point
    "+١٤١٥٥٥٥٢٦٧١",
    "from 192.0.2.7",
    "192.0.2.7:8080",
    "2001:db8::1",
    "::1",
]
SOUND = ["Shop", "invoice-17", "20261124-000123", "paid at 12:30:45", "größe", "3.1.4", "+49", "Übung 7"]


@pytest.mark.parametrize("text", PERSONAL)
def test_a_number_or_an_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        require_words(text, field="name", most=120)
    assert refused.value.detail == "name must not hold a phone number or an address: it is kept for ever."


@pytest.mark.parametrize("text", SOUND)
def test_other_words_are_kept(text: str) -> None:
    require_words(text, field="name", most=120)


@pytest.mark.parametrize("text", ["", "x" * 121, "two\nlines"])
def test_words_are_printable_and_not_long(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        require_words(text, field="name", most=120)
    assert refused.value.detail == "name must be 1 to 120 printable characters."


@settings(deadline=None)
@given(strategies.text("+1234567890.:/-() abcdefT٣５", max_size=40))  # noqa: RUF001
def test_what_may_be_kept_an_auditor_finds_masked(text: str) -> None:
    assert is_personal(text) or list(unmasked({"name": text})) == []
