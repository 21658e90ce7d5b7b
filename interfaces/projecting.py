"""The process that keeps the views up to date: one at a time on a database, whoever started it.

It holds no state that matters: killed at any moment, the next one goes on where the last transaction was committed.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from projections import rebuild as rebuilding
from projections.rebuild import Rebuild
from projections.runner import Runner
from projections.views import RUNNER_LOCK, AnyProjection, all_views, drop_all, drop_leftovers, is_there, prepare

LOOK_SECONDS: Final = 0.1
"""Between two looks for news, as long as there are some."""
IDLE_SECONDS_MAX: Final = 0.4
"""The same where nothing has happened for a while."""
LOOK_SHARE_MAX: Final = 0.2
"""Where a look takes long because there are many logs, looking takes at most this share of the time."""
TAKE_OVER_SECONDS: Final = 2.0
"""Between two tries to become the one that runs."""
TIDY_SECONDS: Final = 10.0
"""Between two looks whether all views are there and no killed rebuild's are."""
AGAIN_SECONDS: Final = 1.0
STATEMENT_SECONDS_MAX: Final = 120
_OPTIONS: Final = "-c idle_in_transaction_session_timeout=60s -c jit=off -c statement_timeout="


def connect(conninfo: str, *, statement_seconds_max: int = STATEMENT_SECONDS_MAX) -> psycopg.Connection[Any]:
    """A connection of a runner or a rebuild; 0 is no limit."""
    return psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,
        options=f"{_OPTIONS}{statement_seconds_max}s",
        tcp_user_timeout=10_000,
        application_name="doneotp-projections",
    )


def run(
    conninfo: str,
    *,
    stop: threading.Event,
    on_failure: Callable[[BaseException], None],
    on_poison: Callable[[str, int], None],
) -> None:
    """Until `stop` is set."""
    while not stop.is_set():
        try:
            with connect(conninfo) as connection:
                # A power cut may take the last moments of the views, and of how far they are with them: they are made again.
                connection.execute("SET synchronous_commit = off")
                while not stop.is_set() and not _is_ours(connection):
                    stop.wait(TAKE_OVER_SECONDS)
                if not stop.is_set():
                    _keep_up(connection, conninfo, stop=stop, on_failure=on_failure, on_poison=on_poison)
        except psycopg.Error as error:
            # The database was away, or somebody dropped a view: what is missing is made again from the start.
            if not stop.is_set():
                on_failure(error)
                stop.wait(AGAIN_SECONDS)


def catch_up(connection: psycopg.Connection[Any], *, on_poison: Callable[[str, int], None]) -> list[AnyProjection]:
    """Bring the live views up to date: nobody else does on a stopped system. Returns those that are not there."""
    missing = prepare(connection, all_views())
    names = {view.name for view in missing}
    runner = Runner(connection, [view for view in all_views() if view.name not in names], on_poison=on_poison)
    while runner.turn().is_full:
        pass
    return missing


def _is_ours(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("SELECT pg_try_advisory_lock(%s)", (RUNNER_LOCK,)).fetchone() == (True,)


def _keep_up(
    connection: psycopg.Connection[Any],
    conninfo: str,
    *,
    stop: threading.Event,
    on_failure: Callable[[BaseException], None],
    on_poison: Callable[[str, int], None],
) -> None:
    missing = prepare(connection, all_views())
    names = {view.name for view in missing}
    runner = Runner(connection, [view for view in all_views() if view.name not in names], on_poison=on_poison)
    tidied, wait_seconds = float("-inf"), LOOK_SECONDS
    while not stop.is_set():
        begun = time.monotonic()
        turn = runner.turn()
        if missing and not turn.is_full:
            if _rebuilt(conninfo, runner, missing, stop=stop, on_failure=on_failure):
                return  # begin again, with all of them
            continue
        if begun - tidied > TIDY_SECONDS:
            drop_leftovers(connection)
            if not all(is_there(connection, view) for view in runner.views):
                return  # somebody dropped one while nothing happened
            tidied = begun
        if turn.events:
            wait_seconds = LOOK_SECONDS
        else:
            looked_seconds = time.monotonic() - begun
            wait_seconds = max(min(2 * wait_seconds, IDLE_SECONDS_MAX), looked_seconds / LOOK_SHARE_MAX)
        if not turn.is_full:
            stop.wait(wait_seconds)


def _rebuilt(
    conninfo: str,
    runner: Runner,
    missing: list[Any],
    *,
    stop: threading.Event,
    on_failure: Callable[[BaseException], None],
) -> bool:
    """Build the missing views in steps, between which the others go on; False when told to stop."""
    with connect(conninfo) as connection:
        work = Rebuild(connection, missing)
        try:
            work.begin()
        except rebuilding.RebuildRefused as refused:  # somebody else's, which has to end first
            on_failure(refused)
            stop.wait(AGAIN_SECONDS)
            return False
        try:
            while not stop.is_set():
                if work.step():
                    return True
                runner.turn()
        except rebuilding.RebuildRefused as refused:
            # What the others took it cannot take: with all of them from the start, they end where it does.
            on_failure(refused)
            drop_all(connection)
            return True
        finally:
            if not connection.closed:
                work.end()
    return False
