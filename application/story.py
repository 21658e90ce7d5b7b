"""A verification as a story that answers "why?": each event in words, what the user saw then, which limit ended what.

Folded from the events of one verification and of the credits it took. Nothing here is a fact of its own: what has no position
is computed, such as the end of a code's life.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from application.dispatch import ABANDONED_SECONDS, DEADLINE_SECONDS
from application.history import Detail, details
from application.ports import Record
from domain.codec import decode
from domain.events import (
    AttemptFailed,
    CodeRequested,
    CodeSent,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    Event,
    SendFailed,
    SendUnconfirmed,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
)
from domain.policy import Policy

TOLD = (
    CodeRequested,
    CodeSent,
    SendUnconfirmed,
    SendFailed,
    DeliveryReported,
    AttemptFailed,
    Verified,
    TokenRedeemed,
    VerificationCancelled,
    CreditDebited,
    CreditRefunded,
)
"""The events of a story; others that name a verification are no part of it."""
_NOTHING_NEW = "Nothing new."
_LIMITS = {
    "deadline": f"A message is handed over within {DEADLINE_SECONDS:.0f} s or not at all.",
    "abandoned": f"Whoever held the message died; after {ABANDONED_SECONDS:.0f} s it is given up.",
}


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """One event, or with position 0 something that is computed. `facts` are names with values."""

    position: int
    event_id: str
    at: datetime
    type: str
    said: str
    user_saw: str
    limit: str = ""
    facts: tuple[tuple[str, str], ...] = ()


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """A verification with its moments in their order, and how it ended, in a sentence."""

    detail: Detail
    outcome: str
    moments: tuple[Moment, ...]


def story(records: Iterable[Record], *, verification_id: str, policy: Policy, now: datetime) -> Story | None:
    """The story of a verification; None where its first event is not among the records."""
    ordered = sorted(records, key=lambda record: record.id)
    detail = details(ordered, now=now).get(verification_id)
    if detail is None:
        return None
    told = [(record, decode(record.topic, record.state)) for record in ordered]
    own = [
        (record, event)
        for record, event in told
        if isinstance(event, TOLD) and event.verification_id == verification_id
    ]
    first = own[0][1]
    assert isinstance(first, CodeRequested), "a verification begins with a request"
    moments = [_moment(record, event, first=first, policy=policy) for record, event in own]
    if detail.status == "expired":
        moments.append(_expired(first))
    return Story(detail=detail, outcome=_outcome(detail, [event for _, event in own]), moments=tuple(moments))


def _moment(record: Record, event: Event, *, first: CodeRequested, policy: Policy) -> Moment:
    said, user_saw, limit, facts = _told(event, first=first, policy=policy)
    who = [("Key", getattr(event, "key_id", "")), ("Address", getattr(event, "client_ip", ""))]
    digits = record.event_id.hex()
    return Moment(
        position=record.id,
        event_id=f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        at=event.at,
        type=type(event).__name__,
        said=said,
        user_saw=user_saw,
        limit=limit,
        facts=tuple((name, value) for name, value in (*facts, *who) if value),
    )


_Told = tuple[str, str, str, Sequence[tuple[str, str]]]


def _told(event: Event, *, first: CodeRequested, policy: Policy) -> _Told:
    match event:
        case CodeRequested():
            return _requested(event, policy)
        case CodeSent():
            facts = [("Provider", event.provider), ("Segments", str(event.segments)), ("Its name", event.message_id)]
            return f"A provider took message {event.send}.", "The message, once the network brings it.", "", facts
        case SendUnconfirmed():
            facts = [("Provider", event.provider), ("Reason", event.reason)]
            said = f"Message {event.send} went out, and no answer says whether the provider took it."
            return said, "Perhaps the message: nobody knows yet.", "", facts
        case SendFailed():
            facts = [("Provider", event.provider), ("Reason", event.reason)]
            limit = _LIMITS.get(event.reason, "")
            return f"No provider took message {event.send}.", "Nothing: no message came.", limit, facts
        case DeliveryReported():
            facts = [("Provider", event.provider), ("Reason", event.reason)]
            saw = "The message." if event.outcome == "delivered" else "Nothing: no message came."
            return f"The provider reports message {event.send} as {event.outcome}.", saw, "", facts
        case AttemptFailed():
            return _failed(event, first)
        case Verified():
            return "The right code was compared.", "“Verified”, and the page has a token.", "", []
        case TokenRedeemed():
            return "The token was redeemed, for the first and only time.", "Whatever your server did then.", "", []
        case VerificationCancelled():
            return "The verification was withdrawn.", "At the next try, that it was cancelled.", "", []
        case _:
            return _credits(event)


def _requested(event: CodeRequested, policy: Policy) -> _Told:
    seconds = round((event.expires_at - event.at).total_seconds())
    if event.send == 1:
        saw = f"A field for a code of {event.digits} digits, valid for {seconds} s; another message after {event.resend_in} s."
    else:
        saw = f"That the same code was sent again, valid for another {seconds} s."
    is_last = event.send >= policy.sends_per_verification_max
    limit = f"The last of {policy.sends_per_verification_max} messages of a verification." if is_last else ""
    facts = [
        ("Number", event.phone),
        ("Country", event.country),
        ("Segments", str(event.segments)),
        ("Price", _count(event.price_credits, "credit")),
        ("Language", event.locale),
        ("Page", event.web_origin),
    ]
    return f"Message {event.send} was asked for.", saw, limit, facts


def _failed(event: AttemptFailed, first: CodeRequested) -> _Told:
    if event.attempts_left:
        return (
            "A wrong code was compared.",
            f"“Wrong code”, {_count(event.attempts_left, 'try', 'tries')} left.",
            "",
            [],
        )
    limit = f"{first.attempts_left} wrong codes end a verification."
    return "The last wrong code was compared.", "“Too many wrong codes”: only a new code helps.", limit, []


def _credits(event: Event) -> _Told:
    if isinstance(event, CreditDebited):
        facts = [("Credits", str(event.credits)), ("Rate card", event.rate_card)]
        return f"Message {event.send} was paid for.", _NOTHING_NEW, "", facts
    assert isinstance(event, CreditRefunded), "all others that are told have a sentence above"
    facts = [("Credits", str(-event.credits)), ("Reason", event.reason)]
    return f"What message {event.send} cost was given back.", _NOTHING_NEW, "", facts


def _expired(first: CodeRequested) -> Moment:
    seconds = round((first.expires_at - first.at).total_seconds())
    return Moment(
        position=0,
        event_id="",
        at=first.expires_at,
        type="Expired",
        said="The code's life ended. That is computed; there is no event of it.",
        user_saw="From then on, that the code has expired.",
        limit=f"A code lives {seconds} s.",
    )


def _outcome(detail: Detail, events: list[Event]) -> str:
    wrong = sum(isinstance(event, AttemptFailed) for event in events)
    spent = f"{_count(detail.sends, 'message')}, {_count(wrong, 'wrong code')}, {_count(detail.credits, 'credit')}."
    match detail.status:
        case "verified":
            at = next(event.at for event in events if isinstance(event, Verified))
            seconds = round((at - detail.created_at).total_seconds())
            token = "was redeemed" if detail.redeemed_at else "has not been redeemed"
            return f"Verified after {seconds} s; the token {token}. {spent}"
        case "failed":
            return f"Failed: the codes that were tried were wrong, and no try is left. {spent}"
        case "expired":
            return f"Expired: {_why_expired(events, wrong)}. {spent}"
        case "cancelled":
            return f"Cancelled: the account withdrew it. {spent}"
        case _:
            tries = _count(detail.attempts_left, "try", "tries")
            return f"Pending: the right code would still count, with {tries} left. {spent}"


def _why_expired(events: list[Event], wrong: int) -> str:
    """What is known of the reason; the last thing that went wrong with a message says most."""
    if wrong:
        return "only wrong codes came in time"
    for event in reversed(events):
        match event:
            case SendFailed():
                return f"no provider took message {event.send} ({event.reason})"
            case DeliveryReported(outcome="undelivered"):
                return f"message {event.send} was reported undelivered"
            case DeliveryReported():
                return f"message {event.send} arrived, and nobody entered its code in time"
            case _:
                continue
    return "nobody entered the code in time"


def _count(number: int, thing: str, things: str = "") -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {things or thing + 's'}"
