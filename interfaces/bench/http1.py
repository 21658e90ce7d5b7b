"""HTTP/1.1 as a load generator needs it: one request at a time on a connection kept open, answers framed by length.

Made for little CPU per request, because client and server share the machine. Trusts only the server it measures.
"""

import asyncio
import time
from typing import Final, cast

_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length: "
_HEAD_MAX_BYTES: Final = 16_384


def split(received: bytes) -> tuple[int, bytes, bytes] | None:
    """Status, body and what follows them, of the first answer in `received`; None while it is incomplete.

    Raises ValueError on anything that is not an answer with a Content-Length.
    """
    head_end = received.find(_HEAD_END)
    if head_end < 0:
        if len(received) > _HEAD_MAX_BYTES:
            raise ValueError("the head of an answer does not end")
        return None
    length_at = received.find(_LENGTH, 0, head_end)
    if length_at < 0:
        length_at = received[:head_end].lower().find(_LENGTH)
        if length_at < 0:
            raise ValueError("an answer without a Content-Length")
    digits_at = length_at + len(_LENGTH)
    body_at = head_end + len(_HEAD_END)
    body_end = body_at + int(received[digits_at : received.index(b"\r", digits_at)])
    if len(received) < body_end:
        return None
    return int(received[9:12]), received[body_at:body_end], received[body_end:]


def request(method: str, target: str, *, key: str = "", body: bytes = b"") -> bytes:
    """The bytes of a request."""
    head = f"{method} {target} HTTP/1.1\r\nhost: localhost\r\n"
    if key:
        head += f"authorization: Bearer {key}\r\n"
    if body:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


class Connection(asyncio.Protocol):
    """One connection: `ask`, then `answered` is called, and so on. `failed` is called once, at its end."""

    def __init__(self) -> None:
        self._received = b""
        self._asked_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass

    def ask(self, request: bytes) -> None:
        """Send a request; the previous one must have been answered."""
        if self._transport is not None:
            self._asked_at = time.perf_counter()
            self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        try:
            answer = split(received)
        except ValueError:
            self._fail("malformed_answer")
            return
        if answer is None:
            self._received = received
            return
        status, body, rest = answer
        if rest:
            self._fail("unasked_answer")
            return
        self._received = b""
        self.answered(status, body, time.perf_counter() - self._asked_at)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("connection_lost")

    def close(self) -> None:
        """Hang up; nothing is called after it."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        """The answer to the last request, and how long it took."""
        raise NotImplementedError

    def failed(self, code: str) -> None:
        """The connection is closed or talks nonsense."""
        raise NotImplementedError

    def _fail(self, code: str) -> None:
        if self._transport is not None:
            self.close()
            self.failed(code)
