"""Migrations: numbered SQL files, forward only, each in a transaction, one process at a time, remembered by checksum."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import psycopg

DIRECTORY: Final = Path(__file__).parent / "migrations"
LOCK_SECONDS_MAX: Final = 120
_LOCK: Final = 0x646F6E65  # "done"
_TABLE: Final = """
CREATE SCHEMA IF NOT EXISTS doneotp;
CREATE TABLE IF NOT EXISTS doneotp.migrations (
    number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"""


class MigrationRefused(Exception):
    """The database and the program do not fit; the message says how."""


def up(conninfo: str, *, directory: Path = DIRECTORY) -> list[str]:
    """Bring a database up to date; returns the names of what was applied. Raises MigrationRefused."""
    files = _files(directory)
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        if not _pending(connection, files):
            return []
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS_MAX}s'".encode())
        try:
            connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        except psycopg.errors.LockNotAvailable:
            raise MigrationRefused(
                "another process has been migrating for too long; look for it and try again"
            ) from None
        try:
            connection.execute(_TABLE)
            applied = []
            for number, path, text in _pending(connection, files):
                with connection.transaction():
                    connection.execute(text)
                    connection.execute(
                        "INSERT INTO doneotp.migrations (number, name, sha256) VALUES (%s, %s, %s)",
                        (number, path.stem, _digest(text)),
                    )
                applied.append(path.stem)
            return applied
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _files(directory: Path) -> list[tuple[int, Path, bytes]]:
    files = [
        (int(path.name[:4]), path, path.read_bytes()) for path in sorted(directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]
    numbers = [number for number, _, _ in files]
    assert numbers == list(range(1, len(files) + 1)), "migrations are numbered 0001, 0002, … without a gap"
    return files


def _pending(
    connection: psycopg.Connection[Any], files: Sequence[tuple[int, Path, bytes]]
) -> list[tuple[int, Path, bytes]]:
    """Files that are not applied; raises MigrationRefused where what is applied is not what the files say."""
    exists = connection.execute("SELECT to_regclass('doneotp.migrations')").fetchone()
    if exists is None or exists[0] is None:
        return list(files)
    applied = {
        number: (name, sha256)
        for number, name, sha256 in connection.execute("SELECT number, name, sha256 FROM doneotp.migrations")
    }
    for number, path, text in files:
        if number in applied and applied[number][1] != _digest(text):
            raise MigrationRefused(f"migration {path.stem} was changed after it was applied; restore the file")
    newer = sorted(set(applied) - {number for number, _, _ in files})
    if newer:
        raise MigrationRefused(
            f"the database has migration {applied[newer[0]][0]}, which this version does not know; upgrade"
        )
    return [file for file in files if file[0] not in applied]


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
