"""One embedded Postgres for a whole test run, and databases on it that are there in an instant.

A template is migrated once; every test gets a copy of it and drops the copy.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from interfaces.postgres import embedded, migrate
from interfaces.postgres.embedded import EmbeddedPostgres

TEMPLATE = "template_doneotp"
_MEMORY = Path("/dev/shm")
_FREE_BYTES_MIN = 2 * 1024**3
_PREFIX = "doneotp-test-"


class Cluster:
    """A server that runs; its databases are reached as a superuser over its socket."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._names = (f"test_{number}" for number in count(1))
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate.up(self.conninfo(TEMPLATE))

    def conninfo(self, database: str = "postgres") -> str:
        """How to reach a database of it, in libpq's words."""
        return embedded.conninfo(self.home, database=database)

    def url(self, database: str) -> str:
        """The same as a URL, for DONEOTP_DATABASE_URL."""
        parts = psycopg.conninfo.conninfo_to_dict(self.conninfo(database))
        return f"postgresql:///{database}?host={quote(str(parts['host']), safe='')}&port={parts['port']}&user={parts['user']}"

    def execute(self, statement: str, *, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Rows of one statement, outside a transaction."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            rows = connection.execute(statement.encode())
            return rows.fetchall() if rows.description else []

    @contextlib.contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The name of a database of one's own: migrated, or empty with the template `template0`."""
        name = next(self._names)
        # By default a copy goes through the write-ahead log, which takes twice as long.
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        try:
            yield name
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def cluster(home: Path) -> Iterator[Cluster]:
    """A server for as long as the context lasts. Enter it on the main thread: the server lives as long as its thread."""
    server = EmbeddedPostgres(home, report=lambda text: None)
    server.start()
    try:
        yield Cluster(home)
    finally:
        server.stop()


@contextlib.contextmanager
def scratch_home() -> Iterator[Path]:
    """A home that goes when the context ends; in memory where there is room, so that a busy disk slows no test down."""
    is_roomy = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _FREE_BYTES_MIN
    parent = _MEMORY if is_roomy else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*-*"):
        owner = left.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not _is_alive(int(owner)):
            shutil.rmtree(left, ignore_errors=True)  # of a run that was killed: memory does not grow on trees
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent) as directory:
        yield Path(directory) / "home"


def copy_home(source: Path, target: Path) -> None:
    """A copy in which everything belongs to whom it belonged."""
    subprocess.run(["cp", "-a", source, target], check=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
