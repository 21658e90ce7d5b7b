"""The inbox of another process, seen from a worker: one connection for everything, made again whenever it is lost."""

import asyncio
from collections import deque
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import Final

import msgspec

from domain.refusals import Overloaded, ServiceUnavailable
from interfaces.sms.inbox import MESSAGES_MAX, WAIT_SECONDS_MAX, InboxMessage
from interfaces.sms.inbox_wire import (
    ANSWERS,
    PUT_MAX,
    Answer,
    BrokenFrame,
    Found,
    Latest,
    Leave,
    Page,
    Pages,
    Put,
    Recent,
    Request,
    frame,
    read_frame,
)

ASKERS_MAX: Final = 1_000
ANSWER_SECONDS_MAX: Final = 5.0
"""How long an answer may take beyond what was asked to be waited for."""
_RECONNECT_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
_UNSENT_BYTES_MAX: Final = 4 * 1024 * 1024
_UNSENT_PAUSE_SECONDS: Final = 0.05
_CLOSE_SECONDS_MAX: Final = 1.0


class RemoteInbox:
    """An InboxStore over a socket, on the loop that first uses it.

    What is put while the connection is lost is kept, as much as an inbox would keep.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unsent: deque[InboxMessage] = deque(maxlen=MESSAGES_MAX)
        self._flushing: asyncio.Handle | None = None
        self._asked: dict[int, asyncio.Future[Answer | None]] = {}
        self._askers = 0
        self._ids = count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Hand over what was put, if the connection is there, and end it."""
        self._flush()
        writer = self._writer
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if writer is not None:
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(_CLOSE_SECONDS_MAX):
                    await writer.wait_closed()

    def put(self, message: InboxMessage) -> None:
        """Take a message; all that come in one turn of the loop go out as one."""
        self._begin()
        self._unsent.append(message)
        if self._flushing is None and self._writer is not None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    async def latest(self, to: str, wait_seconds: float) -> InboxMessage | None:
        """The newest message to a number; raises Overloaded, or ServiceUnavailable when the inbox is out of reach."""
        wait_seconds = min(wait_seconds, WAIT_SECONDS_MAX)
        answer = await self._ask(Latest(next(self._ids), to, wait_seconds), seconds=wait_seconds + ANSWER_SECONDS_MAX)
        if not isinstance(answer, Found):
            raise Overloaded(retry_after_seconds=1)
        return answer.message

    async def messages(self, after: str, limit: int, *, wait_seconds: float = 0.0) -> tuple[list[InboxMessage], str]:
        """What is after a cursor; raises Overloaded, or ServiceUnavailable when the inbox is out of reach."""
        wait_seconds = min(wait_seconds, WAIT_SECONDS_MAX)
        request = Pages(next(self._ids), after, limit, wait_seconds)
        return _page(await self._ask(request, seconds=wait_seconds + ANSWER_SECONDS_MAX))

    async def recent(self, limit: int) -> tuple[list[InboxMessage], str]:
        """The newest; raises Overloaded, or ServiceUnavailable when the inbox is out of reach."""
        return _page(await self._ask(Recent(next(self._ids), limit), seconds=ANSWER_SECONDS_MAX))

    async def _ask(self, request: Latest | Pages | Recent, *, seconds: float) -> Answer:
        if self._askers >= ASKERS_MAX:
            raise Overloaded(retry_after_seconds=1)
        self._begin()
        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        answer = None
        self._askers += 1
        try:
            async with asyncio.timeout(seconds):
                await self._connected.wait()
                self._flush()  # what was put before must be seen
                self._asked[request.id] = answered
                self._send(request)
                answer = await answered
        except TimeoutError:
            self._send(Leave(request.id))
        except asyncio.CancelledError:
            self._send(Leave(request.id))
            raise
        finally:
            self._askers -= 1
            self._asked.pop(request.id, None)
        if answer is None:
            raise ServiceUnavailable("The inbox is out of reach.", retry_after_seconds=1)
        return answer

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    def _send(self, request: Request) -> None:
        if self._writer is not None:
            self._writer.write(frame(request))

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None
        while self._unsent and self._writer is not None:
            if self._writer.transport.get_write_buffer_size() > _UNSENT_BYTES_MAX:
                self._flushing = asyncio.get_running_loop().call_later(_UNSENT_PAUSE_SECONDS, self._flush)
                return
            batch = list(islice(self._unsent, PUT_MAX))
            self._send(Put(batch))
            for _ in batch:
                self._unsent.popleft()

    async def _run(self) -> None:
        tries = 0
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                pass
            else:
                if await self._answered(reader, writer):
                    tries = 0
            await asyncio.sleep(_RECONNECT_SECONDS[min(tries, len(_RECONNECT_SECONDS) - 1)])
            tries += 1

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Until the connection ends: whether it was of any use."""
        useful = False
        self._writer = writer
        self._connected.set()
        self._flush()
        try:
            while (body := await read_frame(reader)) is not None:
                self._take(ANSWERS.decode(body))
                useful = True
        except (BrokenFrame, msgspec.DecodeError):
            useful = False
        finally:
            self._writer = None
            self._connected.clear()
            self._give_up()
            writer.close()
        return useful

    def _take(self, answer: Answer) -> None:
        asked = self._asked.get(answer.id)
        if asked is not None and not asked.done():
            asked.set_result(answer)

    def _give_up(self) -> None:
        """Tell those whose question went out with the connection that is lost."""
        for answered in self._asked.values():
            if not answered.done():
                answered.set_result(None)


def _page(answer: Answer) -> tuple[list[InboxMessage], str]:
    if not isinstance(answer, Page):
        raise Overloaded(retry_after_seconds=1)
    return answer.messages, answer.cursor
