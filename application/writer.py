"""Group commit: one queue, one thread, one transaction for all commands that wait.

Each batch is decided against cached states plus what the batch itself already decided, stored in one call, and only then
answered. An append whose outcome is unknown (a lost COMMIT, an IntegrityError) is resolved by reading the log back and
looking for our own event ids; a command is decided again only when they are not there.
"""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    PersistenceError,
)

from application.ledger import Folded, Ledger
from application.ports import Clock, Record
from domain import account as accounts
from domain import verification as verifications
from domain.account import Account
from domain.codec import decode
from domain.events import ClockAdvanced, CreditAdded, Event
from domain.guard import OPEN, Place, Verdict
from domain.policy import Policy
from domain.refusals import IdempotencyKeyReused, Overloaded, Refusal, ServiceUnavailable
from domain.verification import Verification

QUEUE_MAX: Final = 10_000
BATCH_MAX: Final = 512
TRIES_BEFORE_TURN: Final = 2
TRIES_MAX: Final = 50
"""Times a command is decided before it is given up as overloaded; each loss means that another writer won."""
UNKNOWN_SECONDS_MAX: Final = 8.0
AGAIN_SECONDS: Final = 0.2
FAILURES_TOGETHER_MAX: Final = 2
SWEEP_SECONDS: Final = 0.2
ACTIVE_SECONDS: Final = 60.0
IDEMPOTENCY_WINDOW: Final = timedelta(hours=24)
_OUTCOME_UNKNOWN: Final = "The ledger was lost while recording; repeat the request with the same Idempotency-Key."

Answer = TypeVar("Answer")


class Draft:
    """A log as a command sees it: what is stored, and what this batch decided so far."""

    def __init__(self, ledger: Ledger, log: str, *, now: datetime) -> None:
        cached = ledger.known(log)
        assert cached is not None, "prepared before it is decided"
        self.log = log
        self.folded = cached.account
        self.streams: dict[str, Folded[Verification]] = {}
        self.records: list[Record] = []
        self.events: list[Event] = []
        self.idempotent: dict[str, Event] = {}
        self._ahead: dict[str, int] = {}
        self._ledger = ledger
        self._position = cached.position
        self._clock_now = now

    @property
    def now(self) -> datetime:
        """The log's time: a test log's clock may have been advanced."""
        advanced = self.folded.state.clock_advanced_seconds
        return self._clock_now + timedelta(seconds=advanced) if advanced else self._clock_now

    @property
    def account(self) -> Account:
        """The account's state."""
        return self.folded.state

    @property
    def position(self) -> int:
        """The log's last position, this batch's events included."""
        return self._position + len(self.records)

    def verification(self, stream: str) -> Verification:
        """The state of a verification stream that the command named."""
        return self._stream(stream).state

    def take(self, events: Sequence[tuple[str, Event]]) -> None:
        """Take the events of one decision into the draft: all of them, or none when one cannot be written down."""
        folded, streams, records = self.folded, dict[str, Folded[Verification]](), list[Record]()
        for stream, event in events:
            if stream:
                before = streams.get(stream) or self._stream(stream)
                version = before.version + 1
                streams[stream] = Folded(verifications.evolve(before.state, event), version, before.snapshot_version)
            else:
                version = folded.version + 1
                folded = Folded(accounts.evolve(folded.state, event), version, folded.snapshot_version)
            position = self.position + len(records) + 1
            records.append(self._ledger.record(self.log, stream, version=version, position=position, event=event))
        self.folded = folded
        self.streams.update(streams)
        self.records.extend(records)
        self.events.extend(event for _, event in events)

    def guarded(self, place: Place, policy: Policy) -> Verdict:
        """What the fraud guard says of a message to a place; open where there is no guard."""
        guard = self._ledger.guard
        if guard is None:
            return OPEN
        return guard.judge(self.log, place, policy=policy, now=self.now, ahead=self._ahead)

    def sends(self, place: Place) -> None:
        """A message to a place is decided: those that this batch decides after it must know."""
        if self._ledger.guard is not None:
            self._ledger.guard.reserve(self.log, place, self._ahead)

    def _stream(self, stream: str) -> Folded[Verification]:
        folded = self.streams.get(stream) or self._ledger.stream(self.log, stream)
        assert folded is not None, "prepared before it is decided"
        return folded


@dataclass(frozen=True, slots=True)
class Decision(Generic[Answer]):
    """Events to store, each with its stream ("" is the account's), and what to answer once they are.

    A refusal as answer is raised after the events are stored: a wrong code is both a fact and a refusal.
    """

    answer: Answer | Refusal
    events: tuple[tuple[str, Event], ...] = ()


class Command(Protocol[Answer]):
    """Something to decide on one log. `stream` is the verification stream it needs; `idempotency` as in the events.

    A decision without events is a read, and so is a refusal: it holds as of a moment after the command came.
    """

    @property
    def log(self) -> str: ...
    @property
    def stream(self) -> str | None: ...
    @property
    def idempotency(self) -> str: ...

    def decide(self, draft: Draft) -> Decision[Answer]:
        """Events and answer; raises Refusal."""
        ...

    def replay(self, event: Event) -> Answer:
        """The answer again, from the event that carries the Idempotency-Key; raises Refusal as the first time."""
        ...


@dataclass(slots=True, eq=False)
class Ticket:
    """A command on its way. `tried` are the event ids of earlier appends whose fate was unknown, with their answer."""

    command: Command[Any]
    future: Future[Any] | asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop | None = None
    after: Callable[[Any], None] | None = None
    tries: int = 0
    tried: list[tuple[bytes, Any]] = field(default_factory=list)
    outcome: Any = None
    delivered: bool = False


class Writer:
    """The one who appends. Start it, submit commands from any thread or loop, close it: what was accepted is answered."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        on_failure: Callable[[BaseException], None],
        pause: Callable[[float], None] = time.sleep,
        queue_max: int = QUEUE_MAX,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._on_failure = on_failure
        self._pause = pause
        self._queue_max = queue_max
        self._queue: deque[Ticket] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._door = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="doneotp-writer", daemon=True)
        self.batches = 0
        self.conflicts = 0
        """Appends whose log another process had moved."""
        self.last_contact_at = ledger.now()
        """Monotonic seconds of the last answer from the database."""
        self.is_away = False
        """Whether the database was out of reach when it was last tried: then nobody is made to wait for it."""

    # From any thread.

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def close(self) -> None:
        """Answer all that was accepted, then stop."""
        with self._door:
            self._closing = True
        self._wake.set()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Commands that nobody has begun to decide."""
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether commands will be decided."""
        return self._thread.is_alive() and not self._closing

    def submit(self, command: Command[Answer]) -> Future[Answer]:
        """For threads: a future of the answer. Raises Overloaded or ServiceUnavailable at once."""
        ticket = Ticket(command, Future())
        self._accept(ticket, bounded=True)
        assert isinstance(ticket.future, Future)
        return ticket.future

    def ask(
        self, command: Command[Answer], *, after: Callable[[Answer], None] | None = None, bounded: bool = True
    ) -> asyncio.Future[Answer]:
        """For coroutines: a future on the running loop. `after` runs there when the command is stored, whoever has
        given up waiting by then. Unbounded are only commands that a bounded holder issues, such as the dispatcher.
        """
        loop = asyncio.get_running_loop()
        ticket = Ticket(command, loop.create_future(), loop, after)
        self._accept(ticket, bounded=bounded)
        assert isinstance(ticket.future, asyncio.Future)
        return ticket.future

    def _accept(self, ticket: Ticket, *, bounded: bool) -> None:
        with self._door:  # what comes in before the writer closes is answered, and after it nothing comes in
            if not self.alive or (bounded and self.is_away):
                raise ServiceUnavailable(retry_after_seconds=1)
            if bounded and len(self._queue) >= self._queue_max:
                raise Overloaded(retry_after_seconds=1)
            self._queue.append(ticket)
        if not self._wake.is_set():
            self._wake.set()

    # The writer's thread.

    def _run(self) -> None:
        swept_at = self._ledger.now()
        while True:
            self._wake.wait(SWEEP_SECONDS)
            self._wake.clear()
            while self._queue:
                if self.is_away:
                    self._refuse_waiting()
                    break
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_MAX))]
                self.write(batch)
                if not self.is_away:
                    swept_at = self._sweep(swept_at)
            swept_at = self._sweep(swept_at)
            if self._closing and not self._queue:
                return

    def _sweep(self, swept_at: float) -> float:
        """Look every SWEEP_SECONDS whether others moved the logs in use: a revoked key must be known within a second."""
        now = self._ledger.now()
        if now - swept_at < SWEEP_SECONDS:
            return swept_at
        self._look()
        return now

    def _look(self) -> None:
        """Whether the database is there, and what others wrote to the logs in use."""
        try:
            self._ledger.confirm(self._ledger.active(within_seconds=ACTIVE_SECONDS))
            self.last_contact_at = self._ledger.now()
            self.is_away = False
        except _AWAY as error:
            self._on_failure(error)
            self.is_away = True
        except Exception as error:  # noqa: BLE001 - a log that cannot be read must not end the writer
            self._on_failure(error)
            self.is_away = False

    def _refuse_waiting(self) -> None:
        """Nothing of what waits was begun: say so at once instead of trying each in turn."""
        tickets = [self._queue.popleft() for _ in range(len(self._queue))]
        for ticket in tickets:
            ticket.outcome = ServiceUnavailable(retry_after_seconds=1)
        self._deliver(tickets)

    def write(self, batch: Sequence[Ticket]) -> None:
        """Decide, store and answer a batch. Never raises."""
        self.batches += 1
        touched: dict[str, set[str]] = {}
        self._ledger.seen.clear()
        waiting = list(batch)
        failures = 0
        until = self._ledger.now() + UNKNOWN_SECONDS_MAX
        while waiting:
            # A batch that failed twice for reasons of its own is taken apart, so that one bad command spoils no other.
            group = waiting if failures < FAILURES_TOGETHER_MAX else waiting[:1]
            rest = waiting[len(group) :]
            try:
                again = self._try(group, touched)
            except Exception as error:  # noqa: BLE001 - whatever it is, every ticket must be answered
                failures += 1
                self._on_failure(error)
                if not self._settle_unknown(waiting, until=until):
                    self.is_away = True
                    again = rest = []
                elif _is_poison(error):
                    again = self._undecided(group, error if len(group) == 1 else None)
                    rest = self._undecided(rest, None)
                else:
                    if failures > 1:
                        self._pause(AGAIN_SECONDS)
                    # What can be read and not be written, such as a log that somebody else keeps locked, has a limit too.
                    # And those who queue behind it do not wait for that again.
                    self.is_away = self._ledger.now() >= until
                    lost = ServiceUnavailable(_OUTCOME_UNKNOWN, retry_after_seconds=1)
                    ending = lost if self.is_away else None
                    again = self._undecided(group, ending, worn_out=lost)
                    rest = self._undecided(rest, ending, worn_out=lost)
            waiting = again + rest
            self._deliver([ticket for ticket in batch if ticket not in waiting and not ticket.delivered])
        self._keep_snapshots(touched)
        self._ledger.evict()

    def _try(self, tickets: list[Ticket], touched: dict[str, set[str]]) -> list[Ticket]:
        """One attempt at all of `tickets`; returns those to decide again, because another writer moved their log."""
        ledger = self._ledger
        logs = sorted({ticket.command.log for ticket in tickets})
        with self._turn(logs, tries=max(ticket.tries for ticket in tickets)):
            drafts = self._draft(tickets)
            writing = {log: drafts[log] for log in logs if drafts[log].records}
            # An append tells whether its log has moved; where nothing is appended, somebody has to ask.
            moved = ledger.outdated([log for log in logs if log not in writing])
            asked_at = ledger.now()
            if writing:
                moved |= ledger.logs_recorder.append([r for draft in writing.values() for r in draft.records])
        if writing:
            self.last_contact_at = ledger.now()
        for log, draft in writing.items():
            if log not in moved:
                ledger.appended(
                    log,
                    records=draft.records,
                    events=draft.events,
                    account=draft.folded,
                    streams=draft.streams,
                    asked_at=asked_at,
                )
                touched.setdefault(log, set()).update(draft.streams)
                if moved:  # what follows may fail, and these must not be decided twice then
                    ledger.seen.update(record.event_id for record in draft.records)
        if not moved:
            return []
        self.conflicts += len(moved)
        for log in moved:
            self._settle(log, [ticket for ticket in tickets if ticket.command.log == log])
        return self._undecided([ticket for ticket in tickets if ticket.command.log in moved], None)

    @contextlib.contextmanager
    def _turn(self, logs: Sequence[str], *, tries: int) -> Iterator[None]:
        """Usually nothing: whoever comes first wins. A writer that has lost a few times takes its turn, and others wait."""
        if tries < TRIES_BEFORE_TURN:
            yield
            return
        with self._ledger.logs_recorder.holding(logs):
            self._ledger.confirm(logs)
            yield

    def _draft(self, tickets: Sequence[Ticket]) -> dict[str, Draft]:
        """Decide every ticket against what is stored and what those before it decided."""
        ledger = self._ledger
        ledger.prepare([(ticket.command.log, ticket.command.stream) for ticket in tickets])
        guarded = {t.command.log: t.command.guarded_by for t in tickets if hasattr(t.command, "guarded_by")}
        for log, policy in guarded.items():
            ledger.watch(log, policy)
        earlier = self._find_idempotent(tickets)
        now = self._clock.now()
        drafts: dict[str, Draft] = {}
        for ticket in tickets:
            log = ticket.command.log
            draft = drafts.get(log)
            if draft is None:
                draft = drafts[log] = Draft(ledger, log, now=now)
            begin = len(draft.records)
            if ticket.tried:
                ticket.outcome = self._recognise(ticket)
                if ticket.outcome is not _UNDECIDED:
                    continue
            ticket.outcome = self._decide(ticket, draft, earlier)
            if len(draft.records) > begin:
                ticket.tried.append((draft.records[begin].event_id, ticket.outcome))
        return drafts

    def _decide(self, ticket: Ticket, draft: Draft, earlier: dict[tuple[str, str], Event]) -> Any:
        command = ticket.command
        try:
            if command.idempotency:
                key, _, _ = command.idempotency.partition(".")
                event = draft.idempotent.get(key) or earlier.get((command.log, key))
                # A payment's reference counts once, however late it comes again; and so does a step of a test clock,
                # which may itself be longer than the window.
                if event is not None and (
                    isinstance(event, (CreditAdded, ClockAdvanced)) or event.at > draft.now - IDEMPOTENCY_WINDOW
                ):
                    if getattr(event, "idempotency", "") != command.idempotency:
                        raise IdempotencyKeyReused
                    return command.replay(event)
            decision = command.decide(draft)
            draft.take(decision.events)
            for _, event in decision.events:
                if command.idempotency and getattr(event, "idempotency", "") == command.idempotency:
                    draft.idempotent[command.idempotency.partition(".")[0]] = event
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - a poison command harms nobody but its sender
            self._on_failure(error)
            return error
        return decision.answer

    def _find_idempotent(self, tickets: Sequence[Ticket]) -> dict[tuple[str, str], Event]:
        keys = [
            (ticket.command.log, ticket.command.idempotency.partition(".")[0])
            for ticket in tickets
            if ticket.command.idempotency
        ]
        if not keys:
            return {}
        found = self._ledger.logs_recorder.select_idempotent(list(dict.fromkeys(keys)))
        return {(record.log, record.idempotency): decode(record.topic, record.state) for record in found}

    def _settle(self, log: str, tickets: Sequence[Ticket]) -> None:
        """Read what was appended to a log, and recognise what an earlier, seemingly failed append of ours stored."""
        self._ledger.catch_up(log)
        for ticket in tickets:
            ticket.outcome = self._recognise(ticket)

    def _settle_log(self, log: str, tickets: Sequence[Ticket]) -> None:
        """As _settle; a log that cannot be read is the trouble of those who asked for it, and of nobody else."""
        try:
            self._ledger.prepare([(log, None)])
            self._settle(log, tickets)
        except Exception as error:
            if not _is_poison(error):
                raise
            self._on_failure(error)
            for ticket in tickets:
                ticket.outcome = error

    def _recognise(self, ticket: Ticket) -> Any:
        """The outcome of an earlier try whose events are in the log after all, wherever catching up met them."""
        seen = self._ledger.seen
        return next((outcome for event_id, outcome in ticket.tried if event_id in seen), _UNDECIDED)

    def _undecided(
        self, tickets: Sequence[Ticket], poison: Exception | None, *, worn_out: Refusal | None = None
    ) -> list[Ticket]:
        """Those of `tickets` to decide again; `poison` is what ends those that nothing else can."""
        again = []
        for ticket in tickets:
            if ticket.outcome is _UNDECIDED:
                ticket.tries += 1
                if poison is not None:
                    ticket.outcome = poison
                elif ticket.tries < TRIES_MAX:
                    again.append(ticket)
                else:
                    ticket.outcome = worn_out or Overloaded(retry_after_seconds=1)
        return again

    def _settle_unknown(self, tickets: Sequence[Ticket], *, until: float) -> bool:
        """After an error whose effect is unknown: find out by reading, for as long as `until`.

        False when nothing can be found out; then every ticket has an answer that says so. What is cached stays: it is
        still the state at its position, and an append from there is refused if the lost one arrives after all.
        """
        by_log: dict[str, list[Ticket]] = {}
        for ticket in tickets:
            by_log.setdefault(ticket.command.log, []).append(ticket)
        while True:
            try:
                for log, of_log in by_log.items():
                    self._settle_log(log, of_log)
            except Exception as error:  # noqa: BLE001
                self._on_failure(error)
                if self._ledger.now() >= until or self._closing:
                    for ticket in tickets:
                        detail = _OUTCOME_UNKNOWN if ticket.tried else ""
                        ticket.outcome = ServiceUnavailable(detail, retry_after_seconds=1)
                    return False
                self._pause(AGAIN_SECONDS)
            else:
                return True

    def _deliver(self, batch: Sequence[Ticket]) -> None:
        by_loop: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
        for ticket in batch:
            ticket.delivered = True
            if ticket.loop is None:
                _resolve(ticket)
            else:
                by_loop.setdefault(ticket.loop, []).append(ticket)
        for loop, tickets in by_loop.items():
            try:
                loop.call_soon_threadsafe(_resolve_all, loop, tickets)
            except RuntimeError as error:  # the loop is closed: nobody waits any more
                self._on_failure(error)

    def _keep_snapshots(self, touched: dict[str, set[str]]) -> None:
        for log, streams in touched.items():
            for snapshot in self._ledger.snapshots_due(log, streams):
                try:
                    self._ledger.logs_recorder.save_snapshot(snapshot)
                except PersistenceError as error:
                    self._on_failure(error)


_UNDECIDED: Final = object()
_AWAY: Final = (OperationalError, InterfaceError, InternalError)
"""What says more about the database than about the statement; InternalError: it has become a standby, for one."""


def _is_poison(error: Exception) -> bool:
    return not isinstance(error, (*_AWAY, IntegrityError))


def _resolve_all(loop: asyncio.AbstractEventLoop, tickets: Sequence[Ticket]) -> None:
    for ticket in tickets:
        try:
            _resolve(ticket)
        except Exception as error:  # noqa: BLE001 - one bad callback must not leave the others unanswered
            loop.call_exception_handler({"message": "after a command", "exception": error})


def _resolve(ticket: Ticket) -> None:
    outcome, future = ticket.outcome, ticket.future
    failed = isinstance(outcome, BaseException)
    try:
        if ticket.after is not None:
            ticket.after(outcome)
    finally:
        if not future.done():
            if failed:
                future.set_exception(outcome)
            else:
                future.set_result(outcome)
