"""The inbox's pages and stream on a server of the test's own, whose messages the test writes."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import uvicorn
from litestar import Litestar

from domain.text import measure
from interfaces.http import inbox as pages
from interfaces.http.streams import Streams
from interfaces.sms.inbox import Inbox, InboxMessage
from tests.support.server import wait_for

AT = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)


def entry(text: str, *, to: str = "+14155552671", code: str = "493812", **more: Any) -> InboxMessage:
    """A message as the provider would put it."""
    encoded = measure(text)
    given: dict[str, Any] = {
        "verification_id": "ver_1",
        "segments": encoded.segments,
        "encoding": encoded.encoding,
        "at": AT,
        "account": "acct_abcd****",
        "mode": "test",
        "price_credits": 0,
    }
    return InboxMessage(to=to, text=text, code=code, **(given | more))


class Phone:
    """One inbox, served."""

    def __init__(self, listener: socket.socket, *, streams_max: int) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/inbox"
        self.streams = Streams(streams_max=streams_max)
        self.inbox = Inbox()
        desk: Any = SimpleNamespace(inbox=self.inbox, streams=self.streams)
        app = Litestar(route_handlers=[*pages.routes(desk)], openapi_config=None)
        self.server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        self.loop = asyncio.new_event_loop()
        self._listener = listener

    def run(self) -> None:
        self.loop.run_until_complete(self.server.serve(sockets=[self._listener]))
        self.loop.close()

    def put(self, *messages: InboxMessage) -> None:
        for message in messages:
            self.loop.call_soon_threadsafe(self.inbox.put, message)

    def hang_up(self) -> None:
        self.loop.call_soon_threadsafe(self.streams.close)
        self.server.should_exit = True


@contextlib.contextmanager
def served(*, port: int = 0, streams_max: int = 4) -> Iterator[Phone]:
    """A phone that answers."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    phone = Phone(listener, streams_max=streams_max)
    thread = threading.Thread(target=phone.run, daemon=True)
    thread.start()
    wait_for(lambda: phone.server.started)
    try:
        yield phone
    finally:
        phone.hang_up()
        thread.join()
        listener.close()
