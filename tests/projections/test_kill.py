"""kill -9 of the process that keeps the views: nothing is lost and nothing is counted twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from projections.views import REBUILT
from tests.projections.views import catch_up, digests, tracked
from tests.support.business import Business
from tests.support.server import ROOT, environment, run, wait_for

# A runner that is killed by its own hand at the worst moment: when a batch is written and not committed. `apart` moves the
# tracking in a transaction of its own, before that.
DYING = """
import os, signal, sys
from interfaces import projecting
from projections.runner import Runner
from projections.views import all_views, prepare

conninfo, how = sys.argv[1:]

class Dying(Runner):
    batches = 0

    def _move(self, stretches):
        if how == "apart":
            with projecting.connect(conninfo) as other:
                self._connection, own = other, self._connection
                super()._move(stretches)
                self._connection = own
        else:
            super()._move(stretches)
        self.batches += 1
        if self.batches == 3:
            os.kill(os.getpid(), signal.SIGKILL)

with projecting.connect(conninfo) as connection:
    prepare(connection, all_views())
    runner = Dying(connection, all_views(), on_poison=print, events_max=37)
    while True:
        runner.turn()
"""


def sound(connection: psycopg.Connection[Any], business: Business) -> bool:
    """Whether the views are what the events say."""
    catch_up(connection, on_poison=lambda log, position: None)
    found = digests(connection)
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    return found == digests(connection) and tracked(connection) == business.positions()


def die(conninfo: str, how: str) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, conninfo, how], capture_output=True, cwd=ROOT, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_runner_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    business: Business, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    die(conninfo, "together")
    assert sum(tracked(connection).values()) == 2 * 37
    die(conninfo, "together")
    assert sum(tracked(connection).values()) == 4 * 37
    assert sound(connection, business)


def test_a_runner_that_moves_its_tracking_apart_loses_what_it_was_killed_over(
    business: Business, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    """The negative control."""
    die(conninfo, "apart")
    assert sum(tracked(connection).values()) == 3 * 37
    assert not sound(connection, business)


def test_the_process_is_killed_again_and_again(
    business: Business, url: str, connection: psycopg.Connection[Any], tmp_path: Path, kills: int
) -> None:
    given = environment(tmp_path, DONEOTP_DATABASE_URL=url)

    def start() -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-m", "interfaces.cli.projector"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=given, cwd=ROOT)

    for turn in range(3 * kills):
        with start() as process:
            assert process.stdout is not None
            process.stdout.readline()
            business.go_on(20)
            time.sleep(0.02 * turn)
            process.kill()
    with start() as last:
        wait_for(lambda: tracked(connection) == business.positions())
        assert last.stdin is not None
        last.stdin.close()  # its supervisor is gone
        assert last.wait(20) == 0
    assert sound(connection, business)


def test_a_killed_rebuild_leaves_nothing_behind(
    business: Business, url: str, conninfo: str, connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    catch_up(connection)
    live = digests(connection)
    with psycopg.connect(conninfo) as reader:  # keeps the swap from coming, so that the kill comes before it
        reader.execute("SELECT count(*) FROM doneotp_views.usage")
        command = [sys.executable, "-m", "interfaces.cli", "projections", "rebuild"]
        with subprocess.Popen(command, env=environment(tmp_path, DONEOTP_DATABASE_URL=url), cwd=ROOT) as process:
            wait_for(lambda: connection.execute("SELECT to_regclass(%s)", (f"{REBUILT}.usage",)).fetchone() != (None,))
            os.kill(process.pid, signal.SIGKILL)
    assert digests(connection) == live
    wait_for(lambda: run("projections", "rebuild", home=tmp_path, DONEOTP_DATABASE_URL=url).status == 0)
    assert connection.execute("SELECT to_regnamespace(%s)", (REBUILT,)).fetchone() == (None,)
    assert digests(connection) == live
