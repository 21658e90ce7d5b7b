"""From the ledger to deliveries: what was recorded since the last look, for whom, in the transaction that remembers the look.

The endpoints are folded from the very events that are looked through, so that each gets what was recorded while it was there.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import msgspec
import psycopg
from msgspec.structs import astuple

from domain import webhooks
from domain.codec import UnreadableEvent, decode
from domain.webhooks import Endpoint, type_of, wants

OUTBOX_LOCK: Final = 0x646F6E77  # "donw"
LOGS_MAX: Final = 500
EVENTS_MAX: Final = 2_000
"""Events of one log in one look."""
SKIMMED_MAX: Final = 100_000
"""The same where there is no endpoint yet, and only the coming of one is looked for."""
WAITING_MAX: Final = 100_000
"""Deliveries that may wait for one endpoint. One that has more is disabled; what it missed can be replayed."""
_WEBHOOK_TOPICS: Final = [
    f"{name}.v1"
    for name in (
        "WebhookEndpointAdded",
        "WebhookSecretRotated",
        "WebhookEndpointDisabled",
        "WebhookEndpointEnabled",
        "WebhookEndpointRemoved",
    )
]
_TURN: Final = b"SELECT pg_try_advisory_xact_lock(%s)"
# A power cut may take the last looks, with how far they came: they are made again, and a post twice has one id.
_IN_ITS_TIME: Final = b"SET LOCAL synchronous_commit = off"
_BEHIND: Final = b"""
SELECT h.log, coalesce(c.position, 0), h.position FROM doneotp.heads AS h LEFT JOIN doneotp.webhook_cursors AS c USING (log)
WHERE h.log > %s AND h.position > coalesce(c.position, 0) ORDER BY h.log LIMIT %s"""
# Locked, so that nobody finishes a delivery while it is decided what has to wait for it.
_ENDPOINTS: Final = b"""
SELECT log, endpoint_id, position, url, types, added_at, secret_number, previous_until, disabled, waiting
FROM doneotp.webhook_endpoints WHERE log = ANY (%s) ORDER BY log, endpoint_id FOR UPDATE"""
_EVENTS: Final = b"""
SELECT w.log, e.position, e.topic, e.body FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::boolean[])
    AS w (log, after, until, is_watched)
CROSS JOIN LATERAL (
    SELECT position, topic, body FROM doneotp.events AS e
    WHERE e.log = w.log AND e.position > w.after AND e.position <= w.until AND (w.is_watched OR e.topic = ANY (%s))
    ORDER BY e.position) AS e"""
_MOVE: Final = b"""
INSERT INTO doneotp.webhook_cursors AS c (log, position) SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (log) DO UPDATE SET position = excluded.position"""
_KEEP: Final = b"""
INSERT INTO doneotp.webhook_endpoints AS e
    (log, position, endpoint_id, url, types, added_at, secret_number, previous_until, disabled)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (log, endpoint_id) DO UPDATE SET position = excluded.position, secret_number = excluded.secret_number,
    previous_until = excluded.previous_until, disabled = excluded.disabled,
    failures = CASE WHEN e.disabled <> '' AND excluded.disabled = '' THEN 0 ELSE e.failures END"""
_FORGET: Final = (
    b"DELETE FROM doneotp.webhook_deliveries WHERE log = %s AND endpoint_id = %s AND status = 'waiting'",
    b"DELETE FROM doneotp.webhook_endpoints WHERE log = %s AND endpoint_id = %s",
)
_DELIVER: Final = b"""
INSERT INTO doneotp.webhook_deliveries (log, endpoint_id, position, about, status, tries, attempts, due_at)
SELECT n.log, n.endpoint_id, n.position, n.about, 'waiting', 0, 0,
    CASE WHEN n.is_later OR n.about <> '' AND EXISTS (
        SELECT 1 FROM doneotp.webhook_deliveries AS d WHERE d.log = n.log AND d.endpoint_id = n.endpoint_id
            AND d.about = n.about AND d.about <> '' AND d.status = 'waiting' AND d.position < n.position)
    THEN 'infinity'::timestamptz ELSE now() END
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::text[], %s::boolean[])
    AS n (log, endpoint_id, position, about, is_later)
ON CONFLICT DO NOTHING"""
_COUNT: Final = b"""
UPDATE doneotp.webhook_endpoints AS e SET waiting = e.waiting + n.count
FROM unnest(%s::text[], %s::text[], %s::integer[]) AS n (log, endpoint_id, count)
WHERE e.log = n.log AND e.endpoint_id = n.endpoint_id"""


class Look(NamedTuple):
    """What one look did. `flooded` endpoints have more waiting than they may."""

    deliveries: int
    is_full: bool
    flooded: list[tuple[str, str]]


class _About(msgspec.Struct, frozen=True):
    verification_id: str = ""


_ABOUTS: Final = msgspec.json.Decoder(_About)


class Outbox:
    """Looks through all logs in turn. One at a time on a database; whoever else looks does nothing."""

    def __init__(self, *, on_poison: Callable[[str, int], None], waiting_max: int = WAITING_MAX) -> None:
        self._on_poison = on_poison
        self._waiting_max = waiting_max
        self._poisoned: set[str] = set()
        self._last = ""

    async def look(self, connection: psycopg.AsyncConnection[Any]) -> Look:
        """One transaction."""
        async with connection.transaction():
            if await (await connection.execute(_TURN, (OUTBOX_LOCK,))).fetchone() != (True,):
                return Look(0, is_full=False, flooded=[])
            rows = await (await connection.execute(_BEHIND, (self._last, LOGS_MAX))).fetchall()
            self._last = rows[-1][0] if len(rows) == LOGS_MAX else ""
            behind = [row for row in rows if row[0] not in self._poisoned]
            if not behind:
                return Look(0, is_full=self._last != "", flooded=[])
            await connection.execute(_IN_ITS_TIME)
            return await self._take(connection, behind)

    async def _take(self, connection: psycopg.AsyncConnection[Any], behind: list[tuple[str, int, int]]) -> Look:
        found = await (await connection.execute(_ENDPOINTS, ([log for log, _, _ in behind],))).fetchall()
        folds = {log: _Fold(log, after, self._waiting_max) for log, after, _ in behind}
        for log, endpoint_id, position, url, types, added_at, number, until, disabled, waiting in found:
            endpoint = Endpoint(
                id=endpoint_id,
                url=url,
                types=tuple(types),
                added_at=added_at,
                secret_number=number,
                previous_until=until,
                disabled=disabled,
            )
            folds[log].begin(endpoint, position=position, waiting=waiting)
        untils = {
            log: min(head, after + (EVENTS_MAX if folds[log].endpoints else SKIMMED_MAX)) for log, after, head in behind
        }
        watched = [bool(folds[log].endpoints) for log, _, _ in behind]
        bounds = ([log for log, _, _ in behind], [after for _, after, _ in behind], [*untils.values()], watched)
        rows = await connection.execute(_EVENTS, (*bounds, _WEBHOOK_TOPICS), binary=True)
        async for log, position, topic, body in rows:
            self._read(folds[log], position, topic, body)
        for log, fold in folds.items():
            fold.end(untils[log])
        await _store(connection, [*folds.values()])
        full = self._last != "" or any(
            folds[log].reached < head for log, _, head in behind if log not in self._poisoned
        )
        flooded = [(fold.log, endpoint_id) for fold in folds.values() for endpoint_id in fold.flooded]
        return Look(sum(len(fold.deliveries) for fold in folds.values()), is_full=full, flooded=flooded)

    def _read(self, fold: "_Fold", position: int, topic: str, body: bytes) -> None:
        if fold.is_over:
            return
        try:
            fold.take(position, topic, body)
        except (UnreadableEvent, msgspec.MsgspecError):
            fold.end(position - 1)
            self._poisoned.add(fold.log)
            self._on_poison(fold.log, position)


class _Fold:
    """One log from where the last look ended. A log that begins to be watched ends there: the next look reads all of it."""

    def __init__(self, log: str, after: int, waiting_max: int) -> None:
        self.log = log
        self.reached = after
        self.is_over = False
        self.endpoints: tuple[Endpoint, ...] = ()
        self.changed: dict[str, int] = {}
        self.removed: list[str] = []
        self.deliveries: list[tuple[str, int, str, bool]] = []
        self.flooded: set[str] = set()
        self._is_watched = False
        self._waiting: dict[str, int] = {}
        self._waiting_max = waiting_max
        self._seen: set[tuple[str, str]] = set()

    def begin(self, endpoint: Endpoint, *, position: int, waiting: int) -> None:
        self.endpoints = (*self.endpoints, endpoint)
        self._waiting[endpoint.id] = waiting
        self._is_watched = True

    def take(self, position: int, topic: str, body: bytes) -> None:
        if topic in _WEBHOOK_TOPICS:
            self._change(position, topic, body)
        about = _ABOUTS.decode(body).verification_id
        for endpoint in self.endpoints:
            if not endpoint.disabled and wants(endpoint.types, type_of(topic)):
                self._deliver(endpoint.id, position, about)
        if not self._is_watched:
            self.end(position)

    def end(self, position: int) -> None:
        """The log was looked through up to here; further on only by the next look."""
        if not self.is_over:
            self.reached, self.is_over = position, True

    def _change(self, position: int, topic: str, body: bytes) -> None:
        event = decode(topic, body)
        before = {endpoint.id: endpoint for endpoint in self.endpoints}
        self.endpoints = webhooks.evolve(self.endpoints, event)
        after = {endpoint.id: endpoint for endpoint in self.endpoints}
        self.changed |= {name: position for name, endpoint in after.items() if before.get(name) != endpoint}
        for name in before.keys() - after.keys():
            self.changed.pop(name, None)
            self.removed.append(name)
            self.deliveries = [row for row in self.deliveries if row[0] != name]

    def _deliver(self, endpoint_id: str, position: int, about: str) -> None:
        waiting = self._waiting.get(endpoint_id, 0)
        if waiting >= self._waiting_max:
            self.flooded.add(endpoint_id)
            return
        self._waiting[endpoint_id] = waiting + 1
        is_later = about != "" and (endpoint_id, about) in self._seen
        self._seen.add((endpoint_id, about))
        self.deliveries.append((endpoint_id, position, about, is_later))


async def _store(connection: psycopg.AsyncConnection[Any], folds: list[_Fold]) -> None:
    for fold in folds:
        for endpoint_id in fold.removed:
            for statement in _FORGET:
                await connection.execute(statement, (fold.log, endpoint_id))
        for endpoint in fold.endpoints:
            if endpoint.id in fold.changed:
                values = [list(value) if isinstance(value, tuple) else value for value in astuple(endpoint)]
                await connection.execute(_KEEP, (fold.log, fold.changed[endpoint.id], *values))
    rows = [(fold.log, *delivery) for fold in folds for delivery in fold.deliveries]
    if rows:
        await connection.execute(_DELIVER, [list(column) for column in zip(*rows, strict=True)])
        counts: dict[tuple[str, str], int] = {}
        for log, endpoint_id, *_ in rows:
            counts[log, endpoint_id] = counts.get((log, endpoint_id), 0) + 1
        columns = [[log for log, _ in counts], [endpoint_id for _, endpoint_id in counts], [*counts.values()]]
        await connection.execute(_COUNT, columns)
    await connection.execute(_MOVE, ([fold.log for fold in folds], [fold.reached for fold in folds]))
