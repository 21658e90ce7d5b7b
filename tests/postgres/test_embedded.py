"""The embedded Postgres as a process: where it starts, what it refuses, how it ends, and that what it kept is there again."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg.pq import PGconn, Ping

from interfaces.postgres import binaries
from interfaces.postgres.binaries import EmbeddedUnavailable, User
from interfaces.postgres.embedded import EmbeddedPostgres, conninfo
from tests.support.postgres import Cluster, copy_home
from tests.support.server import ROOT, Server, environment, run, wait_for

IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="only root starts Postgres as another user")
SOMEBODY = User("somebody", 12_345, 12_345)


@pytest.fixture
def start(request: pytest.FixtureRequest) -> Callable[..., EmbeddedPostgres]:
    """Starts servers that are stopped when the test ends."""

    def started(home: Path, *, restart_seconds: float | None = None) -> EmbeddedPostgres:
        server = EmbeddedPostgres(home, report=lambda text: None, restart_seconds=restart_seconds)
        request.addfinalizer(server.stop)
        server.start()
        return server

    return started


def postmaster(home: Path) -> psutil.Process:
    """The server's first process."""
    with psycopg.connect(conninfo(home)) as connection:
        parent = psutil.Process(connection.info.backend_pid).parent()
    assert parent is not None, "a backend has a parent"
    return parent


def remember(home: Path, what: str) -> None:
    with psycopg.connect(conninfo(home)) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS remembered (what text)")
        connection.execute("INSERT INTO remembered VALUES (%s)", (what,))


def remembered(home: Path) -> list[str]:
    with psycopg.connect(conninfo(home)) as connection:
        return [what for (what,) in connection.execute("SELECT what FROM remembered")]


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def refusal(home: Path) -> str:
    with pytest.raises(EmbeddedUnavailable) as refused:
        EmbeddedPostgres(home, report=lambda text: None).start()
    return str(refused.value)


# What it is like.


def test_it_keeps_checksums_and_secrets_and_speaks_to_this_machine_alone(cluster: Cluster) -> None:
    names = (
        *("data_checksums", "fsync", "full_page_writes", "synchronous_commit", "server_encoding", "listen_addresses"),
        *("log_statement", "log_min_error_statement", "log_error_verbosity", "log_parameter_max_length_on_error"),
    )
    values = {name: cluster.execute(f"SHOW {name}")[0][0] for name in names}
    assert (values, postmaster(cluster.home).net_connections(kind="inet")) == (
        {
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "log_statement": "none",
            "log_min_error_statement": "panic",
            "log_error_verbosity": "terse",
            "log_parameter_max_length_on_error": "0",
        },
        [],
    )


def test_its_log_names_no_value_of_a_row_that_was_refused(cluster: Cluster) -> None:
    with psycopg.connect(cluster.conninfo()) as connection:
        connection.execute("CREATE TEMPORARY TABLE once (value text PRIMARY KEY)")
        connection.execute("INSERT INTO once VALUES (%s)", ("+14155552672",))
        with pytest.raises(psycopg.errors.UniqueViolation, match="14155552672"):
            connection.execute("INSERT INTO once VALUES (%s)", ("+14155552672",))
    said = (cluster.home / "logs" / "postgres.log").read_text()
    assert ("database system is ready" in said, "14155552672" in said) == (True, False)


def test_a_configuration_file_cannot_make_it_forgetful(home: Path, start: Callable[..., EmbeddedPostgres]) -> None:
    start(home)
    with psycopg.connect(conninfo(home), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("SELECT pg_reload_conf()")
    with psycopg.connect(conninfo(home)) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)


# Where it starts.


@as_root
def test_root_starts_it_as_another_user_behind_closed_doors_and_opens_none(
    home: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    parents = [home, *home.parents]
    before = [stat.S_IMODE(parent.stat().st_mode) for parent in parents]
    start(home)
    process = postmaster(home)
    owner = (home / "postgres").stat().st_uid
    assert (before[:2], process.uids().real, owner) == (
        [0o700, 0o700],
        binaries.service_user().uid,
        process.uids().real,
    )
    assert [stat.S_IMODE(parent.stat().st_mode) for parent in parents] == before


@as_root
def test_root_runs_the_database_of_another_user_as_that_user(
    home: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    nobody = pwd.getpwnam("nobody")
    subprocess.run(["chown", "-R", f"{nobody.pw_uid}:{nobody.pw_gid}", home], check=True)
    start(home)
    remember(home, "as root")
    assert postmaster(home).uids().real == nobody.pw_uid


@as_root
def test_programs_that_the_service_user_cannot_reach_are_copied(
    home: Path, place: Path, start: Callable[..., EmbeddedPostgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    package = binaries.location()
    for directory in (package, package.with_name(f"{package.name}.libs")):
        if directory.exists():
            shutil.copytree(directory, place / directory.name, symlinks=True)
    cache = Path(subprocess.run(["mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
    try:
        cache.chmod(0o755)
        monkeypatch.setattr(binaries, "location", lambda: place / package.name)
        monkeypatch.setattr(binaries, "CACHE", cache / "doneotp")
        start(home)
        (copied,) = (cache / "doneotp").iterdir()
        assert Path(postmaster(home).exe()).is_relative_to(copied)
    finally:
        shutil.rmtree(cache)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package like the one that brings Postgres, as an installation under a closed umask leaves it."""
    package = tmp_path / "site" / "brought"
    (package / "pginstall" / "bin").mkdir(parents=True)
    (package / "pginstall" / "include").mkdir()
    (package / "pginstall" / "bin" / "postgres").write_text("program")
    (package / "pginstall" / "bin" / "postgres").chmod(0o700)
    (package / "pginstall" / "bin" / "postmaster").symlink_to("postgres")
    (package / "pginstall" / "notes").write_text("text")
    (package / "pginstall" / "notes").chmod(0o600)
    (tmp_path / "site" / "brought.libs").mkdir()
    (tmp_path / "site" / "brought.libs" / "libpq.so").write_text("library")
    return package


@pytest.fixture
def cache() -> Iterator[Path]:
    """A place for copies that everybody reaches."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory) / "new" / "postgres-1"


def test_a_copy_is_for_everybody_to_run_whatever_the_umask(package: Path, cache: Path) -> None:
    earlier = os.umask(0o077)
    try:
        programs = binaries.programs_in(package, cache=cache, user=SOMEBODY)
    finally:
        os.umask(earlier)
    modes = {
        str(path.relative_to(cache)): oct(stat.S_IMODE(path.lstat().st_mode))
        for path in (cache.parent, cache, *cache.rglob("*"))
        if path != cache.parent and not path.is_symlink()
    }
    assert programs == cache / "brought/pginstall/bin"
    assert (programs / "postmaster").readlink() == Path("postgres")
    assert stat.S_IMODE(cache.parent.stat().st_mode) == 0o755
    assert modes == {
        ".": "0o755",
        "brought": "0o755",
        "brought.libs": "0o755",
        "brought.libs/libpq.so": "0o644",
        "brought/pginstall": "0o755",
        "brought/pginstall/bin": "0o755",
        "brought/pginstall/bin/postgres": "0o755",
        "brought/pginstall/notes": "0o644",
    }


def test_a_copy_is_made_once_and_left_whole_or_not_at_all(package: Path, cache: Path) -> None:
    binaries.programs_in(package, cache=cache, user=SOMEBODY)
    made = cache.stat().st_ino
    assert binaries.programs_in(package, cache=cache, user=SOMEBODY) == cache / "brought/pginstall/bin"
    assert (cache.stat().st_ino, list(cache.parent.iterdir())) == (made, [cache])


def test_nothing_is_copied_for_ourselves(package: Path, cache: Path) -> None:
    assert binaries.programs_in(package, cache=cache, user=None) == package / "pginstall/bin"
    assert not cache.exists()


def test_programs_that_can_neither_be_reached_nor_copied_are_refused(package: Path, cache: Path) -> None:
    cache.parent.parent.joinpath("new").touch()  # a file where the directory should be
    with pytest.raises(
        EmbeddedUnavailable, match=r"cannot reach .* and it cannot be copied to .*: (Not a directory|File exists)"
    ):
        binaries.programs_in(package, cache=cache, user=SOMEBODY)


@pytest.mark.parametrize("length", [84, 92, 93, 94, 99, 108, 240], ids=str)
def test_it_starts_below_a_path_of_any_length(
    length: int, made_home: Path, place: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    """A socket's whole path may have 107 bytes; `length` is that of the data directory's."""
    parent = place / ("x" * (length - len(str(place)) - len("//h/postgres")))
    parent.mkdir(mode=0o700)
    copy_home(made_home, parent / "h")
    assert len(str(parent / "h" / "postgres")) == length
    start(parent / "h")
    remember(parent / "h", "here")
    assert remembered(parent / "h") == ["here"]


@pytest.mark.parametrize("name", ["a,b", "a b", "a'b\\c", "a%2Fb", "ä"])
def test_it_starts_below_a_path_of_any_characters(
    name: str, made_home: Path, place: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    copy_home(made_home, place / name)
    start(place / name)
    remember(place / name, "here")
    assert remembered(place / name) == ["here"]


def test_workers_reach_it_below_a_path_too_long_for_a_socket(
    serve: Callable[..., Server], made_home: Path, place: Path
) -> None:
    home = place / ("long, and with 'quotes' " + "x" * 150)
    copy_home(made_home, home)
    server = serve(embedded=True, home=home, workers=2)
    assert server.get("/readyz").status == 200
    server.stop()


@as_root
def test_a_user_without_rights_runs_it_as_himself() -> None:
    nobody = pwd.getpwnam("nobody")
    with tempfile.TemporaryDirectory() as directory:
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        more = {
            "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
            "DONEOTP_READY_FILE": f"{directory}/ready.json",
        }
        settings = environment(Path(directory) / "home", **more)
        become = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        python = interpreter_for_all(become, settings)
        process = subprocess.Popen(
            [*become, python, "-m", "interfaces.cli", "serve"], cwd="/", env=settings, stdout=subprocess.DEVNULL
        )
        try:
            wait_for(lambda: Path(directory, "ready.json").exists() or process.poll() is not None)
            assert process.poll() is None
            owners = {child.uids().real for child in psutil.Process(process.pid).children(recursive=True)}
            process.send_signal(signal.SIGTERM)
            assert (owners, process.wait(60)) == ({nobody.pw_uid}, 0)
        finally:
            process.kill()
            process.wait()


def interpreter_for_all(become: list[str], settings: dict[str, str]) -> str:
    """Ours, or the system's of the same version, when another user may run it."""
    program = (
        "import subprocess, sys; import interfaces.settings; subprocess.run([sys.executable, '-c', ''], check=True)"
    )
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(FileNotFoundError):
            command = [*become, python, "-c", program]
            if subprocess.run(command, cwd="/", env=settings, capture_output=True).returncode == 0:
                return python
    pytest.skip("the interpreter and the packages are for root alone")


# What it refuses.


def test_a_directory_that_is_not_ours_is_left_alone(place: Path) -> None:
    (place / "postgres").mkdir()
    (place / "postgres" / "letter").write_text("dear")
    said = refusal(place)
    assert said == f"{place / 'postgres'} is not a database that doneotp made; move it away"
    assert [path.name for path in (place / "postgres").iterdir()] == ["letter"]


def test_the_data_of_another_version_is_left_alone(home: Path) -> None:
    (home / "postgres" / "PG_VERSION").write_text("17\n")
    assert refusal(home) == f"{home / 'postgres'} was written by Postgres 17; this version brings 18"


@as_root
def test_data_that_belongs_to_root_is_not_run_as_root(home: Path) -> None:
    os.chown(home / "postgres", 0, 0)
    assert refusal(home) == f"{home}/postgres belongs to root; run: chown -R doneotp {home}/postgres"


@as_root
def test_a_link_in_the_data_does_not_lead_our_pen_elsewhere(
    home: Path, place: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    (place / "precious").write_text("precious")
    for name in ("pg_hba.conf", "pg_hba.conf.new", "pg_ident.conf"):
        (home / "postgres" / name).unlink(missing_ok=True)
        (home / "postgres" / name).symlink_to(place / "precious")
    start(home)
    assert (place / "precious").read_text() == "precious"


def test_a_server_that_does_not_come_up_says_why(home: Path) -> None:
    shutil.rmtree(home / "postgres" / "global")
    said = refusal(home)
    assert said.startswith("Postgres did not start:\n")
    assert "global" in said


def test_a_home_that_cannot_be_used_is_named(place: Path) -> None:
    (place / "file").touch()
    assert refusal(place / "file") == f"{place / 'file'} cannot be used: File exists"


# How it ends, and what is there again.


def test_what_was_committed_outlives_a_kill(home: Path, start: Callable[..., EmbeddedPostgres]) -> None:
    server = start(home)
    with contextlib.closing(psycopg.connect(conninfo(home))) as busy:
        remember(home, "committed")
        busy.execute("INSERT INTO remembered VALUES ('not committed')")
        postmaster(home).kill()
    server.stop()
    start(home)  # at once: what is left of the old one may still be ending
    assert remembered(home) == ["committed"]


def test_it_comes_back_by_itself_when_it_is_killed(home: Path, start: Callable[..., EmbeddedPostgres]) -> None:
    start(home, restart_seconds=0.1)
    remember(home, "committed")
    killed = postmaster(home)
    killed.kill()
    wait_for(lambda: is_gone(killed))
    wait_for(lambda: PGconn.ping(conninfo(home).encode()) == Ping.OK)
    assert (remembered(home), postmaster(home).pid != killed.pid) == (["committed"], True)


def test_a_server_that_was_left_behind_is_ended_and_another_takes_its_place(
    home: Path, start: Callable[..., EmbeddedPostgres]
) -> None:
    start(home)
    remember(home, "left")
    left = postmaster(home)
    start(home)
    assert (is_gone(left), remembered(home), postmaster(home).pid != left.pid) == (True, ["left"], True)


def test_an_interrupted_initdb_is_begun_again(place: Path) -> None:
    home = place / "home"
    server = Server(home)
    wait_for((home / "postgres.new" / "PG_VERSION").exists)
    server.kill()
    assert ((home / "postgres").exists(), run("accounts", "list", home=home).status) == (False, 0)
    assert (home / "postgres" / "doneotp.initialised").exists()


def test_it_goes_when_its_server_is_killed_and_the_next_one_starts(serve: Callable[..., Server], home: Path) -> None:
    server = serve(embedded=True, home=home, workers=2)
    opened = server.open_account(7)
    left = postmaster(home)
    server.kill()
    wait_for(lambda: is_gone(left), seconds=20)
    again = serve(embedded=True, home=home)
    assert again.get("/v1/balance", key=opened.keys["sk_live"]).body["available"] == 7
    again.stop()
