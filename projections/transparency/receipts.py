"""Receipts: that one event is in its account's log, and that log's head in the log over all logs."""

from typing import Final

import msgspec

from projections.transparency import tree
from projections.transparency.entry import decode, encode_head
from projections.transparency.note import Checkpoint, base64
from projections.transparency.proof import TlogProof
from projections.transparency.shelf import GLOBAL, Shelf
from projections.transparency.tree import leaf_hash

_NOT_YET: Final = "The event is not sealed yet; that takes a few seconds."


class NotSealed(Exception):
    """There is nothing to prove it with yet."""


class Inclusion(msgspec.Struct, frozen=True, kw_only=True):
    """That an entry is in a log at a checkpoint. Hashes are base64; `proof` says the same as a C2SP tlog-proof.

    `hashes` is the path of RFC 6962 section 2.1.1; `checkpoint` is the signed note; the leaf hash is
    SHA-256(0x00 || entry).
    """

    origin: str
    entry: str
    leaf_hash: str
    index: int
    size: int
    root: str
    hashes: list[str]
    checkpoint: str
    proof: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """An event in its account's log, and the head of that log in the log over all, at checkpoints that belong together."""

    event_id: str
    position: int
    account: Inclusion
    log: Inclusion
    vkeys: list[str]


def position_in(event_id: bytes) -> int:
    """An event id carries the position of its event in the first 48 bits."""
    return int.from_bytes(event_id[:6], "big")


def checkpoint_in(note: bytes) -> Checkpoint:
    """The checkpoint of a note that was signed here; its signature is not looked at."""
    return Checkpoint.parse(note.decode().rpartition("\n\n")[0] + "\n")


def receipt(shelf: Shelf, log: str, event_id: bytes) -> Receipt | None:
    """The receipt of an event of this log; None when the log has no such event. Raises NotSealed."""
    position = position_in(event_id)
    if position < 1:
        return None
    entries = shelf.events(log, after=position - 1, limit=1)
    if not entries or bytes.fromhex((event := decode(entries[0])).event_id.replace("-", "")) != event_id:
        return None
    trees = shelf.trees([GLOBAL, log])
    if len(trees) < 2 or not all(of.note for of in trees.values()):
        raise NotSealed(_NOT_YET)
    if checkpoint_in(trees[log].note).size < position:
        raise NotSealed(_NOT_YET)
    return Receipt(
        event_id=event.event_id,
        position=position,
        account=_inclusion(shelf, log, entries[0], position - 1, trees[log].note),
        log=head_inclusion(shelf, log, trees[log].note, trees[GLOBAL].note),
        vkeys=shelf.vkeys(),
    )


def head_inclusion(shelf: Shelf, log: str, account_note: bytes, global_note: bytes) -> Inclusion:
    """That the head of a log at its note is in the log over all logs at that one's. Notes are signed together."""
    sealed = checkpoint_in(account_note)
    head = shelf.head(log, sealed.size)
    if head is None or head[0] >= checkpoint_in(global_note).size:
        raise NotSealed(_NOT_YET)
    index, root = head
    return _inclusion(shelf, GLOBAL, encode_head(log, sealed.size, root), index, global_note)


def _inclusion(shelf: Shelf, log: str, entry: bytes, index: int, note: bytes) -> Inclusion:
    sealed = checkpoint_in(note)
    path = tree.inclusion(shelf.reader(log), index, sealed.size)
    return Inclusion(
        origin=sealed.origin,
        entry=entry.decode(),
        leaf_hash=base64(leaf_hash(entry)),
        index=index,
        size=sealed.size,
        root=base64(sealed.root),
        hashes=[base64(hash_) for hash_ in path],
        checkpoint=note.decode(),
        proof=TlogProof(index, tuple(path), note).text().decode(),
    )
