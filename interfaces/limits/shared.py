"""Counts that several processes or machines share, in a Redis or Valkey, through the `limits` library.

Where that does not answer in time nobody is refused for it: what protects money and numbers is in the ledger and needs none
of this.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from limits import RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import FixedWindowRateLimiter
from limits.storage import storage_from_string

from interfaces.limits.windows import Count, Limit

ANSWER_SECONDS_MAX: Final = 0.25
SILENT_SECONDS: Final = 5.0
"""How long a place that did not answer is left alone."""
_NAMESPACE: Final = "doneotp"


class SharedWindows:
    """Counts behind a storage address such as redis://host:6379/0."""

    def __init__(
        self, address: str, monotonic: Callable[[], float], *, on_failure: Callable[[BaseException], None]
    ) -> None:
        scheme, _, rest = address.partition("://")
        storage = storage_from_string(f"async+{scheme}://{rest}", implementation="redispy")
        assert isinstance(storage, RedisStorage), "the settings let no other address in"
        self._storage = storage
        self._limiter = FixedWindowRateLimiter(storage)
        self._monotonic = monotonic
        self._on_failure = on_failure
        self._silent_until = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def take(self, limits: Sequence[Limit]) -> list[Count]:
        """Counts as far as the place answers."""
        counts: list[Count] = []
        if self._monotonic() < self._silent_until:
            return counts
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                for limit in limits:
                    item = _item(limit)
                    used = await self._storage.incr(item.key_for(limit.name, limit.key), limit.seconds)
                    counts.append(Count(limit, limit.most - used, limit.seconds))
                    if used > limit.most:
                        counts[-1] = await self._beyond(limit, used)
                        self.give_back([count.limit for count in counts])
                        break
        except Exception as error:  # noqa: BLE001 - whatever keeps it from answering, nobody is refused for it
            self._on_failure(error)
            self._silent_until = self._monotonic() + SILENT_SECONDS
            return []
        return counts

    async def _beyond(self, limit: Limit, used: int) -> Count:
        stats = await self._limiter.get_window_stats(_item(limit), limit.name, limit.key)
        return Count(limit, limit.most - used, max(1, round(stats.reset_time - time.time())))

    def give_back(self, limits: Sequence[Limit]) -> None:
        task = asyncio.get_running_loop().create_task(self._give_back(list(limits)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _give_back(self, limits: list[Limit]) -> None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                for limit in limits:
                    await self._storage.incr(_item(limit).key_for(limit.name, limit.key), limit.seconds, amount=-1)
        except Exception as error:  # noqa: BLE001 - a count too many ends with its window
            self._on_failure(error)

    async def close(self) -> None:
        """Wait for what is given back, and hang up."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        bridge: Any = self._storage.bridge  # its type does not say that it has a client
        await bridge.storage.aclose()


def _item(limit: Limit) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(limit.most, limit.seconds, namespace=_NAMESPACE)
