"""What the sealer is given: the keys that sign checkpoints, and a place outside the database that remembers the last one."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from application.keyring import Keyring
from interfaces.projecting import connect
from interfaces.secrets import SecretUnusable, sync_directory
from projections.transparency.note import ED25519, Checkpoint, NoteRefused, Verifier, open_checkpoint, sign_with
from projections.transparency.sealer import EVENTS_MAX, Forked, Sealer, Signer
from projections.transparency.shelf import GLOBAL, Execute

FILE: Final = "last-checkpoint"
SEAL_SECONDS: Final = 1.0
TURN_SECONDS: Final = 2.0
"""Between two tries to become the one that seals."""
_KEYS: Final = b"SELECT number, vkey FROM doneotp.log_keys ORDER BY number"
_ADD: Final = b"INSERT INTO doneotp.log_keys (number, vkey) VALUES (%b, %b) ON CONFLICT DO NOTHING"
_UNSIGN: Final = b"UPDATE doneotp.trees SET noted_size = 0"


class LogKeys:
    """The keys of the transparency log that are in use: the newest signs, and the one before it for as long."""

    def __init__(self, keyring: Keyring, execute: Execute) -> None:
        """Raises SecretUnusable when the database names keys that are not of this keyring."""
        self.origin = keyring.log_origin
        rows = execute(_KEYS, ())
        if not rows:
            execute(_ADD, (1, _verifier(keyring, 1).vkey()))
            rows = execute(_KEYS, ())
        self.verifiers = [_verifier(keyring, number) for number, _ in rows]
        if [verifier.vkey() for verifier in self.verifiers] != [vkey for _, vkey in rows]:
            raise SecretUnusable("the transparency log of this database is signed by keys of another secret key")
        signing = [number for number, _ in rows][-2:][::-1]
        self._keys = [(_verifier(keyring, number), keyring.log_key(number).sign) for number in signing]

    def sign(self, text: str) -> bytes:
        """The note over a checkpoint's text."""
        return sign_with(text, self._keys)


def rotate(keyring: Keyring, execute: Execute) -> str:
    """Begin to sign with a new key; its vkey. Every checkpoint is signed anew, by the new key and the last one."""
    number = len(LogKeys(keyring, execute).verifiers) + 1
    vkey = _verifier(keyring, number).vkey()
    execute(_ADD, (number, vkey))
    execute(_UNSIGN, ())
    return vkey


class FileMemory:
    """The last signed checkpoint in a file of DONEOTP_HOME. Losing the file loses the protection, and nothing else."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: Checkpoint | None = None

    def last(self, keys: Signer) -> Checkpoint | None:
        """What was kept; raises Forked when that is no checkpoint of this log."""
        if self._last is None and self._path.exists():
            try:
                self._last = open_checkpoint(self._path.read_bytes(), keys.verifiers, origin=keys.origin)
            except NoteRefused as error:
                raise Forked(GLOBAL, f"{self._path} is not a checkpoint of this log: {error}") from None
        return self._last

    def keep(self, note: bytes, checkpoint: Checkpoint) -> None:
        """Written aside and renamed into place: a crash leaves the old one or the new one."""
        aside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        with aside.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(self._path)
        sync_directory(self._path.parent)
        self._last = checkpoint


def run(
    conninfo: str,
    *,
    keyring: Keyring,
    memory: FileMemory,
    stop: threading.Event,
    on_failure: Callable[[Exception], None],
) -> None:
    """Seal about once a second until `stop` is set. What cannot be sealed is told again and again."""
    while not stop.is_set():
        try:
            with connect(conninfo) as connection:
                _keep_sealing(connection, keyring, memory, stop=stop, on_failure=on_failure)
        except (psycopg.Error, SecretUnusable, OSError) as error:
            if not stop.is_set():
                on_failure(error)
                stop.wait(TURN_SECONDS)


def _keep_sealing(
    connection: psycopg.Connection[Any],
    keyring: Keyring,
    memory: FileMemory,
    *,
    stop: threading.Event,
    on_failure: Callable[[Exception], None],
) -> None:
    sealer = Sealer(connection, memory)
    while not stop.is_set():
        begun = time.monotonic()
        try:
            sealed = sealer.once(LogKeys(keyring, executing(connection)))
        except Forked as forked:
            on_failure(forked)
            sealed = 0
        if sealed is None:
            stop.wait(TURN_SECONDS)
        elif sealed < EVENTS_MAX:
            stop.wait(max(0.0, begun + SEAL_SECONDS - time.monotonic()))


def executing(connection: psycopg.Connection[Any]) -> Execute:
    """How a shelf reads through a connection."""

    def execute(statement: bytes, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        found = connection.execute(statement, parameters, binary=True)
        return found.fetchall() if found.description else []

    return execute


def _verifier(keyring: Keyring, number: int) -> Verifier:
    key = keyring.log_key(number)
    return Verifier(keyring.log_origin, ED25519, _public(key), _verify)


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature:
        return False
    return True
