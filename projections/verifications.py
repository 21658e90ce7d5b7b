"""The view `verifications`: where each one's events are, and how it stands; listed newest first, found by id.

Whether an open one is pending or expired is for the reader to say, who has a clock.
"""

from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
import psycopg

from domain.events import (
    AttemptFailed,
    CodeRequested,
    CreditDebited,
    CreditRefunded,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
)
from projections.arrays import array
from projections.facts import Batch, Fact, Poisoned
from projections.projection import Projection, Row, Rows

_FOUND: Final = """
SELECT v.* FROM unnest(%s::text[], %s::text[]) AS w (log, verification_id)
JOIN {schema}.verifications AS v ON v.log = w.log AND v.verification_id = w.verification_id"""

# For readers. All give: position, verification_id, first_version, last_version.
_PLACES: Final = b"SELECT position, verification_id, first_version, last_version FROM doneotp_views.verifications "
_NEWEST: Final = b" ORDER BY position DESC LIMIT %b"
BY_ID: Final = _PLACES + b"WHERE log = %b AND verification_id = ANY (%b)"
PAGE: Final = _PLACES + b"WHERE log = %b AND position < %b" + _NEWEST
PAGE_BY_OUTCOME: Final = _PLACES + b"WHERE log = %b AND position < %b AND outcome = %b" + _NEWEST
PAGE_PENDING: Final = _PLACES + b"WHERE log = %b AND position < %b AND outcome = 'open' AND expires_at > %b" + _NEWEST
PAGE_EXPIRED: Final = _PLACES + b"WHERE log = %b AND position < %b AND outcome = 'open' AND expires_at <= %b" + _NEWEST

Standings = dict[tuple[str, str], "Standing"]


class Standing(msgspec.Struct, kw_only=True):
    """A row: the fields are the columns. `credits` is what it cost after refunds."""

    log: str
    position: int
    verification_id: str
    first_version: int
    last_version: int
    phone: str
    country: str
    created_at: datetime
    expires_at: datetime
    sends: int
    attempts_left: int
    credits: int = 0
    outcome: str = "open"
    ended_at: datetime | None = None
    redeemed_at: datetime | None = None


class Verifications(Projection[Standings]):
    """One row for each verification, with the versions in its stream between which its events are."""

    name: ClassVar = "verifications"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "position": "bigint NOT NULL",
        "verification_id": 'text COLLATE "C" NOT NULL',
        "first_version": "integer NOT NULL",
        "last_version": "integer NOT NULL",
        "phone": "text NOT NULL",
        "country": "text NOT NULL",
        "created_at": "timestamptz NOT NULL",
        "expires_at": "timestamptz NOT NULL",
        "sends": "integer NOT NULL",
        "attempts_left": "integer NOT NULL",
        "credits": "bigint NOT NULL",
        "outcome": "text NOT NULL CHECK (outcome IN ('open', 'verified', 'failed', 'cancelled'))",
        "ended_at": "timestamptz",
        "redeemed_at": "timestamptz",
    }
    key_columns: ClassVar = 2
    indexes: ClassVar = (
        "CREATE UNIQUE INDEX ON {table} (log, verification_id)",
        "CREATE INDEX ON {table} (log, outcome, position) INCLUDE (expires_at)",
    )

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> Standings:
        """Those that the batch is about and that began before it."""
        wanted: dict[tuple[str, str], bool] = {}
        for log, facts in batch.items():
            for fact in facts:
                name = getattr(fact.event, "verification_id", None)
                if name is not None:
                    wanted.setdefault((log, name), not _is_first(fact))
        earlier = [key for key, is_earlier in wanted.items() if is_earlier]
        if not earlier:
            return {}
        statement = _FOUND.format(schema=schema).encode()
        rows = connection.execute(
            statement, (array([log for log, _ in earlier]), array([name for _, name in earlier])), binary=True
        )
        names = list(self.columns)
        standings = (Standing(**dict(zip(names, row, strict=True))) for row in rows)
        return {(standing.log, standing.verification_id): standing for standing in standings}

    def fold(self, before: Standings, batch: Batch) -> Rows:
        begun: Standings = {}
        touched: Standings = {}
        for log, facts in batch.items():
            for fact in facts:
                name = getattr(fact.event, "verification_id", None)
                if name is None:
                    continue
                key = (log, name)
                if _is_first(fact):
                    begun[key] = _begin(log, fact)
                    continue
                standing = begun.get(key)
                if standing is None:
                    standing = before.get(key)
                    if standing is None:
                        raise Poisoned(log, fact.position)
                    touched[key] = standing
                evolve(standing, fact)
        return Rows([_row(standing) for standing in begun.values()], [_row(standing) for standing in touched.values()])


def evolve(standing: Standing, fact: Fact) -> None:
    """Take one more event of a verification into its row."""
    event = fact.event
    match event:
        case CreditDebited():
            standing.credits += event.credits
            return
        case CreditRefunded():
            standing.credits -= event.credits
            return
        case CodeRequested():
            standing.sends = event.send
        case AttemptFailed():
            standing.attempts_left = event.attempts_left
            if event.attempts_left == 0:
                standing.outcome, standing.ended_at = "failed", event.at
        case Verified():
            standing.outcome, standing.ended_at = "verified", event.at
        case VerificationCancelled():
            standing.outcome, standing.ended_at = "cancelled", event.at
        case TokenRedeemed():
            standing.redeemed_at = event.at
        case _:
            pass
    standing.last_version = fact.version


def _is_first(fact: Fact) -> bool:
    return type(fact.event) is CodeRequested and fact.event.send == 1


def _begin(log: str, fact: Fact) -> Standing:
    event = fact.event
    assert isinstance(event, CodeRequested), "a verification begins with a request"
    return Standing(
        log=log,
        position=fact.position,
        verification_id=event.verification_id,
        first_version=fact.version,
        last_version=fact.version,
        phone=event.phone,
        country=event.country,
        created_at=event.at,
        expires_at=event.expires_at,
        sends=event.send,
        attempts_left=event.attempts_left,
    )


def _row(standing: Standing) -> Row:
    return msgspec.structs.astuple(standing)
