"""The view `balances`: the totals of a log after each event that moved credits, so that any earlier balance is one look-up."""

from typing import Any, ClassVar, Final, NamedTuple

import psycopg

from domain.events import CreditAdded, CreditDebited, CreditRefunded
from projections.arrays import array
from projections.facts import Batch
from projections.projection import Projection, Row, Rows

_LAST: Final = """
SELECT w.log, b.added, b.debited, b.refunded FROM unnest(%s::text[]) AS w (log)
CROSS JOIN LATERAL (
    SELECT added, debited, refunded FROM {schema}.balances AS b WHERE b.log = w.log ORDER BY position DESC LIMIT 1) AS b"""

# For readers. Both give: position, added, debited, refunded; no row where nothing had moved yet.
AT_POSITION: Final = b"""
SELECT %b::bigint, added, debited, refunded FROM doneotp_views.balances
WHERE log = %b AND position <= %b ORDER BY position DESC LIMIT 1"""
# `at_max` never falls along a log: the last position whose `at_max` is not later than a moment is found by halving.
AT_MOMENT: Final = b"""
WITH RECURSIVE search (low, high) AS (
    SELECT 0::bigint, %b::bigint
    UNION ALL
    SELECT CASE WHEN a.at_max <= %b THEN m.middle ELSE s.low END, CASE WHEN a.at_max <= %b THEN s.high ELSE m.middle - 1 END
    FROM search AS s CROSS JOIN LATERAL (SELECT (s.low + s.high + 1) / 2 AS middle) AS m
    CROSS JOIN LATERAL (  -- with a limit, or Postgres may join the whole log at once
        SELECT at_max FROM doneotp_views.activity WHERE log = %b AND position = m.middle LIMIT 1) AS a
    WHERE s.low < s.high)
SELECT s.low, coalesce(b.added, 0), coalesce(b.debited, 0), coalesce(b.refunded, 0)
FROM search AS s LEFT JOIN LATERAL (
    SELECT added, debited, refunded FROM doneotp_views.balances
    WHERE log = %b AND position <= s.low ORDER BY position DESC LIMIT 1) AS b ON true
WHERE s.low = s.high"""


class Totals(NamedTuple):
    """Credits that ever came and went."""

    added: int = 0
    debited: int = 0
    refunded: int = 0

    @property
    def available(self) -> int:
        return self.added - self.debited + self.refunded


class Balances(Projection[dict[str, Totals]]):
    """One row for each event that moved credits."""

    name: ClassVar = "balances"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "position": "bigint NOT NULL",
        "at": "timestamptz NOT NULL",
        "available": "bigint NOT NULL",
        "added": "bigint NOT NULL",
        "debited": "bigint NOT NULL",
        "refunded": "bigint NOT NULL",
    }
    key_columns: ClassVar = 2

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> dict[str, Totals]:
        """The last totals of each log."""
        rows = connection.execute(_LAST.format(schema=schema).encode(), (array(list(batch)),))
        return {log: Totals(*totals) for log, *totals in rows}

    def fold(self, before: dict[str, Totals], batch: Batch) -> Rows:
        rows: list[Row] = []
        for log, facts in batch.items():
            added, debited, refunded = before.get(log, Totals())
            for position, stream, _, event in facts:
                if stream:
                    continue
                match event:
                    case CreditDebited():
                        debited += event.credits
                    case CreditRefunded():
                        refunded += event.credits
                    case CreditAdded():
                        added += event.credits
                    case _:
                        continue
                rows.append((log, position, event.at, added - debited + refunded, added, debited, refunded))
        return Rows(rows)
