"""The inbox shared with other processes of this server: the one that has it listens on a socket in a directory of its own.

What is trusted: the directory is this user's alone (0700), so whoever can connect may read every message anyway.
"""

import asyncio
import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from domain.refusals import Overloaded
from interfaces.sms.inbox import Inbox
from interfaces.sms.inbox_wire import (
    REQUESTS,
    Answer,
    BrokenFrame,
    Found,
    Latest,
    Leave,
    Page,
    Pages,
    Put,
    Recent,
    Refused,
    Request,
    frame,
    read_frame,
)

SOCKET_NAME: Final = "inbox.sock"
CONNECTIONS_MAX: Final = 64
"""One per worker; the rest is room for those that die and come again."""
_PATH_BYTES_MAX: Final = 103
"""What a socket's address holds on every system, the ending zero not counted."""


class InboxHost:
    """Lets other processes into an Inbox. Start and close it on the inbox's loop."""

    def __init__(self, inbox: Inbox, *, directory: Path) -> None:
        self.path = directory / SOCKET_NAME
        self._inbox = inbox
        self._server: asyncio.Server | None = None
        self._guests: set[asyncio.Task[None]] = set()
        self._closing = False

    async def start(self) -> None:
        """Listen; makes the directory. Raises ValueError when the directory is not this user's alone or its path too long."""
        directory = self.path.parent
        if len(os.fsencode(self.path)) > _PATH_BYTES_MAX:
            raise ValueError(f"The path of the inbox's socket is longer than {_PATH_BYTES_MAX} bytes: {self.path}")
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise ValueError(f"{directory} must be a directory that only its owner may enter (mode 0700).")
        self._server = await asyncio.start_unix_server(self._welcome, str(self.path))

    async def close(self) -> None:
        """End all connections and take the socket away."""
        self._closing = True
        if self._server is not None:
            self._server.close()
            for guest in self._guests:
                guest.cancel()
            await asyncio.gather(*self._guests, return_exceptions=True)
            await self._server.wait_closed()
            self.path.unlink(missing_ok=True)

    async def _welcome(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        guest = asyncio.current_task()
        assert guest is not None, "a connection is served in a task of its own"
        if self._closing or len(self._guests) >= CONNECTIONS_MAX:
            writer.close()
            return
        self._guests.add(guest)
        try:
            await _Guest(self._inbox, reader, writer).serve()
        except (BrokenFrame, msgspec.DecodeError, ConnectionError, asyncio.CancelledError):
            pass  # the connection is over; a cancelled task here only means that the host closes
        finally:
            self._guests.discard(guest)
            writer.close()


class _Guest:
    """One connection. Whoever does not read its answers is not read from either."""

    def __init__(self, inbox: Inbox, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inbox = inbox
        self._reader = reader
        self._writer = writer
        self._waits: dict[int, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until the connection ends."""
        try:
            while (body := await read_frame(self._reader)) is not None:
                await self._take(REQUESTS.decode(body))
        finally:
            for wait in self._waits.values():
                wait.cancel()

    async def _take(self, request: Request) -> None:
        match request:
            case Put():
                for message in request.messages:
                    self._inbox.put(message)
            case Latest():
                newest = self._inbox.newest(request.to)
                if newest is not None or request.wait_seconds <= 0:
                    await self._answer(Found(request.id, newest))
                else:
                    self._waits[request.id] = asyncio.create_task(self._wait(request))
            case Pages():
                page = Page(request.id, *await self._inbox.messages(request.after, request.limit))
                if page.messages or request.wait_seconds <= 0:
                    await self._answer(page)
                else:
                    self._waits[request.id] = asyncio.create_task(self._wait(request))
            case Recent():
                await self._answer(Page(request.id, *await self._inbox.recent(request.limit)))
            case Leave():
                left = self._waits.pop(request.id, None)
                if left is not None:
                    left.cancel()

    async def _wait(self, request: Latest | Pages) -> None:
        answer: Answer
        wait = request.wait_seconds
        try:
            if isinstance(request, Latest):
                answer = Found(request.id, await self._inbox.latest(request.to, wait))
            else:
                page = await self._inbox.messages(request.after, request.limit, wait_seconds=wait)
                answer = Page(request.id, *page)
        except Overloaded:
            answer = Refused(request.id)
        self._waits.pop(request.id, None)
        self._writer.write(frame(answer))

    async def _answer(self, answer: Answer) -> None:
        self._writer.write(frame(answer))
        await self._writer.drain()
