"""The root secret: from the environment, or made once and kept in DONEOTP_HOME, readable by its owner alone."""

import os
import secrets
from pathlib import Path
from typing import Final

from interfaces.settings import SECRET_LENGTH_MIN, Settings

FILE: Final = "secret_key"


class SecretUnusable(Exception):
    """The kept secret is damaged or open to others; the message says what to do."""


def root(settings: Settings) -> bytes:
    """The root of all keys; raises SecretUnusable."""
    return settings.secret_key or _kept(settings.home)


def _kept(home: Path) -> bytes:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / FILE
    if not path.exists():
        _make(path)
    if path.stat().st_mode & 0o077:
        raise SecretUnusable(f"{path} can be read by others; run: chmod 600 {path}")
    kept = path.read_bytes().strip()
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
        try:
            os.link(aside, path)
        except FileExistsError:
            return
    finally:
        aside.unlink()
