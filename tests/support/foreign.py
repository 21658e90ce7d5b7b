"""A Postgres that is not ours: any version's programs, its own configuration, reached as an operator's would be, by URL."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from interfaces.postgres import binaries
from interfaces.postgres.binaries import User

START_SECONDS_MAX = 60.0
_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '.'
shared_buffers = 32MB
"""


class Foreign:
    """A running server. Whoever reaches its socket is let in as whatever role they name.

    `data` must lie where everybody may go: unlike ours, it runs as an operator's does.
    """

    def __init__(self, programs: Path, data: Path) -> None:
        self._data = data
        self._user = binaries.service_user() if os.geteuid() == 0 else None
        self._programs = _reachable(programs, data.parent, self._user)
        data.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(data, self._user.uid, self._user.gid)
        made = self._spawn("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C")
        assert made.wait(START_SECONDS_MAX) == 0, (data.parent / "foreign.log").read_text()
        with (data / "postgresql.conf").open("a") as file:
            file.write(_CONFIGURATION)
        self._process = self._spawn("postgres", "-D", str(data))
        self._wait()

    def url(self, database: str, *, role: str = "postgres") -> str:
        return f"postgresql://{role}@/{database}?host={quote(str(self._data), safe='')}"

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows of one statement, outside a transaction."""
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            rows = connection.execute(statement.encode())
            return rows.fetchall() if rows.description else []

    @contextlib.contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, whose owner may do nothing outside of it."""
        self.execute("CREATE ROLE app LOGIN")
        self.execute("CREATE DATABASE app OWNER app")
        try:
            yield self.url("app", role="app")
        finally:
            self.execute("DROP DATABASE app WITH (FORCE)")
            self.execute("DROP ROLE app")

    @contextlib.contextmanager
    def configured(self, change: str, undo: str) -> Iterator[None]:
        """With a setting that an operator may have made."""
        for statement in (change, "SELECT pg_reload_conf()"):
            self.execute(statement)
        try:
            yield
        finally:
            for statement in (undo, "SELECT pg_reload_conf()"):
                self.execute(statement)

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_SECONDS_MAX)

    def _spawn(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        identity: dict[str, Any] = {}
        if self._user is not None:
            identity = {"user": self._user.uid, "group": self._user.gid, "extra_groups": []}
        with (self._data.parent / "foreign.log").open("ab") as log:
            return subprocess.Popen(
                [self._programs / program, *arguments],
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity,
            )

    def _wait(self) -> None:
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            assert self._process.poll() is None, (self._data.parent / "foreign.log").read_text()
            try:
                self.execute("SELECT 1")
            except psycopg.OperationalError:
                assert time.monotonic() < until, "it does not come up"
                time.sleep(0.05)
            else:
                return


def _reachable(programs: Path, beside: Path, user: User | None) -> Path:
    package = programs.parents[1]
    if programs.parent.name != "pginstall":
        return programs  # installed by the system, for everybody
    return binaries.programs_in(package, cache=beside / "programs", user=user)


@contextlib.contextmanager
def running(programs: Path, data: Path) -> Iterator[Foreign]:
    server = Foreign(programs, data)
    try:
        yield server
    finally:
        server.stop()
