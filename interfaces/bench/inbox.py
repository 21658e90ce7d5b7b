"""The reader of the inbox: one connection that brings the codes of all users in bulk."""

import asyncio
import time
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from interfaces.bench.answers import MESSAGES, OK, Message, problem_code
from interfaces.bench.http1 import Connection, request
from interfaces.bench.job import Cursor
from interfaces.bench.meter import Meter

CODE_SECONDS_MAX: Final = 4.0
"""Less than the 5 s after which the server closes an idle connection."""
_PAUSE_SECONDS: Final = 0.002
_PAGE_MAX: Final = 1_000


class Waiter(Protocol):
    """Whoever waits for a code."""

    def coded(self, code: str) -> None:
        """The message has come."""

    def uncoded(self) -> None:
        """The message has not come in CODE_SECONDS_MAX."""


class Inbox(Connection):
    """Reads while anyone waits, and hands each code to whom it is for."""

    def __init__(self, meter: Meter, *, after: Cursor) -> None:
        super().__init__()
        self.after = after
        self._meter = meter
        self._waiting: dict[str, tuple[Waiter, float]] = {}
        self._arrived: dict[str, str] = {}

    def start(self) -> None:
        """Begin to read."""
        self._read()

    def wait(self, waiter: Waiter, *, phone: str) -> None:
        """Have `waiter` told of the message to `phone`."""
        code = self._arrived.pop(phone, None)
        if code is None:
            self._waiting[phone] = waiter, time.perf_counter()
        else:
            self._meter.waited("code", 0.0)
            waiter.coded(code)

    def expire(self) -> None:
        """Tell those who have waited too long."""
        now = time.perf_counter()
        for phone, (waiter, since) in list(self._waiting.items()):
            if now - since > CODE_SECONDS_MAX:
                del self._waiting[phone]
                waiter.uncoded()

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        if self._meter.counting:
            self._meter.inbox_reads += 1
        if status == OK:
            self._take(body)
        else:
            self._meter.errors[f"inbox: {problem_code(status, body)}"] += 1
        asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._read)

    def failed(self, code: str) -> None:
        self._meter.errors[f"inbox: {code}"] += 1

    def _read(self) -> None:
        if self._waiting:
            self.ask(request("GET", f"/inbox/messages?after={quote(str(self.after))}&limit={_PAGE_MAX}"))
        else:
            asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._read)

    def _take(self, body: bytes) -> None:
        try:
            page = MESSAGES.decode(body)
        except msgspec.MsgspecError:
            self._meter.errors["inbox: unexpected_answer"] += 1
            return
        self.after = page.cursor
        for message in page.messages:
            self._deliver(message)

    def _deliver(self, message: Message) -> None:
        waiting = self._waiting.pop(message.to, None)
        if waiting is None:
            self._arrived[message.to] = message.code
        else:
            waiter, since = waiting
            self._meter.waited("code", time.perf_counter() - since)
            waiter.coded(message.code)
