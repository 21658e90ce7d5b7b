"""The fraud guard over a stretch of a log that is long written: what other thresholds would have stopped, and cost."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from application.guard import place_of
from application.keyring import Keyring
from application.ports import Record
from domain.codec import decode
from domain.events import AttemptFailed, CodeRequested, Event, Verified
from domain.guard import Reason, Watch
from domain.policy import Policy


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What would have become of the messages from one moment to another.

    `credits_saved` is what the stopped ones were debited, whatever was refunded of it since. `users_lost` are numbers that
    verified, and would not have without the messages that were stopped. Messages that the guard did stop at the time are in
    no log, and so in no figure here.
    """

    messages: int
    stopped: int
    challenged: int
    credits_saved: int
    users: int
    users_lost: int
    tripped: list[Reason]


class _Replay:
    def __init__(self, keyring: Keyring, policy: Policy, since: datetime) -> None:
        self._keyring = keyring
        self._since = since
        self._watch = Watch(policy)
        self._known: set[str] = set()
        self._stopped: dict[str, bool] = {}
        """By verification: whether all of its messages were stopped so far."""
        self.messages = self.stopped = self.challenged = self.credits = 0
        self.users: set[str] = set()
        self._lost: set[str] = set()
        self.tripped: list[Reason] = []

    @property
    def users_lost(self) -> int:
        """Whoever verified later all the same was kept waiting, not lost."""
        return len(self._lost - self._known)

    def take(self, stream: str, event: Event) -> None:
        counts = event.at >= self._since
        match event:
            case CodeRequested():
                self._requested(stream, event, counts=counts)
            case Verified() if self._stopped.pop(event.verification_id, False):
                self._lost.add(stream)
                self.users.add(stream)
            case AttemptFailed() if self._stopped.get(event.verification_id, False):
                pass
            case _:
                if isinstance(event, Verified):
                    self._known.add(stream)
                    if counts:
                        self.users.add(stream)
                self._watch.observe(event)
        while self._watch.tripped:
            reason = self._watch.tripped.popleft()
            if counts:
                self.tripped.append(reason)

    def _requested(self, stream: str, event: CodeRequested, *, counts: bool) -> None:
        place = place_of(self._keyring, event)
        stage = "open"
        if counts and stream not in self._known:
            stage = self._watch.judge(place, now=int(event.at.timestamp()), ahead={}).stage
        self.messages += counts
        self.challenged += stage == "challenge"
        if stage == "block":
            self.stopped += 1
            self.credits += event.price_credits
            self._stopped.setdefault(event.verification_id, True)
            return
        self._stopped[event.verification_id] = False
        self._watch.observe(event, place)


def simulate(records: Iterable[Record], *, keyring: Keyring, policy: Policy, since: datetime) -> Simulated:
    """Replay a log from its beginning; what is before `since` is counted by the guard and in no figure."""
    replay = _Replay(keyring, policy, since)
    for record in records:
        replay.take(record.stream, decode(record.topic, record.state))
    return Simulated(
        messages=replay.messages,
        stopped=replay.stopped,
        challenged=replay.challenged,
        credits_saved=replay.credits,
        users=len(replay.users),
        users_lost=replay.users_lost,
        tripped=replay.tripped,
    )


def standing(records: Iterable[Record], *, keyring: Keyring, policy: Policy, now: datetime) -> list[Reason]:
    """What is not open at `now`, after the given latest records of a log."""
    watch = Watch(policy)
    for record in records:
        event = decode(record.topic, record.state)
        watch.observe(event, place_of(keyring, event) if isinstance(event, CodeRequested) else None)
    return watch.reasons(now=int(now.timestamp()))
