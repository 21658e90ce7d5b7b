"""The view `usage`: what was sent, proved and paid, by log, day (UTC) and country.

An event counts for the day on which it happened, and for the country of the number that it is about.
"""

import operator
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

import msgspec
import psycopg

from domain.codec import decode
from domain.events import (
    AttemptFailed,
    CodeRequested,
    CodeSent,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    Event,
    SendFailed,
    VerificationCancelled,
    Verified,
)
from projections.arrays import array
from projections.facts import Batch, Poisoned, stream_of
from projections.projection import Projection, Rows

# How verifications began, from the ledger: a verification's stream is in its id, and its beginning not far from its end.
_BEGUN: Final = b"""
SELECT w.log, w.verification_id, r.body
FROM unnest(%s::text[], %s::text[], %s::text[]) AS w (log, stream, verification_id)
CROSS JOIN LATERAL (
    SELECT body FROM doneotp.events AS e
    WHERE e.log = w.log AND e.stream = w.stream AND e.topic = 'CodeRequested.v1'
        AND convert_from(e.body, 'UTF8')::json ->> 'verification_id' = w.verification_id
        AND convert_from(e.body, 'UTF8')::json ->> 'send' = '1'
    ORDER BY e.version DESC LIMIT 1) AS r"""
_ADD: Final = """
INSERT INTO {schema}.usage AS u ({columns}) SELECT * FROM unnest({arrays})
ON CONFLICT (log, day, country) DO UPDATE SET {sums}"""
# For readers: the position that the rows are true for, day and country (* where they are not grouped by), the sums.
# There is one row without sums where nothing is found.
_GROUPED: Final = """
SELECT t.position, u.* FROM (
    SELECT coalesce(max(position), 0) AS position FROM doneotp_views.tracking WHERE log = %b) AS t
LEFT JOIN (
    SELECT g.day, g.country, {sums} FROM doneotp_views.usage AS u CROSS JOIN LATERAL (
        SELECT CASE WHEN %b THEN u.day::text ELSE '*' END AS day, CASE WHEN %b THEN u.country ELSE '*' END AS country) AS g
    WHERE u.log = %b AND u.day BETWEEN %b AND %b GROUP BY g.day, g.country
    HAVING (g.day, g.country) > (%b::text, %b::text) ORDER BY g.day, g.country LIMIT %b) AS u ON true
ORDER BY u.day, u.country"""
_MICROSECOND: Final = timedelta(microseconds=1)

Key = tuple[str, date, str]


class Counts(msgspec.Struct):
    """The columns that are counted, beside those of the key."""

    begun: int = 0
    requested: int = 0
    sent: int = 0
    failed: int = 0
    delivered: int = 0
    undelivered: int = 0
    verified: int = 0
    cancelled: int = 0
    attempts_failed: int = 0
    credits_debited: int = 0
    credits_refunded: int = 0
    to_verify_microseconds: int = 0


def plus(counts: Counts, more: Counts) -> Counts:
    """Their sum."""
    return Counts(*map(operator.add, msgspec.structs.astuple(counts), msgspec.structs.astuple(more)))


def grouped() -> bytes:
    """The statement for readers above."""
    sums = ", ".join(f"sum(u.{name})::bigint" for name in Counts.__struct_fields__)
    return _GROUPED.format(sums=sums).encode()


class Beginning(NamedTuple):
    """When and where a verification began."""

    at: datetime
    country: str


Beginnings = dict[tuple[str, str], Beginning]


class Usage(Projection[Beginnings]):
    """One row for each log, day and country in which anything happened."""

    name: ClassVar = "usage"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "day": "date NOT NULL",
        "country": 'text COLLATE "C" NOT NULL',
        **dict.fromkeys(Counts.__struct_fields__, "bigint NOT NULL"),
    }
    key_columns: ClassVar = 3

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> Beginnings:
        """How the verifications of the batch began."""
        return beginnings(batch, lambda statement, parameters: connection.execute(statement, parameters, binary=True))

    def fold(self, before: Beginnings, batch: Batch) -> Rows:
        """What the batch adds to the rows."""
        return Rows([(*key, *msgspec.structs.astuple(counts)) for key, counts in counted(batch, before).items()])

    def store(self, connection: psycopg.Connection[Any], rows: Rows, *, schema: str) -> None:
        """Add to what is there."""
        if not rows.fresh:
            return
        statement = _ADD.format(
            schema=schema,
            columns=", ".join(self.columns),
            arrays=self.arrays(),
            sums=", ".join(f"{name} = u.{name} + excluded.{name}" for name in Counts.__struct_fields__),
        )
        connection.execute(statement.encode(), [array(column) for column in zip(*rows.fresh, strict=True)])


def counted(batch: Batch, beginnings: Beginnings) -> dict[Key, Counts]:
    """What a batch counts for, by log, day and country; raises Poisoned for a verification that never began."""
    counted: dict[Key, Counts] = {}
    for log, facts in batch.items():
        for position, _, _, event in facts:
            name = getattr(event, "verification_id", None)
            if name is None:
                continue
            beginning = beginnings.get((log, name))
            if beginning is None:
                raise Poisoned(log, position)
            key = (log, event.at.date(), beginning.country)
            counts = counted.get(key)
            if counts is None:
                counts = counted[key] = Counts()
            _count(counts, event, beginning)
    return counted


def _count(counts: Counts, event: Event, beginning: Beginning) -> None:
    match event:
        case CodeRequested():
            counts.requested += 1
            counts.begun += event.send == 1
        case CreditDebited():
            counts.credits_debited += event.credits
        case CodeSent():
            counts.sent += 1
        case Verified():
            counts.verified += 1
            counts.to_verify_microseconds += max(0, (event.at - beginning.at) // _MICROSECOND)
        case AttemptFailed():
            counts.attempts_failed += 1
        case DeliveryReported():
            counts.delivered += event.outcome == "delivered"
            counts.undelivered += event.outcome == "undelivered"
        case SendFailed():
            counts.failed += 1
        case CreditRefunded():
            counts.credits_refunded += event.credits
        case VerificationCancelled():
            counts.cancelled += 1
        case _:
            pass


def beginnings(batch: Batch, execute: Callable[[bytes, tuple[str, ...]], Iterable[tuple[Any, ...]]]) -> Beginnings:
    """How the verifications of a batch began: in it, or before it in the ledger, which is asked with `execute`."""
    found = {
        (log, event.verification_id): Beginning(event.at, event.country)
        for log, facts in batch.items()
        for _, _, _, event in facts
        if type(event) is CodeRequested and event.send == 1
    }
    named = dict.fromkeys(
        (log, fact.event.verification_id)
        for log, facts in batch.items()
        for fact in facts
        if hasattr(fact.event, "verification_id")
    )
    missing = [key for key in named if key not in found]
    if missing:
        names = [name for _, name in missing]
        parameters = (array([log for log, _ in missing]), array([stream_of(name) for name in names]), array(names))
        for log, name, body in execute(_BEGUN, parameters):
            event = decode("CodeRequested.v1", body)
            assert isinstance(event, CodeRequested), "the topic says so"
            found[(log, name)] = Beginning(event.at, event.country)
    return found
