"""What lies in a bundle beside the trees' own files, and whether every file has a place there."""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Final

from projections.audit.bundle import DOCUMENT_BYTES_MAX, Bundle, unexpected
from projections.audit.findings import Finding, Found
from projections.audit.prices import named
from projections.audit.schemas import PUBLISHED
from projections.transparency.tiles import MalformedPath, parse_path, width_at

_ACCOUNT: Final = re.compile(r"accounts/(acct_[0-9A-Za-z]{1,64}(?:-test)?)/(.+)", re.ASCII)
_SCHEMA: Final = re.compile(r"schemas/([A-Za-z0-9.]{1,80})\.json", re.ASCII)
_CARD: Final = re.compile(r"ratecards/(rc_[0-9a-f]{16})\.json", re.ASCII)
_STATEMENT: Final = re.compile(
    r"statements/acct_[0-9A-Za-z]{1,64}(?:-test)?/[A-Za-z0-9_.-]{1,64}\.(?:json|csv|jsonl)", re.ASCII
)


def stray(bundle: Bundle, sizes: Mapping[str, int | None], *, types: set[str], is_whole: bool) -> Iterator[Finding]:
    """Files that do not belong, and documents that are not what they should be.

    `sizes` are those of the trees, '' is the global one; where one is None or missing, its tiles cannot be judged.
    """
    seen = set()
    for path in bundle.walk():
        if isinstance(path, Finding):
            yield path
        elif (schema := _SCHEMA.fullmatch(path)) is not None:
            seen.add(schema[1])
            yield from _check_schema(bundle, path, schema[1])
        elif (card := _CARD.fullmatch(path)) is not None:
            yield from _check_card(bundle, path, card[1])
        elif not _belongs(path, sizes, is_whole=is_whole):
            yield unexpected(path)
    for type_ in sorted(types - seen):
        if type_ in PUBLISHED:
            path = f"schemas/{type_}.json"
            yield Finding("missing-file", f"There is no {path}, though there are such events.", file=path)


def _belongs(path: str, sizes: Mapping[str, int | None], *, is_whole: bool) -> bool:
    if path in {"checkpoint", "vkey"} or _STATEMENT.fullmatch(path):
        return True
    inside = _ACCOUNT.fullmatch(path)
    if inside is None:
        return is_whole and _is_tile(path, sizes.get(""))
    log, rest = inside.groups()
    if rest == "head":
        return not is_whole
    return rest == "checkpoint" or _is_tile(rest, sizes.get(log))


def _is_tile(path: str, size: int | None) -> bool:
    """Whether a tree of this size has this tile, in this width and no other."""
    try:
        tile = parse_path(path)
    except MalformedPath:
        return False
    return size is None or width_at(tile.level or 0, tile.index, size) == tile.width


def _check_schema(bundle: Bundle, path: str, type_: str) -> Iterator[Finding]:
    try:
        digest = sha256(bundle.read(path, bytes_max=1 << 20)).hexdigest()
    except Found as found:
        yield found.finding
        return
    if digest not in PUBLISHED.get(type_, ()):
        yield Finding("schema-known", f"{path} is not a schema that this tool knows.", file=path)


def _check_card(bundle: Bundle, path: str, name: str) -> Iterator[Finding]:
    try:
        content = bundle.read(path, bytes_max=DOCUMENT_BYTES_MAX)
    except Found as found:
        yield found.finding
        return
    if named(content) != name:
        yield Finding("card-differs", f"{path} is not the rate card of this name.", file=path)
