"""Rate cards as a log adopts them, and what a message costs by the one in force. A card is named by its content."""

import json
from bisect import bisect_right, insort
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from projections.audit.known import moment

ELSEWHERE: Final = "*"


class Card(NamedTuple):
    """Credits by country, for each message or each of its segments."""

    per: str
    prices: dict[str, int]

    @property
    def id(self) -> str:
        """The name that its content has."""
        return named(self.content())

    def content(self) -> bytes:
        """The bytes that a card is named by: JSON, names in order, no blanks."""
        document = {"per": self.per, "prices": dict(sorted(self.prices.items()))}
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


FLAT: Final = Card("message", {ELSEWHERE: 1})
"""In force until a log adopts another."""


def named(content: bytes) -> str:
    """`rc_` and 64 bits of the SHA-256."""
    return "rc_" + sha256(content).hexdigest()[:16]


class Cards:
    """The cards of one log, in the order of their days."""

    def __init__(self) -> None:
        self._adopted: list[tuple[datetime, str, Card]] = []

    def adopt(self, data: dict[str, Any]) -> bool:
        """Take a RateCardAdopted; False when it does not name what it holds."""
        card = Card(data["per"], data["prices"])
        insort(self._adopted, (moment(data["effective_from"]), card.id, card), key=_day)
        return bool(card.id == data["rate_card"])

    def is_price(self, debit: dict[str, Any], *, requested: dict[str, Any]) -> bool:
        """Whether a debit is what the card in force asks for the message, and says so."""
        at = moment(requested["at"])
        place = bisect_right(self._adopted, at, key=_day)
        _, name, card = self._adopted[place - 1] if place else (at, _FLAT_ID, FLAT)
        country = requested["country"]
        unit = card.prices.get(country, card.prices.get(ELSEWHERE))
        units = requested.get("segments", 1) if card.per == "segment" else 1
        said = (debit["rate_card"], debit.get("country", ""), debit.get("units", 1), debit.get("unit_credits", 0))
        return said == (name, country, units, unit) and debit["credits"] == units * debit.get("unit_credits", 0)


def _day(adopted: tuple[datetime, str, Card]) -> datetime:
    return adopted[0]


_FLAT_ID: Final = FLAT.id
