"""The real server under many callers, with one and with two processes that write."""

from collections.abc import Iterator

import pytest

from tests.support.books import assert_sound, log_of
from tests.support.postgres import Cluster
from tests.support.server import Server, serving


@pytest.fixture(scope="session", params=[1, 2], ids=["one-writer", "two-writers"])
def racing(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("racing") / "home"
    with (
        cluster.database() as name,
        serving(home, workers=request.param, more={"DONEOTP_DATABASE_URL": cluster.url(name)}) as server,
    ):
        yield server


@pytest.fixture
def key(racing: Server) -> Iterator[str]:
    """The key of an account of the test's own, whose log must be sound when the test ends."""
    key = racing.open_account(10).keys["sk_live"]
    yield key
    assert_sound(log_of(racing, key))
