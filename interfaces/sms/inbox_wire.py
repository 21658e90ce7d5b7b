"""How the inbox is spoken to between processes: frames of a length (4 bytes, big-endian) and a MessagePack body."""

import asyncio
from typing import Final

import msgspec

from interfaces.sms.inbox import InboxMessage

FRAME_BYTES_MAX: Final = 16 * 1024 * 1024
PUT_MAX: Final = 1_000
"""Messages in one Put."""
_LENGTH_BYTES: Final = 4


class _Body(msgspec.Struct, frozen=True):
    """What every body is: a thing that shows nothing of what is in it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Put(_Body, frozen=True, tag=True):
    """Messages, oldest first. There is no answer."""

    messages: list[InboxMessage]


class Latest(_Body, frozen=True, tag=True):
    """Ask for the newest message to a number; answered by Found or Refused."""

    id: int
    to: str
    wait_seconds: float


class Pages(_Body, frozen=True, tag=True):
    """Ask for what is after a cursor; answered by Page, or by Refused when it would have to wait and may not."""

    id: int
    after: str
    limit: int
    wait_seconds: float = 0.0


class Recent(_Body, frozen=True, tag=True):
    """Ask for the newest; answered by Page."""

    id: int
    limit: int


class Leave(_Body, frozen=True, tag=True):
    """Nobody waits for the answer to `id` any more."""

    id: int


class Found(_Body, frozen=True, tag=True):
    """Answer to Latest."""

    id: int
    message: InboxMessage | None


class Page(_Body, frozen=True, tag=True):
    """Answer to Pages and Recent."""

    id: int
    messages: list[InboxMessage]
    cursor: str


class Refused(_Body, frozen=True, tag=True):
    """Answer to Latest and Pages when too many wait."""

    id: int


Request = Put | Latest | Pages | Recent | Leave
Answer = Found | Page | Refused
REQUESTS: Final = msgspec.msgpack.Decoder(Request)
ANSWERS: Final = msgspec.msgpack.Decoder(Answer)
_ENCODER: Final = msgspec.msgpack.Encoder()


class BrokenFrame(Exception):
    """What came is not of this protocol: the connection is of no use any more."""


def frame(body: Request | Answer) -> bytes:
    """The bytes of a request or an answer."""
    encoded = _ENCODER.encode(body)
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """The next body; None at the end of the connection. Raises BrokenFrame."""
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
        if length > FRAME_BYTES_MAX:
            raise BrokenFrame
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
