"""A ledger with a sealer beside it, in the test's own process."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from interfaces.sealing import FileMemory, LogKeys
from projections.transparency.note import Checkpoint, open_checkpoint
from projections.transparency.sealer import LOCK, Memory, Sealer
from projections.transparency.shelf import GLOBAL, Shelf, Tree
from tests.faults.desk import Desk

FILE = "last-checkpoint"


class House:
    """What was recorded through `desk` is sealed by `seal`."""

    def __init__(self, conninfo: str, directory: Path) -> None:
        self.conninfo = conninfo
        self.directory = directory
        self.desk = Desk(conninfo, credits=1_000)
        self.connection = psycopg.connect(conninfo, autocommit=True)
        self.shelf = Shelf(self.rows)
        self.keys = LogKeys(self.desk.keyring, self.rows)
        self._numbers = iter(range(2_000_000, 9_000_000))

    def rows(self, statement: bytes, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        found = self.connection.execute(statement, parameters, binary=True)
        return found.fetchall() if found.description else []

    def damage(self, statement: str) -> None:
        """What a superuser can do who has switched the triggers off."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("SET session_replication_role = replica")
            assert connection.execute(statement.encode()).rowcount != 0

    def sends(self, count: int) -> None:
        """So many messages, each to a number of its own: two events each."""
        futures = [self.desk.writer.submit(self.desk.send(f"+1212{next(self._numbers)}")) for _ in range(count)]
        for future in futures:
            future.result(10)

    def sealer(self, memory: Memory | None = None) -> Sealer:
        """A sealer of the same home, on a connection of its own that nobody closes before the house is left."""
        connection = self._closing.enter_context(psycopg.connect(self.conninfo, autocommit=True))
        return Sealer(connection, memory or FileMemory(self.directory / FILE))

    def end_sealing(self) -> None:
        """The connection of whoever seals ends, as that of a killed process does."""
        self.rows(b"SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE objid = %b", (LOCK,))

    def tree(self, log: str = GLOBAL) -> Tree:
        return self.shelf.trees([log])[log]

    def checkpoint(self, log: str = GLOBAL) -> Checkpoint:
        """The published checkpoint of a log, after its signature was looked at."""
        origin = f"{self.keys.origin}/{log}" if log else self.keys.origin
        return open_checkpoint(self.tree(log).note, self.keys.verifiers, origin=origin)

    @contextlib.contextmanager
    def open(self) -> Iterator["House"]:
        with contextlib.ExitStack() as self._closing, self.connection:
            self._closing.callback(self.desk.close)
            yield self
