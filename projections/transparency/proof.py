"""Proofs as texts: that an entry is in a log (C2SP tlog-proof), that a log has only grown (C2SP tlog-witness)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from projections.transparency.note import (
    Checkpoint,
    NoteRefused,
    Verifier,
    base64,
    decode_base64,
    number,
    open_checkpoint,
)
from projections.transparency.tree import HASH_BYTES, SIZE_MAX, ProofRefused, verify_inclusion

PATH_MAX: Final = 63  # hashes that lead through a tree of at most 2^63 - 1 leaves
PROOF_BYTES_MAX: Final = 2_000_000

_TITLE: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """That the entry at `index`, from 0, is in the tree of a checkpoint, which is a signed note as its log wrote it.

    `path` is the inclusion proof of RFC 6962 section 2.1.1. `extra` is bytes that nothing vouches for, or empty.
    Raises ProofRefused for values that no such text can have.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index < SIZE_MAX:
            raise ProofRefused("an index is 0 to 2^63 - 2")
        _check_path(self.path)

    def text(self) -> bytes:
        """The content of a `.tlog-proof` file."""
        extra = [f"extra {base64(self.extra)}"] if self.extra else []
        lines = [_TITLE, *extra, f"index {self.index}", *map(base64, self.path), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """What is written there, none of it verified. Raises ProofRefused unless the text is in its only spelling."""
        lines, checkpoint = _parts(text)
        if lines[0] != _TITLE:
            raise ProofRefused("not a tlog-proof of version 1")
        extra = lines.pop(1).removeprefix("extra ") if lines[1:] and lines[1].startswith("extra ") else None
        if extra == "" or not lines[1:] or not lines[1].startswith("index "):
            raise ProofRefused("the second line of a proof is its index, or extra data and then the index")
        try:
            index = number(lines[1].removeprefix("index "))
            path = tuple(map(decode_base64, lines[2:]))
            return cls(index, path, checkpoint, decode_base64(extra or ""))
        except NoteRefused as refused:
            raise ProofRefused(str(refused)) from None

    def verify(self, leaf: bytes, verifiers: Sequence[Verifier], *, origin: str) -> Checkpoint:
        """The checkpoint that proves the leaf hash to be in the log with this origin. Raises NoteRefused or ProofRefused."""
        checkpoint = open_checkpoint(self.checkpoint, verifiers, origin=origin)
        verify_inclusion(leaf, self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """What a witness is asked: to cosign a checkpoint (a signed note) after the tree of `old` leaves that it cosigned last.

    `path` is the consistency proof of RFC 6962 section 2.1.2, empty from 0. Raises ProofRefused as `TlogProof` does.
    """

    old: int
    path: tuple[bytes, ...]
    checkpoint: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.old <= SIZE_MAX:
            raise ProofRefused("a size is 0 to 2^63 - 1")
        _check_path(self.path)

    def text(self) -> bytes:
        """The body of `POST /add-checkpoint`."""
        lines = [f"old {self.old}", *map(base64, self.path), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """What is asked, none of it verified. Raises ProofRefused unless the text is in its only spelling."""
        lines, checkpoint = _parts(text)
        if not lines[0].startswith("old "):
            raise ProofRefused("the first line of a request is the old size")
        try:
            return cls(number(lines[0].removeprefix("old ")), tuple(map(decode_base64, lines[1:])), checkpoint)
        except NoteRefused as refused:
            raise ProofRefused(str(refused)) from None


def _parts(text: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty one, and what follows it."""
    before, separator, after = text.partition(b"\n\n")
    if not separator or len(text) > PROOF_BYTES_MAX or not before.isascii():
        raise ProofRefused("a proof is lines of ASCII, an empty line and a checkpoint")
    return before.decode().split("\n"), after


def _check_path(path: Sequence[bytes]) -> None:
    if len(path) > PATH_MAX or any(len(hash_) != HASH_BYTES for hash_ in path):
        raise ProofRefused(f"a proof has at most {PATH_MAX} hashes of {HASH_BYTES} bytes")
