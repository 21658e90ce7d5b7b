"""The inbox: the newest messages as a phone would show them, for development and for test keys.

In memory only. Nothing here writes, logs or shows a message; who may read it is decided where it is served.
"""

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from application.ports import Accepted, Message
from domain.keys import account_of
from domain.refusals import Overloaded
from domain.text import measure

MESSAGES_MAX: Final = 10_000
PAGE_MAX: Final = 1_000
WAIT_SECONDS_MAX: Final = 30.0
WAITERS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class InboxMessage:
    """A message as it arrived; `account` is masked, everything else is in the clear."""

    to: str
    text: str
    code: str
    verification_id: str
    segments: int
    encoding: Literal["GSM-7", "UCS-2"]
    at: datetime
    account: str
    mode: Literal["live", "test"]
    price_credits: int


class InboxStore(Protocol):
    """An inbox, in this process or in another one."""

    def put(self, message: InboxMessage) -> None:
        """Take a message. Never waits and never fails: the oldest make place."""
        ...

    async def latest(self, to: str, wait_seconds: float) -> InboxMessage | None:
        """The newest message to a number, waiting up to `wait_seconds` (at most 30) for the first; raises Overloaded."""
        ...

    async def messages(self, after: str, limit: int, *, wait_seconds: float = 0.0) -> tuple[list[InboxMessage], str]:
        """Up to `limit` messages (at most 1,000) that came after a cursor, oldest first, and the cursor for the next call.

        What is no cursor of this inbox, such as an empty text, stands for the beginning. Waits up to `wait_seconds` (at
        most 30) when nothing came yet; raises Overloaded.
        """
        ...

    async def recent(self, limit: int) -> tuple[list[InboxMessage], str]:
        """The newest `limit` messages (at most 1,000), oldest first, and the cursor after them."""
        ...


class Inbox:
    """The newest messages, on one loop."""

    def __init__(self, *, messages_max: int = MESSAGES_MAX, waiters_max: int = WAITERS_MAX) -> None:
        self._ring: list[InboxMessage | None] = [None] * messages_max
        self._count = 0
        self._newest: dict[str, int] = {}
        self._waiters_max = waiters_max
        self._waiting = 0
        self._waiters: dict[str, set[asyncio.Future[InboxMessage]]] = {}
        self._news = asyncio.Event()
        self._hearers = 0
        # A cursor of an earlier process must not look like a place in this one.
        self._epoch = secrets.token_hex(4)

    def put(self, message: InboxMessage) -> None:
        """Take a message: whoever waits for it has it."""
        number, slot = self._count, self._count % len(self._ring)
        oldest = self._ring[slot]
        if oldest is not None and self._newest.get(oldest.to) == number - len(self._ring):
            del self._newest[oldest.to]
        self._ring[slot] = message
        self._newest[message.to] = number
        self._count += 1
        for waiter in self._waiters.pop(message.to, ()):
            if not waiter.done():
                waiter.set_result(message)
        if self._hearers:
            self._news.set()
            self._news = asyncio.Event()

    def newest(self, to: str) -> InboxMessage | None:
        """The newest message to a number that is there already."""
        number = self._newest.get(to)
        return None if number is None else self._ring[number % len(self._ring)]

    async def latest(self, to: str, wait_seconds: float) -> InboxMessage | None:
        """The newest message to a number, waiting for the first one if need be; raises Overloaded."""
        message = self.newest(to)
        if message is not None or wait_seconds <= 0:
            return message
        if self._waiting >= self._waiters_max:
            raise Overloaded(retry_after_seconds=1)
        waiter: asyncio.Future[InboxMessage] = asyncio.get_running_loop().create_future()
        self._waiting += 1
        self._waiters.setdefault(to, set()).add(waiter)
        try:
            async with asyncio.timeout(min(wait_seconds, WAIT_SECONDS_MAX)):
                return await waiter
        except TimeoutError:
            return self.newest(to)  # it may have come in the very moment that the time was up
        finally:
            self._waiting -= 1
            self._leave(to, waiter)

    async def messages(self, after: str, limit: int, *, wait_seconds: float = 0.0) -> tuple[list[InboxMessage], str]:
        """What came after a cursor and is still there; raises Overloaded where it would have to wait and may not."""
        if wait_seconds > 0 and self._place(after) == self._count:
            await self._hear(min(wait_seconds, WAIT_SECONDS_MAX))
        begin = max(self._place(after), self._count - len(self._ring), 0)
        end = min(self._count, begin + max(1, min(limit, PAGE_MAX)))
        return list(self._between(begin, end)), f"{self._epoch}-{end}"

    async def recent(self, limit: int) -> tuple[list[InboxMessage], str]:
        """The newest there are."""
        begin = max(self._count - max(1, min(limit, PAGE_MAX, len(self._ring))), 0)
        return list(self._between(begin, self._count)), f"{self._epoch}-{self._count}"

    async def _hear(self, seconds: float) -> None:
        """Until the next message, whosever it is, or until the time is up."""
        if self._waiting >= self._waiters_max:
            raise Overloaded(retry_after_seconds=1)
        news = self._news
        self._waiting += 1
        self._hearers += 1
        try:
            async with asyncio.timeout(seconds):
                await news.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1
            self._hearers -= 1

    def _between(self, begin: int, end: int) -> Iterator[InboxMessage]:
        for number in range(begin, end):
            message = self._ring[number % len(self._ring)]
            assert message is not None, "what was counted and not overwritten is there"
            yield message

    def _place(self, cursor: str) -> int:
        """How many messages had come at a cursor of this inbox; 0 for every other text."""
        epoch, _, number = cursor.partition("-")
        if epoch != self._epoch or not (number.isascii() and number.isdigit() and len(number) < 16):
            return 0
        return min(int(number), self._count)

    def _leave(self, to: str, waiter: asyncio.Future[InboxMessage]) -> None:
        waiters = self._waiters.get(to)
        if waiters is not None:
            waiters.discard(waiter)
            if not waiters:
                del self._waiters[to]


class InboxProvider:
    """Hands messages to the inbox."""

    name = "inbox"

    def __init__(self, inbox: InboxStore) -> None:
        self._inbox = inbox

    async def send(self, message: Message) -> Accepted:
        """Never waits: the message is in the inbox of this process before the client has its answer."""
        encoded = measure(message.text)
        self._inbox.put(
            InboxMessage(
                to=message.to,
                text=message.text,
                code=message.code,
                verification_id=message.verification_id,
                segments=encoded.segments,
                encoding=encoded.encoding,
                at=message.accepted_at,
                account=mask_account(message.account),
                mode="live" if message.log == account_of(message.log) else "test",
                price_credits=message.price_credits,
            )
        )
        return Accepted(message.message_id)


def mask_account(account: str) -> str:
    """`acct_` and the first four characters: enough to tell one's own accounts apart."""
    return f"{account[:9]}****"
