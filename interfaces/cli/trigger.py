"""`trigger`: one signed example of an event to an endpoint, through the same door as real ones, recorded nowhere."""

import argparse
import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final
from uuid import uuid4

import msgspec

from application.webhooks import Signers
from domain.codec import encode
from domain.events import TYPES
from domain.keys import log_of
from domain.webhook_body import body
from domain.webhooks import type_of
from interfaces import settings
from interfaces.cli.administration import open_books
from interfaces.cli.output import Refused, emit
from interfaces.webhooks import signing
from interfaces.webhooks.outbound import Outbound, Outcome
from interfaces.webhooks.reach import Reach

_VERIFICATION_ID: Final = "ver_" + "example0" * 4 + "ex"
_TEXTS: Final = {
    "verification_id": _VERIFICATION_ID,
    "phone": "+1415****2671",
    "country": "US",
    "provider": "example",
    "url": "https://shop.example/hooks",
}
"""What has a meaning of its own; every other text says that it is an example."""


def run(arguments: argparse.Namespace) -> int:
    """Post an example; exit status 1 when it is not taken."""
    topic = next((topic for topic in TYPES if type_of(topic) == arguments.type), None)
    if topic is None:
        names = ", ".join(sorted(map(type_of, TYPES)))
        raise Refused("invalid_request", f"{arguments.type} is not a type of event.", f"It is one of: {names}.")
    log, now = log_of(arguments.account, mode=arguments.mode), datetime.now(UTC)
    with open_books() as books:
        endpoint = books.webhooks.endpoint(log, arguments.endpoint)
        signers = books.webhooks.signers(log, endpoint, now=now)
    content = body(log, position=0, topic=topic, stored=example(topic, at=now))
    message_id = str(uuid4())
    allows_local = settings.current().env == "development"
    outcome = asyncio.run(_post(endpoint.url, signers, message_id, content, allows_local=allows_local))
    document = {
        "event_id": message_id,
        "url": endpoint.url,
        "status": outcome.status,
        "error": outcome.error,
        "duration_ms": outcome.duration_ms,
        "body": msgspec.json.decode(content),
    }
    said = f"{outcome.status or 'no answer'}  {outcome.error or 'taken'}  {outcome.duration_ms} ms\n{content.decode()}"
    emit(arguments, document, said)
    return 0 if outcome.is_taken else 1


def example(topic: str, *, at: datetime) -> bytes:
    """The stored form of an event that never was: whatever it must have, it has."""
    fields = msgspec.structs.fields(TYPES[topic])
    values = {field.name: _value(field.name, field.type, at) for field in fields if field.required}
    return encode(msgspec.convert(values, TYPES[topic]))


def _value(name: str, kind: Any, at: datetime) -> Any:
    if name in _TEXTS:
        return _TEXTS[name]
    found = msgspec.inspect.type_info(kind)
    makers: dict[type, Callable[[], Any]] = {
        msgspec.inspect.DateTimeType: lambda: at,
        msgspec.inspect.IntType: lambda: 1,
        msgspec.inspect.VarTupleType: lambda: ("example",),
        msgspec.inspect.DictType: lambda: {"example": 1},
        msgspec.inspect.LiteralType: lambda: found.values[0],  # type: ignore[attr-defined]
    }
    return makers.get(type(found), lambda: "example")()


async def _post(url: str, signers: Signers, message_id: str, content: bytes, *, allows_local: bool) -> Outcome:
    timestamp = int(datetime.now(UTC).timestamp())
    headers = signing.headers(signers, message_id=message_id, timestamp=timestamp, body=content)
    async with Outbound(Reach(allows_local=allows_local)) as outbound:
        return await outbound.post(url, headers=headers, body=content)
