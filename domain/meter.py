"""Counts by the minute over a sliding window: what did not end well, what did, and which of it is too young to tell."""

from collections import deque
from typing import Final

MINUTE_SECONDS: Final = 60


class Meter:
    """Counts of one thing. `bad_old` and `bad_young` part at the grace, `good` is over the whole window.

    The sums are as of the minute to which they were rolled. A minute that has left the window, or was cleared, is
    forgotten.
    """

    __slots__ = ("_floor", "_minutes", "_rolled", "bad_old", "bad_young", "good")

    def __init__(self) -> None:
        self._minutes: deque[list[int]] = deque()
        self._rolled = (0, 0, 0)
        self._floor = 0
        self.bad_old = self.bad_young = self.good = 0

    def add(self, minute: int, *, bad: int = 0, good: int = 0) -> None:
        """Count in the minute that it belongs to, which may be a past one. Never below zero."""
        if minute < self._floor:
            return
        place = len(self._minutes)
        while place and self._minutes[place - 1][0] > minute:
            place -= 1
        if not place or self._minutes[place - 1][0] != minute:
            self._minutes.insert(place, [minute, 0, 0])
            place += 1
        counts = self._minutes[place - 1]
        bad = max(bad, -counts[1])
        counts[1] += bad
        counts[2] += good
        self._carry(minute, bad, good)

    def _carry(self, minute: int, bad: int, good: int) -> None:
        """Into the sums, so that they need not be made anew before the next minute."""
        now, window, grace = self._rolled
        if minute > now:
            self._rolled = (0, 0, 0)
        elif minute > now - window:
            self.good += good
            if minute < now - grace:
                self.bad_old += bad
            else:
                self.bad_young += bad

    def roll(self, minute: int, *, window: int, grace: int) -> None:
        """Bring the sums to `minute`; window and grace are whole minutes."""
        if self._rolled == (minute, window, grace):
            return
        while self._minutes and self._minutes[0][0] <= minute - window:
            self._minutes.popleft()
        self.bad_old = self.bad_young = self.good = 0
        for at, bad, good in self._minutes:
            self.good += good
            if at < minute - grace:
                self.bad_old += bad
            else:
                self.bad_young += bad
        self._rolled = (minute, window, grace)

    def minutes(self) -> list[tuple[int, int]]:
        """Each minute with its bad count."""
        return [(minute, bad) for minute, bad, _ in self._minutes]

    def clear(self, floor: int) -> None:
        """Forget all counts, and whatever will still be heard of the minutes before `floor`."""
        self._minutes.clear()
        self._rolled = (0, 0, 0)
        self._floor = floor
