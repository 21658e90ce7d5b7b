"""Merkle trees of RFC 6962 section 2.1 over tiles: hashes are 32 bytes of SHA-256, sizes count leaves, indexes begin at 0.

What makes roots and proofs believes the tiles it is handed. What verifies (RFC 9162 sections 2.1.3.2 and 2.1.4.2) believes
nothing but the roots.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final

ReadTile = Callable[[int, int], bytes]
"""(level, index) to the hashes that tile holds at present, full or partial; raises LookupError when there is none."""

HASH_BYTES: Final = 32
SIZE_MAX: Final = 2**63 - 1
EMPTY_ROOT: Final = sha256(b"").digest()

_WIDTH: Final = 256
_TILE_BYTES: Final = _WIDTH * HASH_BYTES


class ProofRefused(ValueError):
    """The proof does not show what it is for."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry, SHA-256(0x00 || entry)."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees side by side, SHA-256(0x01 || left || right)."""
    return sha256(b"\1" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: takes leaf hashes one by one, holds one hash for each bit of its size."""

    __slots__ = ("_edge", "size")

    def __init__(self) -> None:
        self.size = 0
        self._edge: list[bytes] = []  # roots of the whole subtrees that make up the tree, widest first

    def add(self, leaf: bytes) -> None:
        """Append one leaf hash."""
        whole, edge = self.size, self._edge
        while whole & 1:
            leaf = sha256(b"\1" + edge.pop() + leaf).digest()
            whole >>= 1
        edge.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The Merkle tree hash over all leaves so far."""
        return _joined(self._edge)


def extend(read: ReadTile, size: int, leaves: Sequence[bytes]) -> tuple[dict[tuple[int, int], bytes], bytes]:
    """Append leaf hashes to a tree of `size`: every tile that changes or appears, with its whole content, and the new root.

    What tiles hold beyond `size` is left out of the new ones. Raises LookupError when a tile of the tree is not there or
    holds too little.
    """
    _checked(size + len(leaves))
    tiles: dict[tuple[int, int], bytes] = {}
    level, begin, hashes = 0, size, b"".join(leaves)
    if len(hashes) != HASH_BYTES * len(leaves):
        raise ValueError("a leaf hash has 32 bytes")
    while hashes:
        index, kept = divmod(begin, _WIDTH)
        if kept:
            hashes = _read(read, level, index, kept) + hashes
        above = []
        for offset in range(0, len(hashes), _TILE_BYTES):
            tile = hashes[offset : offset + _TILE_BYTES]
            tiles[level, index + offset // _TILE_BYTES] = tile
            if len(tile) == _TILE_BYTES:
                above.append(_reduced(tile))
        level, begin, hashes = level + 1, index, b"".join(above)

    def grown(level: int, index: int) -> bytes:
        return tiles[level, index] if (level, index) in tiles else read(level, index)

    return tiles, root(grown, size + len(leaves))


def root(read: ReadTile, size: int) -> bytes:
    """MTH of RFC 6962 over the first `size` leaves; raises LookupError when a tile is not there or holds too little."""
    return _span(_cached(read), 0, _checked(size))


def inclusion(read: ReadTile, index: int, size: int) -> list[bytes]:
    """PATH of RFC 6962 section 2.1.1: from the leaf's sibling up. Raises LookupError as `root` does."""
    if not 0 <= index < _checked(size):
        raise ValueError(f"a tree of {size} leaves has none at index {index}")
    read = _cached(read)
    begin, end, path = 0, size, []
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(_span(read, middle, end))
            end = middle
        else:
            path.append(_span(read, begin, middle))
            begin = middle
    return path[::-1]


def consistency(read: ReadTile, old: int, new: int) -> list[bytes]:
    """PROOF of RFC 6962 section 2.1.2 that the first `old` leaves of `new` are the old tree; empty when `old` is 0 or `new`.

    Raises LookupError as `root` does.
    """
    if not 0 <= old <= _checked(new):
        raise ValueError(f"a tree of {new} leaves was never one of {old}")
    if old in {0, new}:
        return []
    read = _cached(read)
    begin, end, path = 0, new, []
    while old != end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(_span(read, middle, end))
            end = middle
        else:
            path.append(_span(read, begin, middle))
            begin = middle
    if begin:
        path.append(_span(read, begin, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """RFC 9162 section 2.1.3.2: raises ProofRefused unless the leaf hash is at `index` in the tree of `size` with `root`."""
    if not 0 <= index < size <= SIZE_MAX:
        raise ProofRefused(f"a tree of {size} leaves has none at index {index}")
    _check_hashes([leaf, root, *proof])
    place, last, found = index, size - 1, leaf
    for sibling in proof:
        if not last:
            raise ProofRefused("the proof is too long")
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    if last or found != root:
        raise ProofRefused("the proof does not lead from the leaf to the root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """RFC 9162 section 2.1.4.2: raises ProofRefused unless the tree of `new` begins with the tree of `old`.

    The empty tree begins every tree, with an empty proof (C2SP tlog-witness); its root is still looked at.
    """
    if not 0 <= old <= new <= SIZE_MAX:
        raise ProofRefused(f"a tree of {new} leaves was never one of {old}")
    _check_hashes([old_root, new_root, *proof])
    if old == 0 and old_root != EMPTY_ROOT:
        raise ProofRefused("that is not the root of the empty tree")
    if old in {0, new}:
        if proof or (old == new and old_root != new_root):
            raise ProofRefused("trees of one size have one root and need no proof")
        return
    path = [*proof] if old & (old - 1) else [old_root, *proof]
    if not proof:
        raise ProofRefused("the proof is empty")
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if not last:
            raise ProofRefused("the proof is too long")
        if place & 1 or place == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        place, last = place >> 1, last >> 1
    if last or before != old_root or after != new_root:
        raise ProofRefused("the proof does not lead to both roots")


def _span(read: ReadTile, begin: int, end: int) -> bytes:
    """MTH over the leaves from `begin` to before `end`, where `begin` is a multiple of a power of two >= `end` - `begin`."""
    edge = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        level, inner = divmod(height, 8)
        index, offset = divmod(begin >> 8 * level, _WIDTH)
        width = 1 << inner
        edge.append(_reduced(_read(read, level, index, offset + width)[offset * HASH_BYTES :]))
        begin += 1 << height
    return _joined(edge)


def _read(read: ReadTile, level: int, index: int, width: int) -> bytes:
    """The first `width` hashes of a tile."""
    tile = read(level, index)[: width * HASH_BYTES]
    if len(tile) != width * HASH_BYTES:
        raise LookupError(f"tile {index} of level {level} holds fewer than {width} hashes")
    return tile


def _cached(read: ReadTile) -> ReadTile:
    """One proof asks the same tiles again and again."""
    tiles: dict[tuple[int, int], bytes] = {}

    def cached(level: int, index: int) -> bytes:
        if (level, index) not in tiles:
            tiles[level, index] = read(level, index)
        return tiles[level, index]

    return cached


def _reduced(hashes: bytes) -> bytes:
    """The root over 1, 2, 4 ... 256 hashes."""
    while len(hashes) > HASH_BYTES:
        pairs = range(0, len(hashes), 2 * HASH_BYTES)
        hashes = b"".join([sha256(b"\1" + hashes[pair : pair + 2 * HASH_BYTES]).digest() for pair in pairs])
    return hashes


def _joined(edge: Sequence[bytes]) -> bytes:
    """The root over whole subtrees, widest first."""
    if not edge:
        return EMPTY_ROOT
    found = edge[-1]
    for left in edge[-2::-1]:
        found = node_hash(left, found)
    return found


def _split(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _checked(size: int) -> int:
    if not 0 <= size <= SIZE_MAX:
        raise ValueError(f"a tree has 0 to 2^63 - 1 leaves, not {size}")
    return size


def _check_hashes(hashes: Sequence[bytes]) -> None:
    if any(len(hash_) != HASH_BYTES for hash_ in hashes):
        raise ProofRefused("a hash has 32 bytes")
