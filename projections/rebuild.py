"""Building views again beside the live ones, and swapping when they have reached the very same positions.

Steps are committed one by one, so that no long transaction keeps Postgres from tidying up behind the writers.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg

from projections.runner import Runner
from projections.views import BATCH_LOCK, REBUILD_LOCK, REBUILT, AnyProjection, begin_rebuild, drop_leftovers, swap

EVENTS_MAX: Final = 20_000
LAST_EVENTS_MAX: Final = 2_000
"""How few events may be left for the transaction that swaps: the live runner waits for it."""

SWAP_SECONDS_MAX: Final = 1
"""How long the swap waits for readers, and they for it, before it is tried again."""


class RebuildRefused(Exception):
    """It cannot begin, or not come to an end; the message says why."""


class Rebuild:
    """Step by step, on a connection of its own choice that holds REBUILD_LOCK meanwhile."""

    def __init__(self, connection: psycopg.Connection[Any], views: Sequence[AnyProjection]) -> None:
        self.done = 0
        self._connection = connection
        self._views = views
        self._runner = Runner(
            connection,
            views,
            on_poison=_refuse,
            source="doneotp_views.tracking",
            schema=REBUILT,
            events_max=EVENTS_MAX,
        )

    def begin(self) -> None:
        """Take the lock and make empty tables; raises RebuildRefused while another is at work."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (REBUILD_LOCK,)).fetchone()
        if row != (True,):
            raise RebuildRefused("another rebuild is at work")
        begin_rebuild(self._connection, self._views)

    def step(self) -> bool:
        """One transaction; True when that was the last and the rebuilt views are the live ones."""
        with self._connection.transaction():
            turn = self._runner.work()
        self.done += turn.events
        if turn.is_full or turn.events > LAST_EVENTS_MAX:
            return False
        try:
            self._finish()
        except psycopg.errors.LockNotAvailable:
            return False  # somebody reads the whole of a view: those who come after them must not have to wait
        return True

    def _finish(self) -> None:
        with self._connection.transaction():
            self._connection.execute(f"SET LOCAL lock_timeout = '{SWAP_SECONDS_MAX}s'".encode())
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (BATCH_LOCK,))
            while events := self._runner.work().events:
                self.done += events
            swap(self._connection, self._views)

    def end(self) -> None:
        """Let go of the lock; what is unfinished goes too."""
        self._connection.execute("SELECT pg_advisory_unlock(%s)", (REBUILD_LOCK,))
        drop_leftovers(self._connection)


def total(connection: psycopg.Connection[Any]) -> int:
    """How many events a rebuild is about, as far as is known now."""
    row = connection.execute("SELECT coalesce(sum(position), 0)::bigint FROM doneotp_views.tracking").fetchone()
    return 0 if row is None else int(row[0])


def rebuild(
    connection: psycopg.Connection[Any], views: Sequence[AnyProjection], *, on_step: Callable[[int], None]
) -> int:
    """From the first step to the last; returns how many events were folded. Raises RebuildRefused."""
    work = Rebuild(connection, views)
    work.begin()
    try:
        while not work.step():
            on_step(work.done)
    finally:
        if not connection.closed:
            work.end()
    return work.done


def _refuse(log: str, position: int) -> None:
    raise RebuildRefused(f"event {position} of {log} cannot be read")
