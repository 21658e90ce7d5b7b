"""Who runs the database and who uses it: `serve` and commands side by side, signals at every moment, any Postgres from 15."""

import functools
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from interfaces.postgres import durability
from interfaces.postgres.database import AlreadyServing, DatabaseUnavailable, database
from interfaces.settings import load
from tests.support import foreign as foreign_servers
from tests.support.foreign import Foreign
from tests.support.postgres import Cluster
from tests.support.server import ROOT, Server, environment, run, wait_for

NUMBER = "+14155552671"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")


def is_running(home: Path) -> bool:
    """Whether a Postgres listens in this home."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        return client.connect_ex(str(home / "postgres" / ".s.PGSQL.5432")) == 0


def opened(home: Path, name: str) -> int:
    return run("accounts", "open", "--name", name, home=home).status


def has_grown(values: list[int], length: int) -> bool:
    return len(values) > length


def names(home: Path) -> set[str]:
    return {account["name"] for account in json.loads(run("accounts", "list", "--json", home=home).stdout)["accounts"]}


# One serve.


def test_a_second_serve_says_who_is_first_and_the_first_does_not_notice(
    serve: Callable[..., Server], home: Path
) -> None:
    first = serve(embedded=True, home=home)
    second = run("serve", "--json", home=home)
    document = json.loads(second.stdout)["error"]
    assert (second.status, document["code"]) == (1, "already_serving")
    assert document["detail"] == f"a server is running on {home} already, process {first.pid}."
    assert first.get("/readyz").status == 200


def test_a_second_serve_is_refused_on_a_database_elsewhere_too(serve: Callable[..., Server]) -> None:
    first = serve()
    second = run("serve", home=first.home, DONEOTP_DATABASE_URL=first.environment["DONEOTP_DATABASE_URL"])
    assert (second.status, f"process {first.pid}" in second.stderr) == (1, True)


# Stopping.


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)],
    ids=["SIGTERM", "SIGINT", "SIGTERM with workers"],
)
def test_a_running_server_ends_well_on_a_signal_and_takes_postgres_along(
    number: int, workers: int, serve: Callable[..., Server], home: Path
) -> None:
    server = serve(embedded=True, home=home, workers=workers)
    was_running = is_running(home)
    server.signal(number)
    assert (server.wait_end(), was_running, is_running(home), server.ready_file.exists()) == (0, True, False, False)


MOMENTS = {
    "while initdb runs": ("postgres.new/PG_VERSION", signal.SIGTERM),
    "before postgres starts": ("postgres/pg_ident.conf", signal.SIGTERM),
    "while postgres starts": ("postgres/postmaster.pid", signal.SIGINT),
    "while it migrates": ("postgres/.s.PGSQL.5432", signal.SIGTERM),
}


@pytest.mark.parametrize(("file", "number"), MOMENTS.values(), ids=MOMENTS)
def test_a_starting_server_ends_well_on_a_signal_and_the_next_one_starts(file: str, number: int, place: Path) -> None:
    home = place / "home"
    server = Server(home)
    wait_for((home / file).exists)
    server.signal(number)
    assert (server.wait_end(), server.said.replace("doneotp: making the database …\n", "")) == (0, "")
    assert (is_running(home), opened(home, "After")) == (False, 0)


def test_impatience_changes_nothing(serve: Callable[..., Server], home: Path) -> None:
    server = serve(embedded=True, home=home)
    for _ in range(20):
        server.signal(signal.SIGINT)
        server.signal(signal.SIGTERM)
        try:
            server.process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue
        break
    assert (server.wait_end(), is_running(home)) == (0, False)


# Commands.


def test_a_command_alone_starts_postgres_and_stops_it(home: Path) -> None:
    assert (opened(home, "Alone"), is_running(home), names(home)) == (0, False, {"Alone"})


def test_ten_commands_at_once_all_do_their_work(home: Path) -> None:
    wanted = [f"Account {number}" for number in range(10)]
    with ThreadPoolExecutor(10) as pool:
        statuses = list(pool.map(lambda name: opened(home, name), wanted))
    assert (statuses, is_running(home), names(home)) == ([0] * 10, False, set(wanted))


def test_commands_work_while_a_server_starts_runs_and_stops(serve: Callable[..., Server], home: Path) -> None:
    statuses: list[int] = []
    ended = threading.Event()

    def administer(name: str) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            statuses.append(opened(home, f"{name} {number}"))

    threads = [threading.Thread(target=administer, args=(name,)) for name in ("First", "Second")]
    for thread in threads:
        thread.start()
    try:
        server = serve(embedded=True, home=home)
        wait_for(functools.partial(has_grown, statuses, len(statuses)))
        server.stop()
        wait_for(functools.partial(has_grown, statuses, len(statuses)))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert (set(statuses), len(names(home)), is_running(home)) == ({0}, len(statuses) + 1, False)


def test_who_runs_postgres_waits_for_those_who_use_it(home: Path) -> None:
    settings = load(environment(home))
    began, may_end = threading.Event(), threading.Event()
    seen: list[bool] = []

    def use() -> None:
        with database(settings, serve=False) as conninfo, psycopg.connect(conninfo, autocommit=True) as connection:
            began.set()
            may_end.wait()
            seen.append(connection.execute("SELECT true").fetchone() == (True,))

    user = threading.Thread(target=use)
    runner = threading.Thread(target=_run_until, args=(settings, user, began))
    runner.start()
    assert began.wait(60)
    closing = (home / "users.lock").read_text
    wait_for(lambda: closing() == "closing\n")
    may_end.set()
    user.join()
    runner.join()
    assert (seen, is_running(home)) == ([True], False)


def _run_until(settings: object, user: threading.Thread, began: threading.Event) -> None:
    with database(settings, serve=False):  # type: ignore[arg-type]
        user.start()
        began.wait()


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = load(environment(tmp_path / "file" / "home"))
    with (
        pytest.raises(DatabaseUnavailable, match=r"file/home cannot be used: Not a directory"),
        database(settings, serve=True),
    ):
        pass


def test_the_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    settings = load(environment(tmp_path, DONEOTP_DATABASE_URL="postgresql://nowhere/x"))
    program = (
        "import time; from interfaces import settings; from interfaces.postgres.database import database\n"
        "with database(settings.current(), serve=True): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(tmp_path, DONEOTP_DATABASE_URL="postgresql://nowhere/x"),
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyServing, match=f"process {holder.pid}"), database(settings, serve=True):
            pass
        holder.kill()
        holder.wait()
    with database(settings, serve=True) as conninfo:
        assert conninfo == "postgresql://nowhere/x"


KEPT_OUT = {
    "settings": ({"DONEOTP_PROT": "1"}, "settings_invalid"),
    "secret": ({"DONEOTP_SECRET_KEY": "short"}, "settings_invalid"),
    "home": ({"DONEOTP_HOME": "/dev/null/home"}, "cannot_start"),
    "home for the log": ({"DONEOTP_HOME": "/dev/null/home", "DONEOTP_SECRET_KEY": "k" * 40}, "cannot_start"),
    "database": ({"DONEOTP_DATABASE_URL": "postgresql://127.0.0.1:1/x"}, "database_unreachable"),
}


@pytest.mark.parametrize("words", [("serve",), ("accounts", "list")], ids=" ".join)
@pytest.mark.parametrize("name", KEPT_OUT)
def test_every_command_says_what_keeps_it_from_its_database(name: str, words: tuple[str, ...], place: Path) -> None:
    more, code = KEPT_OUT[name]
    ended = run(*words, "--json", home=place / "home", **more)
    error = json.loads(ended.stdout)["error"]
    assert (ended.status, error["code"], bool(error["fix"])) == (1, code, True)


def test_commands_refuse_a_postgres_that_may_forget_too(foreign: Foreign, place: Path) -> None:
    change, undo = FORGETFUL["fsync"]
    with foreign.database() as url, foreign.configured(change, undo):
        ended = run("accounts", "open", "--name", "A", "--json", home=place / "home", DONEOTP_DATABASE_URL=url)
    assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, "database_forgetful")


# What may forget is refused.

FORGETFUL = {
    "fsync": ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM RESET fsync"),
    "full_page_writes": ("ALTER SYSTEM SET full_page_writes = off", "ALTER SYSTEM RESET full_page_writes"),
    "synchronous_commit": ("ALTER SYSTEM SET synchronous_commit = off", "ALTER SYSTEM RESET synchronous_commit"),
    "synchronous_commit of the role": ("ALTER ROLE app SET synchronous_commit = off", "ALTER ROLE app RESET ALL"),
    "synchronous_commit of the database": (
        "ALTER DATABASE app SET synchronous_commit = off",
        "ALTER DATABASE app RESET ALL",
    ),
}


@pytest.mark.parametrize("name", FORGETFUL)
def test_serve_refuses_a_postgres_that_may_forget(name: str, foreign: Foreign, tmp_path: Path) -> None:
    change, undo = FORGETFUL[name]
    setting = name.partition(" ")[0]
    with foreign.database() as url, foreign.configured(change, undo):
        ended = run("serve", "--json", home=tmp_path / "home", DONEOTP_DATABASE_URL=url)
    assert (ended.status, json.loads(ended.stdout)) == (
        1,
        {
            "error": {
                "code": "database_forgetful",
                "detail": f"{setting} is off: acknowledged verifications could be lost.",
                "fix": f"set {setting} = on for the server, the database and the role",
            }
        },
    )


def test_the_embedded_postgres_is_refused_too_when_a_role_may_forget(home: Path) -> None:
    with (
        database(load(environment(home)), serve=False) as conninfo,
        psycopg.connect(conninfo, autocommit=True) as connection,
    ):
        connection.execute("ALTER ROLE doneotp SET synchronous_commit = off")
    ended = run("serve", home=home)
    assert (ended.status, "synchronous_commit is off" in ended.stderr, is_running(home)) == (1, True, False)


@pytest.mark.parametrize("value", ["on", "local", "remote_write", "remote_apply"])
def test_what_waits_for_its_own_disk_is_not_refused(value: str, foreign: Foreign) -> None:
    with foreign.database() as url:
        foreign.execute(f"ALTER ROLE app SET synchronous_commit = {value}")
        with psycopg.connect(url) as connection:
            assert durability.problems(connection) == []


def test_an_encoding_that_cannot_hold_every_name_is_refused(cluster: Cluster) -> None:
    cluster.execute(
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE_PROVIDER libc LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        with psycopg.connect(cluster.conninfo("latin")) as connection:
            problem = durability.Problem(
                "the database's encoding is LATIN1", "make the database anew with ENCODING 'UTF8'"
            )
            assert durability.problems(connection) == [problem]
    finally:
        cluster.execute("DROP DATABASE latin WITH (FORCE)")


def test_an_old_version_is_refused(conninfo: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durability, "SERVER_VERSION_MIN", 990_000)
    with psycopg.connect(conninfo) as connection:
        assert durability.problems(connection) == [
            durability.Problem("Postgres 18 is too old", "use Postgres 15 or later"),
        ]


# Any Postgres from 15.


@pytest.fixture(scope="module")
def debian(open_places: Callable[[], Path]) -> Iterator[Foreign]:
    if not (DEBIAN_15 / "initdb").exists():
        pytest.skip(f"there is no Postgres 15 in {DEBIAN_15}")
    with foreign_servers.running(DEBIAN_15, open_places() / "data") as server:
        yield server


def test_everything_works_on_postgres_15_as_a_role_without_rights(
    serve: Callable[..., Server], debian: Foreign
) -> None:
    with debian.database() as url:
        server = serve(workers=2, DONEOTP_DATABASE_URL=url)
        home = server.home
        more = {"DONEOTP_DATABASE_URL": url}
        account = json.loads(
            run("accounts", "open", "--name", "A", "--credits", "2", "--json", home=home, **more).stdout
        )
        key = account["sk_live"]
        sent = server.post("/v1/verify/send", {"phone_number": NUMBER}, key=key)
        code = server.code_for(NUMBER)
        checked = server.post("/v1/verify/check", {"phone_number": NUMBER, "code": code}, key=key)
        validated = server.post("/v1/verify/validate-token", {"token": checked.body["token"]}, key=key)
        balance = server.get("/v1/balance", key=key).body
        examined = run("doctor", "--json", home=home, **more)
        server.stop()
        version = debian.execute("SHOW server_version")[0][0]
    assert (version.split(".")[0], sent.status, checked.body["status"]) == ("15", 200, "verified")
    assert (validated.body["valid"], validated.body["phone_number"]) == (True, "+1415****2671")
    assert (balance["available"], balance["debited"]) == (1, 1)
    assert (examined.status, json.loads(examined.stdout)["healthy"]) == (0, True)
