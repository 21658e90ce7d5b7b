"""The three calls and what belongs to them: send, check, redeem, cancel, and the fate of a message.

Each is a command that the writer decides on one log. Clear numbers and codes are in the commands' memory only. `holder`
is the account whose key asked, with the policy it lives by.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from application import guard
from application.guard import OFF
from application.keyring import NONCE_BYTES, Keyring, stream_in
from application.ports import Entropy
from application.tokens import Claims, Tokens
from application.writer import Decision, Draft
from domain import account as accounts
from domain import rules
from domain import verification as verifications
from domain.account import Account
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
from domain.guard import Place
from domain.phone import PhoneNumber
from domain.policy import Policy
from domain.refusals import (
    IdempotencyKeyReused,
    InvalidToken,
    StateConflict,
    TokenExpired,
    TokenPhoneMismatch,
    VerificationNotFound,
    WrongCode,
)
from domain.rules import NOT_COUNTED, Asked, Counted, Destination
from domain.senders import sender_for
from domain.verification import Attempt, Caller, Handoff, NewCode
from domain.words import is_personal

ACCOUNT_STREAM: Final = ""


class StillUnderWay(StateConflict):
    """Too soon to say: whoever has the message in hand may still speak of it."""


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to send. `expires_in` and `resend_in` are seconds; `resend_in` counts from this message."""

    status: str = "pending"
    expires_in: int
    verification_id: str
    resend_in: int


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a right code."""

    status: str = "verified"
    token: str
    verification_id: str


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to the first redemption of a token. `phone_number` is masked."""

    valid: bool = True
    phone_number: str
    verification_id: str


class Cancelled(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a cancellation."""

    verification_id: str
    status: str = "cancelled"


@dataclass(frozen=True, slots=True, repr=False)
class Outgoing:
    """A code to hand over now that it is recorded: the answer of SendCode, with what only memory may hold."""

    answer: Sent
    code: str = ""
    text: str = ""
    send: int = 0
    at: datetime | None = None
    price_credits: int = 0
    sender: str = ""

    @property
    def is_new(self) -> bool:
        """False when an Idempotency-Key repeated an earlier answer: nothing is sent again."""
        return self.code != ""


@dataclass(frozen=True, slots=True, repr=False)
class SendCode:
    """Ask for a code, or for the same code once more."""

    log: str
    stream: str
    phone: PhoneNumber
    caller: Caller
    keyring: Keyring
    entropy: Entropy
    holder: Account
    destination: Destination
    counted: Counted = NOT_COUNTED
    locale: str = ""
    web_origin: str = ""
    app_hash: str = ""
    metadata: dict[str, str | int | float | bool | None] | None = None
    is_public: bool = False
    has_solved: bool = False
    """Whether the challenge that a public key may be asked for was solved."""

    @property
    def idempotency(self) -> str:
        return self.caller.idempotency

    def require_early(self) -> None:
        """The rules that need no ledger. A request that may be a repeated one is asked them after that is known."""
        rules.require(rules.EARLY, self.destination)

    @property
    def guarded_by(self) -> Policy | None:
        """The policy under which the fraud guard looks at this message; None when it does not."""
        policy = self.holder.policy
        is_test = self.log != self.holder.id
        return None if policy.guard == OFF or (is_test and not policy.guard_test_keys) else policy

    def asked(self, draft: Draft, place: Place) -> Asked:
        """What the late rules look at."""
        stream, now = self.stream, draft.now
        verification = draft.verification(stream)
        requested = verifications.request(
            verification,
            NewCode(
                phone=self.phone,
                verification_id=self.keyring.verification_id(stream, self.entropy.bytes(NONCE_BYTES)),
                seed=self.entropy.bytes(16).hex(),
                card=draft.account.rate_card(now),
                key_id=self.caller.key_id,
                client_ip=self.caller.client_ip,
                idempotency=self.caller.idempotency,
                locale=self.locale,
                web_origin=self.web_origin,
                app_hash=self.app_hash,
                metadata=self.metadata or {},
                wording=self.holder.wording,
            ),
            policy=self.holder.policy,
            now=now,
        )
        requested = replace(requested, prefix_tag=self.keyring.tagged(place.prefix, seed=requested.seed))
        is_known = verification.verified_at is not None
        return Asked(
            holder=self.holder,
            account=draft.account,
            verification=verification,
            requested=requested,
            now=now,
            is_public=self.is_public,
            counted=self.counted,
            require_guard=lambda: self._require_open(draft, place, is_known=is_known),
        )

    def decide(self, draft: Draft) -> Decision[Outgoing]:
        """CodeRequested and, on a live log, CreditDebited right after it."""
        if self.idempotency:
            self.require_early()
        place = guard.place_to(self.keyring, self.log, self.phone)
        asked = self.asked(draft, place)
        rules.require(rules.LATE, asked)
        stream, requested, wording = self.stream, asked.requested, self.holder.wording
        debited = accounts.debit(draft.account, requested, public_key_id=self.caller.key_id if self.is_public else "")
        draft.sends(place)
        events: list[tuple[str, Event]] = [(stream, requested)]
        if debited is not None:
            events.append((ACCOUNT_STREAM, debited))
        code = self.keyring.code(
            log=self.log,
            e164=self.phone.e164,
            verification_id=requested.verification_id,
            seed=requested.seed,
            digits=requested.digits,
        )
        outgoing = Outgoing(
            _sent(requested),
            code,
            verifications.message(requested, code, wording),
            requested.send,
            asked.now,
            requested.price_credits,
            sender_for(wording.senders, requested.country),
        )
        return Decision(outgoing, tuple(events))

    def _require_open(self, draft: Draft, place: Place, *, is_known: bool) -> None:
        """The fraud guard; raises DestinationBlocked or ChallengeRequired."""
        policy = self.guarded_by
        if policy is not None:
            guard.require_open(
                draft.guarded(place, policy),
                policy=policy,
                is_public=self.is_public,
                has_solved=self.has_solved,
                is_known=is_known,
            )

    def replay(self, event: Event) -> Outgoing:
        if not isinstance(event, CodeRequested):
            raise IdempotencyKeyReused
        return Outgoing(_sent(event))


@dataclass(frozen=True, slots=True, repr=False)
class CheckCode:
    """One guess."""

    log: str
    stream: str
    phone: PhoneNumber
    code: str
    verification_id: str | None
    caller: Caller
    keyring: Keyring
    tokens: Tokens
    entropy: Entropy
    holder: Account

    @property
    def idempotency(self) -> str:
        return self.caller.idempotency

    def decide(self, draft: Draft) -> Decision[Checked]:
        """Verified or AttemptFailed; both are facts before anyone learns which."""
        _require_standing(self.holder, draft)
        stream = self.stream
        named = self.verification_id
        if named is not None and (stream_in(named) != stream or not self.keyring.made(named)):
            raise VerificationNotFound
        event = verifications.check(
            draft.verification(stream),
            verification_id=self.verification_id,
            code=self.code,
            matches=self._matches,
            token_id=self.entropy.bytes(16).hex(),
            caller=self.caller,
            policy=self.holder.policy,
            now=draft.now,
        )
        if isinstance(event, AttemptFailed):
            return Decision(_wrong(event), ((stream, event),))
        return Decision(self._checked(event), ((stream, event),))

    def replay(self, event: Event) -> Checked:
        if isinstance(event, AttemptFailed):
            raise _wrong(event)
        if not isinstance(event, Verified):
            raise IdempotencyKeyReused
        return self._checked(event)

    def _matches(self, current: Attempt) -> bool:
        code = self.keyring.code(
            log=self.log,
            e164=self.phone.e164,
            verification_id=current.id,
            seed=current.seed,
            digits=current.digits,
        )
        return compare_digest(code, self.code)

    def _checked(self, verified: Verified) -> Checked:
        return Checked(token=self.tokens.issue(self.holder.id, verified), verification_id=verified.verification_id)


@dataclass(frozen=True, slots=True, repr=False)
class RedeemToken:
    """Use a token up. `phone`, when given, must be the very number that was verified."""

    log: str
    claims: Claims
    phone: PhoneNumber | None
    caller: Caller
    keyring: Keyring
    holder: Account

    @property
    def stream(self) -> str | None:
        return stream_in(self.claims.sub)

    @property
    def idempotency(self) -> str:
        return self.caller.idempotency

    def decide(self, draft: Draft) -> Decision[Redeemed]:
        """TokenRedeemed: once per `jti`."""
        _require_standing(self.holder, draft)
        stream = self.stream
        assert stream is not None, "a token that this service issued names a verification"
        state = draft.verification(stream)
        try:
            event = verifications.redeem(state, token_id=self.claims.jti, caller=self.caller, now=draft.now)
        except InvalidToken:
            # We signed it, and for a number that is known here: it is forgotten because it has expired.
            if state.current is not None and draft.now.timestamp() >= self.claims.exp:
                raise TokenExpired from None
            raise
        if self.phone is not None and self.keyring.stream_of(self.log, self.phone.e164) != stream:
            raise TokenPhoneMismatch
        return Decision(_redeemed(event), ((stream, event),))

    def replay(self, event: Event) -> Redeemed:
        if not isinstance(event, TokenRedeemed):
            raise IdempotencyKeyReused
        return _redeemed(event)


@dataclass(frozen=True, slots=True, repr=False)
class CancelVerification:
    """Withdraw a verification."""

    log: str
    verification_id: str
    caller: Caller
    holder: Account

    @property
    def stream(self) -> str | None:
        return stream_in(self.verification_id)

    @property
    def idempotency(self) -> str:
        return self.caller.idempotency

    def decide(self, draft: Draft) -> Decision[Cancelled]:
        _require_standing(self.holder, draft)
        stream = self.stream
        if stream is None or draft.verification(stream).current is None:
            raise VerificationNotFound
        event = verifications.cancel(
            draft.verification(stream), verification_id=self.verification_id, caller=self.caller, now=draft.now
        )
        answer = Cancelled(verification_id=self.verification_id)
        return Decision(answer, () if event is None else ((stream, event),))

    def replay(self, event: Event) -> Cancelled:
        if not isinstance(event, VerificationCancelled):
            raise IdempotencyKeyReused
        return Cancelled(verification_id=event.verification_id)


@dataclass(frozen=True, slots=True)
class RecordSent:
    """A provider took a message."""

    log: str
    stream: str
    verification_id: str
    send: int
    provider: str
    message_id: str
    segments: int
    cost_micros: int = 0
    cost_currency: str = ""
    tried: tuple[str, ...] = ()
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[None]:
        verifications.handoff(draft.verification(self.stream), verification_id=self.verification_id, send=self.send)
        event = CodeSent(
            at=draft.now,
            verification_id=self.verification_id,
            send=self.send,
            provider=self.provider,
            message_id="" if is_personal(self.message_id) else self.message_id,  # providers name messages as they like
            segments=self.segments,
            cost_micros=self.cost_micros,
            cost_currency=self.cost_currency,
            tried=self.tried,
        )
        return Decision(None, ((self.stream, event),))

    def replay(self, event: Event) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True)
class RecordUnconfirmed:
    """A message went out, and nobody can say whether it was taken: neither sent nor failed until a receipt or time tells."""

    log: str
    stream: str
    verification_id: str
    send: int
    reason: str
    provider: str
    tried: tuple[str, ...] = ()
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[None]:
        verifications.unconfirmed(draft.verification(self.stream), verification_id=self.verification_id, send=self.send)
        event = SendUnconfirmed(
            at=draft.now,
            verification_id=self.verification_id,
            send=self.send,
            reason=self.reason,
            provider=self.provider,
            tried=self.tried,
        )
        return Decision(None, ((self.stream, event),))

    def replay(self, event: Event) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True)
class RecordFailed:
    """No provider took a message: it is paid back in the same transaction."""

    log: str
    stream: str
    verification_id: str
    send: int
    reason: str
    provider: str = ""
    tried: tuple[str, ...] = ()
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[None]:
        handoff = verifications.handoff(
            draft.verification(self.stream), verification_id=self.verification_id, send=self.send
        )
        return Decision(None, _failed(self, handoff, now=draft.now))

    def replay(self, event: Event) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nobody speaks of a message any more: `abandoned` by a process that died, or `unknown` after an unconfirmed one's time.

    Raises StillUnderWay while a receipt may come.
    """

    log: str
    stream: str
    verification_id: str
    send: int
    unconfirmed_seconds: float = verifications.UNCONFIRMED_SECONDS_MAX
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[None]:
        handoff = verifications.handoff(
            draft.verification(self.stream), verification_id=self.verification_id, send=self.send
        )
        waited = draft.now - handoff.requested_at
        if handoff.is_unconfirmed and waited < timedelta(seconds=self.unconfirmed_seconds):
            raise StillUnderWay
        reason = "unknown" if handoff.is_unconfirmed else "abandoned"
        ended = RecordFailed(self.log, self.stream, self.verification_id, self.send, reason, handoff.provider)
        return Decision(None, _failed(ended, handoff, now=draft.now))

    def replay(self, event: Event) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True)
class RecordDelivery:
    """What a provider reported of a message afterwards: once, and an undelivered message is paid back with it.

    `delivered` is None for a report that says no more than that the provider has it. A report proves that its provider took
    the message, so it ends an unconfirmed one; and one without any record, once `has_waited` says that whoever sends it had
    its time to record that itself: before, it raises StillUnderWay. Raises StateConflict when the report changes nothing.
    """

    log: str
    stream: str
    verification_id: str
    send: int
    delivered: bool | None
    provider: str
    reason: str = ""
    message_id: str = ""
    has_waited: bool = False
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[None]:
        state = draft.verification(self.stream)
        message = verifications.pending(state, verification_id=self.verification_id, send=self.send)
        events: list[tuple[str, Event]] = []
        if message is None:
            message = verifications.reportable(
                state,
                verification_id=self.verification_id,
                send=self.send,
                provider=self.provider,
                delivered=self.delivered is not False,
                now=draft.now,
            )
            if self.delivered is None:
                raise StateConflict
        elif not message.is_unconfirmed and not self.has_waited:
            raise StillUnderWay
        else:
            events.append((self.stream, self._sent(draft.now)))
        if self.delivered is not None:
            events += self._reported(message, now=draft.now)
        return Decision(None, tuple(events))

    def _sent(self, now: datetime) -> CodeSent:
        return CodeSent(
            at=now,
            verification_id=self.verification_id,
            send=self.send,
            provider=self.provider,
            message_id=self.message_id,
        )

    def _reported(self, message: Handoff, *, now: datetime) -> list[tuple[str, Event]]:
        reported = DeliveryReported(
            at=now,
            verification_id=self.verification_id,
            send=self.send,
            outcome="delivered" if self.delivered else "undelivered",
            provider=self.provider,
            reason=self.reason,
        )
        refunded = None if self.delivered else accounts.refund(message, reason="undelivered", now=now)
        return [(self.stream, reported)] + ([] if refunded is None else [(ACCOUNT_STREAM, refunded)])

    def replay(self, event: Event) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


def _failed(command: RecordFailed, handoff: Handoff, *, now: datetime) -> tuple[tuple[str, Event], ...]:
    """SendFailed, and what was paid back with it."""
    failed = SendFailed(
        at=now,
        verification_id=command.verification_id,
        send=command.send,
        reason=command.reason,
        provider=command.provider,
        tried=command.tried,
    )
    refunded = accounts.refund(handoff, reason=command.reason, now=now)
    if refunded is None:
        return ((command.stream, failed),)
    return ((command.stream, failed), (ACCOUNT_STREAM, refunded))


def _require_standing(holder: Account, draft: Draft) -> None:
    """Raise AccountSuspended. A test log knows nothing of its account's standing, and `holder` may be a moment old."""
    accounts.require_standing(holder)
    accounts.require_standing(draft.account)


def _sent(event: CodeRequested) -> Sent:
    life = event.expires_at - event.at
    return Sent(
        expires_in=max(1, round(life.total_seconds())),
        verification_id=event.verification_id,
        resend_in=event.resend_in,
    )


def _wrong(event: AttemptFailed) -> WrongCode:
    return WrongCode(attempts_left=event.attempts_left)


def _redeemed(event: TokenRedeemed) -> Redeemed:
    return Redeemed(phone_number=event.phone, verification_id=event.verification_id)
