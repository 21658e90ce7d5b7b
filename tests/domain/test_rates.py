"""Rate cards: named by their content, priced by country, refused when nobody could be billed by them."""

import pytest

from domain.rates import COUNTRIES_MAX, FLAT, PRICE_MAX, Price, RateCard, require_sound
from domain.refusals import InvalidRequest


def card(prices: dict[str, int], *, per: str = "message") -> RateCard:
    return RateCard(per="segment" if per == "segment" else "message", prices=prices)


def test_a_card_is_named_by_its_content_in_whatever_order_it_was_written():
    assert card({"*": 1, "TR": 2}).content() == b'{"per":"message","prices":{"*":1,"TR":2}}'
    assert card({"TR": 2, "*": 1}).id == card({"*": 1, "TR": 2}).id == "rc_7e0e530db6bccbd4"
    assert len({card({"*": 1}).id, card({"*": 2}).id, card({"*": 1}, per="segment").id}) == 3


def test_one_credit_a_message_until_another_card_is_adopted():
    assert FLAT.price("TR", segments=3) == Price(units=1, unit_credits=1)
    assert FLAT.id == "rc_5ac86ae57a3c1c27"


@pytest.mark.parametrize(
    ("per", "country", "segments", "price", "credits"),
    [
        ("message", "TR", 3, Price(1, 5), 5),
        ("segment", "TR", 3, Price(3, 5), 15),
        ("segment", "US", 2, Price(2, 2), 4),
        ("segment", "DE", 2, Price(2, 0), 0),
    ],
)
def test_a_message_costs_what_its_country_says(per, country, segments, price, credits):
    found = card({"*": 2, "TR": 5, "DE": 0}, per=per).price(country, segments=segments)
    assert (found, found.credits) == (price, credits)


@pytest.mark.parametrize(
    "prices",
    [
        *({}, {"TR": 1}, {"*": -1}, {"*": PRICE_MAX + 1}, {"*": 1, "tr": 1}, {"*": 1, "TUR": 1}, {"*": 1, "": 1}),
        {"*": 1} | {f"{a}{b}": 1 for a in "ABCDEFGHIJKL" for b in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"},
    ],
    ids=str,
)
def test_a_card_that_nobody_could_be_billed_by_is_refused(prices):
    with pytest.raises(InvalidRequest):
        require_sound(card(prices))


def test_a_card_may_be_as_big_as_the_world():
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = [a + b for a in letters for b in letters][: COUNTRIES_MAX - 1]
    require_sound(card({"*": PRICE_MAX} | dict.fromkeys(names, 0)))
