"""Sigstore's verifier finds our entries in our log and reads our checkpoints.

Skipped where sigstore is not installed: it brings a dozen packages of its own, among them one that changes how Litestar starts.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings, strategies

from projections.transparency import ed25519
from projections.transparency.note import Checkpoint, Verifier, sign
from projections.transparency.tree import inclusion, leaf_hash
from tests.support.merkle import Log

WHY = "sigstore is not installed; CONTRIBUTING.md says how to run this with it"
merkle: Any = pytest.importorskip("sigstore._internal.merkle", reason=WHY)
rekor: Any = pytest.importorskip("sigstore._internal.rekor.checkpoint", reason=WHY)
errors: Any = pytest.importorskip("sigstore.errors", reason=WHY)

ORIGIN = "example.com/log"
SEED = b"\5" * 32
VERIFIER = Verifier(ORIGIN, 1, ed25519.public_key(SEED))
ENTRIES = [b"entry %d" % number for number in range(700)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


class Keyring:
    """What sigstore's keyring does for a key of ours."""

    def verify(self, *, key_id: Any, signature: bytes, data: bytes) -> None:
        try:
            Ed25519PublicKey.from_public_bytes(VERIFIER.public_key).verify(signature, data)
        except InvalidSignature as error:
            raise errors.VerificationError("invalid signature") from error


def sealed(log: Log) -> str:
    checkpoint = Checkpoint(ORIGIN, log.size, log.root).text()
    public_key = VERIFIER.public_key
    return sign(checkpoint, name=ORIGIN, public_key=public_key, sign=lambda text: ed25519.sign(SEED, text)).decode()


def proven(log: Log, index: int, *, entry: bytes, root: bytes) -> Any:
    """Our proof in the shape that sigstore reads."""
    proof = SimpleNamespace(
        log_index=index,
        tree_size=log.size,
        hashes=inclusion(log.read, index, log.size),
        root_hash=root,
        checkpoint=SimpleNamespace(envelope=sealed(log)),
    )
    inner = SimpleNamespace(
        inclusion_proof=proof, canonicalized_body=entry, log_id=SimpleNamespace(key_id=VERIFIER.key_id)
    )
    return SimpleNamespace(_inner=inner)


@settings(deadline=None)
@given(size=strategies.integers(1, 700), data=strategies.data())
def test_sigstore_finds_every_entry_in_the_log(size, data):
    index = data.draw(strategies.integers(0, size - 1))
    log = Log(LEAVES[:size])
    found = proven(log, index, entry=ENTRIES[index], root=log.root)
    merkle.verify_merkle_inclusion(found)
    rekor.verify_checkpoint(Keyring(), found)


def test_sigstore_does_not_find_another_entry_or_root():
    log = Log(LEAVES)
    with pytest.raises(errors.VerificationError):
        merkle.verify_merkle_inclusion(proven(log, 300, entry=ENTRIES[301], root=log.root))
    with pytest.raises(errors.VerificationError):
        rekor.verify_checkpoint(Keyring(), proven(log, 300, entry=ENTRIES[300], root=bytes(32)))


def test_sigstore_reads_the_checkpoint_as_we_wrote_it():
    log = Log(LEAVES)
    found = rekor.SignedCheckpoint.from_text(sealed(log))
    assert found.signed_note.note == Checkpoint(ORIGIN, log.size, log.root).text()
    assert (found.checkpoint.origin, found.checkpoint.log_size, found.checkpoint.log_hash) == (
        ORIGIN,
        700,
        log.root.hex(),
    )
    assert [(one.name, one.sig_hash) for one in found.signed_note.signatures] == [(ORIGIN, VERIFIER.key_id)]
