"""Fraud guard: who asks for messages that nobody ever answers, seen in the events of one log.

A breaker per prefix (a number without its last four digits) watches how many of its messages were verified. Messages to
prefixes in which nobody has verified yet are watched together as well: by lead (country code and three digits), by
country, and over the whole account, so that an attack does not get by with spreading out. A breaker over the account
watches failed checks. State is counts that are folded from events; the same events give the same trips in every process,
after a restart, and in a replay under other thresholds.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from domain.events import AttemptFailed, CodeRequested, DeliveryReported, Event, SendFailed, Verified
from domain.meter import MINUTE_SECONDS, Meter
from domain.policy import Policy

PREFIXES_MAX: Final = 50_000
LEADS_MAX: Final = 5_000
OPEN_MAX: Final = 50_000
"""Per log; of each the least recently used go first. Countries are few by nature."""
OPEN_SECONDS_MAX: Final = 1_800
"""No code lives longer, so nothing is verified later."""
BLOCK_SECONDS_MAX: Final = 86_400
TRIPPED_MAX: Final = 100
TRIAL_TIMES: Final = 8
"""What the wide scopes allow an account on trial, as a multiple: one that has hardly verified anybody yet looks like an attack
whatever it sends. A prefix allows it no more than any other."""
HELD_TIMES: Final = 5
"""Halves of what shuts a scope that hold it while they may still be verified."""

Scope = Literal["prefix", "lead", "country", "account", "checks"]
Stage = Literal["open", "challenge", "block"]
_WIDE: Final = frozenset({"lead", "country", "account"})
_SEVERITY: Final[dict[Stage, int]] = {"open": 0, "challenge": 1, "block": 2}


class Place(msgspec.Struct, frozen=True):
    """Where a message goes: a keyed hash of its prefix, what its mask shows before the asterisks, its country."""

    prefix: str
    lead: str
    country: str


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a scope is not open. Counts are of the window, `of` is masked.

    `bad` are messages that nobody verified, of which `young` may still be; in `checks` they are wrong codes. `good` are the
    verified messages of a prefix, the prefixes of a wider scope that verified, or right codes. A scope shuts for hours when
    `bad - young` reaches `limit`, and `until` (seconds since 1970) tells how long; it is held, with `until` 0, as long as
    `bad` is at `held_limit`; from half of either on it asks for a challenge.
    """

    scope: Scope
    of: str
    stage: Stage
    window_seconds: int
    bad: int
    young: int
    good: int
    limit: int
    held_limit: int
    until: int = 0


class Verdict(msgspec.Struct, frozen=True):
    """What becomes of a message to a place, and why it is not `open`."""

    stage: Stage = "open"
    reason: Reason | None = None


OPEN: Final = Verdict()


class Breaker(Meter):
    """The meter of a scope, with the rest of what is known of it. `wider` is the scope that counts the same too.

    `until` is the second up to which it is shut; it stays set until somebody verifies, because what opens after it is
    only half open. `strikes` counts how often in a row it shut. Then half of it leaves the wider ones, which
    should not shut for what this one explains, but for many like it; and while it is apart nothing more joins them.
    """

    __slots__ = ("is_apart", "name", "of", "reason", "scope", "strikes", "until", "wider")

    def __init__(self, scope: Scope, of: str, wider: "Breaker | None" = None) -> None:
        super().__init__()
        self.scope = scope
        self.of = of
        self.name = f"{scope} {of}"
        self.wider = wider
        self.until = self.strikes = 0
        self.is_apart = False
        self.reason: Reason | None = None

    def chain(self) -> Iterator["Breaker"]:
        """The wider breakers that count what happens here: up to the first that is apart from those above it."""
        breaker = self
        while not breaker.is_apart and breaker.wider is not None:
            breaker = breaker.wider
            yield breaker

    def withdraw(self, *, half: bool) -> None:
        """Take what was counted here out of the wider ones, or one half of it."""
        chain, left = list(self.chain()), 0
        for minute, bad in self.minutes():
            out, left = divmod(bad + left, 2) if half else (bad, 0)
            for breaker in chain:
                breaker.add(minute, bad=-out)

    def reopen(self, now: int) -> None:
        """Somebody verified: what was half open is open."""
        if self.until and self.until <= now:
            self.until = self.strikes = 0
            self.is_apart = False


class Prefix(Breaker):
    """The breaker of one prefix."""

    __slots__ = ("is_proven", "place")

    def __init__(self, place: Place, lead: Breaker) -> None:
        super().__init__("prefix", place.lead + "****", lead)
        self.place = place
        self.is_proven = False
        """Whether somebody verified here, which is remembered as long as the prefix is."""

    def chain(self) -> Iterator[Breaker]:
        return iter(()) if self.is_proven else super().chain()


class Watch:
    """The counts of one log under a policy."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lines = _lines(policy)
        self._prefixes: OrderedDict[str, Prefix] = OrderedDict()
        self._leads: OrderedDict[str, Breaker] = OrderedDict()
        self._countries: dict[str, Breaker] = {}
        self._account = Breaker("account", "")
        self._checks = Breaker("checks", "")
        self._open: OrderedDict[str, tuple[Place, dict[int, int]]] = OrderedDict()
        self._verified_count = 0
        self._held: dict[int, Breaker] = {}
        self._shut: dict[int, Breaker] = {}
        self.tripped: deque[Reason] = deque(maxlen=TRIPPED_MAX)
        """Scopes that were shut for hours, for whoever counts or tells it; they are taken out."""

    def live_by(self, policy: Policy) -> None:
        """Judge by another policy from now on."""
        if policy is not self._policy:
            self._policy, self._lines = policy, _lines(policy)

    @property
    def size(self) -> int:
        """How many things are remembered."""
        return len(self._prefixes) + len(self._leads) + len(self._open)

    # Fold.

    def observe(self, event: Event, place: Place | None = None, *, judged: bool = False) -> None:
        """Count an event of the log. `place` is where a CodeRequested goes; `judged` is whether it just was, here."""
        now = int(event.at.timestamp())
        match event:
            case CodeRequested():
                assert place is not None, "a message goes somewhere"
                self._requested(event, place, now)
                if not judged:
                    self._worst(self._prefix(place), now, {})
            case Verified():
                self._checks.add(now // MINUTE_SECONDS, good=1)
                self._checks.reopen(now)
                self._verified(event.verification_id, now)
            case AttemptFailed():
                self._checks.add(now // MINUTE_SECONDS, bad=1)
                self._stage(self._checks, now)
            case SendFailed():
                self._unsent(event.verification_id, event.send)
            case DeliveryReported():
                if event.outcome == "undelivered":
                    self._unsent(event.verification_id, event.send)
            case _:
                pass

    def _requested(self, event: CodeRequested, place: Place, now: int) -> None:
        minute = now // MINUTE_SECONDS
        prefix = self._prefix(place)
        self._forget_old(minute)
        _, sends = self._open.setdefault(event.verification_id, (place, {}))
        sends[event.send] = minute
        prefix.add(minute, bad=1)
        for breaker in prefix.chain():
            breaker.add(minute, bad=1)

    def _verified(self, verification_id: str, now: int) -> None:
        place, sends = self._open.pop(verification_id, (None, {}))
        if place is None:
            return
        self._verified_count += 1
        prefix = self._prefix(place)
        if not prefix.is_proven:
            prefix.withdraw(half=False)
            prefix.is_proven = True
            for breaker in self._wider(prefix):
                breaker.add(now // MINUTE_SECONDS, good=1)
                breaker.reopen(now)
        for minute in sends.values():
            prefix.add(minute, bad=-1, good=1)
        prefix.reopen(now)

    def _unsent(self, verification_id: str, send: int) -> None:
        """A message that reached nobody, and was paid back, tells nothing of its prefix."""
        place, sends = self._open.get(verification_id, (None, {}))
        minute = sends.pop(send, None)
        if place is None or minute is None:
            return
        prefix = self._prefix(place)
        prefix.add(minute, bad=-1)
        for breaker in prefix.chain():
            breaker.add(minute, bad=-1)

    # Decide.

    def judge(self, place: Place, *, now: int, ahead: dict[str, int]) -> Verdict:
        """Whether a message may go to a place at second `now`. `ahead` is what is decided and not folded yet."""
        known = self._prefixes.get(place.prefix)  # who is refused must not be able to push others out
        return self._worst(known or Prefix(place, self._lead(place)), now, ahead)

    def reserve(self, place: Place, ahead: dict[str, int]) -> None:
        """Add a message to what is decided and not folded yet."""
        prefix = self._prefix(place)
        ahead[place.prefix] = ahead.get(place.prefix, 0) + 1
        for breaker in prefix.chain():
            ahead[breaker.name] = ahead.get(breaker.name, 0) + 1

    def reasons(self, *, now: int) -> list[Reason]:
        """Why scopes are not open at second `now`: those that are shut or held, and the wide ones that ask."""
        wide = [self._account, self._checks, *self._countries.values(), *self._leads.values()]
        looked_at = {id(breaker): breaker for breaker in (*wide, *self._held.values(), *self._shut.values())}
        verdicts = [self._stage(breaker, now) for breaker in looked_at.values()]
        return [verdict.reason for verdict in verdicts if verdict.reason is not None]

    def _worst(self, prefix: Prefix, now: int, ahead: dict[str, int]) -> Verdict:
        """The first of the most severe, from the narrowest scope on."""
        worst = self._stage(prefix, now, ahead=ahead.get(prefix.place.prefix, 0))
        wider = () if prefix.is_proven else self._wider(prefix)
        for breaker in (*wider, self._checks):
            found = self._stage(breaker, now, ahead=ahead.get(breaker.name, 0))
            if _SEVERITY[found.stage] > _SEVERITY[worst.stage]:
                worst = found
        return worst

    def _stage(self, breaker: Breaker, now: int, *, ahead: int = 0) -> Verdict:
        if now < breaker.until:
            return Verdict("block", breaker.reason)
        limit, held_limit = self._limits(breaker, now)
        if breaker.bad_old >= limit and breaker.scope not in ("prefix", "checks"):
            self._settle(breaker, now)
            limit, held_limit = self._limits(breaker, now)
        bad = breaker.bad_old + breaker.bad_young + ahead
        if breaker.bad_old >= limit:
            return self._trip(breaker, now, ahead)
        if bad >= held_limit:
            self._held[id(breaker)] = breaker
            return Verdict("block", self._reason(breaker, "block", limit, held_limit, ahead))
        if breaker.until or 2 * breaker.bad_old >= limit or 2 * bad >= held_limit:
            return Verdict("challenge", self._reason(breaker, "challenge", limit, held_limit, ahead))
        return OPEN

    def _settle(self, wide: Breaker, now: int) -> None:
        """Before a wide scope shuts, the narrower ones that were held get to explain what they can."""
        held, self._held = self._held, {}
        for breaker in held.values():
            if breaker is not wide:
                self._stage(breaker, now)

    def _limits(self, breaker: Breaker, now: int) -> tuple[int, int]:
        """How many old ones shut a scope now, and how many in all hold it. What is good allows for more."""
        window, grace, base, percent = self._lines[breaker.scope]
        breaker.roll(now // MINUTE_SECONDS, window=window, grace=grace)
        if breaker.until:
            base = min(base, self._policy.guard_probe_sends)
        elif breaker.scope in _WIDE and self._verified_count < self._policy.guard_trial_verified:
            base *= TRIAL_TIMES
        spare = breaker.good * (100 - percent) // percent
        return base + spare, base * HELD_TIMES // 2 + spare

    def _trip(self, breaker: Breaker, now: int, ahead: int) -> Verdict:
        limit, held_limit = self._limits(breaker, now)
        reason = self._reason(breaker, "block", limit, held_limit, ahead)
        seconds = min(self._policy.guard_block_seconds << min(breaker.strikes, 8), BLOCK_SECONDS_MAX)
        breaker.until = now + seconds
        breaker.reason = msgspec.structs.replace(reason, until=breaker.until)
        breaker.strikes += 1
        breaker.withdraw(half=True)
        breaker.is_apart = True
        breaker.clear(now // MINUTE_SECONDS + 1)
        self.tripped.append(breaker.reason)
        self._shut = {key: kept for key, kept in self._shut.items() if kept.until > now}
        self._shut[id(breaker)] = breaker
        return Verdict("block", breaker.reason)

    def _reason(self, breaker: Breaker, stage: Stage, limit: int, held_limit: int, ahead: int) -> Reason:
        young = breaker.bad_young + ahead
        return Reason(
            scope=breaker.scope,
            of=breaker.of,
            stage=stage,
            window_seconds=self._policy.guard_window_seconds,
            bad=breaker.bad_old + young,
            young=young,
            good=breaker.good,
            limit=limit,
            held_limit=held_limit,
        )

    # Where things are.

    def _prefix(self, place: Place) -> Prefix:
        found = self._prefixes.get(place.prefix)
        if found is None:
            found = self._prefixes[place.prefix] = Prefix(place, self._lead(place))
            if len(self._prefixes) > PREFIXES_MAX:
                self._prefixes.popitem(last=False)
        self._prefixes.move_to_end(place.prefix)
        return found

    def _lead(self, place: Place) -> Breaker:
        found = self._leads.get(place.lead)
        if found is None:
            country = self._countries.get(place.country)
            if country is None:
                country = self._countries[place.country] = Breaker("country", place.country, self._account)
            found = self._leads[place.lead] = Breaker("lead", place.lead + "****", country)
            if len(self._leads) > LEADS_MAX:
                self._leads.popitem(last=False)
        self._leads.move_to_end(place.lead)
        return found

    def _wider(self, prefix: Prefix) -> tuple[Breaker, ...]:
        lead = self._lead(prefix.place)
        assert lead.wider is not None, "a lead is in a country"
        return lead, lead.wider, self._account

    def _forget_old(self, minute: int) -> None:
        while self._open:
            verification_id, (_, sends) = next(iter(self._open.items()))
            is_old = max(sends.values(), default=0) <= minute - OPEN_SECONDS_MAX // MINUTE_SECONDS
            if not is_old and len(self._open) < OPEN_MAX:
                return
            del self._open[verification_id]


def _lines(policy: Policy) -> dict[Scope, tuple[int, int, int, int]]:
    """By scope: window and grace in minutes, how many unverified shut it, and the least conversion in percent."""
    window = policy.guard_window_seconds // MINUTE_SECONDS
    grace = -(-policy.guard_grace_seconds // MINUTE_SECONDS)
    fresh = policy.guard_new_prefix_percent_min
    return {
        "prefix": (window, grace, policy.guard_prefix_unverified_max, policy.guard_conversion_percent_min),
        "lead": (window, grace, policy.guard_lead_unverified_max, fresh),
        "country": (window, grace, policy.guard_country_unverified_max, fresh),
        "account": (window, grace, policy.guard_account_unverified_max, fresh),
        # A wrong code is one at once.
        "checks": (window, -1, policy.guard_failed_checks_max, policy.guard_success_percent_min),
    }
