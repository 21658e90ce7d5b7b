"""kill -9 in mid-load: whatever a client was told is in the log afterwards, and all goes on without anybody's help.

`--kills N` says how often each is done; every day it is twice.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Fragile
from tests.support.books import assert_sound, log_of
from tests.support.load import under_load
from tests.support.server import Server, serving, wait_for
from tests.support.sweeping import sweep, unsettled

ENOUGH = 60
"""Things acknowledged before a kill, so that it comes while much is under way."""
PLENTY = 1_000_000
pytestmark = pytest.mark.timeout(0)  # as long as the kills that are asked for; every wait has a limit of its own


def postmaster_of(server: Server) -> int:
    """The embedded Postgres."""
    return int((server.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def test_a_killed_server_has_lost_nothing_that_it_acknowledged(serve, tmp_path: Path, kills):
    home = tmp_path / "home"
    for _ in range(kills):
        server = serve(home=home, embedded=True)
        account = server.open_account(PLENTY)
        with under_load(server, account) as load:
            load.reach(ENOUGH)
            server.kill()
        again = serve(home=home, embedded=True)
        assert load.lost() == set()
        # What nobody handed over is paid back, and nothing else is.
        key = account.keys["sk_live"]
        open_ones = unsettled(log_of(again, key))
        assert sweep(again.books) == open_ones
        events = log_of(again, key)
        assert_sound(events)
        assert (unsettled(events), again.get("/v1/balance", key=key).body["refunded"]) == (0, open_ones)
        again.stop()


def test_a_killed_embedded_postgres_is_started_again_and_has_lost_nothing(serve, kills):
    server = serve(embedded=True)
    for _ in range(kills):
        with under_load(server, server.open_account(PLENTY)) as load:
            load.reach(ENOUGH)
            os.kill(postmaster_of(server), signal.SIGKILL)
            load.reach(ENOUGH)
        assert load.lost() == set()
        assert set(load.failed) <= {503}


def test_a_killed_backend_loses_nothing_either(fragile, elsewhere, kills):
    """Postgres ends all its processes when one dies so: what they shared may be damaged."""
    server, database = elsewhere
    for _ in range(kills):
        with under_load(server, server.open_account(PLENTY)) as load:
            load.reach(ENOUGH)
            ((victim,), *_) = fragile.cluster.execute(
                f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}' AND application_name = 'doneotp'"
            )
            os.kill(victim, signal.SIGKILL)
            load.reach(ENOUGH)
        assert load.lost() == set()
        assert set(load.failed) <= {503}


@pytest.fixture
def elsewhere(fragile: Fragile, tmp_path: Path) -> Iterator[tuple[Server, str]]:
    """A server whose Postgres is somebody else's affair, and the name of its database."""
    with fragile.cluster.database() as name:
        more = {"DONEOTP_DATABASE_URL": fragile.cluster.url(name)}
        with serving(tmp_path / "home", more=more) as server:
            yield server, name


def lost_in_a_kill(fragile: Fragile, server: Server) -> set[tuple[str, str]]:
    """What was acknowledged and is not there when the whole of Postgres is killed at once and comes back."""
    account = server.open_account(PLENTY)
    fragile.cluster.execute("CHECKPOINT")  # the account itself is safe in any case
    with under_load(server, account) as load:
        load.reach(ENOUGH)
        fragile.kill()
        fragile.start()
    return load.lost()


def test_a_whole_postgres_that_is_killed_at_once_has_lost_nothing(fragile, elsewhere, kills):
    server, _ = elsewhere
    for _ in range(kills):
        assert lost_in_a_kill(fragile, server) == set()
    with under_load(server, server.open_account(PLENTY)) as load:
        load.reach(ENOUGH)


def test_a_postgres_that_commits_before_the_disk_has_it_loses_what_was_acknowledged(fragile, elsewhere):
    """The negative control: the same, with a setting that `serve` refuses when it starts; here it comes later."""
    server, database = elsewhere
    for statement in (
        "ALTER SYSTEM SET wal_writer_delay = '10s'",
        "ALTER SYSTEM SET wal_writer_flush_after = '1GB'",
        f"ALTER DATABASE {database} SET synchronous_commit = off",
        "SELECT pg_reload_conf()",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
    ):
        fragile.cluster.execute(statement)
    wait_for(lambda: server.get("/v1/balance", key=server.keys["sk_live"]).status == 200)
    try:
        assert lost_in_a_kill(fragile, server) != set()
    finally:
        fragile.cluster.execute("ALTER SYSTEM RESET ALL")
        fragile.cluster.execute("SELECT pg_reload_conf()")
