"""Tiles as C2SP tlog-tiles lays them out: their paths, their widths, and bundles of entries."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

TILE_WIDTH: Final = 256  # hashes of a full tile, entries of a full bundle
LEVEL_MAX: Final = 63
INDEX_MAX: Final = 2**63 - 1
ENTRY_BYTES_MAX: Final = 65_535

_PATH: Final = re.compile(
    r"tile/(entries|0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?", re.ASCII
)


class MalformedPath(ValueError):
    """Not the path of a tile or of a bundle, or not its only spelling."""


class MalformedBundle(ValueError):
    """Bytes that are no entry bundle, or entries that no bundle can hold."""


@dataclass(frozen=True, slots=True)
class TilePath:
    """Where a tile is: `level` is None for a bundle of entries; `width` counts hashes or entries, 256 for a full one."""

    level: int | None
    index: int
    width: int


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path below a log's prefix of the tile of hashes, e.g. `tile/0/x001/234.p/7`. Raises MalformedPath."""
    if not 0 <= level <= LEVEL_MAX:
        raise MalformedPath(f"a tile's level is 0 to {LEVEL_MAX}, not {level}")
    return f"tile/{level}/{_place(index, width)}"


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path below a log's prefix of the bundle of entries, e.g. `tile/entries/000.p/7`. Raises MalformedPath."""
    return f"tile/entries/{_place(index, width)}"


def parse_path(text: str) -> TilePath:
    """What `tile_path` or `entries_path` gave this text for; raises MalformedPath on anything else."""
    match = _PATH.fullmatch(text)
    if match is None:
        raise MalformedPath("not the path of a tile")
    level = None if match[1] == "entries" else int(match[1])
    index = int(match[2].replace("/", "").replace("x", ""))
    width = int(match[3]) if match[3] else TILE_WIDTH
    if text != (entries_path(index, width) if level is None else tile_path(level, index, width)):
        raise MalformedPath("not the path of a tile")
    return TilePath(level, index, width)


def width_at(level: int, index: int, size: int) -> int:
    """How many hashes tile (level, index) has in a tree of `size` leaves, 0 to 256. Bundles are as wide as level 0."""
    return max(0, min(TILE_WIDTH, (size >> 8 * level) - index * TILE_WIDTH))


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """All tiles of hashes in a tree of `size` leaves, as (level, index, width), from the leaves up."""
    level = 0
    while hashes := size >> 8 * level:
        for index in range(-(-hashes // TILE_WIDTH)):
            yield level, index, min(TILE_WIDTH, hashes - index * TILE_WIDTH)
        level += 1


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """1 to 256 entries, each after its length as a big-endian u16; raises MalformedBundle."""
    if not 1 <= len(entries) <= TILE_WIDTH or max(map(len, entries)) > ENTRY_BYTES_MAX:
        raise MalformedBundle(f"a bundle has 1 to {TILE_WIDTH} entries of at most {ENTRY_BYTES_MAX} bytes")
    return b"".join([part for entry in entries for part in (len(entry).to_bytes(2, "big"), entry)])


def decode_bundle(bundle: bytes) -> list[bytes]:
    """The 1 to 256 entries of a bundle; raises MalformedBundle unless its bytes end with the last one."""
    entries: list[bytes] = []
    begin, length = 0, len(bundle)
    while begin < length:
        end = begin + 2 + int.from_bytes(bundle[begin : begin + 2], "big")
        if end > length or len(entries) == TILE_WIDTH:
            raise MalformedBundle("not a bundle of entries")
        entries.append(bundle[begin + 2 : end])
        begin = end
    if not entries:
        raise MalformedBundle("a bundle has at least one entry")
    return entries


def _place(index: int, width: int) -> str:
    if not 0 <= index <= INDEX_MAX or not 1 <= width <= TILE_WIDTH:
        raise MalformedPath(f"a tile's index is 0 to 2^63 - 1 and its width 1 to {TILE_WIDTH}")
    groups = []
    while index >= 1000:
        groups.append(f"{index % 1000:03d}")
        index //= 1000
    groups.append(f"{index:03d}")
    path = "/".join([f"x{group}" for group in reversed(groups[1:])] + groups[:1])
    return path if width == TILE_WIDTH else f"{path}.p/{width}"
