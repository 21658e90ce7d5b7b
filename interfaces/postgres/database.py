"""The database for one process: the configured one, or the embedded one, started by whoever comes first.

Three lock files in DONEOTP_HOME. `server.lock`: one `serve` at a time. `postgres.lock`: its holder runs the embedded Postgres.
`users.lock`: shared by all who use it; whoever runs it waits for them before stopping it, and says so in the file, so that
nobody else begins.
"""

import contextlib
import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

import psycopg
from psycopg.pq import PGconn, Ping

from interfaces.postgres.embedded import EmbeddedPostgres, conninfo
from interfaces.settings import Settings
from interfaces.stopping import undisturbed

WAIT_SECONDS_MAX: Final = 120.0
USERS_SECONDS_MAX: Final = 30.0
RESTART_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.05
_CLOSING: Final = "closing\n"


class AlreadyServing(Exception):
    """Another `serve` uses this DONEOTP_HOME."""

    def __init__(self, home: Path, pid: str) -> None:
        super().__init__(f"a server is running on {home} already, process {pid or 'unknown'}")


class DatabaseUnavailable(Exception):
    """The database could not be reached or started in time; the message says what to do."""


@contextlib.contextmanager
def database(settings: Settings, *, serve: bool, report: Callable[[str], None] | None = None) -> Iterator[str]:
    """How to connect, for as long as the context lasts; raises AlreadyServing, DatabaseUnavailable, EmbeddedUnavailable."""
    say = report or _say
    home = settings.home
    with contextlib.ExitStack() as stack:
        if serve:
            stack.enter_context(_serving(home))
        if settings.database_url is not None:
            yield settings.database_url
        elif serve:
            with _running(home, say, wait_seconds=WAIT_SECONDS_MAX):
                yield conninfo(home)
        else:
            with _using(home, say):
                yield conninfo(home)


def serving_pid(home: Path) -> str | None:
    """The process of the `serve` that uses this home, if one does. Makes nothing."""
    try:
        with (home / "server.lock").open() as file:
            return None if _lock(file, fcntl.LOCK_SH, wait_seconds=0) else file.read().strip() or "unknown"
    except OSError:
        return None


@contextlib.contextmanager
def _serving(home: Path) -> Iterator[None]:
    with _lock_file(home, "server.lock") as file:
        if not _lock(file, fcntl.LOCK_EX, wait_seconds=0):
            raise AlreadyServing(home, _read(file).strip())
        _write(file, f"{os.getpid()}\n")
        yield


@contextlib.contextmanager
def _running(home: Path, say: Callable[[str], None], *, wait_seconds: float) -> Iterator[None]:
    """Be the one who runs Postgres; DatabaseUnavailable when another is for too long."""
    with _lock_file(home, "postgres.lock") as runner, _lock_file(home, "users.lock") as users:
        if not _lock(runner, fcntl.LOCK_EX, wait_seconds=0):
            if wait_seconds:
                say("waiting for another command that runs the database")
            if not _lock(runner, fcntl.LOCK_EX, wait_seconds=wait_seconds):
                raise DatabaseUnavailable("another command keeps the embedded Postgres; wait for it to end")
        server = EmbeddedPostgres(home, report=say, restart_seconds=RESTART_SECONDS)
        server.start()
        try:
            _write(users, "")
            yield
        finally:
            with undisturbed():
                # Whoever still administers gets a moment to finish.
                _write(users, _CLOSING)
                _lock(users, fcntl.LOCK_EX, wait_seconds=USERS_SECONDS_MAX)
                server.stop()


@contextlib.contextmanager
def _using(home: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Use the Postgres that somebody runs, or run it for the duration."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < until:
        with contextlib.ExitStack() as stack:
            try:
                stack.enter_context(_running(home, say, wait_seconds=0))
            except DatabaseUnavailable:
                users = stack.enter_context(_lock_file(home, "users.lock"))
                if not (_lock(users, fcntl.LOCK_SH, wait_seconds=1) and _read(users) != _CLOSING and _answers(home)):
                    stack.close()
                    time.sleep(_POLL_SECONDS)
                    continue
            yield
            return
    raise DatabaseUnavailable("the embedded Postgres is starting or stopping for too long; try again")


def _answers(home: Path) -> bool:
    """Whether Postgres lets us in; DatabaseUnavailable when it answers and does not."""
    try:
        target = conninfo(home)
    except FileNotFoundError:
        return False
    if not _is_up(target):
        return False
    try:
        psycopg.connect(target).close()
    except psycopg.OperationalError:
        if not _is_up(target):
            return False
        raise DatabaseUnavailable(
            "the embedded Postgres does not let this user in; run the command as the user who runs serve"
        ) from None
    return True


def _is_up(target: str) -> bool:
    return PGconn.ping(target.encode()) == Ping.OK


def _lock_file(home: Path, name: str) -> IO[str]:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        return (home / name).open("a+")
    except OSError as error:
        raise DatabaseUnavailable(
            f"{error.filename or home} cannot be used: {error.strerror}; DONEOTP_HOME must be yours"
        ) from None


def _read(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def _write(file: IO[str], text: str) -> None:
    file.truncate(0)
    file.write(text)
    file.flush()


def _lock(file: IO[str], kind: int, *, wait_seconds: float) -> bool:
    until = time.monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _say(text: str) -> None:
    sys.stderr.write(f"doneotp: {text} …\n")
    sys.stderr.flush()
