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
    """Bring a database up to date; returns the names of what was applied. Raises MigrationRefused, OperationalError."""
    files = _files(directory)
    applied: list[str] = []
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        # Looked at without a lock first: an up-to-date database is the rule, and looking needs no right to change it.
        while _pending(connection, files):
            name = _next(connection, files)
            if name is None:
                break  # another process was first
            applied.append(name)
    return applied


def pending(connection: psycopg.Connection[Any], *, directory: Path = DIRECTORY) -> list[str]:
    """The names of what would be applied; changes nothing. Raises MigrationRefused."""
    return [path.stem for _, path, _ in _pending(connection, _files(directory))]


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether nothing was ever applied."""
    return not _applied(connection)


def _next(connection: psycopg.Connection[Any], files: Sequence[tuple[int, Path, bytes]]) -> str | None:
    """Apply the first file that is pending, in one transaction that holds the lock; None when nothing is."""
    name = "its table"
    try:
        with connection.transaction():
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'".encode())
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(_TABLE)
            waiting = _pending(connection, files)
            if not waiting:
                return None
            number, path, text = waiting[0]
            name = path.stem
            connection.execute(text)
            connection.execute(
                "INSERT INTO doneotp.migrations (number, name, sha256) VALUES (%s, %s, %s)",
                (number, name, _digest(text)),
            )
            return name
    except psycopg.errors.LockNotAvailable:
        raise MigrationRefused("another process has been migrating for too long; look for it and try again") from None
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise MigrationRefused(f"migration {name} failed and left nothing behind: {said}") from None


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
    applied = _applied(connection)
    for number, path, text in files:
        if number in applied and applied[number][1] != _digest(text):
            raise MigrationRefused(f"migration {path.stem} was changed after it was applied; restore the file")
    newer = sorted(set(applied) - {number for number, _, _ in files})
    if newer:
        raise MigrationRefused(
            f"the database has migration {applied[newer[0]][0]}, which this version does not know; upgrade"
        )
    return [file for file in files if file[0] not in applied]


def _applied(connection: psycopg.Connection[Any]) -> dict[int, tuple[str, str]]:
    exists = connection.execute("SELECT to_regclass('doneotp.migrations')").fetchone()
    if exists is None or exists[0] is None:
        return {}
    rows = connection.execute("SELECT number, name, sha256 FROM doneotp.migrations")
    return {number: (name, sha256) for number, name, sha256 in rows}


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
