"""The view `charges`: every event that a statement is made of, by log and month (UTC), with what it costs and why.

A refund carries country, unit price and rate card of the debit that it pays back, and that debit's month.
"""

from datetime import date
from typing import Any, ClassVar, Final, NamedTuple

import psycopg

from domain import periods
from domain.codec import decode
from domain.events import CodeRequested, CreditAdded, CreditDebited, CreditRefunded, Event, StatementIssued, Verified
from domain.keys import account_of
from projections.arrays import array
from projections.facts import Batch, stream_of
from projections.projection import Projection, Row, Rows

# A debit comes right after the request that it pays for, and a request is in the stream that its verification's id names.
_DEBITS: Final = b"""
SELECT w.log, w.verification_id, w.send, d.body
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) AS w (log, stream, verification_id, send)
CROSS JOIN LATERAL (
    SELECT position FROM doneotp.events AS e
    WHERE e.log = w.log AND e.stream = w.stream AND e.topic = 'CodeRequested.v1'
        AND convert_from(e.body, 'UTF8')::json ->> 'verification_id' = w.verification_id
        AND convert_from(e.body, 'UTF8')::json ->> 'send' = w.send
    ORDER BY e.version DESC LIMIT 1) AS r
JOIN doneotp.events AS d ON d.log = w.log AND d.position = r.position + 1 AND d.topic = 'CreditDebited.v1'"""


class Price(NamedTuple):
    """What a debit said, and the month that it was made in."""

    month: str = ""
    country: str = ""
    rate_card: str = ""
    unit_credits: int = 0
    units: int = 0


_FREE: Final = Price()
Debits = dict[tuple[str, str, int], Price]
"""By log, verification and message."""


class Charges(Projection[Debits]):
    """One row for each debit, refund, added credit, begun and ended verification, and closed period."""

    name: ClassVar = "charges"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "month": 'text COLLATE "C" NOT NULL',
        "position": "bigint NOT NULL",
        "what": 'text COLLATE "C" NOT NULL',
        "day": "date NOT NULL",
        "debited_in": 'text COLLATE "C" NOT NULL',
        "country": 'text COLLATE "C" NOT NULL',
        "rate_card": 'text COLLATE "C" NOT NULL',
        "unit_credits": "bigint NOT NULL",
        "units": "bigint NOT NULL",
        "credits": "bigint NOT NULL",
        "tree_size": "bigint NOT NULL",
    }
    key_columns: ClassVar = 3
    indexes: ClassVar = ("CREATE INDEX ON {table} (log, position) WHERE what = 'closed'",)

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> Debits:
        """The debits that the batch's refunds are for, where they are older, from the ledger."""
        found = _debited(batch)
        missing = [key for key in _refunded(batch) if key not in found]
        if missing:
            logs, names, sends = zip(*missing, strict=True)
            asked = (logs, map(stream_of, names), names, map(str, sends))
            rows = connection.execute(_DEBITS, [array(list(column)) for column in asked], binary=True)
            for log, name, send, body in rows:
                event = decode("CreditDebited.v1", body)
                assert isinstance(event, CreditDebited), "the topic says so"
                if (event.verification_id, event.send) == (name, int(send)):
                    found[log, name, int(send)] = _price(event)
        return found

    def fold(self, before: Debits, batch: Batch) -> Rows:
        rows: list[Row] = []
        debits = before | _debited(batch)
        for log, facts in batch.items():
            if account_of(log) != log:  # test keys never appear in bills
                continue
            for position, _, _, event in facts:
                row = _row(log, position, event, debits)
                if row is not None:
                    rows.append(row)
        return Rows(rows)


def _debited(batch: Batch) -> Debits:
    return {
        (log, fact.event.verification_id, fact.event.send): _price(fact.event)
        for log, facts in batch.items()
        for fact in facts
        if type(fact.event) is CreditDebited
    }


def _refunded(batch: Batch) -> list[tuple[str, str, int]]:
    return [
        (log, fact.event.verification_id, fact.event.send)
        for log, facts in batch.items()
        for fact in facts
        if type(fact.event) is CreditRefunded
    ]


def _price(event: CreditDebited) -> Price:
    return Price(periods.of(event.at), event.country, event.rate_card, event.unit_credits, event.units)


def _row(log: str, position: int, event: Event, debits: Debits) -> Row | None:
    match event:
        case CreditDebited():
            return _spelled(log, position, event, "debited", event.credits, price=_price(event))
        case CreditRefunded():
            price = debits.get((log, event.verification_id, event.send), _FREE)
            return _spelled(log, position, event, "refunded", event.credits, price=price)
        case CreditAdded():
            return _spelled(log, position, event, "added", event.credits)
        case CodeRequested() if event.send == 1:
            return _spelled(log, position, event, "begun")
        case Verified():
            return _spelled(log, position, event, "verified")
        case StatementIssued():
            return _spelled(log, position, event, "closed", month=event.period, tree_size=event.tree_size)
        case _:
            return None


def _spelled(
    log: str,
    position: int,
    event: Event,
    what: str,
    credits: int = 0,
    *,
    price: Price = _FREE,
    month: str = "",
    tree_size: int = 0,
) -> Row:
    day: date = event.at.date()
    _, country, rate_card, unit_credits, units = price
    costs = (price.month, country, rate_card, unit_credits, units, credits)
    return (log, month or periods.of(event.at), position, what, day, *costs, tree_size)
