"""What tests of every kind may ask for: a database of their own, and the real server."""

import contextlib
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import hypothesis
import pytest

from tests.support import postgres
from tests.support.postgres import Cluster
from tests.support.server import Server, serving

# How long an example takes says something of the machine, which others may share.
hypothesis.settings.register_profile("shared", deadline=None)
hypothesis.settings.load_profile("shared")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", default=2, type=int, help="how often tests/faults kills each process")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The one Postgres of this test run."""
    with postgres.scratch_home() as home, postgres.cluster(home) as running:
        yield running


@pytest.fixture
def conninfo(cluster: Cluster) -> Iterator[str]:
    """A migrated database of the test's own."""
    with cluster.database() as name:
        yield cluster.conninfo(name)


@pytest.fixture(scope="session")
def server(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that all tests share: open an account of your own on it, use numbers that no other test uses."""
    home = tmp_path_factory.mktemp("server") / "home"
    with cluster.database() as name, serving(home, more={"DONEOTP_DATABASE_URL": cluster.url(name)}) as running:
        yield running


@pytest.fixture
def serve(cluster: Cluster, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers of the test's own: `serve(workers=2, DONEOTP_ENV="production")`.

    Each has a fresh database on the shared Postgres; with `embedded=True` it brings its own. With `home=` it starts on
    what an earlier one left there.
    """
    numbers = count(1)
    with contextlib.ExitStack() as stack:

        def start(*, workers: int = 1, home: Path | None = None, embedded: bool = False, **more: str) -> Server:
            if not embedded and "DONEOTP_DATABASE_URL" not in more:
                more["DONEOTP_DATABASE_URL"] = cluster.url(stack.enter_context(cluster.database()))
            home = home or tmp_path / f"home-{next(numbers)}"
            return stack.enter_context(serving(home, workers=workers, more=more))

        yield start
