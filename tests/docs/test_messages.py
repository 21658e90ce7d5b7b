"""The page on messages against the texts that are sent."""

from domain.senders import REGISTERED, SHOWN
from domain.shipped import SHIPPED
from domain.templates import cost
from tests.docs.pages import MESSAGES, rows


def test_every_shipped_text_is_there_with_its_cost() -> None:
    expected = []
    for locale, text in SHIPPED.items():
        one = cost(text)
        counts = (one.units, one.segments, one.segments_with_web_origin, one.segments_with_app_hash)
        expected.append([f"`{locale}`", text, one.encoding, *map(str, counts)])
    assert list(rows(MESSAGES, "The texts")) == expected


def test_every_country_that_shows_a_name_is_there() -> None:
    assert list(rows(MESSAGES, "Senders")) == [
        ["shows it", " ".join(sorted(SHOWN - REGISTERED))],
        ["shows it when it is registered", " ".join(sorted(REGISTERED))],
    ]
