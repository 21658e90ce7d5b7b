"""A witness at work: its key, and one checkpoint a log in its directory, written before anybody hears of a cosignature.

Killed at any moment it has cosigned either the checkpoint that is there or one that this continues.
"""

import contextlib
import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from interfaces.secrets import sync_directory
from projections.transparency.note import COSIGNATURE, Checkpoint, NoteRefused, Verifier, cosign, open_note
from projections.transparency.witness import Logs, Submitted, TwoHistories, must_continue, opened

KEY: Final = "key"
VKEY: Final = "vkey"
CHECKPOINT: Final = "checkpoint"
EVIDENCE: Final = ("fork-first", "fork-second")
SEED_BYTES: Final = 32


class WitnessUnusable(Exception):
    """The directory cannot be worked with; the message says why."""


class Witness:
    """Cosigns for logs that it was told of. Safe to call from many threads; one process at a time has the directory."""

    def __init__(self, directory: Path, logs: Logs, *, name: str = "") -> None:
        """Makes the key on the first start. Raises WitnessUnusable and OSError."""
        self._directory = directory
        self._logs = logs
        self._key = _key(directory)
        self.verifier = _verifier(directory, self._key, name)
        self._locks = {origin: threading.Lock() for origin in logs}
        self._latest = {origin: self._kept(origin) for origin in logs}

    def add(self, body: bytes) -> bytes:
        """The cosignature for a request in the form of C2SP tlog-witness; raises WitnessRefused."""
        submitted = opened(body, self._logs)
        origin = submitted.checkpoint.origin
        with self._locks[origin]:
            try:
                must_continue(submitted, self._latest[origin])
            except TwoHistories:
                self.keep_evidence(submitted)
                raise
            line = cosign(
                submitted.checkpoint.text(),
                name=self.verifier.name,
                public_key=self.verifier.public_key,
                sign=self._key.sign,
                timestamp=int(time.time()),
            ).encode()
            _write(self.place(origin) / CHECKPOINT, submitted.note + line)
            self._latest[origin] = submitted.checkpoint
        return line

    def latest(self, origin: str) -> Checkpoint | None:
        """What was cosigned last."""
        return self._latest[origin]

    def place(self, origin: str) -> Path:
        """Where what belongs to a log is kept."""
        return self._directory / hashlib.sha256(origin.encode()).hexdigest()

    def evidence(self, origin: str) -> list[Path]:
        """The two notes of a log that signed two histories; none of one that did not."""
        return [path for name in EVIDENCE if (path := self.place(origin) / name).exists()]

    def keep_evidence(self, submitted: Submitted) -> None:
        """Keep, once and for ever, what was cosigned and what contradicts it."""
        place = self.place(submitted.checkpoint.origin)
        if not self.evidence(submitted.checkpoint.origin):
            for name, note in zip(EVIDENCE, ((place / CHECKPOINT).read_bytes(), submitted.note), strict=True):
                _write(place / name, note)

    def _kept(self, origin: str) -> Checkpoint | None:
        path = self.place(origin) / CHECKPOINT
        if not path.exists():
            return None
        try:
            checkpoint = Checkpoint.parse(open_note(path.read_bytes(), [self.verifier]).text)
        except NoteRefused as error:
            raise WitnessUnusable(f"{path} is damaged: {error}") from None
        if checkpoint.origin != origin:
            raise WitnessUnusable(f"{path} is of another log")
        return checkpoint


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Have the directory to oneself, as long as the context lasts; raises WitnessUnusable. Made if it is not there."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (directory / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WitnessUnusable(f"another witness is at work in {directory}") from None
        yield


def _key(directory: Path) -> Ed25519PrivateKey:
    path = directory / KEY
    if not path.exists():
        if any(directory.glob(f"*/{CHECKPOINT}")):
            raise WitnessUnusable(f"{path} is missing, but what was cosigned with it is there")
        _write(path, os.urandom(SEED_BYTES).hex().encode() + b"\n", mode=0o600)
    if path.stat().st_mode & 0o077:
        raise WitnessUnusable(f"{path} can be read by others")
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text()))
    except ValueError:
        raise WitnessUnusable(f"{path} is damaged") from None


def _verifier(directory: Path, key: Ed25519PrivateKey, name: str) -> Verifier:
    """Whom others know this witness as: its name is given on the first start and stays."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    path = directory / VKEY
    try:
        if not path.exists():
            given = name or f"doneotp-witness/{hashlib.sha256(public).hexdigest()[:16]}"
            _write(path, f"{Verifier(given, COSIGNATURE, public).vkey()}\n".encode())
        verifier = Verifier.parse(path.read_text().removesuffix("\n"))
    except NoteRefused as error:
        raise WitnessUnusable(f"{path}: {error}") from None
    if verifier.public_key != public or (name and name != verifier.name):
        raise WitnessUnusable(f"{path} has another name or key")
    return verifier


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Written aside and renamed into place: a crash leaves what was or what is, and a power cut takes neither."""
    if not path.parent.exists():
        path.parent.mkdir(mode=0o700)
        sync_directory(path.parent.parent)
    aside = path.with_name(f".{path.name}.partial")
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:  # noqa: PTH123
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    sync_directory(path.parent)
