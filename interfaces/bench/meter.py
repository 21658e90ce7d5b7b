"""What all connections of one load share: the clock's phase, and everything that is counted."""

import asyncio
from array import array
from collections import Counter

from interfaces.bench.percentiles import Latency, summary


class Meter:
    """Counts while `counting`; `stopping` asks every client to end its flow and rest."""

    def __init__(self, *, clients: int, steps: tuple[str, ...]) -> None:
        self.counting = False
        self.stopping = False
        self.requests = 0
        self.flows = 0
        self.flows_ever = 0
        self.inbox_reads = 0
        self.errors: Counter[str] = Counter()
        self.resting = asyncio.Event()
        self._busy = clients
        self._seconds: dict[str, array[float]] = {step: array("d") for step in steps}

    def answered(self, step: str, seconds: float) -> None:
        """A request succeeded."""
        if self.counting:
            self.requests += 1
            self._seconds[step].append(seconds)

    def waited(self, step: str, seconds: float) -> None:
        """Something took time that was not a request."""
        if self.counting:
            self._seconds[step].append(seconds)

    def finished(self) -> None:
        """A flow is complete."""
        self.flows_ever += 1
        if self.counting:
            self.flows += 1

    def rest(self) -> None:
        """A client has nothing more to do."""
        self._busy -= 1
        if self._busy == 0:
            self.resting.set()

    def latencies(self) -> dict[str, Latency]:
        """What the steps took."""
        return {step: summary(seconds) for step, seconds in self._seconds.items()}
