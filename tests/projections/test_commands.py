"""`projections status` and `rebuild`, and the process of `serve` that keeps the views."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from projections.views import REBUILD_LOCK, all_views
from tests.http.customer import Customer, number
from tests.projections.views import catch_up, digests
from tests.support.business import Business
from tests.support.server import ROOT, Server, environment, run, wait_for

NAMES = [view.name for view in all_views()]
PROJECTOR = "interfaces.cli.projector"


def status(home: Path, **more: str) -> list[dict[str, Any]]:
    ended = run("projections", "status", "--json", home=home, **more)
    assert (ended.status, ended.stderr) == (0, "")
    return list(json.loads(ended.stdout)["projections"])


def test_status_tells_position_lag_and_digest(
    business: Business, url: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    events = sum(business.positions().values())
    nothing = status(tmp_path, DONEOTP_DATABASE_URL=url)
    assert nothing == [{"name": name, "position": 0, "lag_events": events, "digest": ""} for name in NAMES]
    catch_up(connection)
    business.go_on(30)
    more = sum(business.positions().values()) - events
    assert status(tmp_path, DONEOTP_DATABASE_URL=url) == [
        {"name": name, "position": events, "lag_events": more, "digest": digest}
        for name, digest in digests(connection).items()
    ]
    text = run("projections", "status", home=tmp_path, DONEOTP_DATABASE_URL=url).stdout.splitlines()
    assert [line.split() for line in text] == [
        [name, "position", str(events), "lag", str(more), digest] for name, digest in digests(connection).items()
    ]


def test_rebuild_catches_up_mends_and_says_so(
    business: Business, url: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    ended = run("projections", "rebuild", "--json", home=tmp_path, DONEOTP_DATABASE_URL=url)
    document = json.loads(ended.stdout)
    events = sum(business.positions().values())
    sound = digests(connection)
    assert (ended.status, ended.stderr, document.pop("seconds") > 0) == (0, "", True)
    rows = [{"name": name, "position": events, "lag_events": 0, "digest": sound[name]} for name in NAMES]
    assert document == {"projections": rows, "events": events}
    connection.execute("UPDATE doneotp_views.usage SET sent = 0")
    one = run("projections", "rebuild", "usage", "--json", home=tmp_path, DONEOTP_DATABASE_URL=url)
    assert [row["name"] for row in json.loads(one.stdout)["projections"]] == ["usage"]
    assert digests(connection) == sound


def test_rebuild_is_refused_while_another_is_at_work(
    business: Business, url: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    catch_up(connection)
    connection.execute("SELECT pg_advisory_lock(%s)", (REBUILD_LOCK,))
    ended = run("projections", "rebuild", "--json", home=tmp_path, DONEOTP_DATABASE_URL=url)
    assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, "rebuild_refused")
    assert run("projections", "rebuild", "nothing", home=tmp_path, DONEOTP_DATABASE_URL=url).status == 2


def test_rebuild_draws_a_bar_on_a_terminal_alone(
    business: Business, url: str, tmp_path: Path, connection: psycopg.Connection[Any]
) -> None:
    main, side = pty.openpty()
    program = (
        "import sys; from projections import rebuild; rebuild.EVENTS_MAX = 50\n"
        "from interfaces.cli.__main__ import main; sys.exit(main(['projections', 'rebuild', '--json']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=side,
        env=environment(tmp_path, DONEOTP_DATABASE_URL=url),
        cwd=ROOT,
        timeout=60,
    )
    os.close(side)
    drawn = os.read(main, 65_536).decode()
    os.close(main)
    assert (done.returncode, "#" in drawn, "events" in drawn) == (0, True, True)
    assert json.loads(done.stdout)["events"] == sum(business.positions().values())


def test_a_stopped_system_with_its_own_database_is_rebuilt_too(serve: Callable[..., Server]) -> None:
    server = serve(embedded=True)
    Customer(server, server.open_account()).live.verified(number())
    home = server.home
    wait_for(lambda: status(home)[0]["lag_events"] == 0)
    running = status(home)
    server.stop()
    assert status(home) == running
    assert run("projections", "rebuild", home=home).status == 0
    assert status(home) == running


def projectors(server: Server) -> Iterator[psutil.Process]:
    for child in psutil.Process(server.pid).children():
        if PROJECTOR in child.cmdline():
            yield child


@pytest.mark.parametrize("workers", [1, 2])
def test_serve_keeps_the_views_and_starts_their_keeper_again(serve: Callable[..., Server], workers: int) -> None:
    server = serve(workers=workers)
    it = Customer(server, server.open_account()).live
    for _ in range(2):
        it.verified(number())
        it.settled()
        wait_for(lambda: status(server.home, DONEOTP_DATABASE_URL=server.conninfo)[0]["lag_events"] == 0)
        (keeper,) = projectors(server)
        keeper.kill()
        keeper.wait()
        wait_for(lambda: [child for child in projectors(server) if child.is_running()])
    (keeper,) = projectors(server)
    server.stop()
    wait_for(lambda: not keeper.is_running())
    assert "projector_died" in (server.home / "logs" / "server.log").read_text()


def test_of_several_servers_one_keeps_the_views_and_another_takes_over(
    serve: Callable[..., Server], url: str, connection: psycopg.Connection[Any]
) -> None:
    secret = {"DONEOTP_SECRET_KEY": "k" * 40, "DONEOTP_DATABASE_URL": url}
    first, second = serve(**secret), serve(**secret)
    it = Customer(second, second.open_account()).live
    it.verified(number())
    it.settled()
    wait_for(lambda: status(first.home, **secret)[0]["lag_events"] == 0)
    (keeper,) = projectors(first)
    first.kill()  # its keeper of the views notices that it is alone
    wait_for(lambda: not keeper.is_running() or keeper.status() == psutil.STATUS_ZOMBIE)
    it.verified(number())
    it.settled()
    wait_for(lambda: status(first.home, **secret)[0]["lag_events"] == 0)
    second.stop()
    found = digests(connection)
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    assert digests(connection) == found
