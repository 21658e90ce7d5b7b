"""One server for the documents, with the embedded Postgres that they speak of."""

from collections.abc import Iterator

import pytest

from tests.support.server import Server, serving


@pytest.fixture(scope="session")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """What `./doneotp serve` of the documents starts; nothing else writes to it."""
    with serving(tmp_path_factory.mktemp("docs") / "home") as running:
        yield running
