"""The rules of a send, in the order in which they are asked: one list, for who sends and for who asks why.

What costs nothing comes first. A rule raises its refusal or lets pass, says what it looked at, and changes nothing. Those in
EARLY need the lists alone; those in LATE are asked under the head of the account's log.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Generic, Literal, NamedTuple, TypeVar

import msgspec

from domain import account as accounts
from domain import lists
from domain import verification as verifications
from domain.account import Account
from domain.events import CodeRequested
from domain.lists import Both, Buckets, Listed, Untold
from domain.policy import Policy
from domain.refusals import Refusal
from domain.verification import Verification

Subject = TypeVar("Subject")


class Destination(msgspec.Struct, frozen=True):
    """Where a message is to go, and the account's and the installation's lists."""

    listed: Listed
    both: Both


class Counted(msgspec.Struct, frozen=True):
    """What the counters beside the ledger say: the refusal that is due, if any, and what they counted, for people."""

    refusal: Refusal | None = None
    told: str = "not counted"


NOT_COUNTED: Final = Counted()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the late rules look at. `account` is the log's, `holder` the one whose key asks; `requested` would be recorded."""

    holder: Account
    account: Account
    verification: Verification
    requested: CodeRequested
    now: datetime
    is_public: bool = False
    counted: Counted = NOT_COUNTED
    require_guard: Callable[[], None]

    @property
    def policy(self) -> Policy:
        """The policy that the account lives by."""
        return self.holder.policy


class Rule(NamedTuple, Generic[Subject]):
    """One rule. `require` raises its refusal; `looks_at` is a sentence for people, asked for by explanations alone."""

    name: str
    require: Callable[[Subject], None]
    looks_at: Callable[[Subject], str]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule came to. `code` is that of the refusal, empty where there is none.

    `untold` is for those who ask about a number that they only know from the ledger.
    """

    rule: str
    outcome: Literal["passed", "refused", "not_reached", "untold"]
    looked_at: str = ""
    code: str = ""


def path(rules: Sequence[Rule[Subject]], subject: Subject, *, is_over: bool = False) -> list[Step]:
    """What every rule says, up to the first that refuses. `is_over` when one refused before these."""
    steps: list[Step] = []
    for rule in rules:
        if is_over:
            steps.append(Step(rule=rule.name, outcome="not_reached"))
            continue
        code = ""
        outcome: Literal["passed", "refused", "untold"] = "passed"
        try:
            rule.require(subject)
        except Refusal as refusal:
            code, outcome, is_over = refusal.code, "refused", True
        except Untold:
            outcome = "untold"
        steps.append(Step(rule=rule.name, outcome=outcome, looked_at=rule.looks_at(subject), code=code))
    return steps


def require(rules: Sequence[Rule[Subject]], subject: Subject) -> None:
    """Raise the refusal of the first rule that refuses."""
    for rule in rules:
        rule.require(subject)


def require_standing(asked: Asked) -> None:
    """Raises AccountSuspended. A test log knows nothing of its account's standing, and `holder` may be a moment old."""
    accounts.require_standing(asked.holder)
    accounts.require_standing(asked.account)


def require_told(_: Destination) -> None:
    """Raises Untold."""
    raise Untold


def require_below_rates(counted: Counted) -> None:
    """Raises what the counters refuse with."""
    if counted.refusal is not None:
        raise counted.refusal


EARLY: Final[tuple[Rule[Destination], ...]] = (
    Rule(
        "number_lists",
        lambda asked: lists.require_number(asked.both, asked.listed),
        lambda asked: f"numbers and prefixes on lists: {_count(asked.both, 'number', 'prefix')}",
    ),
    Rule(
        "country",
        lambda asked: lists.require_country(asked.both, asked.listed),
        lambda asked: f"{asked.listed.phone.country}; countries on lists: {_count(asked.both, 'country')}",
    ),
    Rule(
        "number_type",
        lambda asked: lists.require_type(asked.both, asked.listed),
        lambda asked: f"{asked.listed.phone.kind}; types on lists: {_count(asked.both, 'type')}",
    ),
)
_NUMBER, _COUNTRY, _TYPE = EARLY
EARLY_OF_RECORDED: Final[tuple[Rule[Destination], ...]] = (
    Rule(_NUMBER.name, lambda asked: lists.require_number_shown(asked.both, asked.listed), _NUMBER.looks_at),
    _COUNTRY,
    Rule(_TYPE.name, require_told, lambda _: "the ledger does not keep what kind of number it is"),
)
"""The early rules for a number that is known by its hash and its mask alone."""
LATE: Final[tuple[Rule[Asked], ...]] = (
    Rule(
        "account_standing",
        require_standing,
        lambda asked: asked.holder.suspended or asked.account.suspended or "in good standing",
    ),
    Rule(
        "number_lock",
        lambda asked: verifications.require_unlocked(asked.verification, policy=asked.policy, now=asked.now),
        lambda asked: f"wrong codes kept: {len(asked.verification.failures)}",
    ),
    Rule(
        "messages_of_verification",
        lambda asked: verifications.require_message_left(asked.verification, policy=asked.policy, now=asked.now),
        lambda asked: f"this would be message {asked.requested.send}",
    ),
    Rule(
        "resend_cooldown",
        lambda asked: verifications.require_rested(asked.verification, now=asked.now),
        lambda asked: f"this would be message {asked.requested.send}",
    ),
    Rule(
        "number_sends",
        lambda asked: verifications.require_below_daily_sends(asked.verification, policy=asked.policy, now=asked.now),
        lambda asked: f"messages in 24 hours: {len(asked.verification.requests)}",
    ),
    Rule("rates", lambda asked: require_below_rates(asked.counted), lambda asked: asked.counted.told),
    Rule(
        "spend_caps",
        lambda asked: accounts.require_within_caps(
            asked.account, asked.requested, policy=asked.policy, is_public=asked.is_public, now=asked.now
        ),
        lambda asked: (
            f"spent in 24 hours: {asked.account.spent.day(asked.now)}, this month: {asked.account.spent.of_month(asked.now)}"
        ),
    ),
    Rule(
        "fraud_guard",
        lambda asked: asked.require_guard(),
        lambda _: "messages to this destination that nobody verified, over a sliding window",
    ),
    Rule(
        "credit",
        lambda asked: accounts.require_credit(asked.account, asked.requested),
        lambda asked: f"price {asked.requested.price_credits}, available {max(0, asked.account.available)}",
    ),
)


def _count(both: Both, *kinds: str) -> str:
    def of(sides: Sequence[Buckets]) -> int:
        return sum(len(buckets.get(kind, ())) for buckets in sides for kind in kinds)

    return f"{of([held.blocked for held in both])} blocked, {of([held.allowed for held in both])} allowed"
