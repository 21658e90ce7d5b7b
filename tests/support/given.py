"""Given what happened, when this is asked, then that is recorded or refused.

Events are built with the moment they happened, in seconds after NOON, and defaults that no rule looks at.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from domain import account as accounts
from domain import rules
from domain import verification as verifications
from domain.account import Account
from domain.events import (
    AccountOpened,
    AttemptFailed,
    CodeRequested,
    CodeSent,
    CreditAdded,
    CreditDebited,
    DeliveryReported,
    Event,
    KeyIssued,
    SendFailed,
    SendUnconfirmed,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
)
from domain.phone import PhoneNumber
from domain.policy import Policy
from domain.rates import RateCard
from domain.refusals import Refusal
from domain.rules import Asked
from domain.verification import Attempt, Caller, NewCode, Verification
from tests.support.clock import NOON

State = TypeVar("State", Account, Verification)
MASK = "+1415****2671"
NUMBER = PhoneNumber(e164="+14155552671", country="US", mask=MASK, kind="fixed_line_or_mobile")
CODE = "493812"
DEFAULTS = Policy()
NOBODY = Caller()


def no_guard() -> None:
    """A fraud guard that lets everything pass."""


def moment(seconds: float) -> datetime:
    """The moment that many seconds after NOON."""
    return NOON + timedelta(seconds=seconds)


@dataclass(frozen=True)
class Outcome:
    """What a decision came to."""

    result: Event | None
    refusal: Refusal | None

    def records(self, event: Event | None) -> None:
        """Exactly this event, or nothing at all for None."""
        assert (self.result, self.refusal) == (event, None)

    def refuses(self, refusal: type[Refusal], **told: Any) -> None:
        """This refusal and exactly these extras; `retry_after_seconds` too where it is given."""
        found = self.refusal
        assert found is not None, f"nothing was refused: {self.result}"
        waits = {} if found.retry_after_seconds is None else {"retry_after_seconds": found.retry_after_seconds}
        assert (type(found), {**found.extras, **waits}) == (refusal, told)


@dataclass(frozen=True)
class Scenario(Generic[State]):
    """A state that events brought about."""

    state: State

    def when(self, decide: Callable[[State], Event | None]) -> Outcome:
        try:
            return Outcome(decide(self.state), None)
        except Refusal as refusal:
            return Outcome(None, refusal)


def given(*events: Event) -> Scenario[Verification]:
    """A number to which this happened."""
    state = Verification()
    for event in events:
        state = verifications.evolve(state, event)
    return Scenario(state)


def given_account(*events: Event) -> Scenario[Account]:
    """An account to which this happened."""
    state = Account()
    for event in events:
        state = accounts.evolve(state, event)
    return Scenario(state)


# What happened to a number.


def requested(
    *,
    at: float = 0,
    of: str = "ver_1",
    send: int = 1,
    resend_in: int | None = None,
    attempts: int = 5,
    digits: int = 6,
    price: int = 1,
    life: int = 300,
    since: float | None = None,
) -> CodeRequested:
    """A message was asked for. `since` is when the verification began, if that was earlier."""
    return CodeRequested(
        at=moment(at),
        verification_id=of,
        phone=MASK,
        country="US",
        send=send,
        seed=f"seed of {of}",
        digits=digits,
        expires_at=moment(at if since is None else since) + timedelta(seconds=life),
        resend_in=(30, 60, 120, 120)[send - 1] if resend_in is None else resend_in,
        attempts_left=attempts,
        price_credits=price,
    )


def sent(*, at: float = 0, of: str = "ver_1", send: int = 1) -> CodeSent:
    return CodeSent(at=moment(at), verification_id=of, send=send, provider="inbox", message_id="msg_1")


def unconfirmed(*, at: float = 0, of: str = "ver_1", send: int = 1, provider: str = "inbox") -> SendUnconfirmed:
    return SendUnconfirmed(at=moment(at), verification_id=of, send=send, reason="timeout", provider=provider)


def send_failed(*, at: float = 0, of: str = "ver_1", send: int = 1) -> SendFailed:
    return SendFailed(at=moment(at), verification_id=of, send=send, reason="unreachable")


def reported(
    outcome: Literal["delivered", "undelivered"] = "delivered", *, at: float = 0, of: str = "ver_1", send: int = 1
) -> DeliveryReported:
    return DeliveryReported(at=moment(at), verification_id=of, send=send, outcome=outcome, provider="inbox")


def failed(*, times: int = 1, at: float = 1, every: float = 0, of: str = "ver_1", left: int = 5) -> list[AttemptFailed]:
    """Wrong codes, one after another; `left` is how many tries there were before."""
    return [
        AttemptFailed(at=moment(at + n * every), verification_id=of, attempts_left=left - n - 1) for n in range(times)
    ]


def verified(*, at: float = 10, of: str = "ver_1", token: str = "tok_1", life: int = 600) -> Verified:
    return Verified(
        at=moment(at),
        verification_id=of,
        phone=MASK,
        token_id=token,
        token_expires_at=moment(at) + timedelta(seconds=life),
    )


def redeemed(*, at: float = 20, of: str = "ver_1", token: str = "tok_1") -> TokenRedeemed:
    return TokenRedeemed(at=moment(at), verification_id=of, phone=MASK, token_id=token)


def cancelled(*, at: float = 5, of: str = "ver_1") -> VerificationCancelled:
    return VerificationCancelled(at=moment(at), verification_id=of)


# What is asked of a number.


def request(
    *,
    at: float,
    of: str = "ver_2",
    phone: PhoneNumber = NUMBER,
    policy: Policy = DEFAULTS,
    price: int | None = 1,
    **more: Any,
) -> Callable[[Verification], Event]:
    card = None if price is None else RateCard(per="message", prices={"*": price})
    command = NewCode(phone=phone, verification_id=of, seed=f"seed of {of}", card=card, **more)

    def decide(state: Verification) -> Event:
        """What would be recorded, once the rules that look at the number let it pass."""
        event = verifications.request(state, command, policy=policy, now=moment(at))
        holder = Account(policy=policy, added=10**6)
        rules.require(
            rules.LATE,
            Asked(
                holder=holder,
                account=holder,
                verification=state,
                requested=event,
                now=moment(at),
                require_guard=no_guard,
            ),
        )
        return event

    return decide


def check(
    code: str = CODE,
    *,
    at: float = 10,
    of: str | None = None,
    right: str = CODE,
    policy: Policy = DEFAULTS,
    caller: Caller = NOBODY,
    compared: list[Attempt] | None = None,
) -> Callable[[Verification], Event]:
    """A guess where `right` is the code that was sent; `compared` gathers the verifications it was compared for."""

    def matches(attempt: Attempt) -> bool:
        if compared is not None:
            compared.append(attempt)
        return code == right

    return lambda state: verifications.check(
        state,
        verification_id=of,
        code=code,
        matches=matches,
        token_id="tok_1",
        caller=caller,
        policy=policy,
        now=moment(at),
    )


def redeem(token: str = "tok_1", *, at: float = 20, caller: Caller = NOBODY) -> Callable[[Verification], Event]:
    return lambda state: verifications.redeem(state, token_id=token, caller=caller, now=moment(at))


def cancel(of: str = "ver_1", *, at: float = 5, caller: Caller = NOBODY) -> Callable[[Verification], Event | None]:
    return lambda state: verifications.cancel(state, verification_id=of, caller=caller, now=moment(at))


# What happened to an account.


def opened(*, mode: Literal["live", "test"] = "live") -> AccountOpened:
    return AccountOpened(at=NOON, account_id="acct_a", name="Acme", mode=mode, by="operator")


def added(credits: int) -> CreditAdded:
    return CreditAdded(at=NOON, credits=credits, reference="R1")


def debited(credits: int = 1, *, of: str = "ver_1", send: int = 1) -> CreditDebited:
    return CreditDebited(
        at=NOON,
        verification_id=of,
        send=send,
        credits=credits,
        rate_card=RateCard(per="message", prices={"*": credits}).id,
        country="US",
        unit_credits=credits,
    )


def issued(name: str = "a", *, kind: Literal["sk_live", "pk_live"] = "sk_live") -> KeyIssued:
    return KeyIssued(at=NOON, issued_key_id=f"key_{name}", kind=kind, hash=f"hash of {name}", name=name)
