"""Homes to start Postgres in, and a Postgres that is not ours."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from interfaces.postgres import binaries
from tests.support import foreign as foreign_servers
from tests.support.foreign import Foreign
from tests.support.postgres import copy_home, scratch_home
from tests.support.server import run


@pytest.fixture(scope="session")
def places() -> Iterator[Callable[[], Path]]:
    """Gives directories that nobody but us may enter."""
    with scratch_home() as parent:
        parent.mkdir(mode=0o700)
        numbers = count(1)

        def place() -> Path:
            path = parent / str(next(numbers))
            path.mkdir(mode=0o700)
            return path

        yield place


@pytest.fixture
def place(places: Callable[[], Path]) -> Path:
    """One such directory."""
    return places()


@pytest.fixture(scope="session")
def made_home(places: Callable[[], Path]) -> Path:
    """A home whose database is there and stopped. To copy from."""
    home = places() / "home"
    assert run("accounts", "list", home=home).status == 0
    return home


@pytest.fixture
def home(made_home: Path, place: Path) -> Path:
    """A home of the test's own, whose database is there and stopped."""
    copy_home(made_home, place / "home")
    return place / "home"


@pytest.fixture(scope="session")
def open_places() -> Iterator[Callable[[], Path]]:
    """Gives directories that everybody may enter."""
    with scratch_home() as parent:
        parent.mkdir(mode=0o755)
        parent.parent.chmod(0o755)
        numbers = count(1)

        def place() -> Path:
            path = parent / str(next(numbers))
            path.mkdir(mode=0o755)
            return path

        yield place


@pytest.fixture(scope="session")
def foreign(open_places: Callable[[], Path]) -> Iterator[Foreign]:
    """A Postgres with a configuration of its own."""
    with foreign_servers.running(binaries.location() / "pginstall" / "bin", open_places() / "data") as server:
        yield server
