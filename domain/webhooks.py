"""Endpoints of an account's own, to which its facts are posted: their rules, and the names under which facts arrive.

A secret is never here: it is derived from the root by endpoint and number, so that rotating is counting.
"""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.events import (
    TOPICS,
    VERIFICATION_EVENTS,
    Event,
    WebhookEndpointAdded,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)
from domain.refusals import InvalidRequest, StateConflict
from domain.words import require_words

ENDPOINTS_MAX: Final = 16
"""Endpoints that a log may have at once."""
URL_LENGTH_MAX: Final = 1_024
TYPES_MAX: Final = 64
REASON_MAX: Final = 240
OVERLAP_SECONDS_MAX: Final = 7 * 86_400
EVERY_VERIFICATION: Final = "verification.*"
EVERY_ACCOUNT: Final = "account.*"
_URL: Final = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?:/(?:[A-Za-z0-9._~!$&'(),;=:@/-]|%[0-9A-Fa-f]{2})*)?"
)
"""No user, query or fragment: what is a secret does not belong into an address. No plus: no number looks like one."""
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts of a log go. The secret before `secret_number` counts as well until `previous_until`."""

    id: str
    url: str
    types: tuple[str, ...]
    added_at: datetime
    secret_number: int = 1
    previous_until: datetime | None = None
    disabled: str = ""

    def secret_numbers(self, now: datetime) -> tuple[int, ...]:
        """The secrets that sign at a moment, newest first."""
        if self.previous_until is not None and now < self.previous_until:
            return self.secret_number, self.secret_number - 1
        return (self.secret_number,)


Endpoints = tuple[Endpoint, ...]


@lru_cache(maxsize=256)
def type_of(topic: str) -> str:
    """The name under which facts of a topic arrive: `Verified.v1` is `verification.verified`."""
    name, _, version = topic.rpartition(".v")
    kind = "verification" if topic in _OF_VERIFICATIONS else "account"
    words = _WORD.sub("_", name).lower().removeprefix(f"{kind}_")
    return f"{kind}.{words}" + ("" if version == "1" else f".v{version}")


_OF_VERIFICATIONS: Final = frozenset(TOPICS[event] for event in VERIFICATION_EVENTS)
NAMES: Final = frozenset(type_of(topic) for topic in TOPICS.values())


def wants(types: tuple[str, ...], name: str) -> bool:
    """Whether an endpoint that asked for `types` gets facts of a name."""
    return name in types or f"{name.partition('.')[0]}.*" in types


def add(endpoints: Endpoints, *, endpoint_id: str, url: str, types: tuple[str, ...], by: str, now: datetime) -> Event:
    """One more endpoint; raises InvalidRequest on an address or a type that cannot be, or when there are too many."""
    if len(endpoints) >= ENDPOINTS_MAX:
        raise InvalidRequest(f"A log has at most {ENDPOINTS_MAX} webhook endpoints; remove one first.")
    require_url(url)
    unknown = next((name for name in types if name not in NAMES | {EVERY_VERIFICATION, EVERY_ACCOUNT}), None)
    if unknown is not None or not 1 <= len(types) <= TYPES_MAX:
        raise InvalidRequest(
            f"types must be 1 to {TYPES_MAX} of: {', '.join(sorted(NAMES))}, or verification.* account.*"
        )
    wanted = tuple(sorted(set(types)))
    return WebhookEndpointAdded(at=now, endpoint_id=endpoint_id, url=url, types=wanted, by=by)


def require_url(url: str) -> None:
    """Raise InvalidRequest unless `url` can be posted to. Whether we dare to is decided when it is resolved."""
    found = _URL.fullmatch(url)
    if found is None or len(url) > URL_LENGTH_MAX or int(found["port"] or 1) > 65_535:
        raise InvalidRequest(
            "url must be https://host/path in ASCII, without user, query and fragment: every delivery is signed, "
            "so that an address needs no secret in it."
        )


def rotate(endpoints: Endpoints, *, endpoint_id: str, overlap: timedelta, by: str, now: datetime) -> Event:
    """Sign with another secret from now on, and with the last one as well until the overlap is over."""
    endpoint = find(endpoints, endpoint_id)
    if not 0 <= overlap.total_seconds() <= OVERLAP_SECONDS_MAX:
        raise InvalidRequest(f"The overlap must be 0 to {OVERLAP_SECONDS_MAX // 3600} hours.")
    return WebhookSecretRotated(
        at=now,
        endpoint_id=endpoint_id,
        secret_number=endpoint.secret_number + 1,
        previous_until=now + overlap,
        by=by,
    )


def disable(endpoints: Endpoints, *, endpoint_id: str, reason: str, by: str, now: datetime) -> Event | None:
    """Post nothing more there; None when nothing is posted there already."""
    require_words(reason, field="reason", most=REASON_MAX)
    if find(endpoints, endpoint_id).disabled:
        return None
    return WebhookEndpointDisabled(at=now, endpoint_id=endpoint_id, reason=reason, by=by)


def enable(endpoints: Endpoints, *, endpoint_id: str, by: str, now: datetime) -> Event | None:
    """Post there again; None when that is so already."""
    if not find(endpoints, endpoint_id).disabled:
        return None
    return WebhookEndpointEnabled(at=now, endpoint_id=endpoint_id, by=by)


def remove(endpoints: Endpoints, *, endpoint_id: str, by: str, now: datetime) -> Event:
    """Forget an endpoint and what waits for it."""
    find(endpoints, endpoint_id)
    return WebhookEndpointRemoved(at=now, endpoint_id=endpoint_id, by=by)


def find(endpoints: Endpoints, endpoint_id: str) -> Endpoint:
    """Raises StateConflict when there is no such endpoint."""
    for endpoint in endpoints:
        if endpoint.id == endpoint_id:
            return endpoint
    raise StateConflict("There is no such webhook endpoint.")


def evolve(endpoints: Endpoints, event: Event) -> Endpoints:
    """The endpoints after `event`. Never refuses."""
    match event:
        case WebhookEndpointAdded():
            added = Endpoint(id=event.endpoint_id, url=event.url, types=event.types, added_at=event.at)
            return (*endpoints, added)
        case WebhookSecretRotated():
            number, until = event.secret_number, event.previous_until
            return _with(
                endpoints, event.endpoint_id, lambda one: replace(one, secret_number=number, previous_until=until)
            )
        case WebhookEndpointDisabled():
            reason = event.reason
            return _with(endpoints, event.endpoint_id, lambda one: replace(one, disabled=reason))
        case WebhookEndpointEnabled():
            return _with(endpoints, event.endpoint_id, lambda one: replace(one, disabled=""))
        case WebhookEndpointRemoved():
            return tuple(endpoint for endpoint in endpoints if endpoint.id != event.endpoint_id)
        case _:
            return endpoints


def _with(endpoints: Endpoints, endpoint_id: str, change: Callable[[Endpoint], Endpoint]) -> Endpoints:
    return tuple(change(endpoint) if endpoint.id == endpoint_id else endpoint for endpoint in endpoints)
