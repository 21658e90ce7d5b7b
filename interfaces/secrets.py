"""The root secret: from the environment, or made once and kept in DONEOTP_HOME, readable by its owner alone."""

import contextlib
import os
import secrets
import shlex
from pathlib import Path
from typing import Final

from interfaces.settings import SECRET_LENGTH_MIN, Settings

FILE: Final = "secret_key"
DATA: Final = "postgres"
"""The embedded database's directory, beside the secret that it cannot be understood without."""


class SecretUnusable(Exception):
    """The kept secret is damaged or open to others; the message says what to do."""


def root(settings: Settings) -> bytes:
    """The root of all keys; raises SecretUnusable."""
    return settings.secret_key or _kept(settings.home)


def kept_at(home: Path) -> Path:
    """Where the secret is kept when the environment does not hold it."""
    return home / FILE


def _kept(home: Path) -> bytes:
    path = kept_at(home)
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if (home / DATA).exists() and not path.exists():  # in this order: the secret is made first
            raise SecretUnusable(
                f"{path} is missing, but the database that depends on it is there; restore it from a backup, "
                "or set DONEOTP_SECRET_KEY to what it was: under another one nothing would be found again"
            )
        if not path.exists():
            _make(path)
        if path.stat().st_mode & 0o077:
            raise SecretUnusable(f"{path} can be read by others; run: chmod 600 {shlex.quote(str(path))}")
        kept = path.read_bytes().strip()
    except OSError as error:
        raise SecretUnusable(f"{error.filename or path} cannot be used: {error.strerror}") from None
    if len(kept) < SECRET_LENGTH_MIN:
        raise SecretUnusable(f"{path} is damaged; restore it from a backup: codes and tokens depend on it")
    return kept


def _make(path: Path) -> None:
    """Written aside and linked into place: two processes at once agree, and a crash leaves all or nothing."""
    aside = path.with_name(f"{FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    # What is encrypted and hashed under it will outlive a power cut; so must its name in the directory.
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make what was made or renamed in a directory outlive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
