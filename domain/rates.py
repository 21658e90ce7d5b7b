"""Rate cards: what a message costs, by country. A card is named by its content, so that a name means one price for ever."""

import hashlib
import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

from domain.refusals import InvalidRequest

PRICE_MAX: Final = 1_000_000
COUNTRIES_MAX: Final = 300
ELSEWHERE: Final = "*"
_COUNTRY: Final = re.compile(r"[A-Z]{2}")


class Price(msgspec.Struct, frozen=True):
    """What one message costs: so many units at so many credits each."""

    units: int
    unit_credits: int

    @property
    def credits(self) -> int:
        return self.units * self.unit_credits


class RateCard(msgspec.Struct, frozen=True, kw_only=True):
    """Credits by ISO 3166-1 country, `*` for all that are not named, for each message or each of its segments."""

    per: Literal["message", "segment"]
    prices: dict[str, int]

    def content(self) -> bytes:
        """The bytes that the card is named by: JSON, names in order, no blanks."""
        return _ENCODER.encode(self)

    @property
    def id(self) -> str:
        """`rc_` and 64 bits of the SHA-256 of the content."""
        return _named(self.content())

    def price(self, country: str, *, segments: int) -> Price:
        """Of one message."""
        unit = self.prices.get(country, self.prices[ELSEWHERE])
        return Price(segments if self.per == "segment" else 1, unit)


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


@lru_cache(maxsize=1_000)
def _named(content: bytes) -> str:
    return "rc_" + hashlib.sha256(content).hexdigest()[:16]


FLAT: Final = RateCard(per="message", prices={ELSEWHERE: 1})
"""One credit a message, everywhere: in force for an account until it adopts another."""


def require_sound(card: RateCard) -> None:
    """Raise InvalidRequest for a card that nobody could be billed by."""
    if ELSEWHERE not in card.prices:
        raise InvalidRequest('prices must have a price for "*", all countries that are not named.')
    if len(card.prices) > COUNTRIES_MAX:
        raise InvalidRequest(f"prices must name at most {COUNTRIES_MAX} countries.")
    for country, price in card.prices.items():
        if country != ELSEWHERE and _COUNTRY.fullmatch(country) is None:
            raise InvalidRequest('prices must name countries by two capital letters, such as "TR".')
        if not 0 <= price <= PRICE_MAX:
            raise InvalidRequest(f"prices must be whole credits from 0 to {PRICE_MAX}.")
