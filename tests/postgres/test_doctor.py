"""`doctor` and `config`: every problem with its fix, nothing made and nothing changed by looking."""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from interfaces.cli import doctor
from interfaces.cli.__main__ import main
from interfaces.postgres import migrate
from tests.support.foreign import Foreign
from tests.support.postgres import Cluster
from tests.support.server import Server, environment, run

Examine = Callable[..., tuple[int, dict[str, tuple[str, str]]]]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts settings in the place of all that are there."""

    def put(home: Path, **more: str) -> None:
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in environment(home, **more).items():
            monkeypatch.setenv(name, value)

    return put


@pytest.fixture
def examine(settings: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> Examine:
    """Runs the doctor; gives its exit status and, of what is a problem, what it says and the fix."""

    def examined(home: Path, **more: str) -> tuple[int, dict[str, tuple[str, str]]]:
        settings(home, **more)
        status = main(["doctor", "--json"])
        document = json.loads(capsys.readouterr().out)
        problems = [check for check in document["checks"] if check["status"] == "problem"]
        assert document["healthy"] == (not problems)
        return status, {check["name"]: (check["detail"], check["fix"]) for check in problems}

    return examined


@pytest.fixture
def url(cluster: Cluster) -> Iterator[str]:
    """A migrated database elsewhere."""
    with cluster.database() as name:
        yield cluster.url(name)


def test_where_nothing_is_yet_all_is_well_and_nothing_is_made(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path / "a" / "home")
    status = main(["doctor"])
    lines = capsys.readouterr().out.splitlines()
    assert (status, [line.split("  ")[0] for line in lines[:-1]], lines[-1]) == (0, ["ok"] * 6, "all is well")
    assert sum("not made yet" in line for line in lines) == 3
    assert not (tmp_path / "a").exists()


def test_a_stopped_system_is_well_and_stopped_afterwards(
    settings: Callable[..., None], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(home)
    before = sorted(path.name for path in home.iterdir())
    status = main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    names = [check["name"] for check in document["checks"]]
    assert (status, document["healthy"], sorted(path.name for path in home.iterdir())) == (0, True, before)
    assert names == [
        *(
            "settings",
            "home",
            "secret key",
            "disk",
            "port",
            "database",
            "writable",
            "clock",
            "durability",
            "migrations",
            "seal",
        )
    ]
    assert not (home / "postgres" / "postmaster.pid").exists()


def test_a_running_system_is_well_and_its_port_is_its_own(serve: Callable[..., Server]) -> None:
    server = serve()
    port = server.base_url.rpartition(":")[2]
    more = {"DONEOTP_PORT": port, "DONEOTP_DATABASE_URL": server.environment["DONEOTP_DATABASE_URL"]}
    examined = run("doctor", home=server.home, **more)
    assert (examined.status, f"a server is running, process {server.pid}" in examined.stdout) == (0, True)


def test_settings_that_cannot_be_used_are_told_and_nothing_else_is_looked_at(examine: Examine, tmp_path: Path) -> None:
    status, found = examine(tmp_path / "home", DONEOTP_HOEM="x")
    problem = "DONEOTP_HOEM is not a setting; did you mean DONEOTP_HOME?"
    assert (status, found) == (1, {"settings": (problem, "set or unset it; ./doneotp config shows all")})


def test_a_home_open_to_others(examine: Examine, tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    assert examine(tmp_path) == (1, {"home": (f"{tmp_path} can be written to by others", f"run: chmod 700 {tmp_path}")})


def test_a_home_that_is_a_file(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    status, found = examine(tmp_path / "file")
    assert (status, found["home"]) == (1, (f"{tmp_path}/file is not a directory", "set another DONEOTP_HOME"))


def test_a_secret_that_others_can_read(examine: Examine, tmp_path: Path) -> None:
    key = tmp_path / "secret_key"
    key.write_text("k" * 40)
    key.chmod(0o644)
    assert examine(tmp_path) == (1, {"secret key": (f"{key} can be read by others", f"run: chmod 600 {key}")})


def test_a_secret_that_is_lost_while_its_database_is_there(examine: Examine, home: Path) -> None:
    (home / "secret_key").unlink()
    status, found = examine(home)
    assert (status, set(found), (home / "secret_key").exists()) == (1, {"secret key"}, False)
    assert found["secret key"][0] == f"{home}/secret_key is missing, but the database that depends on it is there"


def test_a_full_disk(examine: Examine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1024**3 - 1))
    assert examine(tmp_path) == (1, {"disk": (f"1.0 GiB free at {tmp_path}", "make room: at least 1 GiB")})


def test_a_port_that_is_taken(examine: Examine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, found = examine(tmp_path, DONEOTP_PORT=str(port))
    problem = f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert (status, found) == (1, {"port": (problem, "set another DONEOTP_PORT; 0 picks a free one")})


def test_a_host_that_is_not_here(examine: Examine, tmp_path: Path) -> None:
    status, found = examine(tmp_path, DONEOTP_HOST="192.0.2.1", DONEOTP_PORT="8123")
    problem = "cannot listen on 192.0.2.1:8123: Cannot assign requested address"
    assert (status, found) == (1, {"port": (problem, "set another DONEOTP_HOST")})


def test_a_directory_that_is_not_our_database(examine: Examine, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    status, found = examine(tmp_path, DONEOTP_SECRET_KEY="k" * 40)
    assert (status, found) == (
        1,
        {"database": (f"{tmp_path}/postgres is not a database that doneotp made", "move it away")},
    )


def test_a_database_that_does_not_answer(examine: Examine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    status, found = examine(tmp_path, DONEOTP_DATABASE_URL=f"postgresql://ann:hidden@127.0.0.1:{port}/x")
    assert (status, found) == (
        1,
        {"database": (f"nothing answers at 127.0.0.1:{port}", "start it, or correct DONEOTP_DATABASE_URL")},
    )


def test_a_database_that_does_not_let_us_in(examine: Examine, foreign: Foreign, tmp_path: Path) -> None:
    status, found = examine(tmp_path, DONEOTP_DATABASE_URL=foreign.url("absent", role="stranger"))
    assert (status, set(found), "does not let stranger into absent" in found["database"][0]) == (1, {"database"}, True)


def test_a_database_that_may_forget(examine: Examine, foreign: Foreign, tmp_path: Path) -> None:
    with foreign.database() as url, foreign.configured("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync"):
        status, found = examine(tmp_path, DONEOTP_DATABASE_URL=url)
    assert (status, found) == (
        1,
        {
            "durability": (
                "fsync is off: acknowledged verifications could be lost",
                "set fsync = on for the server, the database and the role",
            )
        },
    )


def test_a_new_database_elsewhere_is_well_and_stays_empty(
    settings: Callable[..., None], foreign: Foreign, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with foreign.database() as url:
        settings(tmp_path, DONEOTP_DATABASE_URL=url)
        statuses = [main(["doctor"]), main(["doctor"])]
    assert (statuses, capsys.readouterr().out.count("not made yet: serve makes the tables")) == ([0, 0], 2)


def test_clocks_that_are_apart(examine: Examine, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "time", SimpleNamespace(time=lambda: time.time() - 3.5))
    status, found = examine(tmp_path, DONEOTP_DATABASE_URL=url)
    problem = "ours and the database's are 3.5 s apart"
    assert (status, found) == (1, {"clock": (problem, "let both machines keep time by NTP")})


def test_clocks_that_are_less_than_two_seconds_apart_will_do(
    examine: Examine, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "time", SimpleNamespace(time=lambda: time.time() + 1.5))
    assert examine(tmp_path, DONEOTP_DATABASE_URL=url) == (0, {})


def test_migrations_that_were_not_applied(
    examine: Examine, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = migrate._files(migrate.DIRECTORY)
    more = (len(files) + 1, Path("9999_later.sql"), b"SELECT 1")
    monkeypatch.setattr(migrate, "_files", lambda directory: [*files, more])
    status, found = examine(tmp_path, DONEOTP_DATABASE_URL=url)
    problem = ("9999_later not applied", "start serve again, which applies them")
    assert (status, found) == (1, {"migrations": problem})


def test_a_database_of_a_newer_version(examine: Examine, cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as name:
        cluster.execute("INSERT INTO doneotp.migrations VALUES (9999, '9999_later', '')", database=name)
        status, found = examine(tmp_path, DONEOTP_DATABASE_URL=cluster.url(name))
    problem = ("the database has migration 9999_later, which this version does not know", "upgrade")
    assert (status, found) == (1, {"migrations": problem})


def test_a_database_that_takes_no_writes(examine: Examine, cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database() as name:
        cluster.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        status, found = examine(tmp_path, DONEOTP_DATABASE_URL=cluster.url(name))
    problem = ("the database takes no writes", "point DONEOTP_DATABASE_URL at the primary")
    assert (status, found) == (1, {"writable": problem})


def test_a_problem_and_its_fix_are_two_lines_for_people(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path, DONEOTP_PORT="x")
    status = main(["doctor"])
    assert (status, capsys.readouterr().out.splitlines()) == (
        1,
        [
            "PROBLEM  settings    DONEOTP_PORT: must be 0 to 65535; 0 picks a free port",
            "                fix: set or unset it; ./doneotp config shows all",
            "not all is well",
        ],
    )


# config


def configuration(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    status = main(["config", "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_config_says_the_same_twice_and_makes_nothing(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path / "home", DONEOTP_PORT="9000")
    status, document = configuration(capsys)
    rows = {row["name"]: (row["value"], row["source"]) for row in document["settings"]}
    assert (status, document["problems"], rows["DONEOTP_PORT"]) == (0, [], ("9000", "environment"))
    assert (rows["DONEOTP_HOST"], rows["DONEOTP_SECRET_KEY"]) == (("127.0.0.1", "default"), ("unset", "default"))
    assert (configuration(capsys), (tmp_path / "home").exists()) == ((0, document), False)


def test_config_works_with_nothing_set_at_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in list(os.environ):
        monkeypatch.delenv(name)
    empty = configuration(capsys)
    monkeypatch.setenv("HOME", "")
    assert (empty[0], configuration(capsys)) == (0, empty)


def test_config_knows_the_secret_that_is_kept(
    settings: Callable[..., None], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(home)
    _, document = configuration(capsys)
    (row,) = (row for row in document["settings"] if row["name"] == "DONEOTP_SECRET_KEY")
    assert (row["value"], row["source"]) == ("set", "DONEOTP_HOME")
    assert (home / "secret_key").read_text().strip() not in json.dumps(document)


def test_config_lists_problems_and_refuses(
    settings: Callable[..., None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings(tmp_path, DONEOTP_PROT="1", DONEOTP_ENV="prod")
    told = [
        "DONEOTP_PROT is not a setting; did you mean DONEOTP_PORT?",
        "DONEOTP_ENV: must be development or production",
    ]
    status, document = configuration(capsys)
    assert (status, document["problems"]) == (1, told)
    assert (main(["config"]), capsys.readouterr().out.splitlines()[-2:]) == (
        1,
        [f"PROBLEM  {problem}" for problem in told],
    )
