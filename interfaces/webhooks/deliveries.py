"""Deliveries in Postgres: what may be posted now, and what became of it. Several processes may claim, each for itself.

A claim ends by itself: what a killed process had in its hands is posted once more, with the same id.
"""

from datetime import datetime
from typing import Any, Final, NamedTuple

import psycopg

from domain.webhooks import Endpoint

SCHEDULE_SECONDS: Final = (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Before each try, from the one before: as Standard Webhooks has it, over three days. Then it is given up."""
CLAIM_SECONDS: Final = 25
"""Longer than a post may take."""
ENDPOINT_MAX: Final = 4
"""Posts to one endpoint at once; one, where the last ones failed."""
FAILURES_MAX: Final = 3
KEPT_DAYS: Final = 30
_PURGED_MAX: Final = 5_000
CLAIM_LOCK: Final = 0x646F6E63  # "donc"
_LOCK: Final = b"SELECT pg_advisory_xact_lock(%s)"
_CLAIM: Final = b"""
WITH due AS (
    SELECT e.*, d.position AS place, e.failures >= %s AS is_failing, row_number() OVER (PARTITION BY e.failures >= %s) AS rank
    FROM doneotp.webhook_endpoints AS e
    CROSS JOIN LATERAL (
        SELECT count(*) AS count FROM doneotp.webhook_deliveries AS b
        WHERE b.log = e.log AND b.endpoint_id = e.endpoint_id AND b.claimed_until > now()) AS busy
    CROSS JOIN LATERAL (
        SELECT d.position FROM doneotp.webhook_deliveries AS d
        WHERE d.log = e.log AND d.endpoint_id = e.endpoint_id AND d.status = 'waiting' AND d.due_at <= now()
            AND (d.claimed_until IS NULL OR d.claimed_until <= now())
        ORDER BY d.due_at, d.position
        LIMIT greatest(0, CASE WHEN e.failures >= %s THEN 1 ELSE %s END - busy.count)) AS d
    WHERE e.disabled = '' AND e.waiting > 0),
chosen AS (SELECT * FROM due WHERE NOT is_failing OR rank <= %s ORDER BY is_failing LIMIT %s)
UPDATE doneotp.webhook_deliveries AS d SET claimed_until = now() + make_interval(secs => %s)
FROM chosen AS c JOIN doneotp.events AS f ON f.log = c.log AND f.position = c.place
WHERE d.log = c.log AND d.endpoint_id = c.endpoint_id AND d.position = c.place
RETURNING d.log, d.position, d.about, d.tries, c.is_failing, c.endpoint_id, c.url, c.types, c.added_at, c.secret_number,
    c.previous_until, f.event_id, f.topic, f.body"""
# The endpoint's row first: it is what decides between who finishes and who adds.
_COUNT: Final = b"""
UPDATE doneotp.webhook_endpoints SET failures = CASE WHEN %s THEN 0 ELSE failures + 1 END,
    waiting = waiting - CASE WHEN %s THEN 1 ELSE 0 END
WHERE log = %s AND endpoint_id = %s"""
_FINISH: Final = b"""
UPDATE doneotp.webhook_deliveries SET status = %s, tries = tries + 1, attempts = attempts + 1, claimed_until = NULL,
    due_at = now() + make_interval(secs => %s), finished_at = CASE WHEN %s THEN now() END
WHERE log = %s AND endpoint_id = %s AND position = %s AND status = 'waiting' RETURNING attempts"""
_ATTEMPT: Final = b"""
INSERT INTO doneotp.webhook_attempts (log, endpoint_id, position, number, at, status, error, duration_ms)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_NEXT: Final = b"""
UPDATE doneotp.webhook_deliveries SET due_at = now()
WHERE log = %s AND endpoint_id = %s AND due_at = 'infinity' AND position = (
    SELECT position FROM doneotp.webhook_deliveries
    WHERE log = %s AND endpoint_id = %s AND about = %s AND about <> '' AND status = 'waiting' ORDER BY position LIMIT 1)"""
_PURGE: Final = b"""
WITH old AS (
    SELECT log, endpoint_id, position FROM doneotp.webhook_deliveries
    WHERE finished_at < now() - make_interval(days => %s) ORDER BY finished_at LIMIT %s),
attempts AS (
    DELETE FROM doneotp.webhook_attempts AS a USING old
    WHERE a.log = old.log AND a.endpoint_id = old.endpoint_id AND a.position = old.position)
DELETE FROM doneotp.webhook_deliveries AS d USING old
WHERE d.log = old.log AND d.endpoint_id = old.endpoint_id AND d.position = old.position"""


class Claimed(NamedTuple):
    """A delivery that is ours for CLAIM_SECONDS."""

    log: str
    position: int
    about: str
    tries: int
    is_failing: bool
    endpoint: Endpoint
    event_id: str
    topic: str
    stored: bytes


class Finished(NamedTuple):
    """What became of a post. `wait_seconds` until the next one; None when there is none."""

    at: datetime
    status: int | None
    error: str
    duration_ms: int
    wait_seconds: float | None


async def claim(
    connection: psycopg.AsyncConnection[Any], *, limit: int, failing: int, seconds: float = CLAIM_SECONDS
) -> list[Claimed]:
    """Up to `limit` deliveries that are due, few of each endpoint, and `failing` of those whose last posts failed."""
    async with connection.transaction():
        await connection.execute(_LOCK, (CLAIM_LOCK,))
        few = (FAILURES_MAX, FAILURES_MAX, FAILURES_MAX, ENDPOINT_MAX)
        rows = await connection.execute(_CLAIM, (*few, failing, limit, seconds), binary=True)
        return [_claimed(row) for row in await rows.fetchall()]


async def finish(connection: psycopg.AsyncConnection[Any], claimed: Claimed, finished: Finished) -> None:
    """Record an attempt. A delivery that was removed or finished by another meanwhile stays as it is."""
    place = (claimed.log, claimed.endpoint.id)
    is_over = finished.wait_seconds is None
    status = "waiting" if not is_over else "given_up" if finished.error else "delivered"
    async with connection.transaction():
        await connection.execute(_COUNT, (not finished.error, is_over, *place))
        values = (status, finished.wait_seconds or 0.0, is_over, *place, claimed.position)
        row = await (await connection.execute(_FINISH, values)).fetchone()
        if row is None:
            raise psycopg.Rollback
        attempt = (finished.at, finished.status, finished.error, finished.duration_ms)
        await connection.execute(_ATTEMPT, (*place, claimed.position, row[0], *attempt))
        if is_over:
            await connection.execute(_NEXT, (*place, *place, claimed.about))


async def purge(connection: psycopg.AsyncConnection[Any], *, days: int = KEPT_DAYS) -> int:
    """Forget some of what was finished long ago; how many."""
    return (await connection.execute(_PURGE, (days, _PURGED_MAX))).rowcount


def _claimed(row: tuple[Any, ...]) -> Claimed:
    log, position, about, tries, is_failing, endpoint_id, url, types, added_at, number, until, *fact = row
    event_id, topic, stored = fact
    endpoint = Endpoint(
        id=endpoint_id, url=url, types=tuple(types), added_at=added_at, secret_number=number, previous_until=until
    )
    return Claimed(log, position, about, tries, is_failing, endpoint, str(event_id), topic, stored)
