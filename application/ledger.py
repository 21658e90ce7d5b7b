"""The ledger: states folded from the log and kept in memory, always as of one position per log.

Only the writer's thread changes what is cached here; any thread may read an account's state, which is immutable. What
is trusted is the stored log alone: the cache may be dropped at any moment, and an append whose log has moved since is
refused by the log's head.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import msgspec
from eventsourcing.application import Application
from eventsourcing.persistence import InfrastructureFactory, Mapper
from eventsourcing.utils import Environment, EnvType

from application.guard import EVENTS_READ_MAX, WATCHED, Guard
from application.mapper import EventMapper
from application.ports import Entropy, LogRecorder, Record, Snapshot
from domain import account as accounts
from domain import verification as verifications
from domain.account import Account
from domain.codec import UnreadableEvent, decode, encode
from domain.events import TOPICS, Event
from domain.policy import Policy
from domain.verification import Verification

LOGS_CACHED_MAX: Final = 20_000
STREAMS_CACHED_MAX: Final = 200_000
CATCH_UP_ROWS: Final = 5_000
SNAPSHOT_EVERY_EVENTS: Final = 1_000
SNAPSHOT_TOPICS: Final = {"account": "Account.state.2", "verification": "Verification.state.3"}
"""Raise the number when a state's shape or fold changes: older snapshots are then ignored and replaced."""
_ACCOUNT_STREAM: Final = ""


State = TypeVar("State", Account, Verification)


@dataclass(slots=True)
class Folded(Generic[State]):
    """A state and how many events of its stream are in it."""

    state: State
    version: int = 0
    snapshot_version: int = 0


@dataclass(slots=True)
class CachedLog:
    """What is known of one log at `position`. `confirmed_at` is when that was last its head; monotonic seconds."""

    log: str
    position: int
    account: Folded[Account]
    confirmed_at: float = 0.0
    used_at: float = 0.0
    streams: set[str] = field(default_factory=set)


class Ledger(Application[str]):
    """eventsourcing's application over logs, with our mapper and recorder."""

    name = "ledger"

    def __init__(
        self,
        recorder: LogRecorder,
        entropy: Entropy,
        *,
        monotonic: Callable[[], float],
        guard: Guard | None = None,
    ) -> None:
        self.logs_recorder = recorder
        self.guard = guard
        """Counts what goes by here; None where nothing is sent."""
        self._entropy = entropy
        self._monotonic = monotonic
        self._logs: OrderedDict[str, CachedLog] = OrderedDict()
        self._streams: OrderedDict[tuple[str, str], Folded[Verification]] = OrderedDict()
        self.seen: set[bytes] = set()
        """Ids of the events that catching up has met, for a writer that looks for its own; it empties this."""
        super().__init__()

    # What eventsourcing would build from the environment is given instead: the environment configures nothing here.

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        return Environment(name, env or {})

    def construct_factory(self, env: Environment) -> InfrastructureFactory:
        return InfrastructureFactory.construct(env)

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper()

    def construct_recorder(self) -> LogRecorder:
        return self.logs_recorder

    # From any thread.

    def now(self) -> float:
        """Monotonic seconds."""
        return self._monotonic()

    def account(self, log: str, *, fresh_seconds: float) -> Account | None:
        """The account's state if it is cached and was the latest at most `fresh_seconds` ago."""
        cached = self._logs.get(log)
        now = self._monotonic()
        if cached is None or now - cached.confirmed_at > fresh_seconds:
            return None
        cached.used_at = now
        return cached.account.state

    def is_beyond(self, log: str, position: int) -> bool:
        """Whether a log is known to have events after `position`; asking keeps the log in view of the writer's sweep."""
        cached = self._logs.get(log)
        if cached is None:
            return False
        cached.used_at = self._monotonic()
        return cached.position > position

    # Below: the writer's thread only.

    def known(self, log: str) -> CachedLog | None:
        """What is cached of a log."""
        return self._logs.get(log)

    def stream(self, log: str, stream: str) -> Folded[Verification] | None:
        """What is cached of a verification stream."""
        folded = self._streams.get((log, stream))
        if folded is not None:
            self._streams.move_to_end((log, stream))
        return folded

    def prepare(self, wanted: Sequence[tuple[str, str | None]]) -> None:
        """Make every wanted (log, stream) cached, in as few reads as there are kinds of missing things."""
        streams = dict.fromkeys((log, stream) for log, stream in wanted if stream is not None)
        logs = dict.fromkeys(log for log, _ in wanted)
        missing_logs = [log for log in logs if log not in self._logs]
        if missing_logs:
            self._load_logs(missing_logs)
        now = self._monotonic()
        for log in logs:
            self._logs[log].used_at = now
            self._logs.move_to_end(log)
        missing = [key for key in streams if key not in self._streams]
        if missing:
            self._load_streams(missing)

    def confirm(self, logs: Sequence[str]) -> None:
        """Make sure that what is cached of `logs` is the latest, reading on where a head has moved.

        Raises UnreadableEvent when one of them cannot be read, after all the others have been.
        """
        now = self._monotonic()  # before the question: an answer may be long on its way
        heads = self.logs_recorder.heads(logs)
        unreadable: UnreadableEvent | None = None
        for log in logs:
            cached = self._logs.get(log)
            if cached is None:
                continue
            try:
                if heads.get(log, 0) > cached.position:
                    self.catch_up(log)
                cached.confirmed_at = now
            except UnreadableEvent as error:
                unreadable = error
        if unreadable is not None:
            raise unreadable

    def outdated(self, logs: Sequence[str]) -> set[str]:
        """Those of `logs` that have moved on from what is cached of them."""
        if not logs:
            return set()
        now = self._monotonic()
        heads = self.logs_recorder.heads(logs)
        outdated = {log for log in logs if heads.get(log, 0) > self._logs[log].position}
        for log in logs:
            if log not in outdated:
                self._logs[log].confirmed_at = now
        return outdated

    def catch_up(self, log: str) -> list[Record]:
        """Fold what others appended to a log; returns it. What is not cached of it is left to be loaded."""
        cached = self._logs[log]
        news: list[Record] = []
        while True:
            now = self._monotonic()
            rows = self.logs_recorder.select_log(log, after=cached.position, limit=CATCH_UP_ROWS)
            for record in rows:
                self._fold(cached, record, decode(record.topic, record.state))
            news.extend(rows)
            self.seen.update(record.event_id for record in rows)
            if len(rows) < CATCH_UP_ROWS:
                cached.confirmed_at = now
                return news

    def watch(self, log: str, policy: Policy | None) -> None:
        """Make sure that the guard knows a log as far as it is cached; without a policy it need not any more."""
        guard, position = self.guard, self._logs[log].position
        if guard is not None and policy is None:
            guard.forget(log)
        if guard is None or policy is None or guard.is_at(log, position):
            return
        rows = self.logs_recorder.select_log(log, after=max(0, position - EVENTS_READ_MAX), limit=EVENTS_READ_MAX)
        recent = (decode(row.topic, row.state) for row in rows if row.topic in WATCHED and row.id <= position)
        guard.begin(log, recent, position=position, policy=policy)

    def record(self, log: str, stream: str, *, version: int, position: int, event: Event) -> Record:
        """An event with its place. The id is random but for the position, which makes finding it a key look-up."""
        return Record(
            originator_id=f"{log}/{stream}" if stream else log,
            originator_version=version,
            topic=TOPICS[type(event)],
            state=encode(event),
            id=position,
            log=log,
            stream=stream,
            event_id=_event_id(position, self._entropy.bytes(10)),
            idempotency=getattr(event, "idempotency", "").partition(".")[0],
        )

    def appended(
        self,
        log: str,
        *,
        records: Sequence[Record],
        events: Sequence[Event],
        account: Folded[Account],
        streams: dict[str, Folded[Verification]],
        asked_at: float,
    ) -> None:
        """Take over the states that an append has made true, which was asked for at `asked_at`."""
        cached = self._logs[log]
        cached.position += len(records)
        cached.account = account
        cached.confirmed_at = asked_at
        for stream, folded in streams.items():
            self._keep(cached, stream, folded)
        if self.guard is not None:
            for record, event in zip(records, events, strict=True):
                self.guard.follow(log, record.id, event)

    def forget(self, log: str) -> None:
        """Drop all that is cached of a log."""
        cached = self._logs.pop(log, None)
        if cached is not None:
            for stream in cached.streams:
                self._streams.pop((log, stream), None)

    def evict(self) -> None:
        """Keep the cache within its limits; the least recently used go first."""
        while len(self._logs) > LOGS_CACHED_MAX:
            self.forget(next(iter(self._logs)))
        while len(self._streams) > STREAMS_CACHED_MAX:
            (log, stream), _ = self._streams.popitem(last=False)
            self._logs[log].streams.discard(stream)

    def active(self, *, within_seconds: float) -> list[str]:
        """Cached logs that somebody used lately."""
        since = self._monotonic() - within_seconds
        return [log for log, cached in self._logs.items() if cached.used_at >= since]

    def snapshots_due(self, log: str, streams: Iterable[str]) -> list[Snapshot]:
        """Snapshots worth saving of a log's account and of the given streams."""
        cached = self._logs[log]
        due = []
        if _is_due(cached.account):
            due.append(_snapshot(cached, _ACCOUNT_STREAM, cached.account, SNAPSHOT_TOPICS["account"]))
        for stream in streams:
            folded = self._streams.get((log, stream))
            if folded is not None and _is_due(folded):
                due.append(_snapshot(cached, stream, folded, SNAPSHOT_TOPICS["verification"]))
        return due

    def _load_logs(self, logs: Sequence[str]) -> None:
        now = self._monotonic()
        heads = self.logs_recorder.heads(logs)
        snapshots, records = self.logs_recorder.select_streams([(log, _ACCOUNT_STREAM) for log in logs])
        stale = {s.log for s in snapshots if s.topic != SNAPSHOT_TOPICS["account"]}
        rest = [r for r in records if r.log not in stale]
        for log in stale:
            rest.extend(self._whole(log, _ACCOUNT_STREAM))
        loaded = {log: CachedLog(log, heads.get(log, 0), Folded(Account()), confirmed_at=now) for log in logs}
        for snapshot in snapshots:
            if snapshot.log not in stale:
                state = msgspec.json.decode(snapshot.state, type=Account)
                cached = loaded[snapshot.log]
                cached.account = Folded(state, snapshot.version, snapshot.version)
                cached.position = max(cached.position, snapshot.position)
        for record in rest:
            cached = loaded[record.log]
            cached.account.state = accounts.evolve(cached.account.state, decode(record.topic, record.state))
            cached.account.version = record.originator_version
            # The account may have moved on since its head was read: then the cache starts where the account is.
            cached.position = max(cached.position, record.id)
        self._logs.update(loaded)  # whole or not at all: other threads look, and a read may fail

    def _load_streams(self, missing: Sequence[tuple[str, str]]) -> None:
        snapshots, found = self.logs_recorder.select_streams(missing)
        usable = {(s.log, s.stream): s for s in snapshots if s.topic == SNAPSHOT_TOPICS["verification"]}
        stale = {(s.log, s.stream) for s in snapshots} - usable.keys()
        records = [record for record in found if (record.log, record.stream) not in stale]
        for log, name in stale:
            records.extend(self._whole(log, name))
        reached: dict[str, int] = {}
        for log, position in [(s.log, s.position) for s in usable.values()] + [(r.log, r.id) for r in records]:
            reached[log] = max(reached.get(log, 0), position)
        for log, position in reached.items():
            if position > self._logs[log].position:
                # Somebody else wrote: what was just read belongs to a later position, which the log must reach too;
                # and what was appended to these streams in the meantime must reach them.
                records.extend(record for record in self.catch_up(log) if (log, record.stream) in missing)
        loaded = {stream: Folded(Verification()) for stream in missing}
        for stream, snapshot in usable.items():
            state = msgspec.json.decode(snapshot.state, type=Verification)
            loaded[stream] = Folded(state, snapshot.version, snapshot.version)
        for record in records:
            folded = loaded[(record.log, record.stream)]
            if record.originator_version == folded.version + 1:
                folded.state = verifications.evolve(folded.state, decode(record.topic, record.state))
                folded.version = record.originator_version
        for (log, name), folded in loaded.items():
            self._keep(self._logs[log], name, folded)

    def _whole(self, log: str, stream: str) -> list[Record]:
        name = f"{log}/{stream}" if stream else log
        return [record for record in self.logs_recorder.select_events(name) if isinstance(record, Record)]

    def _fold(self, cached: CachedLog, record: Record, event: Event) -> None:
        if record.stream == _ACCOUNT_STREAM:
            assert record.originator_version == cached.account.version + 1, "a log has no holes"
            cached.account = Folded(
                accounts.evolve(cached.account.state, event),
                record.originator_version,
                cached.account.snapshot_version,
            )
        else:
            folded = self._streams.get((cached.log, record.stream))
            if folded is not None and record.originator_version == folded.version + 1:
                folded.state = verifications.evolve(folded.state, event)
                folded.version = record.originator_version
        cached.position = max(cached.position, record.id)
        if self.guard is not None:
            self.guard.follow(cached.log, record.id, event)

    def _keep(self, cached: CachedLog, stream: str, folded: Folded[Verification]) -> None:
        cached.streams.add(stream)
        self._streams[(cached.log, stream)] = folded
        self._streams.move_to_end((cached.log, stream))


def _is_due(folded: Folded[Account] | Folded[Verification]) -> bool:
    return folded.version - folded.snapshot_version >= SNAPSHOT_EVERY_EVENTS


def _snapshot(cached: CachedLog, stream: str, folded: Folded[Account] | Folded[Verification], topic: str) -> Snapshot:
    folded.snapshot_version = folded.version
    return Snapshot(cached.log, stream, folded.version, cached.position, topic, msgspec.json.encode(folded.state))


def _event_id(position: int, random: bytes) -> bytes:
    """A version 8 UUID (RFC 9562): 48 bits of position, the rest random."""
    raw = bytearray(position.to_bytes(6, "big") + random)
    raw[6] = 0x80 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)
