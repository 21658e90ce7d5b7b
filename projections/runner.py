"""Brings views up to date: thousands of events of many logs in one transaction, with the positions that they reach.

Whoever commits a batch holds BATCH_LOCK, so that an event is counted once whoever else runs, and is killed when.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import psycopg

from projections.arrays import array
from projections.facts import Poisoned, Stretch, read
from projections.projection import LIVE
from projections.views import BATCH_LOCK, AnyProjection

EVENTS_MAX: Final = 10_000
"""Events in one transaction."""
LOGS_MAX: Final = 1_000
"""Logs in one transaction. All are looked at in turn: a busy thousand must not keep the others waiting."""
_BEHIND: Final = """
SELECT s.log, coalesce(t.position, 0), s.position
FROM {source} AS s LEFT JOIN {schema}.tracking AS t USING (log)
WHERE s.log > %s AND s.position > coalesce(t.position, 0) ORDER BY s.log LIMIT %s"""
# Rows are looked up by key, however small the planner believes a table to be; but heads are compared in one go.
_PLANS: Final = b"""
SELECT set_config('enable_seqscan', %s, true), set_config('enable_hashjoin', %s, true), set_config('enable_mergejoin', %s, true)
"""
_MOVE: Final = """
INSERT INTO {schema}.tracking AS t (log, position) SELECT * FROM unnest(%s::text[], %s::bigint[])
ON CONFLICT (log) DO UPDATE SET position = excluded.position"""


class Turn(NamedTuple):
    """What one transaction did. `is_full` when there was more to do."""

    events: int
    is_full: bool


class Runner:
    """Takes what `source` (a table of log and position) has beyond `schema`'s tracking into the views of that schema.

    `on_poison` hears of a log that is passed over from a position on, once; the others go on.
    """

    def __init__(
        self,
        connection: psycopg.Connection[Any],
        views: Sequence[AnyProjection],
        *,
        on_poison: Callable[[str, int], None],
        source: str = "doneotp.heads",
        schema: str = LIVE,
        events_max: int = EVENTS_MAX,
    ) -> None:
        self.views = list(views)
        self.poisoned: dict[str, int] = {}
        self._connection = connection
        self._on_poison = on_poison
        self._source = source
        self._schema = schema
        self._events_max = events_max
        self._last = ""

    def turn(self) -> Turn:
        """One transaction."""
        with self._connection.transaction():
            self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (BATCH_LOCK,))
            return self.work()

    def work(self) -> Turn:
        """What one transaction does, in the caller's."""
        behind = self._behind()
        stretches = shares(behind, events_max=self._events_max)
        if stretches:
            self._project(stretches)
        events = sum(stretch.until - stretch.after for stretch in stretches)
        return Turn(
            events, is_full=events < sum(stretch.until - stretch.after for stretch in behind) or self._last != ""
        )

    def _behind(self) -> list[Stretch]:
        """What is left to do in the logs whose turn it is."""
        self._connection.execute(_PLANS, ("on", "on", "on"))
        statement = _BEHIND.format(source=self._source, schema=self._schema).encode()
        rows = self._connection.execute(statement, (self._last, LOGS_MAX)).fetchall()
        if not rows and self._last:
            rows = self._connection.execute(statement, ("", LOGS_MAX)).fetchall()
        self._connection.execute(_PLANS, ("off", "off", "off"))
        self._last = rows[-1][0] if len(rows) == LOGS_MAX else ""
        sound = (Stretch(log, after, min(head, self.poisoned.get(log, head + 1) - 1)) for log, after, head in rows)
        return [stretch for stretch in sound if stretch.until > stretch.after]

    def _project(self, stretches: Sequence[Stretch]) -> None:
        """All of them, or without those that cannot be."""
        try:
            with self._connection.transaction():
                batch = read(self._connection, stretches)
                for view in self.views:
                    view.project(self._connection, batch, schema=self._schema)
                self._move(stretches)
        except Poisoned as poisoned:
            self._pass_over(poisoned.log, poisoned.position)
            rest = [Stretch(s.log, s.after, min(s.until, self.poisoned.get(s.log, s.until + 1) - 1)) for s in stretches]
            rest = [stretch for stretch in rest if stretch.until > stretch.after]
            if rest:
                self._project(rest)
        except (psycopg.DataError, psycopg.IntegrityError):
            # Postgres does not say whose row it refuses: halve until one log is alone.
            if len(stretches) == 1:
                self._pass_over(stretches[0].log, stretches[0].after + 1)
                return
            middle = len(stretches) // 2
            self._project(stretches[:middle])
            self._project(stretches[middle:])

    def _move(self, stretches: Sequence[Stretch]) -> None:
        self._connection.execute(
            _MOVE.format(schema=self._schema).encode(),
            (array([stretch.log for stretch in stretches]), array([stretch.until for stretch in stretches])),
        )

    def _pass_over(self, log: str, position: int) -> None:
        self.poisoned[log] = position
        self._on_poison(log, position)


def shares(behind: Sequence[Stretch], *, events_max: int) -> list[Stretch]:
    """The part of a transaction that each log gets: those with little to do get all of it, the rest is shared evenly."""
    given: list[Stretch] = []
    left = events_max
    by_need = sorted(behind, key=lambda stretch: stretch.until - stretch.after)
    for number, (log, after, until) in enumerate(by_need):
        taken = min(until - after, left // (len(by_need) - number))
        if taken:
            given.append(Stretch(log, after, after + taken))
            left -= taken
    return given
