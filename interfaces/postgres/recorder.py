"""The ledger in Postgres: eventsourcing's recorder with a log per account and one server-side call to append.

The head row of a log decides who wrote position n. There is no table lock, and no retry here: after an error the
outcome is unknown, and only the writer, which knows its own event ids, may find it out.
"""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from eventsourcing.persistence import ProgrammingError, RecordConflictError, StoredEvent

from application.ports import LogRecorder, Record, Snapshot
from interfaces.postgres.arrays import BigintArray, ByteaArray, IntegerArray, TextArray, UuidArray
from interfaces.postgres.connection import Line, Lines

_APPEND: Final = b"SELECT doneotp.append(%b, %b, %b, %b, %b, %b, %b, %b, %b, %b, %b)"
_COLUMNS: Final = b"log, position, stream, version, event_id, topic, body, coalesce(idempotency, '')"
_HOLD: Final = b"SELECT 1 FROM doneotp.heads WHERE log = ANY (%b) ORDER BY log FOR UPDATE"
_HEADS: Final = b"SELECT log, position FROM doneotp.heads WHERE log = ANY (%b)"
_LOG: Final = (
    b"SELECT " + _COLUMNS + b" FROM doneotp.events WHERE log = %b AND position > %b ORDER BY position LIMIT %b"
)
_STREAMS: Final = b"""
WITH wanted AS MATERIALIZED (
    SELECT w.log, w.stream, s.version, s.position, s.topic, s.state
    FROM unnest(%b::text[], %b::text[]) AS w (log, stream) LEFT JOIN doneotp.snapshots AS s USING (log, stream))
SELECT log, position, stream, version, NULL::uuid, topic, state, NULL FROM wanted WHERE version IS NOT NULL
UNION ALL
(SELECT e.log, e.position, e.stream, e.version, e.event_id, e.topic, e.body, coalesce(e.idempotency, '')
FROM wanted AS w JOIN doneotp.events AS e
    ON e.log = w.log AND e.stream = w.stream AND e.version > coalesce(w.version, 0)
ORDER BY e.log, e.position)"""
_IDEMPOTENT: Final = b"""
SELECT e.* FROM unnest(%b::text[], %b::text[]) AS w (log, idempotency) CROSS JOIN LATERAL (
    SELECT log, position, stream, version, event_id, topic, body, idempotency FROM doneotp.events AS e
    WHERE e.log = w.log AND e.idempotency = w.idempotency ORDER BY e.position DESC LIMIT 1) AS e"""
_SAVE_SNAPSHOT: Final = b"""
INSERT INTO doneotp.snapshots AS s (log, stream, version, position, topic, state) VALUES (%b, %b, %b, %b, %b, %b)
ON CONFLICT (log, stream) DO UPDATE SET version = excluded.version, position = excluded.position,
    topic = excluded.topic, state = excluded.state
WHERE s.version < excluded.version OR s.topic <> excluded.topic"""
_EVENTS: Final = (
    b"SELECT " + _COLUMNS + b" FROM doneotp.events"
    b" WHERE log = %b AND stream = %b AND version > %b AND version <= %b ORDER BY version "
)
_PARTS: Final = b"""
SELECT e.log, e.position, e.stream, e.version, e.event_id, e.topic, e.body, coalesce(e.idempotency, '')
FROM unnest(%b::text[], %b::integer[], %b::integer[]) AS w (stream, first, last)
JOIN doneotp.events AS e ON e.log = %b AND e.stream = w.stream AND e.version BETWEEN w.first AND w.last"""
_TAIL: Final = (
    b"SELECT " + _COLUMNS + b" FROM (SELECT * FROM doneotp.events WHERE log = %b AND position > %b"
    b" ORDER BY position LIMIT %b) AS tail WHERE stream = %b ORDER BY position"
)
_BEYOND: Final = 2**31 - 1


class PostgresLogRecorder(LogRecorder):
    """Writes on a line of its own; reads that other threads ask for go over a few more."""

    def __init__(self, conninfo: str, *, readers_max: int = 4) -> None:
        super().__init__()
        self._writing = Line(conninfo)
        self._reading = Lines(conninfo, size_max=readers_max)

    def append(self, records: Sequence[Record]) -> set[str]:
        first: dict[str, int] = {}
        count: dict[str, int] = {}
        for record in records:
            first.setdefault(record.log, record.id - 1)
            count[record.log] = count.get(record.log, 0) + 1
        ((moved,),) = self._writing.execute(
            _APPEND,
            (
                TextArray.of(list(first)),
                BigintArray.of(list(first.values())),
                IntegerArray.of(list(count.values())),
                TextArray.of([record.log for record in records]),
                BigintArray.of([record.id for record in records]),
                TextArray.of([record.stream for record in records]),
                IntegerArray.of([record.originator_version for record in records]),
                UuidArray.of([record.event_id for record in records]),
                TextArray.of([record.topic for record in records]),
                ByteaArray.of([record.state for record in records]),
                TextArray.of([record.idempotency or None for record in records]),
            ),
        )
        return set(moved)

    @contextlib.contextmanager
    def holding(self, logs: Sequence[str]) -> Iterator[None]:
        self._writing.execute(b"BEGIN")
        try:
            self._writing.execute(_HOLD, (list(logs),))
            yield
            self._writing.execute(b"COMMIT")
        except BaseException:
            self._writing.close()  # the surest ROLLBACK, and one that nobody has to wait for
            raise

    def heads(self, logs: Sequence[str]) -> dict[str, int]:
        return dict(self._reading.execute(_HEADS, (list(logs),)))

    def select_log(self, log: str, *, after: int, limit: int) -> Sequence[Record]:
        return [_record(row) for row in self._reading.execute(_LOG, (log, after, limit))]

    def select_streams(self, streams: Sequence[tuple[str, str]]) -> tuple[Sequence[Snapshot], Sequence[Record]]:
        parameters = (TextArray.of([log for log, _ in streams]), TextArray.of([name for _, name in streams]))
        snapshots: list[Snapshot] = []
        records: list[Record] = []
        for row in self._writing.execute(_STREAMS, parameters):
            if row[4] is None:
                log, position, stream, version, _, topic, state, _ = row
                snapshots.append(Snapshot(log, stream, version, position, topic, state))
            else:
                records.append(_record(row))
        return snapshots, records

    def select_idempotent(self, keys: Sequence[tuple[str, str]]) -> Sequence[Record]:
        parameters = ([log for log, _ in keys], [key for _, key in keys])
        return [_record(row) for row in self._reading.execute(_IDEMPOTENT, parameters)]

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._writing.execute(
            _SAVE_SNAPSHOT,
            (
                snapshot.log,
                snapshot.stream,
                snapshot.version,
                snapshot.position,
                snapshot.topic,
                snapshot.state,
            ),
        )

    def select_parts(self, log: str, parts: Sequence[tuple[str, int, int]]) -> Sequence[Record]:
        """Records of a log by stream, first and last version, in no order; those of overlapping parts come more than once."""
        parameters = (
            TextArray.of([stream for stream, _, _ in parts]),
            IntegerArray.of([first for _, first, _ in parts]),
            IntegerArray.of([last for _, _, last in parts]),
            log,
        )
        return [_record(row) for row in self._reading.execute(_PARTS, parameters)]

    def select_tail(self, log: str, stream: str, *, after: int, limit: int) -> Sequence[Record]:
        """Records of a stream among the `limit` that come next in its log after a position, in order."""
        return [_record(row) for row in self._reading.execute(_TAIL, (log, after, limit, stream))]

    def execute(self, statement: bytes, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """One statement of a reader, on one of the reading lines."""
        return self._reading.execute(statement, parameters)

    def close(self) -> None:
        """Let go of all connections."""
        self._writing.close()
        self._reading.close()

    # eventsourcing's own interface, for code that knows the library and not us.

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
        """Append Records; raises RecordConflictError when a log's head had moved."""
        records = [event for event in stored_events if isinstance(event, Record)]
        if len(records) != len(stored_events):
            raise ProgrammingError("the ledger stores records, which know their place in a log")
        if records and self.append(records):
            raise RecordConflictError
        return [record.id for record in records]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        log, _, stream = str(originator_id).partition("/")
        statement = _EVENTS + (b"DESC" if desc else b"ASC") + b" LIMIT %b"
        parameters = (log, stream, gt or 0, _BEYOND if lte is None else lte, _BEYOND if limit is None else limit)
        return [_record(row) for row in self._reading.execute(statement, parameters)]


def _record(row: tuple[Any, ...]) -> Record:
    log, position, stream, version, event_id, topic, body, idempotency = row
    return Record(
        originator_id=f"{log}/{stream}" if stream else log,
        originator_version=version,
        topic=topic,
        state=body,
        id=position,
        log=log,
        stream=stream,
        event_id=event_id.bytes,
        idempotency=idempotency,
    )
