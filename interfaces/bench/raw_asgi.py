"""A limit: what the HTTP server alone can do, with an application that reads the body and answers the same bytes."""

import sys
from typing import Final

from litestar.types import Receive, Scope, Send

from interfaces.bench.hosting import host

_BODY: Final = b'{"status":"pending","expires_in":300}'
_HEADERS: Final = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_BODY))]


async def app(_: Scope, receive: Receive, send: Send) -> None:
    """One answer for every request."""
    while True:
        message = await receive()
        if message["type"] != "http.request" or not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
    await send({"type": "http.response.body", "body": _BODY, "more_body": False})


if __name__ == "__main__":
    host(app, listener_fd=int(sys.argv[1]), with_lifespan=False)
