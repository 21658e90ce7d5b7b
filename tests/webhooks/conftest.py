"""An office on a database of the test's own."""

from collections.abc import Iterator

import pytest

from tests.webhooks.office import Office, office


@pytest.fixture
def desk(conninfo: str) -> Iterator[Office]:
    with office(conninfo) as opened:
        yield opened
        assert opened.failures == []
