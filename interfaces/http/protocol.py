"""HTTP/1.1 on a connection: uvicorn's protocol with a limit on what a stranger may make us keep, and on how long.

A request's head and a chunked body's trailers are bounded in size, a request as a whole in time. What never became a
request is answered as a problem like everything else.
"""

from asyncio import TimerHandle, Transport
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from interfaces.http.edge import Edge

HEAD_BYTES_MAX: Final = 32_768
RECEIVE_SECONDS_MAX: Final = 30.0
"""From the first byte of a request, or from the connection, to the request's last byte."""
_UNREADABLE: Final = "This is not a request in HTTP/1.1."
_HEAD_TOO_LARGE: Final = f"The head of a request has at most {HEAD_BYTES_MAX // 1024} KiB."


class _HeadTooLarge(Exception):
    """Raised through the parser, which stops there."""


class Protocol(HttpToolsProtocol):
    """One connection."""

    receive_seconds_max = RECEIVE_SECONDS_MAX

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._kept_bytes = 0
        self._in_head = True
        self._deadline: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_wait()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._kept_bytes += len(data)
        super().data_received(data)
        # The parser keeps a field until its last byte has come, and hands over neither it nor what belongs to a body.
        if self._kept_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self.send_400_response(_HEAD_TOO_LARGE)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not a request. An answer under way is cut off: nothing can follow it that makes sense."""
        assert isinstance(self.app, Edge), "uvicorn is configured to put nothing before it"
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete:
            is_large = self._kept_bytes > HEAD_BYTES_MAX
            status, headers, body = self.app.refuse_unread(_HEAD_TOO_LARGE if is_large else _UNREADABLE)
            head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
            self.transport.write(STATUS_LINE[status] + head + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    # Called by the parser.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._await_request()

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes after the head is a trailer: nobody asked for it, and it must not pass for a header.
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        self._kept_bytes = size if size > HEAD_BYTES_MAX else 0
        if self._kept_bytes:
            raise _HeadTooLarge
        self._in_head = False
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._kept_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._kept_bytes = 0
        self._end_wait()
        super().on_message_complete()

    def _await_request(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.receive_seconds_max, self.transport.close)

    def _end_wait(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
