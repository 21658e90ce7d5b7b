"""A ledger with something in it, and a connection on which views are made."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from interfaces import projecting
from tests.support.business import Business
from tests.support.postgres import Cluster


@pytest.fixture
def business(conninfo: str) -> Iterator[Business]:
    """Two logs, a few hundred events."""
    there = Business(conninfo)
    there.go_on(400)
    yield there
    there.close()


@pytest.fixture
def connection(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    with projecting.connect(conninfo) as open_one:
        yield open_one


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often to kill."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def url(cluster: Cluster, conninfo: str) -> str:
    """The database as a setting names it."""
    return cluster.url(str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]))
