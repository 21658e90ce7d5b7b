"""Verification: all that ever happened between one account and one phone number, decided and folded here.

Deciding reads state and returns events or raises a refusal. Evolving never refuses and never looks at a clock. The
writer calls `check` under the account's head: a guess is recorded before anyone learns how it compared.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from domain.events import (
    AttemptFailed,
    CodeRequested,
    CodeSent,
    DeliveryReported,
    Event,
    SendFailed,
    SendUnconfirmed,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
)
from domain.phone import PhoneNumber
from domain.policy import Policy, cooldown_seconds
from domain.rates import RateCard
from domain.refusals import (
    AlreadyVerified,
    AttemptsExhausted,
    CodeExpired,
    InvalidCodeFormat,
    InvalidToken,
    NumberLocked,
    NumberSendLimit,
    ResendCooldown,
    StateConflict,
    TokenAlreadyRedeemed,
    TokenExpired,
    VerificationNotFound,
)
from domain.refusals import VerificationCancelled as Cancelled
from domain.text import compose, segments
from domain.wording import SHIPPED_WORDING, Wording, choose

TOKENS_KEPT_MAX: Final = 32
"""Tokens remembered per number; only unexpired ones matter, and earning one takes a message."""
FAILURES_KEPT_MAX: Final = 20
REQUESTS_KEPT_MAX: Final = 10
SENDS_WINDOW: Final = timedelta(hours=24)
SENT_KEPT_MAX: Final = 16
"""Messages that a delivery report may still be about; an older one is settled as it is."""
RECEIPT_SECONDS_MAX: Final = 72 * 3_600
"""How long after its request a message may still be reported undelivered, and paid back."""
UNCONFIRMED_SECONDS_MAX: Final = 180
"""How long after its request an unconfirmed message waits for a receipt, before it counts as failed."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The verification that is, or was last, under way for a number."""

    id: str
    seed: str
    digits: int
    phone: str
    sends: int
    resend_at: datetime
    expires_at: datetime
    attempts_left: int
    outcome: Literal["open", "verified", "cancelled"] = "open"

    def is_live(self, now: datetime) -> bool:
        """Whether a right code would still count."""
        return self.outcome == "open" and self.attempts_left > 0 and now < self.expires_at


class Handoff(msgspec.Struct, frozen=True):
    """A message that was asked for. `provider` took it, or was the first that it is not known of (`is_unconfirmed`)."""

    verification_id: str
    send: int
    price_credits: int
    requested_at: datetime
    provider: str = ""
    is_unconfirmed: bool = False


class Token(msgspec.Struct, frozen=True):
    """A token that was earned here; the token itself is re-derived, never kept."""

    id: str
    verification_id: str
    phone: str
    issued_at: datetime
    expires_at: datetime
    redeemed: bool = False


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """State of one stream: everything the rules below need, and nothing else. Bounded however long the stream is."""

    current: Attempt | None = None
    failures: tuple[datetime, ...] = ()
    handoffs: tuple[Handoff, ...] = ()
    sent: tuple[Handoff, ...] = ()
    tokens: tuple[Token, ...] = ()
    requests: tuple[datetime, ...] = ()
    """When messages were asked for, those that no provider took left out."""
    verified_at: datetime | None = None
    """When the number was verified last, however long ago."""


class NewCode(msgspec.Struct, frozen=True, kw_only=True):
    """What a request for a code brings. `verification_id` and `seed` are used when it starts a new verification.

    `card` is the rate card in force, None where messages are free.
    """

    phone: PhoneNumber
    verification_id: str
    seed: str
    card: RateCard | None
    key_id: str = ""
    client_ip: str = ""
    idempotency: str = ""
    locale: str = ""
    web_origin: str = ""
    app_hash: str = ""
    metadata: dict[str, str | int | float | bool | None] = {}
    wording: Wording = Wording()


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asked, as it goes into the event: key id, masked address, keyed hash of the Idempotency-Key and request."""

    key_id: str = ""
    client_ip: str = ""
    idempotency: str = ""


def request(verification: Verification, command: NewCode, *, policy: Policy, now: datetime) -> CodeRequested:
    """What a send would record: a new verification, or a resend of the live one. Whether it may, the rules say."""
    current = verification.current
    if current is None or not current.is_live(now):
        current = Attempt(
            id=command.verification_id,
            seed=command.seed,
            digits=policy.code_digits,
            phone=command.phone.mask,
            sends=0,
            resend_at=now,
            expires_at=now + timedelta(seconds=policy.code_lifetime_seconds),
            attempts_left=policy.attempts_per_verification_max,
        )
    send = current.sends + 1
    requested = CodeRequested(
        at=now,
        verification_id=current.id,
        phone=current.phone,
        country=command.phone.country,
        send=send,
        seed=current.seed,
        digits=current.digits,
        expires_at=current.expires_at,
        resend_in=cooldown_seconds(send),
        attempts_left=current.attempts_left,
        price_credits=0,
        key_id=command.key_id,
        client_ip=command.client_ip,
        idempotency=command.idempotency,
        locale=command.locale,
        web_origin=command.web_origin,
        app_hash=command.app_hash,
        metadata=command.metadata,
    )
    size = segments(
        choose(command.wording, requested.locale).template,
        digits=requested.digits,
        minutes=_minutes(requested),
        web_origin=requested.web_origin,
        app_hash=requested.app_hash,
    )
    price = 0 if command.card is None else command.card.price(requested.country, segments=size).credits
    return replace(requested, price_credits=price, segments=size)


def require_message_left(verification: Verification, *, policy: Policy, now: datetime) -> None:
    """Raises NumberSendLimit when the live verification has had all its messages."""
    current = verification.current
    if current is not None and current.is_live(now) and current.sends >= policy.sends_per_verification_max:
        raise NumberSendLimit(retry_after_seconds=_seconds_until(current.expires_at, now))


def require_rested(verification: Verification, *, now: datetime) -> None:
    """Raises ResendCooldown when the live verification had a message a moment ago."""
    current = verification.current
    if current is not None and current.is_live(now) and now < current.resend_at:
        raise ResendCooldown(retry_after_seconds=_seconds_until(current.resend_at, now))


def require_below_daily_sends(verification: Verification, *, policy: Policy, now: datetime) -> None:
    """Raises NumberSendLimit when the number has had all its messages of 24 hours."""
    recent = [at for at in verification.requests if at > now - SENDS_WINDOW]
    excess = len(recent) - policy.sends_per_number_max
    if excess >= 0:
        raise NumberSendLimit(
            "This number has had all its messages of 24 hours.",
            retry_after_seconds=_seconds_until(recent[excess] + SENDS_WINDOW, now),
        )


def message(requested: CodeRequested, code: str, wording: Wording = SHIPPED_WORDING) -> str:
    """The text that is sent for a request, in an account's wording. What was paid for is the request's `segments`."""
    return compose(
        code,
        minutes=_minutes(requested),
        template=choose(wording, requested.locale).template,
        web_origin=requested.web_origin,
        app_hash=requested.app_hash,
    )


def _minutes(requested: CodeRequested) -> int:
    return max(1, round((requested.expires_at - requested.at).total_seconds()) // 60)


def check(
    verification: Verification,
    *,
    verification_id: str | None,
    code: str,
    matches: Callable[[Attempt], bool],
    token_id: str,
    caller: Caller,
    policy: Policy,
    now: datetime,
) -> Verified | AttemptFailed:
    """One guess. `matches` compares in constant time and is called only for a guess that counts.

    Raises VerificationNotFound, AlreadyVerified, VerificationCancelled, AttemptsExhausted, CodeExpired, NumberLocked
    or InvalidCodeFormat.
    """
    current = verification.current
    digits = policy.code_digits if current is None else current.digits
    if len(code) != digits:
        raise InvalidCodeFormat
    if current is None:
        raise VerificationNotFound
    if verification_id is not None and verification_id != current.id:
        raise CodeExpired  # an earlier verification of this number: the caller has made sure of the number
    if current.outcome == "verified":
        raise AlreadyVerified
    if current.outcome == "cancelled":
        raise Cancelled
    if current.attempts_left == 0:
        raise AttemptsExhausted
    if now >= current.expires_at:
        raise CodeExpired
    require_unlocked(verification, policy=policy, now=now)
    if not matches(current):
        return AttemptFailed(
            at=now,
            verification_id=current.id,
            attempts_left=current.attempts_left - 1,
            key_id=caller.key_id,
            client_ip=caller.client_ip,
            idempotency=caller.idempotency,
        )
    return Verified(
        at=now,
        verification_id=current.id,
        phone=current.phone,
        token_id=token_id,
        token_expires_at=now + timedelta(seconds=policy.token_lifetime_seconds),
        key_id=caller.key_id,
        client_ip=caller.client_ip,
        idempotency=caller.idempotency,
    )


def redeem(verification: Verification, *, token_id: str, caller: Caller, now: datetime) -> TokenRedeemed:
    """The single redemption of a token; raises InvalidToken, TokenAlreadyRedeemed or TokenExpired."""
    token = next((token for token in verification.tokens if token.id == token_id), None)
    if token is None:
        raise InvalidToken
    if token.redeemed:
        raise TokenAlreadyRedeemed
    if now >= token.expires_at:
        raise TokenExpired
    return TokenRedeemed(
        at=now,
        verification_id=token.verification_id,
        phone=token.phone,
        token_id=token.id,
        key_id=caller.key_id,
        client_ip=caller.client_ip,
        idempotency=caller.idempotency,
    )


def cancel(
    verification: Verification, *, verification_id: str, caller: Caller, now: datetime
) -> VerificationCancelled | None:
    """Withdraw the live verification; None when it was withdrawn before. Raises StateConflict when it is over."""
    current = verification.current
    if current is None or current.id != verification_id:
        raise StateConflict
    if current.outcome == "cancelled":
        return None
    if not current.is_live(now):
        raise StateConflict
    return VerificationCancelled(
        at=now,
        verification_id=current.id,
        key_id=caller.key_id,
        client_ip=caller.client_ip,
        idempotency=caller.idempotency,
    )


def handoff(verification: Verification, *, verification_id: str, send: int) -> Handoff:
    """The message whose fate is about to be recorded; raises StateConflict when it already was."""
    found = pending(verification, verification_id=verification_id, send=send)
    if found is None:
        raise StateConflict
    return found


def pending(verification: Verification, *, verification_id: str, send: int) -> Handoff | None:
    """The message when its fate is not recorded."""
    for open_handoff in verification.handoffs:
        if open_handoff.verification_id == verification_id and open_handoff.send == send:
            return open_handoff
    return None


def unconfirmed(verification: Verification, *, verification_id: str, send: int) -> Handoff:
    """The message that is about to become unconfirmed; raises StateConflict when it is, or its fate is recorded."""
    found = handoff(verification, verification_id=verification_id, send=send)
    if found.is_unconfirmed:
        raise StateConflict
    return found


def reportable(
    verification: Verification, *, verification_id: str, send: int, provider: str, delivered: bool, now: datetime
) -> Handoff:
    """The sent message that a delivery report is about; raises StateConflict when it changes nothing (any more).

    That is so when it was reported or never sent, too long ago, or is undelivered by another than the one who took it.
    """
    for message in verification.sent:
        if message.verification_id == verification_id and message.send == send:
            is_late = now - message.requested_at > timedelta(seconds=RECEIPT_SECONDS_MAX)
            is_by_another = message.provider not in ("", provider)
            if is_late or (is_by_another and not delivered):
                break
            return message
    raise StateConflict


def require_unlocked(verification: Verification, *, policy: Policy, now: datetime) -> None:
    """Raises NumberLocked after too many wrong codes."""
    window = timedelta(seconds=policy.failures_window_seconds)
    recent = [at for at in verification.failures if at > now - window]
    excess = len(recent) - policy.failures_per_number_max
    if excess >= 0:
        raise NumberLocked(retry_after_seconds=_seconds_until(recent[excess] + window, now))


def _seconds_until(moment: datetime, now: datetime) -> int:
    return max(1, -int((now - moment).total_seconds() // 1))


def evolve(verification: Verification, event: Event) -> Verification:
    """The state after `event`. Never refuses: a rule that changes tomorrow must not stop yesterday's stream."""
    current = verification.current
    match event:
        case CodeRequested():
            return replace(
                verification,
                current=_requested(current, event),
                requests=(*verification.requests, event.at)[-REQUESTS_KEPT_MAX:],
                handoffs=(
                    *verification.handoffs,
                    Handoff(event.verification_id, event.send, event.price_credits, event.at),
                ),
            )
        case CodeSent():
            taken = tuple(
                replace(h, provider=event.provider, is_unconfirmed=False)
                for h in verification.handoffs
                if _is_about(h, event)
            )
            return replace(
                verification,
                handoffs=_without(verification.handoffs, event),
                sent=(*verification.sent, *taken)[-SENT_KEPT_MAX:],
            )
        case SendUnconfirmed():
            handoffs = tuple(
                replace(h, provider=event.provider, is_unconfirmed=True) if _is_about(h, event) else h
                for h in verification.handoffs
            )
            return replace(verification, handoffs=handoffs)
        case SendFailed():
            # Nothing reached the phone, so nothing keeps the user from asking again at once.
            if current is not None and current.id == event.verification_id and current.sends == event.send:
                current = replace(current, resend_at=event.at)
            unsent = {handoff.requested_at for handoff in verification.handoffs if _is_about(handoff, event)}
            return replace(
                verification,
                current=current,
                handoffs=_without(verification.handoffs, event),
                requests=tuple(at for at in verification.requests if at not in unsent),
            )
        case AttemptFailed():
            if current is not None and current.id == event.verification_id:
                current = replace(current, attempts_left=event.attempts_left)
            return replace(
                verification, current=current, failures=(*verification.failures, event.at)[-FAILURES_KEPT_MAX:]
            )
        case Verified():
            if current is not None and current.id == event.verification_id:
                current = replace(current, outcome="verified")
            earned = Token(event.token_id, event.verification_id, event.phone, event.at, event.token_expires_at)
            kept = tuple(token for token in verification.tokens if token.expires_at > event.at)
            return replace(
                verification,
                current=current,
                failures=(),
                tokens=(*kept, earned)[-TOKENS_KEPT_MAX:],
                verified_at=event.at,
            )
        case TokenRedeemed():
            tokens = tuple(
                replace(token, redeemed=True) if token.id == event.token_id else token for token in verification.tokens
            )
            return replace(verification, tokens=tokens)
        case VerificationCancelled():
            if current is not None and current.id == event.verification_id:
                current = replace(current, outcome="cancelled")
            return replace(verification, current=current)
        case DeliveryReported():
            return replace(verification, sent=_without(verification.sent, event))
        case _:
            return verification


def _requested(current: Attempt | None, event: CodeRequested) -> Attempt:
    resend_at = event.at + timedelta(seconds=event.resend_in)
    if current is not None and current.id == event.verification_id:
        return replace(current, sends=event.send, resend_at=resend_at)
    return Attempt(
        id=event.verification_id,
        seed=event.seed,
        digits=event.digits,
        phone=event.phone,
        sends=event.send,
        resend_at=resend_at,
        expires_at=event.expires_at,
        attempts_left=event.attempts_left,
    )


def _is_about(handoff: Handoff, event: CodeSent | SendUnconfirmed | SendFailed | DeliveryReported) -> bool:
    return handoff.verification_id == event.verification_id and handoff.send == event.send


def _without(handoffs: tuple[Handoff, ...], event: CodeSent | SendFailed | DeliveryReported) -> tuple[Handoff, ...]:
    return tuple(handoff for handoff in handoffs if not _is_about(handoff, event))
