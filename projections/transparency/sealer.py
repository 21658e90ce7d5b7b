"""Seals what was recorded: extends every log's tree and the one over their heads, then signs what they have become.

Trees first, in one transaction; then the signature, kept outside the database before anyone sees it. Killed anywhere
between, the next sealer signs the same bytes. What is not an extension of what was signed last is never signed: a restored
backup, or an edit, must not become a second history in silence.
"""

import contextlib
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec
import psycopg

from projections.transparency import entry, tree
from projections.transparency.entry import MalformedEntry
from projections.transparency.note import Checkpoint, Verifier
from projections.transparency.shelf import GLOBAL, Shelf, Tree, edge, origin_of
from projections.transparency.tree import HASH_BYTES, leaf_hash

EVENTS_MAX: Final = 20_000
"""Events sealed in one transaction."""
LOGS_MAX: Final = 1_000
LOCK: Final = 0x7365616C  # "seal"

_TAKE: Final = b"SELECT pg_try_advisory_lock(%b)"
_GROWN: Final = b"""
SELECT h.log, h.position, coalesce(t.size, 0) FROM doneotp.heads AS h LEFT JOIN doneotp.trees AS t USING (log)
WHERE h.log > %b AND h.position <> coalesce(t.size, 0) ORDER BY h.log LIMIT %b"""
_KEEP_TREES: Final = b"""
INSERT INTO doneotp.trees AS t (log, size, root) SELECT * FROM unnest(%b::text[], %b::bigint[], %b::bytea[])
ON CONFLICT (log) DO UPDATE SET size = excluded.size, root = excluded.root"""
_KEEP_TILES: Final = b"""
INSERT INTO doneotp.tiles (log, level, index, hashes)
SELECT * FROM unnest(%b::text[], %b::smallint[], %b::bigint[], %b::bytea[])
ON CONFLICT (log, level, index) DO UPDATE SET hashes = excluded.hashes"""
_KEEP_HEADS: Final = b"""
INSERT INTO doneotp.account_heads (index, log, size, root)
SELECT * FROM unnest(%b::bigint[], %b::text[], %b::bigint[], %b::bytea[])"""
_WITHOUT_NOTE: Final = b"SELECT log, size, root FROM doneotp.trees WHERE noted_size < size ORDER BY log LIMIT %b"
_IN_ITS_TIME: Final = b"SET LOCAL synchronous_commit = off"
_KEEP_NOTES: Final = b"""
UPDATE doneotp.trees AS t SET noted_size = n.size, note = n.note
FROM unnest(%b::text[], %b::bigint[], %b::bytea[]) AS n (log, size, note) WHERE t.log = n.log"""

_BODY: Final = b',"data":'
_READ: Final = msgspec.json.Decoder().decode
_WRITE: Final = msgspec.json.Encoder().encode


class Forked(Exception):
    """What is to be sealed does not continue what was. It is not signed; only a person can say which history is true.

    `log` is whose history it is, '' for that of all logs together.
    """

    def __init__(self, log: str, message: str) -> None:
        super().__init__(message)
        self.log = log


class Signer(Protocol):
    """Whoever signs checkpoints: `origin` names the global log, `origin/<log>` a single one."""

    @property
    def origin(self) -> str: ...
    @property
    def verifiers(self) -> Sequence[Verifier]:
        """The keys that sign or signed."""
        ...

    def sign(self, text: str) -> bytes:
        """The signed note over the text of a checkpoint: the same bytes every time."""
        ...


class Memory(Protocol):
    """What was signed last, kept where a restored database does not reach."""

    def last(self, keys: Signer) -> Checkpoint | None:
        """Raises Forked when what is kept there is not to be believed."""
        ...

    def keep(self, note: bytes, checkpoint: Checkpoint) -> None:
        """Returns when the note will outlive a power cut."""
        ...


class Sealer:
    """One at a time seals a database: the others find its lock taken and wait for their turn."""

    def __init__(self, connection: psycopg.Connection[Any], memory: Memory) -> None:
        self._connection = connection
        self._memory = memory
        self._shelf = Shelf(self._execute)
        self._has_lock = False
        self._forked: list[Forked] = []
        self._last_log = ""

    def once(self, signer: Signer) -> int | None:
        """Seal what is there, up to EVENTS_MAX; the number of events, or None while another sealer is at work.

        Raises Forked, after all logs were sealed that go on as they were, and psycopg.Error.
        """
        if not self._has_lock:
            ((self._has_lock,),) = self._execute(_TAKE, (LOCK,))
        if not self._has_lock:
            return None
        try:
            with self._connection.transaction():
                self._must_continue(signer)
                sealed = self._grow()
        except LookupError as error:
            raise Forked(GLOBAL, f"what was sealed is no longer whole: {error}") from None
        while self._sign(signer):
            pass
        if self._forked:
            raise self._forked.pop()
        return sealed

    def examine(self, signer: Signer) -> None:
        """Raises Forked when what is there cannot be sealed. Seals nothing: ask it beside whoever seals."""
        try:
            self._must_continue(signer)
            grown = self._execute(_GROWN, ("", LOGS_MAX))
            known = self._shelf.tiles(key for log, _, size in grown for key in edge(log, size))
            for log, position, size in grown:
                self._leaves(log, position, size, known, limit=1)
        except (LookupError, MalformedEntry) as error:
            raise Forked(GLOBAL, f"what was sealed is no longer whole: {error}") from None

    def _grow(self) -> int:
        self._forked.clear()
        grown = self._execute(_GROWN, (self._last_log, LOGS_MAX))
        if not grown and self._last_log:
            self._last_log = ""
            grown = self._execute(_GROWN, ("", LOGS_MAX))
        if not grown:
            return 0
        known = self._shelf.tiles(key for log, _, size in grown for key in edge(log, size))
        tiles: dict[tuple[str, int, int], bytes] = {}
        trees: list[Tree] = []
        room = EVENTS_MAX
        for log, position, size in grown:
            self._last_log = log
            try:
                leaves = self._leaves(log, position, size, known, limit=room)
                changed, root = tree.extend(self._shelf.reader(log, known), size, leaves)
            except (Forked, MalformedEntry, LookupError) as error:  # the others are sealed all the same
                self._forked.append(error if isinstance(error, Forked) else Forked(log, f"{log}: {error}"))
                continue
            tiles |= {(log, *place): hashes for place, hashes in changed.items()}
            trees.append(Tree(log, size + len(leaves), root))
            room -= len(leaves)
            if room <= 0:
                break
        else:
            self._last_log = self._last_log if len(grown) == LOGS_MAX else ""
        if trees:
            self._keep(trees, tiles)
        return EVENTS_MAX - room

    def _leaves(
        self, log: str, position: int, size: int, known: dict[tuple[str, int, int], bytes], *, limit: int
    ) -> list[bytes]:
        """Leaf hashes after the first `size`. The last of those is read again, to see that it still is what was sealed."""
        if position < size:
            raise Forked(log, f"{log} has {position} events, and {size} were sealed")
        begin = max(0, size - 1)
        entries = self._shelf.events(log, after=begin, limit=limit + size - begin)
        hashes = [leaf_hash(event) for event in entries]
        for place, event in enumerate(entries, begin + 1):
            require_readable(event)
            if not entry.is_at(event, log, place):
                raise Forked(log, f"{log} has a hole after position {begin}")
        if len(entries) <= size - begin:
            raise Forked(log, f"{log} has lost the events after position {begin}")
        if size:
            index, offset = divmod(size - 1, 256)
            tile = self._shelf.reader(log, known)(0, index)
            if hashes.pop(0) != tile[offset * HASH_BYTES : (offset + 1) * HASH_BYTES]:
                raise Forked(log, f"{log} has another event at position {size} than the one that was sealed")
        return hashes

    def _keep(self, trees: Sequence[Tree], tiles: dict[tuple[str, int, int], bytes]) -> None:
        whole = self._whole()
        known = self._shelf.tiles(edge(GLOBAL, whole.size))
        leaves = [leaf_hash(entry.encode_head(of.log, of.size, of.root)) for of in trees]
        changed, root = tree.extend(self._shelf.reader(GLOBAL, known), whole.size, leaves)
        tiles |= {(GLOBAL, *place): hashes for place, hashes in changed.items()}
        indexes = range(whole.size, whole.size + len(trees))
        self._execute(_KEEP_HEADS, ([*indexes], *_columns(trees)))
        self._execute(_KEEP_TREES, _columns([*trees, Tree(GLOBAL, whole.size + len(trees), root)]))
        places = [list(column) for column in zip(*tiles, strict=True)]
        self._execute(_KEEP_TILES, (*places, [*tiles.values()]))

    def _whole(self) -> Tree:
        return self._shelf.trees([GLOBAL]).get(GLOBAL) or Tree(GLOBAL, 0, tree.EMPTY_ROOT)

    def _sign(self, signer: Signer) -> bool:
        """Sign trees that have outgrown their note; whether there may be more of them."""
        rows = [Tree(*row) for row in self._execute(_WITHOUT_NOTE, (LOGS_MAX,))]
        if not rows:
            return False
        # The global log comes first: '' sorts before all others, and is there whenever another is.
        checkpoints = [Checkpoint(origin_of(signer.origin, of.log), of.size, of.root) for of in rows]
        notes = [signer.sign(checkpoint.text()) for checkpoint in checkpoints]
        if rows[0].log == GLOBAL:
            self._memory.keep(notes[0], checkpoints[0])
        with self._connection.transaction():
            # Lost in a power cut, they are signed again to the same bytes: no reason to wait for the disk.
            self._execute(_IN_ITS_TIME, ())
            self._execute(_KEEP_NOTES, ([of.log for of in rows], [of.size for of in rows], notes))
        return len(rows) == LOGS_MAX

    def _must_continue(self, signer: Signer) -> None:
        """Raises Forked unless the log over all logs begins with what was signed last."""
        last = self._memory.last(signer)
        if last is None:
            return
        size = self._whole().size
        if last.size > size:
            raise Forked(GLOBAL, f"the log over all logs has {size} heads, and {last.size} were signed")
        if tree.root(self._shelf.reader(GLOBAL), last.size) != last.root:
            raise Forked(GLOBAL, f"the first {last.size} heads are not those that were signed")

    def _execute(self, statement: bytes, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        rows = self._connection.execute(statement, parameters, binary=True)
        return rows.fetchall() if rows.description else []


def require_readable(event: bytes) -> None:
    """Raise MalformedEntry unless an auditor will be able to read the entry: what is sealed cannot be mended.

    A body that is written as we write them is known to be read in one way only, and far sooner.
    """
    body = event[event.index(_BODY) + len(_BODY) : -1]
    if body.count(b"{") + body.count(b"[") <= entry.NESTING_MAX and body.startswith(b"{"):
        with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
            if _WRITE(_READ(body)) == body:
                return
    entry.decode(event)


def _columns(trees: Sequence[Tree]) -> tuple[list[str], list[int], list[bytes]]:
    return [of.log for of in trees], [of.size for of in trees], [of.root for of in trees]
