"""The types of events this tool knows, field by field, written out so that it needs nothing of the server.

A test compares this table with `domain/events.py`. A bundle with a type or a field that is not here was written by a newer
server, or by somebody else; both are findings.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

WHOLE_MAX: Final = 2**63 - 1
Kind = str | tuple[str, ...]
"""text, whole (a number from 0), integer (also below), moment, texts, wholes (by name), names (text by name), scalars (by
name); a tuple lists the texts that are allowed."""

_CALLER: Final[dict[str, Kind]] = {"key_id": "text", "client_ip": "text", "idempotency": "text"}
_BY: Final[dict[str, Kind]] = {"by": "text"}
_MESSAGE: Final[dict[str, Kind]] = {"verification_id": "text", "send": "whole"}


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a type beside `at`, which every event has."""

    required: dict[str, Kind]
    optional: dict[str, Kind] = field(default_factory=dict)


TYPES: Final[dict[str, Shape]] = {
    "CodeRequested.v1": Shape(
        {
            **_MESSAGE,
            "phone": "text",
            "country": "text",
            "seed": "text",
            "digits": "whole",
            "expires_at": "moment",
            "resend_in": "whole",
            "attempts_left": "whole",
            "price_credits": "whole",
        },
        {
            **_CALLER,
            "segments": "whole",
            "locale": "text",
            "web_origin": "text",
            "app_hash": "text",
            "metadata": "scalars",
            "prefix_tag": "text",
        },
    ),
    "CodeSent.v1": Shape(
        {**_MESSAGE, "provider": "text", "message_id": "text"},
        {"segments": "whole", "cost_micros": "whole", "cost_currency": "text", "tried": "texts"},
    ),
    "SendUnconfirmed.v1": Shape({**_MESSAGE, "reason": "text", "provider": "text"}, {"tried": "texts"}),
    "SendFailed.v1": Shape({**_MESSAGE, "reason": "text"}, {"provider": "text", "tried": "texts"}),
    "DeliveryReported.v1": Shape(
        {**_MESSAGE, "outcome": ("delivered", "undelivered"), "provider": "text"}, {"reason": "text"}
    ),
    "AttemptFailed.v1": Shape({"verification_id": "text", "attempts_left": "whole"}, _CALLER),
    "Verified.v1": Shape(
        {"verification_id": "text", "phone": "text", "token_id": "text", "token_expires_at": "moment"}, _CALLER
    ),
    "TokenRedeemed.v1": Shape({"verification_id": "text", "phone": "text", "token_id": "text"}, _CALLER),
    "VerificationCancelled.v1": Shape({"verification_id": "text"}, _CALLER),
    "AccountOpened.v1": Shape({"account_id": "text", "name": "text", "mode": ("live", "test")}, _BY),
    "CreditAdded.v1": Shape({"credits": "whole", "reference": "text"}, {**_CALLER, **_BY}),
    "CreditDebited.v1": Shape(
        {**_MESSAGE, "credits": "whole", "rate_card": "text"},
        {"country": "text", "units": "whole", "unit_credits": "whole", "key_id": "text"},
    ),
    "CreditRefunded.v1": Shape({**_MESSAGE, "credits": "whole", "reason": "text"}),
    "KeyIssued.v1": Shape(
        {"issued_key_id": "text", "kind": ("sk_live", "pk_live", "sk_test", "pk_test"), "hash": "text"},
        {"name": "text", "origins": "texts", **_BY},
    ),
    "KeyRevoked.v1": Shape({"revoked_key_id": "text"}, _BY),
    "KeyRestricted.v1": Shape({"restricted_key_id": "text"}, {"name": "text", "origins": "texts", **_BY}),
    "PolicyChanged.v1": Shape({"changes": "wholes"}, _BY),
    "ListChanged.v1": Shape(
        {
            "effect": ("allow", "block", "remove"),
            "kind": ("ip", "number", "prefix", "country", "origin", "type"),
            "entries": "names",
        },
        _BY,
    ),
    "AccountSuspended.v1": Shape({"reason": "text"}, _BY),
    "AccountResumed.v1": Shape({}, _BY),
    "RateCardAdopted.v1": Shape(
        {"rate_card": "text", "per": ("message", "segment"), "prices": "wholes", "effective_from": "moment"}, _BY
    ),
    "StatementIssued.v1": Shape(
        {
            "period": "text",
            "tree_size": "whole",
            "root": "text",
            "sha256": "text",
            "added": "whole",
            **dict.fromkeys(("credits", "opening_balance", "closing_balance"), "integer"),
        },
        _BY,
    ),
    "ClockAdvanced.v1": Shape({"seconds": "whole"}, _CALLER),
    "WebhookEndpointAdded.v1": Shape({"endpoint_id": "text", "url": "text", "types": "texts"}, _BY),
    "WebhookSecretRotated.v1": Shape(
        {"endpoint_id": "text", "secret_number": "whole", "previous_until": "moment"}, _BY
    ),
    "WebhookEndpointDisabled.v1": Shape({"endpoint_id": "text", "reason": "text"}, _BY),
    "WebhookEndpointEnabled.v1": Shape({"endpoint_id": "text"}, _BY),
    "WebhookEndpointRemoved.v1": Shape({"endpoint_id": "text"}, _BY),
    "TemplateChanged.v1": Shape({"locale": "text", "text": "text"}, _BY),
    "TemplateRemoved.v1": Shape({"locale": "text"}, _BY),
    "WordingChanged.v1": Shape({}, {"default_locale": "text", "brand": "text", **_BY}),
    "SenderChanged.v1": Shape({"country": "text", "sender": "text"}, _BY),
    "SenderRemoved.v1": Shape({"country": "text"}, _BY),
}


class _Rules(NamedTuple):
    kinds: dict[str, Kind]
    required: frozenset[str]
    moments: tuple[str, ...]
    wholes: tuple[str, ...]
    others: tuple[tuple[str, Kind], ...]
    """Fields that are neither of these nor plain text."""
    rows: set[tuple[Any, ...]]
    """Names and Python types of the fields, in their order, that were found right before: there are few such rows."""


def _rules(shape: Shape) -> _Rules:
    kinds: dict[str, Kind] = {"at": "moment", **shape.required, **shape.optional}
    return _Rules(
        kinds,
        frozenset({"at", *shape.required}),
        tuple(name for name, kind in kinds.items() if kind == "moment"),
        tuple(name for name, kind in kinds.items() if kind == "whole"),
        tuple((name, kind) for name, kind in kinds.items() if kind not in {"text", "moment", "whole"}),
        set(),
    )


_RULES: Final = {type_: _rules(shape) for type_, shape in TYPES.items()}
_PYTHON: Final = {
    "text": str,
    "whole": int,
    "integer": int,
    "moment": str,
    "texts": list,
    "wholes": dict,
    "names": dict,
    "scalars": dict,
}
_ROWS_MAX: Final = 10_000


def complaint(type_: str, data: dict[str, Any]) -> tuple[str, str] | None:
    """A finding's name and sentence when type or fields are not as this tool knows them; None when they are."""
    rules = _RULES.get(type_)
    if rules is None:
        return "event-type-known", "This tool knows no such type of event."
    row = (*data, *map(type, data.values()))
    if row not in rules.rows:
        found = _complaint_of_row(rules, data)
        if found is not None:
            return found
        if len(rules.rows) < _ROWS_MAX:
            rules.rows.add(row)
    for name in rules.wholes:
        if not 0 <= data.get(name, 0) <= WHOLE_MAX:
            return _unfit(name)
    for name in rules.moments:
        try:
            moment(data[name])
        except ValueError:
            return _unfit(name)
    for name, kind in rules.others:
        if name in data and not _fits(kind, data[name]):
            return _unfit(name)
    return None


def moment(text: str) -> datetime:
    """A UTC moment as events spell it; raises ValueError."""
    if len(text) < 20 or text[-1] != "Z" or text[10] != "T":
        raise ValueError("not a moment")
    return datetime.fromisoformat(text)


def _complaint_of_row(rules: _Rules, data: dict[str, Any]) -> tuple[str, str] | None:
    unknown = next((name for name in data if name not in rules.kinds), None)
    if unknown is not None:
        return "event-fields-known", "The event has a field that this tool does not know."
    missing = next((name for name in sorted(rules.required) if name not in data), None)
    if missing is not None:
        return "event-fields-valid", f"{missing} is missing."
    for name, value in data.items():
        kind = rules.kinds[name]
        if type(value) is not (str if isinstance(kind, tuple) else _PYTHON[kind]):
            return _unfit(name)
    return None


def _unfit(name: str) -> tuple[str, str]:
    return "event-fields-valid", f"{name} has a value that it cannot have."


def _fits(kind: Kind, value: Any) -> bool:
    if isinstance(kind, tuple):
        return value in kind
    match kind:
        case "integer":
            return -WHOLE_MAX <= int(value) <= WHOLE_MAX
        case "texts":
            return all(type(inner) is str for inner in value)
        case "names":
            return all(type(inner) is str for inner in value.values())
        case "wholes":
            return all(type(inner) is int and 0 <= inner <= WHOLE_MAX for inner in value.values())
        case _:
            return not any(isinstance(inner, dict | list) for inner in value.values())
