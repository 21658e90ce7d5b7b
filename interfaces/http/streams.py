"""Answers that go on until somebody ends them: how many there are, and that all end when the process stops."""

import asyncio
import contextlib
from collections.abc import Awaitable, Iterator
from typing import Final, TypeVar

from domain.refusals import Overloaded

STREAMS_MAX: Final = 64
STREAM_SECONDS_MAX: Final = 300.0
"""Whoever still wants more asks again, from where it was."""

Result = TypeVar("Result")


class Streams:
    """The streams of one process."""

    def __init__(self, *, streams_max: int = STREAMS_MAX) -> None:
        self._streams_max = streams_max
        self._open = 0
        self._closing = asyncio.Event()

    @property
    def is_closing(self) -> bool:
        """Whether the process stops."""
        return self._closing.is_set()

    def require_place(self) -> None:
        """Raises Overloaded when there is no place for one more."""
        if self._open >= self._streams_max or self.is_closing:
            raise Overloaded(retry_after_seconds=1)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place for one stream; raises Overloaded."""
        self.require_place()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def unless_closed(self, waiting: Awaitable[Result]) -> Result | None:
        """What was waited for; None when the process stops before it comes."""
        task = asyncio.ensure_future(waiting)
        closing = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait({task, closing}, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            task.cancel()
            closing.cancel()

    def close(self) -> None:
        """End them all."""
        self._closing.set()
