"""A log recorder in memory that behaves as the one in Postgres, and the faults that networks and other writers bring.

What a test arranges happens once, at the named point, and then all is well again.
"""

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, get_args
from uuid import UUID

from eventsourcing.persistence import (
    DataError,
    IntegrityError,
    OperationalError,
    ProgrammingError,
    RecordConflictError,
    StoredEvent,
)

from application.ports import LogRecorder, Record, Snapshot

Point = Literal[
    "append", "heads", "log", "snapshots", "streams", "idempotent", "events", "save_snapshot", "hold", "commit"
]
POINTS: tuple[Point, ...] = get_args(Point)


class MemoryLogRecorder(LogRecorder):
    """Logs, snapshots, and a look-up by Idempotency-Key, under one lock; faults happen outside it."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._logs: dict[str, Sequence[Record]] = {}
        self._streams: dict[tuple[str, str], Sequence[Record]] = {}
        self._taken: set[tuple[str, str, int]] = set()
        self._idempotent: dict[tuple[str, str], Record] = {}
        self._snapshots: dict[tuple[str, str], Snapshot] = {}
        self._before: dict[Point, deque[Callable[[], object]]] = {point: deque() for point in POINTS}
        self._acting = threading.local()
        self._after_append: deque[Callable[[], object]] = deque()
        self._poisoned: set[str] = set()
        self.appends: list[int] = []
        """How many records each successful append stored."""
        self.rows_read = 0
        self.held: list[list[str]] = []
        """The logs that a writer took its turn on."""
        self.points: list[Point] = []
        """What was asked for, in order."""

    # Faults.

    def steal(self, point: Point, by: Callable[[], object]) -> None:
        """Let somebody else act right before the next time this point is reached."""
        self._before[point].append(by)

    def fail(self, point: Point, error: Exception | None = None, *, times: int = 1) -> None:
        """The next time, or times, this point is reached nothing is done and an error is raised."""
        self._before[point].extend([_raise(error or OperationalError("the network is away"))] * times)

    def lose_acknowledgement(self, error: Exception | None = None) -> None:
        """The next append is stored, and its caller hears of an error."""
        self._after_append.append(_raise(error or OperationalError("the connection was lost")))

    def delay_commit(self) -> Callable[[], set[str]]:
        """The next append raises, and is stored when the returned function is called: a COMMIT that was under way."""
        held: list[Sequence[Record]] = []

        def hold() -> None:
            held.append(self._arriving)
            raise OperationalError("no answer")

        self._before["append"].append(hold)
        return lambda: self._store(held.pop())

    def poison(self, topic: str) -> None:
        """From now on the database refuses whatever comes with a record of this topic."""
        self._poisoned.add(topic)

    def calm(self) -> None:
        """Nothing that was arranged happens any more."""
        self._after_append.clear()
        for arranged in self._before.values():
            arranged.clear()

    # What a test looks at or prepares.

    def log(self, log: str) -> list[Record]:
        """All records of a log."""
        return list(self._logs.get(log, ()))

    def snapshot(self, log: str, stream: str = "") -> Snapshot | None:
        """The kept snapshot of a stream."""
        return self._snapshots.get((log, stream))

    def fill(self, log: str, records: Sequence[Record]) -> None:
        """Put a whole log in place whose records all are the account's, however they are kept."""
        self._logs[log] = self._streams[(log, "")] = records

    # LogRecorder.

    @contextlib.contextmanager
    def holding(self, logs: Sequence[str]) -> Iterator[None]:
        """Nobody else writes here but through the hooks of this double."""
        self._reach("hold")
        self.held.append(list(logs))
        yield
        self._reach("commit")

    def append(self, records: Sequence[Record]) -> set[str]:
        self._arriving = list(records)
        self._reach("append")
        moved = self._store(records)
        if self._after_append:
            self._after_append.popleft()()
        return moved

    def heads(self, logs: Sequence[str]) -> dict[str, int]:
        self._reach("heads")
        with self._lock:
            return {log: len(self._logs[log]) for log in logs if self._logs.get(log)}

    def select_log(self, log: str, *, after: int, limit: int) -> Sequence[Record]:
        self._reach("log")
        with self._lock:
            return self._read(list(self._logs.get(log, ())[after : after + limit]))

    def select_streams(self, streams: Sequence[tuple[str, str]]) -> tuple[Sequence[Snapshot], Sequence[Record]]:
        self._reach("snapshots")
        with self._lock:
            snapshots = [self._snapshots[stream] for stream in streams if stream in self._snapshots]
        versions = {(snapshot.log, snapshot.stream): snapshot.version for snapshot in snapshots}
        self._reach("streams")  # two statements in Postgres: others may write between them
        with self._lock:
            found = [record for s in streams for record in self._streams.get(s, ())[versions.get(s, 0) :]]
        return snapshots, self._read(sorted(found, key=lambda record: (record.log, record.id)))

    def select_idempotent(self, keys: Sequence[tuple[str, str]]) -> Sequence[Record]:
        self._reach("idempotent")
        with self._lock:
            return self._read([self._idempotent[key] for key in keys if key in self._idempotent])

    def save_snapshot(self, snapshot: Snapshot) -> None:
        self._reach("save_snapshot")
        with self._lock:
            kept = self._snapshots.get((snapshot.log, snapshot.stream))
            if kept is None or kept.version < snapshot.version or kept.topic != snapshot.topic:
                self._snapshots[(snapshot.log, snapshot.stream)] = snapshot

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int] | None:
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
        self._reach("events")
        log, _, stream = str(originator_id).partition("/")
        with self._lock:
            found = list(self._streams.get((log, stream), ())[gt or 0 : lte])
        return self._read((found[::-1] if desc else found)[:limit])

    def _reach(self, point: Point) -> None:
        self.points.append(point)
        if self._before[point] and not getattr(self._acting, "now", False):
            action = self._before[point].popleft()
            self._acting.now = True  # what somebody else does here is not disturbed in turn
            try:
                action()
            finally:
                self._acting.now = False

    def _read(self, records: list[Record]) -> list[Record]:
        self.rows_read += len(records)
        return records

    def _store(self, records: Sequence[Record]) -> set[str]:
        with self._lock:
            if any(record.topic in self._poisoned for record in records):
                raise DataError("unacceptable data")
            first: dict[str, int] = {}
            for record in records:
                first.setdefault(record.log, record.id - 1)
            moved = {log for log, head in first.items() if len(self._logs.get(log, ())) != head}
            fitting = [record for record in records if record.log not in moved]
            self._refuse_holes(fitting)
            for record in fitting:
                for kept in (self._logs.setdefault(record.log, []), self._streams.setdefault(_key(record), [])):
                    assert isinstance(kept, list), "a log that was filled is only read"
                    kept.append(record)
                if record.idempotency:
                    self._idempotent[(record.log, record.idempotency)] = record
            self.appends.append(len(fitting))
            return moved

    def _refuse_holes(self, records: Sequence[Record]) -> None:
        """One transaction: a version that is taken, or a position out of order, and nothing of it is stored."""
        position = {record.log: len(self._logs.get(record.log, ())) for record in records}
        for record in records:
            position[record.log] += 1
            if record.id != position[record.log] or (*_key(record), record.originator_version) in self._taken:
                raise IntegrityError("duplicate key value violates unique constraint")
        versions = {(*_key(record), record.originator_version) for record in records}
        if len(versions) < len(records):
            raise IntegrityError("duplicate key value violates unique constraint")
        self._taken |= versions


def _key(record: Record) -> tuple[str, str]:
    return record.log, record.stream


def _raise(error: Exception) -> Callable[[], object]:
    def fault() -> None:
        raise error

    return fault
