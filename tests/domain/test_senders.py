"""Whom a message may come from."""

import pytest

from domain.refusals import InvalidRequest
from domain.senders import REGISTERED, SHOWN, require_sound, sender_for


@pytest.mark.parametrize(
    ("country", "sender"), [("DE", "Shop"), ("DE", "My Shop 24"), ("*", "Shop"), ("US", "12345"), ("IN", "ABCDEF")]
)
def test_a_name_or_a_short_code_may_send(country, sender):
    require_sound(country, sender)


@pytest.mark.parametrize(
    ("country", "sender", "told"),
    [
        ("de", "Shop", "two capital letters"),
        ("*", "12345", "belongs to a country"),
        ("DE", "Shop of mine", "1 to 11"),
        ("DE", " Shop", "1 to 11"),
        ("DE", "", "1 to 11"),
        ("DE", "Café", "1 to 11"),
        ("DE", "Shop\n", "1 to 11"),
        ("DE", "+4915112345", "1 to 11"),
        ("DE", "123456789", "1 to 11"),
        ("GB", "7", "1 to 11"),
        ("US", "Shop", "US shows no alphanumeric sender"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(country, sender, told):
    with pytest.raises(InvalidRequest, match=told):
        require_sound(country, sender)


def test_a_country_of_its_own_comes_before_all():
    senders = {"*": "Shop", "FR": "Boutique", "IN": "SHOPIN", "US": "12345"}
    assert {country: sender_for(senders, country) for country in ("DE", "FR", "IN", "US", "CA", "RU")} == {
        "DE": "Shop",
        "FR": "Boutique",
        "IN": "SHOPIN",
        "US": "12345",
        "CA": "",  # shows none
        "RU": "",  # only a registered one, which must be named for it
    }
    assert sender_for({}, "DE") == ""


def test_who_asks_for_registration_shows_a_name():
    assert REGISTERED <= SHOWN
