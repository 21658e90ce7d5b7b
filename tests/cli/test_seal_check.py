"""What `doctor` says of the seal, each problem with its fix."""

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from interfaces.sealing import FILE
from tests.projections.transparency.sealing import House
from tests.support.log_reader import LogReader, unsealed
from tests.support.postgres import Cluster
from tests.support.server import run, serving, wait_for


def seal(home: Path, url: str) -> tuple[str, str, str]:
    """Status, detail and fix of the check."""
    ended = run("doctor", "--json", home=home, DONEOTP_DATABASE_URL=url)
    (check,) = [check for check in json.loads(ended.stdout)["checks"] if check["name"] == "seal"]
    return check["status"], check["detail"], check.get("fix", "")


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Path, str, str]]:
    """A home and its database, used and stopped: the home, the URL, and how to reach it."""
    home = tmp_path / "home"
    with cluster.database() as name:
        url = cluster.url(name)
        with serving(home, more={"DONEOTP_DATABASE_URL": url}) as server:
            LogReader(server).sealed(2)
            server.stop()
        yield home, url, cluster.conninfo(name)


def damage(conninfo: str, statement: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        assert connection.execute(statement.encode()).rowcount != 0


def test_a_seal_that_holds_is_well_also_where_nothing_is_remembered(place: tuple[Path, str, str]) -> None:
    home, url, _ = place
    assert seal(home, url) == ("ok", "the log over all logs is signed up to 2", "")
    (home / FILE).unlink()
    assert seal(home, url) == ("ok", "nothing is remembered here", "")


def test_what_is_recorded_and_not_yet_sealed_on_a_stopped_system_waits(place: tuple[Path, str, str]) -> None:
    home, url, _ = place
    with serving(home, more={"DONEOTP_DATABASE_URL": url}) as server, unsealed(server.conninfo):
        server.open_account()
        server.stop()
    status, detail, fix = seal(home, url)
    assert (status, detail.partition("; ")[2], fix) == ("ok", "7 events wait for the next start", "")


def test_a_sealer_that_stays_behind_is_told(place: tuple[Path, str, str]) -> None:
    home, url, _ = place
    with serving(home, more={"DONEOTP_DATABASE_URL": url}) as server, unsealed(server.conninfo):
        server.open_account()
        status, detail, fix = seal(home, url)
        assert (status, detail, "server.log" in fix) == ("problem", "7 events are not sealed", True)


def test_a_fork_is_told(place: tuple[Path, str, str]) -> None:
    home, url, conninfo = place
    damage(conninfo, "UPDATE doneotp.tiles SET hashes = sha256(hashes) || substr(hashes, 33) WHERE log = ''")
    status, detail, fix = seal(home, url)
    assert (status, "does not continue what was signed" in detail, "docs/auditors.md" in fix) == ("problem", True, True)


def test_a_log_that_lost_its_end_is_told(place: tuple[Path, str, str]) -> None:
    home, url, conninfo = place
    damage(conninfo, "UPDATE doneotp.heads SET position = position - 1")
    assert seal(home, url)[0] == "problem"


@pytest.mark.parametrize("how", ["damaged", "a directory"])
def test_a_memory_that_cannot_be_read_is_told(place: tuple[Path, str, str], how: str) -> None:
    home, url, _ = place
    (home / FILE).unlink()
    if how == "damaged":
        (home / FILE).write_text("x")
    else:
        (home / FILE).mkdir()
    status, detail, fix = seal(home, url)
    assert (status, FILE in detail, bool(fix)) == ("problem", True, True)


def test_sealing_goes_on_when_its_memory_can_be_written_again(place: tuple[Path, str, str]) -> None:
    home, url, _ = place
    kept = (home / FILE).read_bytes()
    (home / FILE).unlink()
    (home / FILE).mkdir()
    with serving(home, more={"DONEOTP_DATABASE_URL": url}) as server:
        server.open_account()
        log = home / "logs" / "server.log"
        wait_for(lambda: '"part":"sealer"' in log.read_text())
        (home / FILE).rmdir()
        (home / FILE).write_bytes(kept)
        LogReader(server).sealed(4)


def test_it_may_be_asked_beside_the_one_that_seals(conninfo: str, tmp_path: Path) -> None:
    """And never calls a log forked because it grows meanwhile."""
    with House(conninfo, tmp_path).open() as house:
        sealer, beside = house.sealer(), house.sealer()
        sealer.once(house.keys)
        ending = threading.Event()

        def seal_on() -> None:
            while not ending.is_set():
                sealer.once(house.keys)

        thread = threading.Thread(target=seal_on)
        thread.start()
        with contextlib.ExitStack() as stack:
            stack.callback(thread.join)
            stack.callback(ending.set)
            for _ in range(40):
                house.sends(3)
                beside.examine(house.keys)
