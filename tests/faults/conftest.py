"""A Postgres of these tests' own: to freeze, to kill and to start again under those who use it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from interfaces.postgres.binaries import EmbeddedUnavailable
from interfaces.postgres.embedded import EmbeddedPostgres
from tests.support.postgres import Cluster

START_SECONDS_MAX = 60.0


class Fragile:
    """A server as an operator has it somewhere else: whoever uses it only knows an address."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedPostgres(home, report=lambda text: None)
        self._server.start()
        self.cluster = Cluster(home)
        self._postmaster = self._find_postmaster()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing is answered and nothing is refused: what a network that swallows packets looks like."""
        stopped: list[psutil.Process] = []
        try:
            # The postmaster first: then no process is born that is not seen.
            stopped.append(self._postmaster)
            self._postmaster.suspend()
            for child in self._postmaster.children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.suspend()
                    stopped.append(child)
            yield
        finally:
            for process in reversed(stopped):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def kill(self) -> None:
        """End all of it as a power cut does."""
        children = self._postmaster.children(recursive=True)
        for process in [self._postmaster, *children]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        psutil.wait_procs(children, timeout=START_SECONDS_MAX)

    def start(self) -> None:
        """Bring it back after it was killed; what it left in memory may take it a moment to let go."""
        self._server.stop()
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self._server.start()
            except EmbeddedUnavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                break
        self._postmaster = self._find_postmaster()

    def stop(self) -> None:
        self._server.stop()

    def _find_postmaster(self) -> psutil.Process:
        ((pid,),) = self.cluster.execute("SELECT pg_backend_pid()")
        with psycopg_backend(self.cluster) as backend:
            parent = psutil.Process(backend).parent()
        assert parent is not None, f"a backend has a parent: {pid}"
        return parent


@contextlib.contextmanager
def psycopg_backend(cluster: Cluster) -> Iterator[int]:
    """The process that serves a connection, for as long as the context lasts."""
    import psycopg

    with psycopg.connect(cluster.conninfo()) as connection:
        yield connection.info.backend_pid


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fragile]:
    """Whole again whenever a test ends."""
    postgres = Fragile(tmp_path_factory.mktemp("fragile") / "home")
    yield postgres
    postgres.stop()
