"""A receiver of messages, as `webhook:` speaks to: it behaves well, badly, or not at all."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_SECONDS_MAX = 60.0


class Receiver(ThreadingHTTPServer):
    """Takes messages in the way it is told to: a status, or `hang`, which lasts until it is released."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.way: int | str = 200
        self.got: list[dict[str, Any]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sms"

    def handle_error(self, *_: object) -> None:
        """Nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        way = self.server.way
        self.server.got.append(
            {**body, "id": self.headers["webhook-id"], "signature": self.headers["webhook-signature"]}
        )
        if way == "hang":
            self.server.released.wait(HANG_SECONDS_MAX)
        self.send_response(way if isinstance(way, int) else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver for as long as the context lasts."""
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        receiver.shutdown()
        receiver.server_close()
