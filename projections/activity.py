"""The view `activity`: who did what, from where, with which key, how it ended and why: a log as people read it, masked.

`at_max` is the latest moment of the log up to the event; it never falls, so that a moment can be searched for.
"""

from datetime import datetime
from typing import Any, ClassVar, Final

import msgspec
import psycopg

from domain.events import (
    AccountOpened,
    AccountResumed,
    AccountSuspended,
    AttemptFailed,
    ClockAdvanced,
    CodeRequested,
    CodeSent,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    Event,
    KeyIssued,
    KeyRestricted,
    KeyRevoked,
    ListChanged,
    PolicyChanged,
    RateCardAdopted,
    SenderChanged,
    SenderRemoved,
    SendFailed,
    SendUnconfirmed,
    StatementIssued,
    TemplateChanged,
    TemplateRemoved,
    TokenRedeemed,
    VerificationCancelled,
    Verified,
    WebhookEndpointAdded,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
    WordingChanged,
)
from projections.arrays import array
from projections.facts import Batch
from projections.projection import Projection, Row, Rows

_LAST: Final = """
SELECT w.log, a.at_max FROM unnest(%s::text[]) AS w (log)
CROSS JOIN LATERAL (
    SELECT at_max FROM {schema}.activity AS a WHERE a.log = w.log ORDER BY position DESC LIMIT 1) AS a"""

# For readers: the columns of Entry.
PAGE: Final = b"""
SELECT position, at, who, client_ip, what, outcome, reason, verification_id FROM doneotp_views.activity
WHERE log = %b AND position < %b ORDER BY position DESC LIMIT %b"""
PAGE_OF_KINDS: Final = b"""
SELECT position, at, who, client_ip, what, outcome, reason, verification_id FROM doneotp_views.activity
WHERE log = %b AND position < %b AND position >= %b AND what = ANY (%b) ORDER BY position DESC LIMIT %b"""

_LISTED: Final = {"allow": "allowed", "block": "blocked", "remove": "unlisted"}
_ENTRIES_TOLD_MAX: Final = 5


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event for people. `who` is a key's id, an operator (`cli:ann`), a provider or the `system`."""

    position: int
    at: datetime
    who: str
    client_ip: str
    what: str
    outcome: str
    reason: str
    verification_id: str


class Activity(Projection[dict[str, datetime]]):
    """One row for each event."""

    name: ClassVar = "activity"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "position": "bigint NOT NULL",
        "at": "timestamptz NOT NULL",
        "at_max": "timestamptz NOT NULL",
        "who": "text NOT NULL",
        "client_ip": "text NOT NULL",
        "what": "text NOT NULL",
        "outcome": "text NOT NULL",
        "reason": "text NOT NULL",
        "verification_id": "text NOT NULL",
    }
    key_columns: ClassVar = 2

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> dict[str, datetime]:
        """The latest moment of each log so far."""
        rows = connection.execute(_LAST.format(schema=schema).encode(), (array(list(batch)),), binary=True)
        return dict(rows.fetchall())

    def fold(self, before: dict[str, datetime], batch: Batch) -> Rows:
        rows: list[Row] = []
        for log, facts in batch.items():
            at_max = before.get(log)
            for position, _, _, event in facts:
                at = event.at
                if at_max is None or at > at_max:
                    at_max = at
                who, what, outcome, reason = told(event)
                client_ip = getattr(event, "client_ip", "")
                verification_id = getattr(event, "verification_id", "")
                rows.append((log, position, at, at_max, who, client_ip, what, outcome, reason, verification_id))
        return Rows(rows)


def entry(position: int, event: Event) -> Entry:
    """What the view has of an event."""
    who, what, outcome, reason = told(event)
    return Entry(
        position=position,
        at=event.at,
        who=who,
        client_ip=getattr(event, "client_ip", ""),
        what=what,
        outcome=outcome,
        reason=reason,
        verification_id=getattr(event, "verification_id", ""),
    )


def told(event: Event) -> tuple[str, str, str, str]:
    """Who, what, outcome and reason."""
    who = getattr(event, "key_id", "") or getattr(event, "by", "") or getattr(event, "provider", "") or "system"
    outcome, reason = _end(event)
    return who, type(event).__name__, outcome, reason


def _end(event: Event) -> tuple[str, str]:
    match event:
        case CodeRequested():
            return "accepted", "first message" if event.send == 1 else f"message {event.send}"
        case CodeSent():
            return "sent", f"message {event.send}"
        case SendUnconfirmed():
            return "unconfirmed", f"message {event.send}: {event.reason}"
        case SendFailed():
            return "failed", f"message {event.send}: {event.reason}"
        case DeliveryReported():
            return event.outcome, f"message {event.send}" + (f": {event.reason}" if event.reason else "")
        case AttemptFailed():
            return "wrong_code", f"attempts left: {event.attempts_left}"
        case Verified():
            return "verified", "right code"
        case TokenRedeemed():
            return "redeemed", "token used for the first time"
        case VerificationCancelled():
            return "cancelled", "withdrawn"
        case CreditDebited():
            return "debited", f"credits: {event.credits}, message {event.send}, rate card {event.rate_card}"
        case CreditRefunded():
            return "refunded", f"credits: {event.credits}, message {event.send}: {event.reason}"
        case _:
            return _end_of_administration(event)


def _end_of_administration(event: Event) -> tuple[str, str]:
    match event:
        case AccountOpened():
            return "opened", f"{event.mode} log of {event.name}"
        case CreditAdded():
            return "added", f"credits: {event.credits}, reference {event.reference}"
        case KeyIssued():
            return "issued", f"{event.kind} {event.issued_key_id}" + (f", {event.name}" if event.name else "")
        case KeyRevoked() | KeyRestricted():
            return _end_of_key(event)
        case PolicyChanged():
            return "changed", ", ".join(f"{name}={value}" for name, value in sorted(event.changes.items()))
        case ListChanged():
            shown = sorted(event.entries.values())
            more = f" and {len(shown) - _ENTRIES_TOLD_MAX} more" if len(shown) > _ENTRIES_TOLD_MAX else ""
            return _LISTED[event.effect], f"{event.kind} {', '.join(shown[:_ENTRIES_TOLD_MAX])}{more}"
        case AccountSuspended():
            return "suspended", event.reason
        case AccountResumed():
            return "resumed", "suspension ended"
        case RateCardAdopted():
            return "adopted", f"{event.rate_card} from {event.effective_from:%Y-%m-%d %H:%M} UTC"
        case StatementIssued():
            return "issued", f"statement of {event.period}, credits: {event.credits}"
        case ClockAdvanced():
            return "advanced", f"seconds: {event.seconds}"
        case _:
            return _end_of_webhook(event)


def _end_of_key(event: KeyRevoked | KeyRestricted) -> tuple[str, str]:
    if isinstance(event, KeyRevoked):
        return "revoked", event.revoked_key_id
    shown = event.origins[:_ENTRIES_TOLD_MAX]
    more = f" and {len(event.origins) - len(shown)} more" if len(event.origins) > len(shown) else ""
    named = f"{event.restricted_key_id}" + (f", {event.name}" if event.name else "")
    return "restricted", named + (f": {', '.join(shown)}{more}" if shown else "")


def _end_of_webhook(event: Event) -> tuple[str, str]:
    match event:
        case WebhookEndpointAdded():
            return "added", f"{event.endpoint_id}: {', '.join(event.types)} to {event.url}"
        case WebhookSecretRotated():
            return "rotated", f"{event.endpoint_id}: secret {event.secret_number}"
        case WebhookEndpointDisabled():
            return "disabled", f"{event.endpoint_id}: {event.reason}"
        case WebhookEndpointEnabled():
            return "enabled", event.endpoint_id
        case WebhookEndpointRemoved():
            return "removed", event.endpoint_id
        case _:
            return _end_of_wording(event)


def _end_of_wording(event: Event) -> tuple[str, str]:
    match event:
        case TemplateChanged():
            return "changed", f"{event.locale}: {event.text}"
        case TemplateRemoved():
            return "removed", event.locale
        case WordingChanged():
            return "changed", f"language {event.default_locale or 'en'}, name {event.brand or 'none'}"
        case SenderChanged():
            return "changed", f"{event.country}: {event.sender}"
        case SenderRemoved():
            return "removed", event.country
        case _:
            return "", ""
