"""The database for one process: the configured one, or the embedded one, started by whoever comes first.

Three lock files in DONEOTP_HOME. `server.lock`: one `serve` at a time. `postgres.lock`: its holder runs the embedded Postgres.
`users.lock`: shared by all who use it; whoever runs it waits for them before stopping it.
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

from interfaces.postgres.embedded import EmbeddedPostgres, conninfo
from interfaces.settings import Settings

WAIT_SECONDS_MAX: Final = 120.0
USERS_SECONDS_MAX: Final = 10.0
_POLL_SECONDS: Final = 0.05


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
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if serve:
            stack.enter_context(_serving(settings.home))
        if settings.database_url is not None:
            yield settings.database_url
        elif serve:
            with _running(settings.home, say, wait_seconds=WAIT_SECONDS_MAX):
                yield conninfo(settings.home)
        else:
            with _using(settings.home, say):
                yield conninfo(settings.home)


@contextlib.contextmanager
def _serving(home: Path) -> Iterator[None]:
    with (home / "server.lock").open("a+") as file:
        if not _lock(file, fcntl.LOCK_EX, wait_seconds=0):
            file.seek(0)
            raise AlreadyServing(home, file.read().strip())
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


@contextlib.contextmanager
def _running(home: Path, say: Callable[[str], None], *, wait_seconds: float) -> Iterator[None]:
    """Be the one who runs Postgres; DatabaseUnavailable when another is for too long."""
    with (home / "postgres.lock").open("a") as runner, (home / "users.lock").open("a") as users:
        if not _lock(runner, fcntl.LOCK_EX, wait_seconds=wait_seconds):
            raise DatabaseUnavailable("another command keeps the embedded Postgres; wait for it to end")
        server = EmbeddedPostgres(home, report=say)
        server.start()
        try:
            yield
        finally:
            # Whoever still administers gets a moment to finish; nobody can begin once this lock is held.
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
                users = stack.enter_context((home / "users.lock").open("a"))
                if not _lock(users, fcntl.LOCK_SH, wait_seconds=1) or not _answers(home):
                    stack.close()
                    time.sleep(_POLL_SECONDS)
                    continue
            yield
            return
    raise DatabaseUnavailable("the embedded Postgres is starting or stopping for too long; try again")


def _answers(home: Path) -> bool:
    try:
        psycopg.connect(conninfo(home), connect_timeout=5).close()
    except (psycopg.OperationalError, FileNotFoundError):
        return False
    return True


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
    print(f"doneotp: {text} …", file=sys.stderr, flush=True)
