"""A receiver of webhooks as a customer runs it: it keeps what it got and answers as it is told to."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks import Webhook

HANG_SECONDS_MAX = 60.0


class Got(NamedTuple):
    """One post, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.body)
        return document

    def verified_with(self, secret: str) -> dict[str, Any]:
        """The document, as the library of Standard Webhooks verifies it; raises WebhookVerificationError."""
        document: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return document


class Hook(ThreadingHTTPServer):
    """`answer` says for each post which status it gets; `hang` is one that never comes."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer: Callable[[Got], int | str] = lambda got: 200
        self.headers: dict[str, str] = {}
        self.got: list[Got] = []
        self.answered: list[Got] = []
        """Those whose sender was still there for the answer: a receiver that takes nothing back would have kept them."""
        self.connections = 0
        self.at_once = 0
        self.at_once_max = 0
        self.released = threading.Event()
        self.lock = threading.Lock()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [got.id for got in self.got]

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def handle_error(self, *_: object) -> None:
        """Nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Hook
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        hook = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        got = Got(self.path, {name.lower(): value for name, value in self.headers.items()}, body, time.monotonic())
        with hook.lock:
            hook.got.append(got)
            hook.at_once += 1
            hook.at_once_max = max(hook.at_once_max, hook.at_once)
        try:
            way = hook.answer(got)
            if way == "hang":
                hook.released.wait(HANG_SECONDS_MAX)
                self.close_connection = True
                return
            if self._is_there():
                hook.answered.append(got)
            self.send_response(int(way))
            for name, value in hook.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", "0")
            self.end_headers()
        finally:
            with hook.lock:
                hook.at_once -= 1

    def _is_there(self) -> bool:
        try:
            return len(self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)) > 0
        except (BlockingIOError, ValueError):  # nothing more yet; a TLS socket cannot be looked at
            return True
        except OSError:
            return False

    do_GET = do_POST  # noqa: N815 - the name http.server looks for

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def hooked() -> Iterator[Hook]:
    """A receiver for as long as the context lasts."""
    hook = Hook()
    threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield hook
    finally:
        hook.released.set()
        hook.shutdown()
        hook.server_close()
