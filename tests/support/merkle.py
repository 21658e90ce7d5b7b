"""Merkle trees as RFC 6962 section 2.1 defines them, slow and plain, and a log's tiles in memory; vectors of other people."""

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from projections.transparency import tree

VECTORS = Path(__file__).resolve().parents[1] / "projections" / "transparency" / "vectors"


def vectors(name: str) -> dict[str, Any]:
    """A file of vectors; each says where its facts are from."""
    found: dict[str, Any] = json.loads((VECTORS / f"{name}.json").read_text())
    return found


def split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    power = 1
    while power * 2 < count:
        power *= 2
    return power


def mth(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = split(len(leaves))
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The inclusion proof, section 2.1.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if index < k:
        return [*path(index, leaves[:k]), mth(leaves[k:])]
    return [*path(index - k, leaves[k:]), mth(leaves[:k])]


def subproof(old: int, leaves: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """The consistency proof, section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    k = split(len(leaves))
    if old <= k:
        return [*subproof(old, leaves[:k], whole=whole), mth(leaves[k:])]
    return [*subproof(old - k, leaves[k:], whole=False), mth(leaves[:k])]


def leaves(count: int) -> list[bytes]:
    """Leaf hashes, all different."""
    return [sha256(b"%d" % number).digest() for number in range(count)]


class Log:
    """A growing log that keeps nothing but its tiles."""

    def __init__(self, leaves: Sequence[bytes] = ()) -> None:
        self.size = 0
        self.root = tree.EMPTY_ROOT
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.grow(leaves)

    def read(self, level: int, index: int) -> bytes:
        return self.tiles[level, index]

    def grow(self, leaves: Sequence[bytes]) -> None:
        changed, self.root = tree.extend(self.read, self.size, leaves)
        self.tiles |= changed
        self.size += len(leaves)
