"""Counts in fixed windows, in this process's memory, and what every place for counts has in common.

A window begins with its first count. What is taken and then not used is given back, so that nothing that was refused counts.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

KEPT_MAX: Final = 200_000
"""Windows remembered at once; those that began longest ago go first, and count from nothing when they come again."""


class Limit(NamedTuple):
    """At most `most` in `seconds` of what `key` names. `name` is for people; `key` holds nothing in the clear."""

    name: str
    key: str
    most: int
    seconds: int


class Count(NamedTuple):
    """How a limit stands: what is left of it and the seconds until its window ends. `left` below 0 is beyond it."""

    limit: Limit
    left: int
    ends_in: int


class Counters(Protocol):
    """A place for counts."""

    async def take(self, limits: Sequence[Limit]) -> list[Count]:
        """Count one in each, up to the first that is beyond its limit, for which all is given back."""
        ...

    def give_back(self, limits: Sequence[Limit]) -> None:
        """Uncount one in each."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...


class Windows:
    """Counts in memory."""

    def __init__(self, monotonic: Callable[[], float], *, kept_max: int = KEPT_MAX) -> None:
        self._monotonic = monotonic
        self._kept_max = kept_max
        self._counts: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    async def take(self, limits: Sequence[Limit]) -> list[Count]:
        return self.take_now(limits)

    def take_now(self, limits: Sequence[Limit]) -> list[Count]:
        """Without waiting for anybody."""
        now, counts = self._monotonic(), list[Count]()
        for limit in limits:
            place = (limit.name, limit.key)
            window = self._counts.get(place)
            if window is None or window[1] <= now:
                self._counts.pop(place, None)
                window = self._counts[place] = [0, now + limit.seconds]
            window[0] += 1
            counts.append(Count(limit, limit.most - int(window[0]), max(1, round(window[1] - now))))
            if window[0] > limit.most:
                self.give_back([count.limit for count in counts])
                break
        while len(self._counts) > self._kept_max:
            self._counts.popitem(last=False)
        return counts

    def give_back(self, limits: Sequence[Limit]) -> None:
        for limit in limits:
            window = self._counts.get((limit.name, limit.key))
            if window is not None and window[0] > 0:
                window[0] -= 1

    async def close(self) -> None:
        """Nothing is held."""
