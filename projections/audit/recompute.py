"""A tree recomputed from its entries, one bundle of 256 at a time: roots at every size asked for, hash tiles compared.

Memory is one bundle of entries, one tile of each level and one hash for each bit of the size.
"""

from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from typing import Final

from projections.audit.bundle import TreeFiles
from projections.audit.findings import Finding, Found, Report
from projections.transparency.tiles import TILE_WIDTH, entries_path, tile_path, width_at
from projections.transparency.tree import EMPTY_ROOT, node_hash

_HASH: Final = 32


class Recomputed:
    """Walk `bundles()` to its end, then read `root`, `complete` and `changed`.

    `changed` is the index of the first leaf whose hash is not the one that its tile of level 0 holds. `sealed` is called
    with each of `sizes` (ascending) and the root that the tree had at that size.
    """

    def __init__(
        self,
        files: TreeFiles,
        size: int,
        *,
        sizes: Sequence[int],
        sealed: Callable[[int, bytes], None],
        report: Report,
    ) -> None:
        self.size = size
        self.complete = False
        self.changed: int | None = None
        self._files = files
        self._report = report
        self._sizes = sizes
        self._next = 0
        self._sealed = sealed
        self._edge: list[bytes] = []  # roots of the whole subtrees to the left of the present tile, widest first
        self._full = 0
        self._above: list[list[bytes]] = []  # hashes of level 1 and up that have not filled a tile yet
        self._root = EMPTY_ROOT

    @property
    def root(self) -> bytes:
        """The root over all entries."""
        return self._root

    def bundles(self) -> Iterator[tuple[int, list[bytes]]]:
        """The index of its first entry and the entries of each bundle; stops at one that cannot be read, reporting it."""
        for index in range(-(-self.size // TILE_WIDTH)):
            width = width_at(0, index, self.size)
            try:
                entries = self._files.entries(index, width)
            except Found as found:
                self._report(self._lost(found.finding, index))
                return
            self._take(index, entries)
            yield index * TILE_WIDTH, entries
        for level, hashes in enumerate(self._above, 1):
            if hashes:
                self._compare(level, (self.size >> 8 * level) // TILE_WIDTH, b"".join(hashes))
        self.complete = True

    def _take(self, index: int, entries: list[bytes]) -> None:
        leaves = [sha256(b"\0" + entry).digest() for entry in entries]
        self._compare(0, index, b"".join(leaves))
        levels = [leaves]
        while len(leaves) > 1:
            leaves = _paired(leaves)
            levels.append(leaves)
        while self._next < len(self._sizes) and (size := self._sizes[self._next]) <= index * TILE_WIDTH + len(entries):
            self._sealed(size, self._root_at(levels, size - index * TILE_WIDTH))
            self._next += 1
        self._root = self._root_at(levels, len(entries))
        if len(entries) == TILE_WIDTH:
            self._fill(levels[8][0])

    def _root_at(self, levels: list[list[bytes]], count: int) -> bytes:
        """The root over all whole tiles before and the first `count` leaves of the present one."""
        found = b""
        for height, hashes in enumerate(levels):
            if count >> height & 1:
                found = node_hash(hashes[(count >> height) - 1], found) if found else hashes[(count >> height) - 1]
        for left in reversed(self._edge):
            found = node_hash(left, found) if found else left
        return found

    def _fill(self, hash_: bytes) -> None:
        """A tile of level 0 is full: it is one hash of level 1, and so on up."""
        subtree, whole = hash_, self._full
        while whole & 1:
            subtree = node_hash(self._edge.pop(), subtree)
            whole >>= 1
        self._edge.append(subtree)
        self._full += 1
        for level in range(1, 64):
            if len(self._above) < level:
                self._above.append([])
            hashes = self._above[level - 1]
            hashes.append(hash_)
            if len(hashes) < TILE_WIDTH:
                return
            self._compare(level, (self._full >> 8 * level) - 1, b"".join(hashes))
            self._above[level - 1] = []
            while len(hashes) > 1:
                hashes = _paired(hashes)
            hash_ = hashes[0]

    def _compare(self, level: int, index: int, hashes: bytes) -> None:
        """Against the bundle's tile. What follows from a changed entry is not reported again in the tiles above."""
        try:
            tile = self._files.tile(level, index, len(hashes) // _HASH)
        except Found as found:
            self._report(found.finding._replace(log=self._files.log))
            return
        if tile == hashes or self.changed is not None:
            return
        if level:
            path = self._files.prefix + tile_path(level, index, len(hashes) // _HASH)
            sentence = f"{path} does not hold the hashes that the tiles below it give."
            self._report(Finding("tile-damaged", sentence, self._files.log, 0, path))
            return
        first = next(at for at in range(0, len(hashes), _HASH) if tile[at : at + _HASH] != hashes[at : at + _HASH])
        self.changed = index * TILE_WIDTH + first // _HASH

    def _lost(self, finding: Finding, index: int) -> Finding:
        """What cannot be read, with the entries that are lost by it."""
        first, last = index * TILE_WIDTH + 1, min(self.size, (index + 1) * TILE_WIDTH)
        path = self._files.prefix + entries_path(index, width_at(0, index, self.size))
        of = f"positions {first} to {last} of {self._files.log}" if self._files.log else f"leaves {first - 1} and on"
        sentence = f"{finding.sentence} So {of} cannot be checked, nor what comes after."
        return Finding(finding.name, sentence, self._files.log, first if self._files.log else 0, path)


def _paired(hashes: list[bytes]) -> list[bytes]:
    """The hashes of the next level, without an odd one at the end."""
    return [sha256(b"\1" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=False)]
