"""The outermost layer of every answer: request id, Cache-Control, figures, and no exception past it."""

import time
from collections.abc import Callable
from itertools import count
from typing import Any, Final, cast

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from interfaces.http import problems
from interfaces.http.metrics import Metrics
from interfaces.http.problems import HttpRefusal

_NO_STORE: Final = (b"cache-control", b"no-store")
_NO_SNIFF: Final = (b"x-content-type-options", b"nosniff")


class Edge:
    """An ASGI application around the real one."""

    def __init__(
        self, app: ASGIApp, metrics: Metrics, *, process: str, on_failure: Callable[[BaseException, str], None]
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._prefix = f"req_{process}"
        self._count = count(1)
        self._on_failure = on_failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = self._next_id()
        status = 500
        started = False

        state: dict[str, Any] = dict(scope.get("state") or {})
        state["request_id"] = request_id

        async def send_on(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                headers = message["headers"] = [*map(_with_head, message["headers"])]
                headers.append((b"x-request-id", request_id.encode()))
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append(_NO_STORE)
                headers.append(_NO_SNIFF)
                headers.extend(state.get("origin_headers", ()))
                headers.extend(state.get("rate_headers", ()))
            await send(message)

        # RFC 9110 section 9.3.2: HEAD is GET without the content, which the server leaves out by its own copy of the method.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        scope = cast("HTTPScope", {**scope, "method": method, "state": state})
        try:
            await self._app(scope, receive, send_on)
        except Exception as error:  # noqa: BLE001 - the last door: a caller gets an answer, the log gets the type
            self._on_failure(error, request_id)
            if not started:
                await _internal_error(scope, request_id, send_on)
        finally:
            self._metrics.observe(scope["state"].get("route", "other"), status, time.perf_counter() - begun)

    def refuse_unread(self, detail: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """The answer to what a client sent in the place of a request."""
        request_id = self._next_id()
        status, headers, body = problems.spell(
            HttpRefusal("invalid_request", detail), request_id=request_id, base_url=""
        )
        headers += [
            (b"content-type", problems.MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"x-request-id", request_id.encode()),
            _NO_STORE,
            _NO_SNIFF,
        ]
        self._metrics.observe("other", status, 0.0)
        return status, headers, body

    def _next_id(self) -> str:
        return f"{self._prefix}{next(self._count):x}"


def _with_head(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """What may be read with GET may be asked for with HEAD, and Allow says so."""
    name, value = header
    return (name, value + b", HEAD") if name == b"allow" and b"GET" in value else header


async def _internal_error(scope: Scope, request_id: str, send: Send) -> None:
    status, headers, body = problems.spell(
        HttpRefusal("internal_error"), request_id=request_id, base_url=problems.base_url(scope)
    )
    headers.append((b"content-type", problems.MEDIA_TYPE.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
