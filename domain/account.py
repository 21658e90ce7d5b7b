"""Account: credits, keys, policy and standing, decided and folded here.

A balance can never go below zero, because the debit is decided against the state that the account's head guards.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec.structs import replace

from domain import lists as listing
from domain import origins as pages
from domain import periods, refusals, webhooks, wording
from domain.events import (
    AccountOpened,
    AccountResumed,
    AccountSuspended,
    ClockAdvanced,
    CodeRequested,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    Event,
    KeyIssued,
    KeyRestricted,
    KeyRevoked,
    ListChanged,
    PolicyChanged,
    RateCardAdopted,
    SenderChanged,
    SenderRemoved,
    StatementIssued,
    TemplateChanged,
    TemplateRemoved,
    WebhookEndpointAdded,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
    WordingChanged,
)
from domain.keys import KeyKind
from domain.lists import NOTHING, Effect, Kind, Lists
from domain.policy import BOUNDS, Policy
from domain.rates import FLAT, RateCard, require_sound
from domain.refusals import InsufficientCredit, InvalidRequest, SpendCapReached, StateConflict
from domain.spending import NONE, Spent, plus
from domain.verification import Handoff
from domain.webhooks import Endpoint
from domain.wording import Wording
from domain.words import require_words

CREDITS_MAX: Final = 10**15
KEYS_MAX: Final = 200
"""Keys that may be active at once in one account."""
KEYS_EVER_MAX: Final = 5_000
"""Keys an account may ever have had: revoked ones are remembered, so that they can be named as revoked."""
CLOCK_ADVANCE_MAX_SECONDS: Final = 366 * 86_400
CARDS_WAITING_MAX: Final = 12
NAME_MAX: Final = 120


class Key(msgspec.Struct, frozen=True):
    """An API key as the account knows it."""

    id: str
    kind: KeyKind
    name: str
    origins: tuple[str, ...]
    issued_at: datetime
    revoked_at: datetime | None = None


class Adopted(msgspec.Struct, frozen=True):
    """A rate card that an account adopted. Of those in force at one moment the last counts."""

    card: RateCard
    effective_from: datetime


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """State of one account stream. `keys` is by key hash; revoked keys stay, so that they can be told from unknown ones."""

    id: str = ""
    name: str = ""
    mode: Literal["live", "test"] = "live"
    opened_at: datetime | None = None
    suspended: str = ""
    added: int = 0
    debited: int = 0
    refunded: int = 0
    keys: dict[str, Key] = {}
    spent: Spent = NONE
    spent_by_key: dict[str, Spent] = {}
    """Of public keys only."""
    policy: Policy = Policy()
    lists: Lists = NOTHING
    clock_advanced_seconds: int = 0
    cards: tuple[Adopted, ...] = ()
    closed_period: str = ""
    webhooks: tuple[Endpoint, ...] = ()
    wording: Wording = Wording()

    @property
    def available(self) -> int:
        """Credits that may still be spent."""
        return self.added - self.debited + self.refunded

    def rate_card(self, now: datetime) -> RateCard | None:
        """The card in force; None in a test log, where messages are free."""
        if self.mode == "test":
            return None
        return next((adopted.card for adopted in reversed(self.cards) if adopted.effective_from <= now), FLAT)


def open_account(
    account: Account, *, account_id: str, name: str, mode: Literal["live", "test"], by: str, now: datetime
) -> AccountOpened:
    """Begin a log; raises StateConflict when it has begun, InvalidRequest on a bad name."""
    if account.opened_at is not None:
        raise StateConflict
    require_words(name, field="name", most=NAME_MAX)
    return AccountOpened(at=now, account_id=account_id, name=name, mode=mode, by=by)


def add_credit(
    account: Account, *, credits: int, reference: str, by: str, idempotency: str, now: datetime
) -> CreditAdded:
    """Credits bought or granted; raises InvalidRequest."""
    require_open(account)
    if not 1 <= credits <= CREDITS_MAX or account.added + credits > CREDITS_MAX:
        raise InvalidRequest(f"credits must be 1 to {CREDITS_MAX}, also in total.")
    require_words(reference, field="reference", most=NAME_MAX)
    return CreditAdded(at=now, credits=credits, reference=reference, by=by, idempotency=idempotency)


def require_credit(account: Account, requested: CodeRequested) -> None:
    """Raises InsufficientCredit when the account cannot pay for a message."""
    if requested.price_credits and account.available < requested.price_credits:
        raise InsufficientCredit(available=max(0, account.available), price=requested.price_credits)


def require_within_caps(
    account: Account, requested: CodeRequested, *, policy: Policy, is_public: bool, now: datetime
) -> None:
    """Raises SpendCapReached when a message would take the account, or the public key that asks, past a cap."""
    price = requested.price_credits
    if not price:
        return
    _require_cap("day", policy.spend_per_day_max, lambda: account.spent.day(now) + price)
    _require_cap("month", policy.spend_per_month_max, lambda: account.spent.of_month(now) + price)
    if is_public:
        of_key = account.spent_by_key.get(requested.key_id, NONE)
        _require_cap("day", policy.public_spend_per_day_max, lambda: of_key.day(now) + price)


def _require_cap(period: str, cap: int, spending: Callable[[], int]) -> None:
    if cap and spending() > cap:
        raise SpendCapReached(period=period)


def debit(account: Account, requested: CodeRequested, *, public_key_id: str = "") -> CreditDebited | None:
    """Pay for one message, None where messages are free; raises InsufficientCredit."""
    card = account.rate_card(requested.at)
    if card is None or requested.price_credits == 0:
        return None
    price = card.price(requested.country, segments=requested.segments)
    assert price.credits == requested.price_credits, "a message costs what its request says"
    require_credit(account, requested)
    return CreditDebited(
        at=requested.at,
        verification_id=requested.verification_id,
        send=requested.send,
        credits=price.credits,
        rate_card=card.id,
        country=requested.country,
        units=price.units,
        unit_credits=price.unit_credits,
        key_id=public_key_id,
    )


def refund(handoff: Handoff, *, reason: str, now: datetime) -> CreditRefunded | None:
    """Give back what a message cost that no provider took. The open handoff is what makes it once."""
    if handoff.price_credits == 0:
        return None
    return CreditRefunded(
        at=now,
        verification_id=handoff.verification_id,
        send=handoff.send,
        credits=handoff.price_credits,
        reason=reason,
    )


def issue_key(
    account: Account,
    *,
    key_id: str,
    kind: KeyKind,
    key_hash: str,
    name: str,
    origins: tuple[str, ...],
    by: str,
    now: datetime,
) -> KeyIssued:
    """Record a key by its hash; raises InvalidRequest when there are too many, or by its name or origins."""
    require_open(account)
    active = sum(key.revoked_at is None for key in account.keys.values())
    if active >= KEYS_MAX or len(account.keys) >= KEYS_EVER_MAX:
        raise InvalidRequest(f"An account has at most {KEYS_MAX} active keys, and {KEYS_EVER_MAX} over its life.")
    require_words(name, field="name", least=0, most=NAME_MAX)
    used_on = _pages(kind, origins)
    return KeyIssued(at=now, issued_key_id=key_id, kind=kind, hash=key_hash, name=name, origins=used_on, by=by)


def restrict_key(
    account: Account, *, key_id: str, name: str | None, origins: tuple[str, ...], by: str, now: datetime
) -> KeyRestricted | None:
    """Give a key another name or other origins; None when it has them. No name and no origins leave what was.

    So a key that has origins is never without again. Raises InvalidRequest, StateConflict when the key was revoked.
    """
    key = _key(account, key_id)
    if key.revoked_at is not None:
        raise StateConflict("The key was revoked.")
    named = key.name if name is None else name
    require_words(named, field="name", least=0, most=NAME_MAX)
    used_on = _pages(key.kind, origins) or key.origins
    if (named, used_on) == (key.name, key.origins):
        return None
    return KeyRestricted(at=now, restricted_key_id=key_id, name=named, origins=used_on, by=by)


def _pages(kind: KeyKind, origins: tuple[str, ...]) -> tuple[str, ...]:
    if origins and kind.startswith("sk"):
        raise InvalidRequest("Only a publishable key has origins: a secret key belongs on no page.")
    return pages.of_key(origins)


def revoke_key(account: Account, *, key_id: str, by: str, now: datetime) -> KeyRevoked | None:
    """End a key; None when it had ended before. Raises InvalidRequest for a key the account never had."""
    key = _key(account, key_id)
    return None if key.revoked_at is not None else KeyRevoked(at=now, revoked_key_id=key_id, by=by)


def _key(account: Account, key_id: str) -> Key:
    for key in account.keys.values():
        if key.id == key_id:
            return key
    raise InvalidRequest("This account has no such key.")


def change_policy(account: Account, *, changes: dict[str, int], by: str, now: datetime) -> PolicyChanged | None:
    """Change named settings; None when all have that value already. Raises InvalidRequest, naming name and bounds."""
    require_open(account)
    for name, value in changes.items():
        if name not in BOUNDS:
            raise InvalidRequest(f"{name!r} is not a setting; settings are {', '.join(sorted(BOUNDS))}.")
        low, high = BOUNDS[name]
        if not low <= value <= high:
            raise InvalidRequest(f"{name} must be {low} to {high}.")
    news = {name: value for name, value in changes.items() if getattr(account.policy, name) != value}
    return PolicyChanged(at=now, changes=news, by=by) if news else None


def change_lists(
    account: Account, *, effect: Effect, kind: Kind, entries: dict[str, str], by: str, now: datetime
) -> ListChanged | None:
    """Put entries on a list, or take them off all; None when that changes nothing. Raises InvalidRequest beyond a bound."""
    require_open(account)
    if not 1 <= len(entries) <= listing.ENTRIES_PER_CHANGE_MAX:
        raise InvalidRequest(f"One change names 1 to {listing.ENTRIES_PER_CHANGE_MAX} entries.")
    if effect == "allow" and kind == "type" and not listing.UNSUPPORTED.issuperset(entries):
        raise InvalidRequest(
            f"Only what is refused otherwise can be allowed: {', '.join(sorted(listing.UNSUPPORTED))}."
        )
    after = listing.changed(account.lists, effect=effect, kind=kind, entries=entries)
    if after.count() > max(listing.ENTRIES_MAX, account.lists.count()):
        raise InvalidRequest(f"An account's lists have at most {listing.ENTRIES_MAX} entries together.")
    if after == account.lists:
        return None
    return ListChanged(at=now, effect=effect, kind=kind, entries=entries, by=by)


def suspend(account: Account, *, reason: str, by: str, now: datetime) -> AccountSuspended | None:
    """Stop the account; None when it is stopped already. Raises InvalidRequest without a reason."""
    require_open(account)
    require_words(reason, field="reason", most=2 * NAME_MAX)
    return None if account.suspended else AccountSuspended(at=now, reason=reason, by=by)


def resume(account: Account, *, by: str, now: datetime) -> AccountResumed | None:
    """Let the account go on; None when it was not stopped."""
    return AccountResumed(at=now, by=by) if account.suspended else None


def advance_clock(
    account: Account, *, seconds: int, key_id: str, now: datetime, idempotency: str = ""
) -> ClockAdvanced:
    """Move a test log's clock forward; raises StateConflict on a live log and InvalidRequest out of bounds."""
    if account.mode != "test":
        raise StateConflict("Only the clock of test keys can be moved.")
    if seconds < 1 or account.clock_advanced_seconds + seconds > CLOCK_ADVANCE_MAX_SECONDS:
        raise InvalidRequest(f"seconds must be at least 1, and at most {CLOCK_ADVANCE_MAX_SECONDS} in total.")
    return ClockAdvanced(at=now, seconds=seconds, key_id=key_id, idempotency=idempotency)


def adopt_rate_card(
    account: Account, *, card: RateCard, effective_from: datetime, by: str, now: datetime
) -> RateCardAdopted | None:
    """Charge by another card from a moment on; None when it is the last adopted. Raises StateConflict, InvalidRequest."""
    require_open(account)
    if account.mode == "test":
        raise StateConflict("A test log has no prices.")
    require_sound(card)
    if effective_from < now:
        raise InvalidRequest("effective_from must not be in the past: what was charged stays as it was.")
    if account.cards and account.cards[-1] == Adopted(card, effective_from):
        return None
    if sum(adopted.effective_from > now for adopted in account.cards) >= CARDS_WAITING_MAX:
        raise InvalidRequest(f"At most {CARDS_WAITING_MAX} rate cards may be waiting for their day.")
    return RateCardAdopted(
        at=now, rate_card=card.id, per=card.per, prices=card.prices, effective_from=effective_from, by=by
    )


def issue_statement(
    account: Account, statement: StatementIssued, *, closed_period: str, grace: timedelta
) -> StatementIssued:
    """Fix the bill of a period; raises StateConflict when it or a later one is fixed, or it is not over by the grace.

    `closed_period` is the last that was closed when the statement was made: another one since makes it another statement.
    """
    require_open(account)
    if account.mode == "test":
        raise StateConflict("A test log has no bills.")
    if statement.period <= account.closed_period:
        raise StateConflict(f"The period {account.closed_period} is closed already.")
    if account.closed_period != closed_period:
        raise StateConflict("Another period was closed meanwhile.")
    if statement.at < periods.end(statement.period) + grace:
        raise StateConflict("The period is not over, or its grace time is not.")
    return statement


def require_open(account: Account) -> None:
    """Raise StateConflict unless the account exists."""
    if account.opened_at is None:
        raise StateConflict("There is no such account.")


def require_standing(account: Account) -> None:
    """Raise AccountSuspended while the account is suspended."""
    if account.suspended:
        raise refusals.AccountSuspended


def evolve(account: Account, event: Event) -> Account:
    """The state after `event`. Never refuses."""
    match event:
        case CreditDebited():
            return _debited(account, event)
        case CreditRefunded():
            spent = plus(account.spent, -event.credits, at=event.at)
            return replace(account, refunded=account.refunded + event.credits, spent=spent)
        case CreditAdded():
            return replace(account, added=account.added + event.credits)
        case AccountOpened():
            return replace(account, id=event.account_id, name=event.name, mode=event.mode, opened_at=event.at)
        case KeyIssued():
            key = Key(event.issued_key_id, event.kind, event.name, event.origins, event.at)
            return replace(account, keys={**account.keys, event.hash: key})
        case KeyRevoked():
            return _with_key(account, event.revoked_key_id, revoked_at=event.at)
        case KeyRestricted():
            return _with_key(account, event.restricted_key_id, name=event.name, origins=event.origins)
        case PolicyChanged() | ListChanged():
            return _under_other_rules(account, event)
        case RateCardAdopted():
            adopted = Adopted(RateCard(per=event.per, prices=event.prices), event.effective_from)
            return replace(account, cards=_with_card(account.cards, adopted, now=event.at))
        case StatementIssued():
            return replace(account, closed_period=event.period)
        case AccountSuspended():
            return replace(account, suspended=event.reason)
        case AccountResumed():
            return replace(account, suspended="")
        case ClockAdvanced():
            return replace(account, clock_advanced_seconds=account.clock_advanced_seconds + event.seconds)
        case _:
            return _evolve_parts(account, event)


def _evolve_parts(account: Account, event: Event) -> Account:
    match event:
        case (
            WebhookEndpointAdded()
            | WebhookSecretRotated()
            | WebhookEndpointDisabled()
            | WebhookEndpointEnabled()
            | WebhookEndpointRemoved()
        ):
            return replace(account, webhooks=webhooks.evolve(account.webhooks, event))
        case TemplateChanged() | TemplateRemoved() | WordingChanged() | SenderChanged() | SenderRemoved():
            return replace(account, wording=wording.evolve(account.wording, event))
        case _:
            return account


def _with_key(account: Account, key_id: str, **changes: Any) -> Account:
    keys = {hash_: replace(key, **changes) if key.id == key_id else key for hash_, key in account.keys.items()}
    return replace(account, keys=keys)


def _debited(account: Account, event: CreditDebited) -> Account:
    spent, debited = plus(account.spent, event.credits, at=event.at), account.debited + event.credits
    if not event.key_id:
        return replace(account, debited=debited, spent=spent)
    of_key = plus(account.spent_by_key.get(event.key_id, NONE), event.credits, at=event.at)
    return replace(account, debited=debited, spent=spent, spent_by_key={**account.spent_by_key, event.key_id: of_key})


def _under_other_rules(account: Account, event: PolicyChanged | ListChanged) -> Account:
    if isinstance(event, ListChanged):
        lists = listing.changed(account.lists, effect=event.effect, kind=event.kind, entries=event.entries)
        return replace(account, lists=lists)
    known = {name: value for name, value in event.changes.items() if name in Policy.__struct_fields__}
    return replace(account, policy=replace(account.policy, **known))


def _with_card(cards: tuple[Adopted, ...], adopted: Adopted, *, now: datetime) -> tuple[Adopted, ...]:
    """In the order of their days. Those that a later one has replaced by now are of no more use."""
    in_order = sorted((*cards, adopted), key=lambda one: one.effective_from)
    replaced = sum(one.effective_from <= now for one in in_order) - 1
    return tuple(in_order[max(0, replaced) :])
