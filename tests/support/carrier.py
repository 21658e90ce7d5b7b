"""A carrier's API as its documentation has it: takes requests, and answers with what it is told to."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Carrier(ThreadingHTTPServer):
    """Answers request after request as it is told; the last way of answering stays. A status of 0 is silence."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *answers: tuple[int, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = list(answers)
        self.asked: list[Asked] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def next_answer(self) -> tuple[int, bytes]:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def handle_error(self, *_: object) -> None:
        """Nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Carrier

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.path, headers, body))
        status, content = self.server.next_answer()
        if status == 0:
            self.server.released.wait(30)
            return
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def carrying(*answers: tuple[int, bytes]) -> Iterator[Carrier]:
    """A carrier for as long as the context lasts."""
    carrier = Carrier(*answers)
    threading.Thread(target=carrier.serve_forever, daemon=True).start()
    try:
        yield carrier
    finally:
        carrier.released.set()
        carrier.shutdown()
        carrier.server_close()
