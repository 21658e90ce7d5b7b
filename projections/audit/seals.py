"""What was signed: the keys an auditor trusts, checkpoints, and proofs of an account's head."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from projections.audit.bundle import LOG_NAME, NOTE_BYTES_MAX, Bundle
from projections.audit.findings import Finding, Found
from projections.transparency.entry import MalformedEntry, encode_head
from projections.transparency.note import (
    ED25519,
    Checkpoint,
    NoteRefused,
    Verifier,
    open_checkpoint,
)
from projections.transparency.proof import TlogProof
from projections.transparency.tree import ProofRefused, leaf_hash


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one log, whose name is its origin, and of witnesses beside them."""

    verifiers: tuple[Verifier, ...]

    @classmethod
    def parse(cls, raw: bytes, *, file: str) -> "Keys":
        """One vkey a line; raises Found."""
        try:
            lines = raw.decode().removesuffix("\n").split("\n")
            verifiers = tuple(Verifier.parse(line) for line in lines)
        except (UnicodeError, NoteRefused):
            raise Found(Finding("vkey-malformed", f"{file} is not one vkey a line.", file=file)) from None
        names = {verifier.name for verifier in verifiers if verifier.type == ED25519}
        if len(names) != 1 or len({(verifier.name, verifier.key_id) for verifier in verifiers}) != len(verifiers):
            sentence = f"{file} does not hold the keys of one log, each once."
            raise Found(Finding("vkey-malformed", sentence, file=file))
        return cls(verifiers)

    @property
    def origin(self) -> str:
        """The origin of the global log."""
        return next(verifier.name for verifier in self.verifiers if verifier.type == ED25519)

    def origin_of(self, log: str) -> str:
        """The origin of an account's tree; of the global log for ''."""
        return f"{self.origin}/{log}" if log else self.origin

    def log_of(self, origin: str) -> str | None:
        """The log that has this origin, '' for the global one; None when it is none of these keys'."""
        if origin == self.origin:
            return ""
        log = origin.removeprefix(self.origin + "/")
        return log if log != origin and LOG_NAME.fullmatch(log) else None


@dataclass(slots=True)
class Signed:
    """A checkpoint of the bundle. `holds` is False when it can be read, but no key that is trusted signed it."""

    checkpoint: Checkpoint
    note: bytes = field(repr=False)
    holds: bool = True


def read_checkpoint(bundle: Bundle, path: str, keys: Keys | None, *, log: str) -> tuple[Signed | None, list[Finding]]:
    """The checkpoint at this path, as far as it can be read, and what is wrong with it. Without keys nothing is wrong."""
    try:
        note = bundle.read(path, bytes_max=NOTE_BYTES_MAX)
    except Found as found:
        return None, [found.finding._replace(log=log)]
    try:
        if keys is not None:
            return Signed(open_checkpoint(note, keys.verifiers, origin=keys.origin_of(log)), note), []
        reason = "there is no key to open it with"
    except NoteRefused as refused:
        reason = str(refused)
    finding = Finding("checkpoint-refused", f"{path} is not a checkpoint of this log: {reason}.", log, 0, path)
    try:
        text = note.decode().rpartition("\n\n")[0] + "\n"
        return Signed(Checkpoint.parse(text), note, holds=False), [finding]
    except (UnicodeError, NoteRefused):
        return None, [finding]


def read_older(raw: bytes, keys: Keys, *, file: str) -> tuple[str, Checkpoint]:
    """A checkpoint that the auditor kept, with the log it is of ('' for the global one); raises Found."""
    try:
        origin = raw.split(b"\n", 1)[0].decode()
        log = keys.log_of(origin)
        if log is None:
            raise NoteRefused("it is the checkpoint of another log")
        return log, open_checkpoint(raw, keys.verifiers, origin=origin)
    except (UnicodeError, NoteRefused) as refused:
        reason = str(refused) if isinstance(refused, NoteRefused) else "it is not UTF-8"
        sentence = f"{file} is not a checkpoint that the log's keys signed: {reason}."
        raise Found(Finding("older-checkpoint-refused", sentence, file=file)) from None


def check_head_proof(
    bundle: Bundle, log: str, keys: Keys, *, account: Checkpoint, checkpoint: bytes
) -> Sequence[Finding]:
    """In a bundle of one account: that its head is in the global log at the bundle's own checkpoint."""
    path = f"accounts/{log}/head"
    try:
        proof = TlogProof.parse(bundle.read(path, bytes_max=2_000_000))
        if proof.checkpoint != checkpoint:
            raise ProofRefused("it is about another checkpoint")
        if proof.extra:
            raise ProofRefused("it holds extra data that nothing vouches for")
        proof.verify(leaf_hash(encode_head(log, account.size, account.root)), keys.verifiers, origin=keys.origin)
    except Found as found:
        return [found.finding._replace(log=log)]
    except (ProofRefused, NoteRefused, MalformedEntry) as refused:
        sentence = f"{path} does not prove that this head is in the global log: {refused}."
        return [Finding("head-proof-refused", sentence, log, 0, path)]
    return []
