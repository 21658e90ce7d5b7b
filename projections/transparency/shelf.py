"""What is sealed, as Postgres keeps it: trees, tiles, heads and signed checkpoints, and the entries they are made of.

Readers believe nothing here that they do not verify; whoever holds the database may have changed it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from projections.transparency import entry, tree
from projections.transparency.tiles import TILE_WIDTH

GLOBAL: Final = ""
"""The log whose leaves are the heads of all others."""

Execute = Callable[[bytes, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Rows of one statement with its parameters."""

_TREES: Final = b"""
SELECT log, size, root, CASE log WHEN '' THEN note || coalesce(
    (SELECT string_agg(c.lines, ''::bytea ORDER BY c.witness) FROM doneotp.cosignatures AS c
     WHERE substring(t.note FROM 1 FOR length(c.text) + 1) = c.text || '\\x0a'::bytea), ''::bytea) ELSE note END
FROM doneotp.trees AS t WHERE log = ANY (%b::text[])"""
_TILES: Final = b"""
SELECT t.log, t.level, t.index, t.hashes
FROM unnest(%b::text[], %b::smallint[], %b::bigint[]) AS w (log, level, index)
JOIN doneotp.tiles AS t USING (log, level, index)"""
_EVENTS: Final = b"""
SELECT log, position, stream, version, uuid_send(event_id), topic, body FROM doneotp.events
WHERE log = %b AND position > %b ORDER BY position LIMIT %b"""
_HEADS: Final = b"""
SELECT log, size, root FROM doneotp.account_heads WHERE index >= %b ORDER BY index LIMIT %b"""
_HEAD: Final = b"SELECT index, root FROM doneotp.account_heads WHERE log = %b AND size = %b"
_LOGS: Final = b"SELECT log FROM doneotp.trees WHERE log > %b AND note IS NOT NULL ORDER BY log LIMIT %b"
_VKEYS: Final = b"SELECT vkey FROM doneotp.log_keys ORDER BY number DESC"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree: its size and root, and the signed checkpoint, empty before the first, that follows within the second.

    Below the checkpoint of the global log is what witnesses cosigned of it so far.
    """

    log: str
    size: int
    root: bytes
    note: bytes = b""


class Shelf:
    """Reads what is sealed. Every method is one statement, so that what it returns belongs together."""

    def __init__(self, execute: Execute) -> None:
        self.execute = execute

    def trees(self, logs: Sequence[str]) -> dict[str, Tree]:
        """Those of `logs` that have a tree."""
        rows = self.execute(_TREES, (list(logs),))
        return {log: Tree(log, size, root, note or b"") for log, size, root, note in rows}

    def logs(self, *, after: str, limit: int) -> list[str]:
        """Logs with a signed checkpoint, in their order, the global one left out."""
        return [log for (log,) in self.execute(_LOGS, (after, limit))]

    def tiles(self, wanted: Iterable[tuple[str, int, int]]) -> dict[tuple[str, int, int], bytes]:
        """The hashes of those (log, level, index) that exist."""
        keys = list(wanted)
        if not keys:
            return {}
        columns = [list(column) for column in zip(*keys, strict=True)]
        return {(log, level, index): hashes for log, level, index, hashes in self.execute(_TILES, tuple(columns))}

    def reader(self, log: str, known: dict[tuple[str, int, int], bytes] | None = None) -> tree.ReadTile:
        """Tiles of one log; those in `known` are not read again."""

        def read(level: int, index: int) -> bytes:
            key = (log, level, index)
            if known is not None and key in known:
                return known[key]
            found = self.tiles([key])
            if key not in found:
                raise LookupError(f"tile {index} of level {level} is not there")
            return found[key]

        return read

    def events(self, log: str, *, after: int, limit: int) -> list[bytes]:
        """Entries of a log after a position, in their order; raises MalformedEntry."""
        return [entry.encode(*row) for row in self.execute(_EVENTS, (log, after, limit))]

    def heads(self, *, begin: int, limit: int) -> list[bytes]:
        """Entries of the global log from an index on."""
        return [entry.encode_head(*row) for row in self.execute(_HEADS, (begin, limit))]

    def head(self, log: str, size: int) -> tuple[int, bytes] | None:
        """Index in the global log, and root, of the head that a log had at this size."""
        rows = self.execute(_HEAD, (log, size))
        return (rows[0][0], rows[0][1]) if rows else None

    def vkeys(self) -> list[str]:
        """The keys that sign or signed, newest first."""
        return [vkey for (vkey,) in self.execute(_VKEYS, ())]


def origin_of(origin: str, log: str) -> str:
    """The origin of a log's checkpoints, given that of the global log's."""
    return f"{origin}/{log}" if log else origin


def edge(log: str, size: int) -> list[tuple[str, int, int]]:
    """The tiles that an extension of a tree of `size` leaves begins in: the unfinished one of each level."""
    found, level = [], 0
    while hashes := size >> 8 * level:
        if hashes % TILE_WIDTH:
            found.append((log, level, hashes // TILE_WIDTH))
        level += 1
    return found
