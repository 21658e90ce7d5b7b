"""The view `key_uses`: of each key the newest event of a log that names it. Reads leave no event, and so are not in it."""

from datetime import datetime
from typing import Any, ClassVar, Final

import psycopg

from domain.events import Event
from projections.arrays import array
from projections.facts import Batch
from projections.projection import Projection, Row, Rows

_KNOWN: Final = """
SELECT log, key_id FROM unnest(%s::text[], %s::text[]) AS w (log, key_id)
JOIN {schema}.key_uses AS k USING (log, key_id)"""

# For readers.
OF_LOG: Final = b"SELECT key_id, used_at FROM doneotp_views.key_uses WHERE log = %b"

Known = frozenset[tuple[str, str]]
"""Log and key of the rows that are there."""


class KeyUses(Projection[Known]):
    """One row for each key that an event of the log names."""

    name: ClassVar = "key_uses"
    revision: ClassVar = 1
    columns: ClassVar = {
        "log": 'text COLLATE "C" NOT NULL',
        "key_id": 'text COLLATE "C" NOT NULL',
        "position": "bigint NOT NULL",
        "used_at": "timestamptz NOT NULL",
    }
    key_columns: ClassVar = 2

    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> Known:
        """Which of the batch's keys have a row."""
        named = list(_uses(batch))
        logs, keys = ([key[place] for key in named] for place in (0, 1))
        rows = connection.execute(_KNOWN.format(schema=schema).encode(), (array(logs), array(keys)))
        return frozenset((log, key_id) for log, key_id in rows)

    def fold(self, before: Known, batch: Batch) -> Rows:
        rows: list[Row] = [(log, key_id, *use) for (log, key_id), use in _uses(batch).items()]
        return Rows([row for row in rows if row[:2] not in before], [row for row in rows if row[:2] in before])


def key_of(event: Event) -> str:
    """The key that asked for what an event says; empty where none did."""
    return getattr(event, "key_id", "")


def _uses(batch: Batch) -> dict[tuple[str, str], tuple[int, datetime]]:
    return {
        (log, key_of(event)): (position, event.at)
        for log, facts in batch.items()
        for position, _, _, event in facts
        if key_of(event)
    }
