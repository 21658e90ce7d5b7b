"""A ledger with something in it, and a connection on which views are made."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from interfaces import projecting
from tests.support.business import Business


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
