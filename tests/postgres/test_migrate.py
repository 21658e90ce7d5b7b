"""Migrations: in order, once, by one process, whole or not at all, and never on a database that they do not fit."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from interfaces.postgres import migrate
from interfaces.postgres.migrate import MigrationRefused
from tests.support.postgres import Cluster

FIRST = "CREATE TABLE doneotp.first (n integer); INSERT INTO doneotp.first VALUES (1)"
SECOND = "UPDATE doneotp.first SET n = n + 1; CREATE TABLE doneotp.second ()"


@pytest.fixture
def empty(cluster: Cluster) -> Iterator[str]:
    """A database in which nothing is."""
    with cluster.database("template0") as name:
        yield cluster.conninfo(name)


@pytest.fixture
def files(tmp_path: Path) -> Callable[..., Path]:
    """Writes migrations and returns their directory."""

    def write(*texts: str) -> Path:
        for number, text in enumerate(texts, 1):
            (tmp_path / f"{number:04}_step.sql").write_text(text)
        return tmp_path

    return write


def rows(conninfo: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo) as connection:
        return connection.execute(statement.encode()).fetchall()


def tables(conninfo: str) -> set[str]:
    return {str(name) for (name,) in rows(conninfo, "SELECT tablename FROM pg_tables WHERE schemaname = 'doneotp'")}


def test_they_are_applied_in_order_and_remembered(empty: str, files: Callable[..., Path]) -> None:
    assert migrate.up(empty, directory=files(FIRST, SECOND)) == ["0001_step", "0002_step"]
    assert (rows(empty, "SELECT n FROM doneotp.first"), tables(empty)) == ([(2,)], {"first", "second", "migrations"})


def test_only_what_is_new_is_applied(empty: str, files: Callable[..., Path]) -> None:
    migrate.up(empty, directory=files(FIRST))
    assert migrate.up(empty, directory=files(FIRST)) == []
    assert migrate.up(empty, directory=files(FIRST, SECOND)) == ["0002_step"]
    assert rows(empty, "SELECT n FROM doneotp.first") == [(2,)]


def test_pending_ones_are_named_and_left(empty: str, files: Callable[..., Path]) -> None:
    directory = files(FIRST, SECOND)
    with psycopg.connect(empty) as connection:
        before = (migrate.pending(connection, directory=directory), migrate.is_empty(connection))
    assert (before, tables(empty)) == ((["0001_step", "0002_step"], True), set())
    migrate.up(empty, directory=directory)
    with psycopg.connect(empty) as connection:
        assert (migrate.pending(connection, directory=directory), migrate.is_empty(connection)) == ([], False)


def test_a_file_that_changed_after_it_was_applied_is_refused(empty: str, files: Callable[..., Path]) -> None:
    migrate.up(empty, directory=files(FIRST))
    with pytest.raises(
        MigrationRefused, match="migration 0001_step was changed after it was applied; restore the file"
    ):
        migrate.up(empty, directory=files(f"{FIRST} ", SECOND))
    assert tables(empty) == {"first", "migrations"}


def test_a_database_of_a_newer_version_is_refused(empty: str, files: Callable[..., Path], tmp_path: Path) -> None:
    migrate.up(empty, directory=files(FIRST, SECOND))
    (tmp_path / "0002_step.sql").unlink()
    with pytest.raises(
        MigrationRefused, match="the database has migration 0002_step, which this version does not know; upgrade"
    ):
        migrate.up(empty, directory=tmp_path)


def test_one_that_fails_leaves_nothing_and_those_before_it_stay(empty: str, files: Callable[..., Path]) -> None:
    failing = "CREATE TABLE doneotp.half (); SELECT 1 / 0"
    with pytest.raises(MigrationRefused, match="migration 0002_step failed and left nothing behind: division by zero"):
        migrate.up(empty, directory=files(FIRST, failing))
    assert tables(empty) == {"first", "migrations"}
    assert migrate.up(empty, directory=files(FIRST, SECOND)) == ["0002_step"]


def test_many_at_once_apply_each_once(empty: str, files: Callable[..., Path]) -> None:
    directory = files(FIRST, *(f"SELECT pg_sleep(0.01); UPDATE doneotp.first SET n = n + 1 -- {n}" for n in range(5)))
    with ThreadPoolExecutor(8) as pool:
        applied = list(pool.map(lambda _: migrate.up(empty, directory=directory), range(8)))
    names = sorted(name for names in applied for name in names)
    assert (names, rows(empty, "SELECT n FROM doneotp.first")) == ([f"000{n}_step" for n in range(1, 7)], [(6,)])


def test_one_that_waits_for_another_process_too_long_says_so(
    empty: str, files: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "LOCK_SECONDS_MAX", 1)
    directory = files(FIRST)
    with psycopg.connect(empty) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (migrate._LOCK,))
        with pytest.raises(MigrationRefused, match="another process has been migrating for too long"):
            migrate.up(empty, directory=directory)
    assert migrate.up(empty, directory=directory) == ["0001_step"]


def test_a_role_without_the_right_is_told_what_it_lacks(cluster: Cluster, empty: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(empty)["dbname"]
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(MigrationRefused, match="cannot execute CREATE SCHEMA in a read-only transaction"):
        migrate.up(empty)


def test_who_finds_nothing_to_do_needs_no_right_to_change_anything(cluster: Cluster, conninfo: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]
    cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert migrate.up(conninfo) == []


def test_a_gap_in_the_numbers_is_a_fault_of_ours(empty: str, files: Callable[..., Path], tmp_path: Path) -> None:
    files(FIRST, SECOND)
    (tmp_path / "0001_step.sql").unlink()
    with pytest.raises(AssertionError, match="without a gap"):
        migrate.up(empty, directory=tmp_path)


def test_the_real_ones_fit_an_empty_database(empty: str) -> None:
    applied = migrate.up(empty)
    assert (applied, tables(empty) >= {"events", "heads"}) == ([path.stem for path in real()], True)


def real() -> list[Path]:
    return sorted(migrate.DIRECTORY.glob("*.sql"))
