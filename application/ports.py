"""What the application needs from the world. Time, randomness, storage and carriers arrive through these."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from eventsourcing.persistence import ApplicationRecorder, Notification, ProgrammingError, Subscription


class Clock(Protocol):
    """The time, UTC."""

    def now(self) -> datetime: ...


class Entropy(Protocol):
    """Unpredictable bytes."""

    def bytes(self, count: int) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Record(Notification):
    """One stored event with its place: `id` is the position in its log, dense from 1.

    `originator_id` is the stream's full name, `<log>` or `<log>/<stream>`; `event_id` is a UUID whose first 48 bits
    are the position; `idempotency` is the keyed hash of the Idempotency-Key, so that it can be looked up.
    """

    log: str
    stream: str
    event_id: bytes
    idempotency: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folded state of one stream at `version`, when the log had `position`. May be deleted at any time."""

    log: str
    stream: str
    version: int
    position: int
    topic: str
    state: bytes


class LogRecorder(ApplicationRecorder):
    """eventsourcing's recorder with logs: many accounts, each with dense positions of its own."""

    @abstractmethod
    def append(self, records: Sequence[Record]) -> set[str]:
        """Store all records of every log whose head is where they start, in one transaction.

        Records of one log are adjacent and ascending. Returns the logs whose head was elsewhere: nothing of theirs
        was stored. Raises PersistenceError with the outcome unknown.
        """

    @abstractmethod
    def holding(self, logs: Sequence[str]) -> AbstractContextManager[None]:
        """Keep other writers off `logs` for as long as the context lasts; what is appended in it is stored at its end.

        Raises PersistenceError, with the outcome of an append in it unknown.
        """

    @abstractmethod
    def heads(self, logs: Sequence[str]) -> dict[str, int]:
        """The last position of each of `logs` that exists."""

    @abstractmethod
    def select_log(self, log: str, *, after: int, limit: int) -> Sequence[Record]:
        """Records of one log after a position, in order."""

    @abstractmethod
    def select_streams(self, streams: Sequence[tuple[str, str]]) -> tuple[Sequence[Snapshot], Sequence[Record]]:
        """For each (log, stream): its snapshot if there is one, and its records after it, by log and position."""

    @abstractmethod
    def select_idempotent(self, keys: Sequence[tuple[str, str]]) -> Sequence[Record]:
        """For each (log, keyed hash of an Idempotency-Key): the newest record that carries it."""

    @abstractmethod
    def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot in the place of the stream's older one."""

    # eventsourcing has one sequence over all that is recorded. Here every log has its own, and nothing may be built on
    # an order between accounts.

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Refused: use select_log."""
        raise ProgrammingError("positions belong to a log: use select_log")

    def max_notification_id(self) -> int | None:
        """Refused: use heads."""
        raise ProgrammingError("positions belong to a log: use heads")

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Refused: use select_log."""
        raise ProgrammingError("positions belong to a log: use select_log")


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One text message. Lives in memory only: `to`, `text` and `code` are in the clear."""

    log: str
    stream: str
    verification_id: str
    send: int
    message_id: str
    to: str
    mask: str
    text: str
    code: str
    accepted_at: datetime
    account: str
    price_credits: int = 0
    sender: str = ""
    """The name or short code that the account wants it to come from; empty where that is the provider's choice."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A provider took the message. `segments` is 0 and `cost_currency` empty where it does not say."""

    message_id: str
    segments: int = 0
    cost_micros: int = 0
    cost_currency: str = ""


FailureKind = Literal["refused", "rejected", "unconnected", "unknown"]
"""The provider takes nothing now (busy, broken, no balance); it does not take this message (its number, its sender); nothing
went out to it; or it went out and no answer says what became of it."""


class ProviderFailed(Exception):
    """A provider did not take the message, or it cannot be known that it did. `reason` holds nothing of the message."""

    def __init__(self, reason: str, *, kind: FailureKind = "refused") -> None:
        super().__init__(reason)
        self.reason = reason
        self.kind = kind


class Provider(Protocol):
    """A way to hand messages to phones."""

    name: str

    async def send(self, message: Message) -> Accepted:
        """Hand over; raises ProviderFailed. Has its own timeouts."""
        ...


class Routing(Protocol):
    """Who is asked to take a message, and in which order."""

    def providers(self, message: Message) -> Iterator[Provider]:
        """The most preferred first, each asked for when the one before did not take it; none, when there is nobody."""
        ...

    def noted(self, provider: Provider, failure: ProviderFailed | None) -> None:
        """How a handoff ended, for the next choice."""
        ...
