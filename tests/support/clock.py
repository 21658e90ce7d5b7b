"""Time and randomness that a test decides: a clock that stands still, a stopwatch, seeded bytes."""

import random
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class SettableClock:
    """A clock that moves only when it is told to."""

    def __init__(self, moment: datetime = NOON) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def advance(self, *, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


class Stopwatch:
    """Monotonic seconds. Pausing on it takes no time: it is what moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def pause(self, seconds: float) -> None:
        self.seconds += seconds


class SeededEntropy:
    """Bytes that look random and are the same in every run with the same seed."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)
