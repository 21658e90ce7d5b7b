"""A limit: a route that does nothing, to be mounted in the server itself, behind the same middleware as the real ones."""

from typing import Any, Final

import msgspec
from litestar import Request
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

PATH: Final = "/v1/bench/noop"


class NoopRequest(msgspec.Struct, frozen=True):
    """A body like that of `send`."""

    phone_number: str


class NoopAnswer(msgspec.Struct, frozen=True):
    """An answer like that of `send`."""

    status: str
    expires_in: int


_DECODE: Final = msgspec.json.Decoder(NoopRequest).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_ANSWER: Final = NoopAnswer(status="pending", expires_in=300)


async def noop(request: Request[Any, Any, Any]) -> ASGIResponse:
    """Decode, encode, and nothing between."""
    _DECODE(await request.body())
    return ASGIResponse(body=_ENCODE(_ANSWER), media_type="application/json")


def route() -> HTTPRouteHandler:
    """The handler, made the way the handlers of the API are made."""
    return HTTPRouteHandler(PATH, http_method=["POST"], status_code=200, include_in_schema=False)(noop)
