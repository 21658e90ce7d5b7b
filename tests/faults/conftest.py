"""A Postgres of these tests' own: to freeze, to kill and to start again under those who use it."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from interfaces.postgres.binaries import EmbeddedUnavailable
from interfaces.postgres.embedded import EmbeddedPostgres
from tests.support import postgres
from tests.support.postgres import Cluster
from tests.support.receiver import Receiver, receiving

START_SECONDS_MAX = 60.0


class Fragile:
    """A server as an operator has it somewhere else: who uses it knows an address and nothing more."""

    def __init__(self, home: Path) -> None:
        self._server = EmbeddedPostgres(home, report=lambda text: None)
        self._server.start()
        self.cluster = Cluster(home)

    def processes(self) -> list[psutil.Process]:
        """The postmaster, and then its children."""
        with psycopg.connect(self.cluster.conninfo()) as connection:
            postmaster = psutil.Process(connection.info.backend_pid).parent()
        assert postmaster is not None, "a backend has a parent"
        return [postmaster, *postmaster.children(recursive=True)]

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Nothing is answered and nothing is refused, as when a network swallows every packet."""
        postmaster = self.processes()[0]
        stopped: list[psutil.Process] = []
        try:
            # The postmaster first: from then on no process is born that nobody has seen.
            stopped += _suspended([postmaster])
            stopped += _suspended(postmaster.children(recursive=True))
            yield
        finally:
            for process in reversed(stopped):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def kill(self) -> None:
        """End all of it as a power cut does."""
        processes = self.processes()
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self._server.stop()
        psutil.wait_procs(processes[1:], timeout=START_SECONDS_MAX)

    def start(self) -> None:
        """Bring it back after it was killed; the system may take a moment to let go of what it held."""
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                self._server.start()
            except EmbeddedUnavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
            else:
                return

    def stop(self) -> None:
        self._server.stop()


def _suspended(processes: list[psutil.Process]) -> list[psutil.Process]:
    stopped = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
            stopped.append(process)
    return stopped


@pytest.fixture(scope="session")
def fragile() -> Iterator[Fragile]:
    """Whoever breaks it mends it before the test ends."""
    with postgres.scratch_home() as home:
        server = Fragile(home)
        yield server
        server.stop()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often to kill, each time in mid-load."""
    return int(request.config.getoption("--kills"))
