"""What people look at: the endpoints of a log with how they fare, and deliveries with each attempt. And asking for them again.

For the command line and the dashboard: `execute` is the recorder's. Of what receivers answered nothing is here but a status.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from domain.events import TOPICS
from domain.webhooks import Endpoint, type_of, wants

Execute = Callable[[bytes, tuple[object, ...]], list[tuple[Any, ...]]]
Status = Literal["waiting", "delivered", "given_up"]
DELIVERIES_MAX: Final = 1_000
REPLAYED_MAX: Final = 10_000
_ALL: Final = 2**62
_ENDPOINTS: Final = b"""
SELECT endpoint_id, failures, waiting,
    (SELECT min(due_at) FROM doneotp.webhook_deliveries AS d WHERE d.log = e.log AND d.endpoint_id = e.endpoint_id
        AND d.status = 'waiting' AND d.due_at < 'infinity')
FROM doneotp.webhook_endpoints AS e WHERE log = %b"""
_DELIVERIES: Final = b"""
SELECT d.endpoint_id, d.position, f.event_id, f.topic, d.about, d.status, d.tries, d.attempts,
    CASE WHEN d.status = 'waiting' AND d.due_at < 'infinity' THEN d.due_at END, d.finished_at
FROM doneotp.webhook_deliveries AS d JOIN doneotp.events AS f USING (log, position)
WHERE d.log = %b AND (%b = '' OR d.endpoint_id = %b) AND (%b = '' OR d.status = %b) AND d.position < %b
ORDER BY d.position DESC, d.endpoint_id LIMIT %b"""
_ATTEMPTS: Final = b"""
SELECT a.endpoint_id, a.position, a.number, a.at, a.status, a.error, a.duration_ms FROM doneotp.webhook_attempts AS a
JOIN unnest(%b::text[], %b::bigint[]) AS w (endpoint_id, position) USING (endpoint_id, position)
WHERE a.log = %b ORDER BY a.position, a.endpoint_id, a.number"""
_HEAD: Final = b"SELECT position FROM doneotp.heads WHERE log = %b"
_AT: Final = b"""
SELECT (convert_from(body, 'UTF8')::json ->> 'at')::timestamptz FROM doneotp.events WHERE log = %b AND position = %b"""
_LOG_OF: Final = b"""
SELECT h.log FROM doneotp.heads AS h
WHERE EXISTS (SELECT 1 FROM doneotp.events AS e WHERE e.log = h.log AND e.position = %b AND e.event_id = %b)"""
# The endpoint's row is locked first, as by all who change what waits for it.
_REPLAY: Final = b"""
WITH held AS MATERIALIZED (
    SELECT endpoint_id, types FROM doneotp.webhook_endpoints WHERE log = %b AND endpoint_id = %b FOR UPDATE),
wanted AS (
    SELECT f.position, coalesce(convert_from(f.body, 'UTF8')::json ->> 'verification_id', '') AS about
    FROM doneotp.events AS f, held WHERE f.log = %b AND f.position >= %b AND f.position <= %b AND f.topic = ANY (%b)),
again AS (
    INSERT INTO doneotp.webhook_deliveries AS d (log, endpoint_id, position, about, status, tries, attempts, due_at)
    SELECT %b, held.endpoint_id, w.position, w.about, 'waiting', 0, 0,
        CASE WHEN w.about <> '' AND w.position > min(w.position) OVER (PARTITION BY w.about)
        THEN 'infinity'::timestamptz ELSE now() END
    FROM wanted AS w, held
    ON CONFLICT (log, endpoint_id, position) DO UPDATE SET status = 'waiting', tries = 0, due_at = excluded.due_at,
        claimed_until = NULL, finished_at = NULL
    WHERE d.status <> 'waiting' RETURNING 1),
counted AS (
    UPDATE doneotp.webhook_endpoints SET waiting = waiting + (SELECT count(*) FROM again)
    WHERE log = %b AND endpoint_id = %b)
SELECT count(*) FROM again"""


class Fare(msgspec.Struct, frozen=True, kw_only=True):
    """How an endpoint fares: posts that failed in a row, deliveries that wait, and when the next is due."""

    failures: int
    waiting: int
    next_at: datetime | None


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One post. `error` is empty when it was taken; `status` is null when nobody answered."""

    number: int
    at: datetime
    status: int | None
    error: str
    duration_ms: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """An event for an endpoint. `next_at` is null when it is over, or waits for an earlier event of the same verification."""

    endpoint_id: str
    event_id: str
    position: int
    type: str
    verification_id: str
    status: Status
    tries: int
    next_at: datetime | None
    finished_at: datetime | None
    attempts: list[Attempt]


def fares(execute: Execute, log: str) -> dict[str, Fare]:
    """By endpoint; one that was added a moment ago may be missing."""
    rows = execute(_ENDPOINTS, (log,))
    return {
        endpoint_id: Fare(failures=failures, waiting=waiting, next_at=next_at)
        for endpoint_id, failures, waiting, next_at in rows
    }


def deliveries(
    execute: Execute,
    log: str,
    *,
    endpoint_id: str = "",
    status: Status | Literal[""] = "",
    before: int | None = None,
    limit: int = 100,
) -> list[Delivery]:
    """Those of a log, newest first, before a position if one is given."""
    narrowed = (endpoint_id, endpoint_id, status, status, _ALL if before is None else before)
    rows = execute(_DELIVERIES, (log, *narrowed, min(limit, DELIVERIES_MAX)))
    attempts: dict[tuple[str, int], list[Attempt]] = {}
    places = ([row[0] for row in rows], [row[1] for row in rows])
    for at_endpoint, position, number, at, answered, error, duration in execute(_ATTEMPTS, (*places, log)):
        attempt = Attempt(number=number, at=at, status=answered, error=error, duration_ms=duration)
        attempts.setdefault((at_endpoint, position), []).append(attempt)
    return [
        Delivery(
            endpoint_id=at_endpoint,
            event_id=str(event_id),
            position=position,
            type=type_of(topic),
            verification_id=about,
            status=state,
            tries=tries,
            next_at=next_at,
            finished_at=finished_at,
            attempts=attempts.get((at_endpoint, position), []),
        )
        for at_endpoint, position, event_id, topic, about, state, tries, _, next_at, finished_at in rows
    ]


def log_of(execute: Execute, event_id: UUID) -> tuple[str, int] | None:
    """The log and the position of an event; None when there is none of this id."""
    position = event_id.int >> 80  # its first 48 bits
    rows = execute(_LOG_OF, (position, event_id))
    return (rows[0][0], position) if rows else None


def head(execute: Execute, log: str) -> int:
    """The last position of a log; 0 when there is nothing."""
    rows = execute(_HEAD, (log,))
    return int(rows[0][0]) if rows else 0


def position_at(execute: Execute, log: str, moment: datetime) -> int:
    """The first position at or after a moment, by halving: moments of a log rise but for the clocks of its servers."""
    low, high = 1, head(execute, log) + 1
    while low < high:
        middle = (low + high) // 2
        ((at,),) = execute(_AT, (log, middle))
        low, high = (middle + 1, high) if at < moment else (low, middle)
    return low


def replay_wanted(execute: Execute, log: str, *, endpoint: Endpoint, first: int, last: int) -> int:
    """Replay those that an endpoint asks for."""
    topics = [topic for topic in TOPICS.values() if wants(endpoint.types, type_of(topic))]
    return replay(execute, log, endpoint_id=endpoint.id, first=first, last=last, topics=topics)


def replay(execute: Execute, log: str, *, endpoint_id: str, first: int, last: int, topics: Sequence[str]) -> int:
    """Deliver events of these topics from a position to another once more, with the bytes of the first time; how many.

    Those that are waiting still are left alone.
    """
    place = (log, endpoint_id)
    rows = execute(_REPLAY, (*place, log, first, last, list(topics), log, *place))
    return int(rows[0][0])
