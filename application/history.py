"""Verifications as they were and are, folded from their streams: what a support desk looks at."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from application.ports import Record
from domain.codec import decode
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

Status = Literal["pending", "verified", "failed", "expired", "cancelled"]


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event of a verification, with its place in the account's log."""

    at: datetime
    type: str
    position: int
    send: int | None = None
    attempts_left: int | None = None
    provider: str = ""
    outcome: str = ""
    reason: str = ""


class Detail(msgspec.Struct, frozen=True, kw_only=True):
    """A verification. `credits` is what it cost after refunds; the number is masked."""

    verification_id: str
    status: Status
    phone_number: str
    country: str
    created_at: datetime
    expires_at: datetime
    sends: int
    attempts_left: int
    credits: int
    redeemed_at: datetime | None
    timeline: list[Step]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first. `cursor` goes into the next request; null when there is no more."""

    verifications: list[Detail]
    cursor: str | None
    position: int


def details(records: Iterable[Record], *, now: datetime) -> dict[str, Detail]:
    """Every verification in the given records of one or more whole streams, by id."""
    found: dict[str, _Gathered] = {}
    for record in records:
        event = decode(record.topic, record.state)
        verification_id = getattr(event, "verification_id", "")
        if isinstance(event, CodeRequested) and verification_id not in found:
            found[verification_id] = _Gathered(event)
        if verification_id in found:
            found[verification_id].take(event, record.id)
    return {verification_id: gathered.detail(now) for verification_id, gathered in found.items()}


class _Gathered:
    def __init__(self, first: CodeRequested) -> None:
        self.first = first
        self.sends = 0
        self.attempts_left = first.attempts_left
        self.credits = 0
        self.prices: dict[int, int] = {}
        self.ended: Status | None = None
        self.redeemed_at: datetime | None = None
        self.timeline: list[Step] = []

    def take(self, event: Event, position: int) -> None:
        send = attempts_left = None
        provider = outcome = reason = ""
        match event:
            case CodeRequested():
                self.sends = send = event.send
                self.prices[event.send] = event.price_credits
                self.credits += event.price_credits
            case CodeSent():
                send, provider = event.send, event.provider
            case SendUnconfirmed():
                send, provider, reason = event.send, event.provider, event.reason
            case SendFailed():
                send, provider, reason = event.send, event.provider, event.reason
                self.credits -= self.prices.get(event.send, 0)
            case DeliveryReported():
                send, provider, outcome, reason = event.send, event.provider, event.outcome, event.reason
                if event.outcome == "undelivered":
                    self.credits -= self.prices.get(event.send, 0)
            case AttemptFailed():
                self.attempts_left = attempts_left = event.attempts_left
            case Verified():
                self.ended = "verified"
            case TokenRedeemed():
                self.redeemed_at = event.at
            case VerificationCancelled():
                self.ended = "cancelled"
            case _:
                return
        self.timeline.append(
            Step(
                at=event.at,
                type=type(event).__name__,
                position=position,
                send=send,
                attempts_left=attempts_left,
                provider=provider,
                outcome=outcome,
                reason=reason,
            )
        )

    def detail(self, now: datetime) -> Detail:
        return Detail(
            verification_id=self.first.verification_id,
            status=self._status(now),
            phone_number=self.first.phone,
            country=self.first.country,
            created_at=self.first.at,
            expires_at=self.first.expires_at,
            sends=self.sends,
            attempts_left=self.attempts_left,
            credits=self.credits,
            redeemed_at=self.redeemed_at,
            timeline=self.timeline,
        )

    def _status(self, now: datetime) -> Status:
        if self.ended is not None:
            return self.ended
        if self.attempts_left == 0:
            return "failed"
        return "expired" if now >= self.first.expires_at else "pending"
