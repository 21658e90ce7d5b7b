"""The inbox, in development only: messages in the clear, as JSON, as a page, and as a stream that keeps the page up to date."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from domain.refusals import InvalidRequest, Refusal
from interfaces.http import inbox_page
from interfaces.http.desk import Desk
from interfaces.http.problems import HttpRefusal
from interfaces.http.public import PAGE_HEADERS, asset, json, only_by_address
from interfaces.http.streams import STREAM_SECONDS_MAX, Streams
from interfaces.http.testing import wait_seconds
from interfaces.sms.inbox import InboxStore

SHOWN_MAX: Final = 200
"""Messages on the page as it is opened."""
_LIMIT_MAX: Final = 1_000
_BATCH_MAX: Final = 100
_HEARTBEAT_SECONDS: Final = 10.0
_RECONNECT: Final = b"retry: 1000\n\n"
_HEARTBEAT: Final = b": still here\n\n"


def routes(desk: Desk) -> Sequence[HTTPRouteHandler]:
    """The handlers, where there is an inbox."""
    inbox = desk.inbox
    if inbox is None:
        return ()

    @get("/inbox/latest", include_in_schema=False, guards=[only_by_address])
    async def latest(request: Request[Any, Any, Any]) -> Response[bytes]:
        to = (request.query_params.get("to") or "").replace(" ", "+")  # a plus that nobody encoded arrives as a space
        if not to:
            raise InvalidRequest("to must be the phone number in E.164 form, its + percent-encoded as %2B.")
        entry = await inbox.latest(to, wait_seconds(request.query_params.get("wait")))
        if entry is None:
            raise HttpRefusal("not_found", "No message for this number.")
        return json(msgspec.json.encode(entry))

    @get("/inbox/messages", include_in_schema=False, guards=[only_by_address])
    async def messages(request: Request[Any, Any, Any]) -> Response[bytes]:
        limit = request.query_params.get("limit", str(_LIMIT_MAX))
        if not (limit.isascii() and limit.isdigit() and len(limit) <= 18 and 1 <= int(limit) <= _LIMIT_MAX):
            raise InvalidRequest(f"limit must be a whole number from 1 to {_LIMIT_MAX}.")
        entries, cursor = await inbox.messages(request.query_params.get("after", ""), int(limit))
        return json(msgspec.json.encode({"messages": entries, "cursor": cursor}))

    @get("/inbox/events", include_in_schema=False, guards=[only_by_address])
    async def events(request: Request[Any, Any, Any]) -> Response[Any]:
        desk.streams.require_place()
        after: str = request.headers.get("last-event-id") or request.query_params.get("after") or ""
        return Stream(_events(inbox, desk.streams, after), media_type="text/event-stream")

    @get("/inbox", include_in_schema=False, guards=[only_by_address])
    async def whole_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        wanted = request.query_params.get("search", "").strip()
        entries, cursor = await inbox.recent(_LIMIT_MAX if wanted else SHOWN_MAX)
        text = inbox_page.page(entries, cursor=cursor, wanted=wanted, shown_max=SHOWN_MAX)
        return Response(text.encode(), media_type="text/html", headers=PAGE_HEADERS)

    @get("/inbox/assets/inbox.js", include_in_schema=False)
    async def inbox_script() -> Response[bytes]:
        return asset("inbox/inbox.js", "text/javascript")

    @get("/inbox/assets/inbox.css", include_in_schema=False)
    async def inbox_style() -> Response[bytes]:
        return asset("inbox/inbox.css", "text/css")

    return (latest, messages, events, whole_page, inbox_script, inbox_style)


async def _events(inbox: InboxStore, streams: Streams, after: str) -> AsyncIterator[bytes]:
    """Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html): messages as the page shows them.

    The id of an event is the cursor after it, which the browser sends as Last-Event-ID when it comes again.
    """
    until = asyncio.get_running_loop().time() + STREAM_SECONDS_MAX
    try:
        with streams.place():
            yield _RECONNECT
            while asyncio.get_running_loop().time() < until:
                came = await streams.unless_closed(inbox.messages(after, _BATCH_MAX, wait_seconds=_HEARTBEAT_SECONDS))
                if came is None:
                    return
                entries, after = came
                yield _event(after, inbox_page.messages(entries)) if entries else _HEARTBEAT
    except Refusal:
        return  # the stream ends, and the browser comes again


def _event(cursor: str, html: str) -> bytes:
    return b"id: %b\nevent: messages\ndata: %b\n\n" % (cursor.encode(), msgspec.json.encode(html))
