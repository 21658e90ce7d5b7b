"""The sweep for abandoned messages, without the wait that a living process is given to speak first."""

import asyncio

from interfaces.bootstrap import Books
from interfaces.postgres.abandoned import Sweep
from interfaces.world import SystemClock


def sweep(books: Books, *, sweepers: int = 1) -> int:
    """Give up every message whose fate is not recorded; by so many at once. Returns how many were given up."""
    failures: list[BaseException] = []

    async def together() -> list[int]:
        sweeps = [
            Sweep(
                books.recorder,
                books.writer,
                SystemClock(),
                on_failure=failures.append,
                abandoned_seconds=0,
                unconfirmed_seconds=0,
            )
            for _ in range(sweepers)
        ]
        return await asyncio.gather(*(each.once() for each in sweeps))

    given_up = sum(asyncio.run(together()))
    assert failures == []
    return given_up


def unsettled(events: list[dict]) -> int:  # type: ignore[type-arg]
    """How many messages have no fate yet."""
    asked = {(e["data"]["verification_id"], e["data"]["send"]) for e in events if e["type"] == "CodeRequested"}
    ends = ("CodeSent", "SendFailed")
    return len(asked - {(e["data"]["verification_id"], e["data"]["send"]) for e in events if e["type"] in ends})
