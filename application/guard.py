"""The fraud guard at work: counts of the logs in use, folded from what is committed, and the rule on send.

A log's counts begin with its latest events and follow it from there, whoever wrote to it. They are a hint in memory: what
does not fit any more is dropped and read again. Nothing here is ever written down.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final

from application.keyring import Keyring
from domain.events import TOPICS, AttemptFailed, CodeRequested, DeliveryReported, Event, SendFailed, Verified
from domain.guard import OPEN, Place, Reason, Verdict, Watch
from domain.phone import PhoneNumber
from domain.policy import Policy
from domain.refusals import ChallengeRequired, DestinationBlocked

THINGS_MAX: Final = 150_000
"""Prefixes, leads and open verifications over all logs; the logs least recently asked about go first."""
EVENTS_READ_MAX: Final = 10_000
"""How far back the counts of a log begin."""
KINDS: Final = (CodeRequested, Verified, AttemptFailed, SendFailed, DeliveryReported)
WATCHED: Final = frozenset(TOPICS[event] for event in KINDS)
OFF, COUNTING = 0, 1


class Guard:
    """Counts per log. Used by the writer's thread; the figures may be read by any."""

    def __init__(
        self, keyring: Keyring, *, on_trip: Callable[[str, Reason], None], things_max: int = THINGS_MAX
    ) -> None:
        self._keyring = keyring
        self._on_trip = on_trip
        self._things_max = things_max
        self._things = 0
        self._watches: OrderedDict[str, tuple[Watch, int]] = OrderedDict()
        self.blocked = self.challenged = self.trips = 0
        """Messages that were refused or, where the guard only counts, would have been; and scopes shut for hours."""

    @property
    def things(self) -> int:
        """Prefixes, leads and open verifications that are remembered."""
        return self._things

    def is_at(self, log: str, position: int) -> bool:
        """Whether the counts of a log are of all its events up to `position`."""
        found = self._watches.get(log)
        return found is not None and found[1] == position

    def begin(self, log: str, events: Iterable[Event], *, position: int, policy: Policy) -> None:
        """Count anew from the latest events of a log, the last of which is at `position`."""
        self.forget(log)
        watch = Watch(policy)
        for event in events:
            watch.observe(event, self._place_of(event))
        self._watches[log] = (watch, position)
        self._changed(log, watch, 0, told=False)

    def follow(self, log: str, position: int, event: Event) -> None:
        """Count what was appended to a log at `position`, if it is what comes next here."""
        found = self._watches.get(log)
        if found is None or position <= found[1]:
            return
        watch, before = found
        if position != before + 1:
            self.forget(log)
            return
        self._watches[log] = (watch, position)
        if isinstance(event, KINDS):
            size = watch.size
            watch.observe(event, self._place_of(event), judged=True)
            self._changed(log, watch, size, told=True)

    def judge(self, log: str, place: Place, *, policy: Policy, now: datetime, ahead: dict[str, int]) -> Verdict:
        """What becomes of a message to a place, beyond what this batch decided `ahead`; open where nothing is counted."""
        found = self._watches.get(log)
        if found is None:
            return OPEN
        watch, _ = found
        watch.live_by(policy)
        self._watches.move_to_end(log)
        size = watch.size
        verdict = watch.judge(place, now=int(now.timestamp()), ahead=ahead)
        self._changed(log, watch, size, told=True)
        self.blocked += verdict.stage == "block"
        self.challenged += verdict.stage == "challenge"
        return verdict

    def reserve(self, log: str, place: Place, ahead: dict[str, int]) -> None:
        """Take a message that is decided, and not stored yet, into account."""
        found = self._watches.get(log)
        if found is not None:
            size = found[0].size
            found[0].reserve(place, ahead)
            self._things += found[0].size - size

    def _place_of(self, event: Event) -> Place | None:
        return place_of(self._keyring, event) if isinstance(event, CodeRequested) else None

    def _changed(self, log: str, watch: Watch, size: int, *, told: bool) -> None:
        self._things += watch.size - size
        while watch.tripped:
            reason = watch.tripped.popleft()
            if told:
                self.trips += 1
                self._on_trip(log, reason)
        while self._things > self._things_max and len(self._watches) > 1:
            self.forget(next(iter(self._watches)))

    def forget(self, log: str) -> None:
        """Keep no counts of a log."""
        found = self._watches.pop(log, None)
        if found is not None:
            self._things -= found[0].size


def place_to(keyring: Keyring, log: str, phone: PhoneNumber) -> Place:
    """Where a message to a number goes."""
    return Place(keyring.prefix_of(log, phone.e164), phone.mask.partition("*")[0], phone.country)


def place_of(keyring: Keyring, event: CodeRequested) -> Place:
    """Where a recorded message went. Events from before there were tags tell only as much as their mask."""
    lead = event.phone.partition("*")[0]
    prefix = keyring.untagged(event.prefix_tag, seed=event.seed) if event.prefix_tag else lead
    return Place(prefix, lead, event.country)


def require_open(verdict: Verdict, *, policy: Policy, is_public: bool, has_solved: bool, is_known: bool) -> None:
    """The rule: raises DestinationBlocked or ChallengeRequired. Whoever verified before is let through.

    Secret keys cannot solve a challenge, their users are not at this door: they pass until the scope is shut, unless the
    account wants it otherwise. They are told why; a public key may be an attacker's, and is not.
    """
    if verdict.stage == "open" or policy.guard <= COUNTING or is_known:
        return
    if verdict.stage == "challenge":
        if has_solved if is_public else not policy.guard_challenge_secret_keys:
            return
        if is_public:
            raise ChallengeRequired
    if is_public or verdict.reason is None:
        raise DestinationBlocked
    raise DestinationBlocked(**explained(verdict.reason))


def explained(reason: Reason) -> dict[str, Any]:
    """A reason as extras of a refusal."""
    return {
        "scope": reason.scope,
        "of": reason.of,
        "window_seconds": reason.window_seconds,
        "unverified": reason.bad,
        "young": reason.young,
        "verified": reason.good,
        "limit": reason.limit,
        "held_limit": reason.held_limit,
    }
