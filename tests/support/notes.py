"""A log and a witness that sign, after the example of golang/mod, sumdb/note."""

from typing import Any

from projections.transparency import ed25519
from projections.transparency.note import COSIGNATURE, Signature, Verifier, cosign, sign
from tests.support.merkle import vectors

NOTES = vectors("notes")
TEXT, PETER, ENOCH = (NOTES["peter"][name] for name in ("text", "peter", "enoch"))
PETERS, ENOCHS = (Verifier.parse(key) for key in NOTES["vkeys"][:2])
SEED = bytes.fromhex(NOTES["peter"]["seed"])
WITNESS_SEED = b"\7" * 32
WITNESS = Verifier("witness.example/w1", COSIGNATURE, ed25519.public_key(WITNESS_SEED))
CHECKPOINT: str = NOTES["c2sp"]["checkpoint"]


def key(seed: bytes) -> dict[str, Any]:
    """The arguments by which a key signs."""
    return {"public_key": ed25519.public_key(seed), "sign": lambda message: ed25519.sign(seed, message)}


def signed(text: str) -> bytes:
    return sign(text, name="PeterNeumann", **key(SEED))


def cosigned(text: str, *, timestamp: int = 1_679_315_147) -> str:
    return cosign(text, name=WITNESS.name, timestamp=timestamp, **key(WITNESS_SEED))


def signature_of(line: str, verifier: Verifier, *, timestamp: int | None = None) -> Signature:
    return Signature(verifier.name, verifier.key_id, timestamp, line.rstrip("\n"))
