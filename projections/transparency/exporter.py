"""Writes a bundle that a stranger can check without us: the layout is C2SP tlog-tiles, once for each log.

Reads in the caller's transaction, which must see one moment throughout: what is sealed goes on meanwhile.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from domain.codec import decode as decode_event
from domain.events import TYPES, RateCardAdopted
from domain.keys import account_of
from domain.rates import FLAT, RateCard
from projections import schemas
from projections.statements.bills import Bills
from projections.statements.sheet import written
from projections.transparency import tiles, tree
from projections.transparency.entry import decode
from projections.transparency.note import Checkpoint
from projections.transparency.receipts import NotSealed, checkpoint_in, head_inclusion
from projections.transparency.shelf import GLOBAL, Shelf
from projections.transparency.tiles import TILE_WIDTH

_LOGS: Final = 1_000
_TILES: Final = 512
_BUNDLES: Final = 16
_ADOPTED: Final = b',"type":"RateCardAdopted.v1","data":'
ADOPTED_BYTES_MAX: Final = 512
"""What comes before the body of an entry is shorter."""
_THERE: Final = b"SELECT to_regclass('doneotp_views.charges') IS NOT NULL"
_HAVE: Final = b"SELECT 1 FROM doneotp_views.tracking WHERE log = %b AND position >= %b"


def export(
    shelf: Shelf, directory: Path, *, logs: list[str] | None = None, progress: Callable[[int, int], None]
) -> Checkpoint:
    """Write all that is sealed, or only these logs, into an empty directory. Raises NotSealed when nothing is."""
    whole = shelf.trees([GLOBAL]).get(GLOBAL)
    if whole is None or not whole.note:
        raise NotSealed("Nothing is sealed yet; that takes a few seconds.")
    names = list(_all_logs(shelf)) if logs is None else logs
    notes = {name: tree.note for name, tree in shelf.trees(names).items() if tree.note}
    total, done = sum(checkpoint_in(note).size for note in notes.values()), 0
    for name, note in notes.items():
        size = checkpoint_in(note).size
        _write_tree(shelf, directory, f"accounts/{name}", name, note)
        if logs is not None:
            proof = head_inclusion(shelf, name, note, whole.note).proof
            _write(directory / "accounts" / name / "head", proof.encode())
        done += size
        _write_statements(shelf, directory / "statements" / name, name, size)
        progress(done, total)
    if logs is None:
        _write_tree(shelf, directory, "", GLOBAL, whole.note)
    _write(directory / "ratecards" / f"{FLAT.id}.json", FLAT.content())
    _write(directory / "checkpoint", whole.note)
    _write(directory / "vkey", "".join(f"{vkey}\n" for vkey in shelf.vkeys()).encode())
    for type_ in TYPES:
        _write(directory / "schemas" / f"{type_}.json", schemas.document(type_))
    return checkpoint_in(whole.note)


def _all_logs(shelf: Shelf) -> Iterator[str]:
    last = GLOBAL
    while names := shelf.logs(after=last, limit=_LOGS):
        yield from names
        last = names[-1]


def _write_tree(shelf: Shelf, bundle: Path, place: str, log: str, note: bytes) -> None:
    directory = bundle / place
    size = checkpoint_in(note).size
    _write(directory / "checkpoint", note)
    for begin in range(0, size, TILE_WIDTH * _BUNDLES):
        limit = min(TILE_WIDTH * _BUNDLES, size - begin)
        entries = shelf.events(log, after=begin, limit=limit) if log else shelf.heads(begin=begin, limit=limit)
        _write_cards(bundle, entries)
        for offset in range(0, len(entries), TILE_WIDTH):
            part = entries[offset : offset + TILE_WIDTH]
            path = tiles.entries_path((begin + offset) // TILE_WIDTH, len(part))
            _write(directory / path, tiles.encode_bundle(part))
    wanted = list(tiles.tiles_of(size))
    for begin in range(0, len(wanted), _TILES):
        part_of = wanted[begin : begin + _TILES]
        found = shelf.tiles((log, level, index) for level, index, _ in part_of)
        for level, index, width in part_of:
            hashes = found.get((log, level, index), b"")[: 32 * width]
            _write(directory / tiles.tile_path(level, index, width), hashes)


def _write_cards(bundle: Path, entries: list[bytes]) -> None:
    """The rate cards that these events adopt, each under the name of its content."""
    for entry in entries:
        if _ADOPTED in entry[:ADOPTED_BYTES_MAX]:
            adopted = decode_event("RateCardAdopted.v1", decode(entry).body)
            assert isinstance(adopted, RateCardAdopted), "the topic says so"
            card = RateCard(per=adopted.per, prices=adopted.prices)
            _write(bundle / "ratecards" / f"{card.id}.json", card.content())


def _write_statements(shelf: Shelf, directory: Path, log: str, size: int) -> None:
    """Every statement of a live log as of this size, unless the views cannot have it: an event of it cannot be read."""
    if account_of(log) != log or shelf.execute(_THERE, ()) != [(True,)] or shelf.execute(_HAVE, (log, size)) != [(1,)]:
        return
    bills = Bills(shelf.execute, lambda wanted: tree.root(shelf.reader(log), wanted), log, size)
    for period in bills.periods():
        statement = bills.statement(period)
        assert statement is not None, "there is a statement of every period"
        for format_, content in written(statement):
            _write(directory / f"{period}.{format_}", content)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
