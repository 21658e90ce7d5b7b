"""The table of calls: one entry makes the Litestar route, the order of checks, and the OpenAPI operation.

Order for every call: key, key scope and origin, body and its fields, then the ledger's rules. A repeated Idempotency-Key
is answered before the body is judged.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse
from litestar.types import Method

from application.writer import Decision, Draft
from domain.events import Event
from domain.refusals import IdempotencyKeyReused, InvalidRequest, Refusal
from interfaces.http import addresses, bodies, origins, problems, rates
from interfaces.http.desk import Desk, Identity, idempotency, identify

Keys = Literal["sk", "sk pk", "none"]
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, repr=False)
class Context:
    """One request on its way through a call."""

    desk: Desk
    request: Request[Any, Any, Any]
    caller: Identity | None
    body: Any
    idempotency: str

    @property
    def identity(self) -> Identity:
        """Who calls; only calls that need no key have nobody."""
        assert self.caller is not None, "this call needs a key"
        return self.caller

    def number(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number from the query string; raises InvalidRequest."""
        text = self.request.query_params.get(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 18 and least <= int(text) <= most):
            raise InvalidRequest(f"{name} must be a whole number from {least} to {most}.")
        return int(text)


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter of the query or the path, for the description of the API."""

    name: str
    schema: dict[str, Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Call:
    """One operation."""

    method: Literal["GET", "POST"]
    path: str
    summary: str
    keys: Keys
    codes: tuple[str, ...]
    answer: Any
    handler: Callable[[Context], Awaitable[Any]]
    body: type[msgspec.Struct] | None = None
    query: tuple[Query, ...] = ()
    places: tuple[Query, ...] = ()
    """Parameters of the path of which there is more to say than that they are text."""
    media_type: str = "application/json"
    """Of the answer. Where it is not JSON, the handler gives bytes and `answer` is their type."""
    also: tuple[str, ...] = ()
    """Other media types that the answer comes in, when its caller asks; the handler then gives Content."""


class Content(NamedTuple):
    """An answer that is written already."""

    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Probe:
    """Looks whether an Idempotency-Key was used, when the request itself was refused before the ledger saw it."""

    log: str
    idempotency: str
    stream: str | None = None

    def decide(self, draft: Draft) -> Decision[None]:
        return Decision(None)

    def replay(self, event: Event) -> None:
        return None


def route(call: Call, desk: Desk) -> HTTPRouteHandler:
    """The Litestar handler of a call."""
    decoder = msgspec.json.Decoder(call.body) if call.body is not None else None
    encode = msgspec.json.Encoder().encode
    public_allowed = "pk" in call.keys

    async def endpoint(request: Request[Any, Any, Any]) -> ASGIResponse:
        identity: Identity | None = None
        repeat = ""
        request.scope["state"]["route"] = call.path
        if request.method == "OPTIONS":  # what a browser asks before it lets a page make this call
            return ASGIResponse(status_code=204, headers=origins.PREFLIGHT)
        if public_allowed:
            request.scope["state"]["origin_headers"] = origins.VARY
        try:
            body: Any = None
            if call.keys != "none":
                identity = await identify(desk, request.scope, public_allowed=public_allowed)
            if call.method == "POST" and identity is not None:
                raw = await _whole_body(request)
                repeat = idempotency(desk, request.scope, identity, raw=raw)
                if decoder is not None:
                    body = bodies.decode(decoder, raw)
            answer = await call.handler(Context(desk, request, identity, body, repeat))
        except Refusal as refusal:
            if refusal.code == "invalid_api_key":  # whoever has a revoked key is told so: it was theirs
                refusal = await _limited_or(refusal, desk, request.scope)
            if repeat and identity is not None and not isinstance(refusal, IdempotencyKeyReused):
                refusal = await _reused_or(refusal, desk, identity, repeat)
            return refused(refusal, request.scope)
        if isinstance(answer, Content):
            return ASGIResponse(body=answer.body, media_type=answer.media_type)
        body = encode(answer) if call.media_type == _JSON else answer
        return ASGIResponse(body=body, media_type=call.media_type)

    endpoint.__name__ = call.handler.__name__
    methods: list[Method] = [call.method, "OPTIONS"] if public_allowed else [call.method]
    return HTTPRouteHandler(call.path, http_method=methods, status_code=200, include_in_schema=False)(endpoint)


async def _whole_body(request: Request[Any, Any, Any]) -> bytes:
    try:
        return await request.body()
    except InternalServerException:  # what Litestar calls a client that left while it was sending
        raise InvalidRequest("The body ended early.") from None


def refused(refusal: Refusal, scope: Any) -> ASGIResponse:
    """A refusal as an answer."""
    status, headers, body = problems.spell(
        refusal, request_id=scope["state"]["request_id"], base_url=problems.base_url(scope)
    )
    return ASGIResponse(
        body=body,
        status_code=status,
        media_type=problems.MEDIA_TYPE,
        headers=[(name.decode(), value.decode()) for name, value in headers],
    )


async def _limited_or(refusal: Refusal, desk: Desk, scope: Any) -> Refusal:
    """A failed authentication, or that there were too many from this address."""
    try:
        await rates.require_few_failures(desk.counters, desk.keyring, addresses.caller(scope, desk.trusted_proxies))
    except Refusal as limited:
        return limited
    return refusal


async def _reused_or(refusal: Refusal, desk: Desk, identity: Identity, repeat: str) -> Refusal:
    try:
        await desk.writer.ask(Probe(identity.log, repeat))
    except IdempotencyKeyReused as reused:
        return reused
    except Refusal:
        return refusal
    return refusal
