"""kill -9 in mid-load: whatever a client was told is in the log afterwards.

`--kills N` says how often each is done; the everyday run does it twice. Negative control: with synchronous_commit off, which
the boot check refuses, a killed Postgres forgets what it acknowledged.
"""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Self

import psycopg
import pytest

from application.writer import Writer
from interfaces.postgres.abandoned import Sweep
from interfaces.world import SystemClock
from tests.support.books import assert_sound, log_of
from tests.support.server import Server

CALLERS = 8


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


class Load:
    """Callers that send to ever new numbers and remember every verification they were told of."""

    def __init__(self, server: Server, *, begin: int) -> None:
        self._server = server
        self._numbers = iter(range(begin, 10_000))
        self._lock = threading.Lock()
        self._stop = False
        self.acknowledged: list[str] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(CALLERS)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join()

    def reach(self, count: int) -> None:
        """Return once so many were acknowledged."""
        until = time.monotonic() + 60
        while len(self.acknowledged) < count:
            assert time.monotonic() < until, "the load makes no progress"
            time.sleep(0.005)

    def _run(self) -> None:
        while not self._stop:
            with self._lock:
                number = next(self._numbers)
            with suppress(OSError, HTTPException):
                time.sleep(0.002)
                answer = self._server.post(
                    "/v1/verify/send", {"phone_number": f"+1415555{number:04}"}, key=self._server.keys["sk_live"]
                )
                if answer.status == 200:
                    self.acknowledged.append(answer.body["verification_id"])


def requested(server: Server) -> set[str]:
    events = log_of(server, server.keys["sk_live"])
    assert_sound(events)
    return {event["data"]["verification_id"] for event in events if event["type"] == "CodeRequested"}


def test_a_killed_server_has_lost_nothing_that_it_acknowledged(serve, tmp_path: Path, kills):
    home = tmp_path / "home"
    acknowledged: list[str] = []
    for round_ in range(kills):
        server = serve(home=home, embedded=True)
        with Load(server, begin=round_ * 1_000) as load:
            load.reach(100)
            server.kill()
        acknowledged += load.acknowledged
    server = serve(home=home, embedded=True)
    assert set(acknowledged) <= requested(server)
    refund_all_abandoned(server)
    balance = server.get("/v1/balance", key=server.keys["sk_live"]).body
    open_ones = handoffs_without_outcome(server)
    assert (open_ones, balance["available"]) == (0, balance["added"] - balance["debited"] + balance["refunded"])


def test_a_killed_postgres_has_lost_nothing_that_was_acknowledged_and_comes_back(serve, tmp_path: Path, kills):
    server = serve(home=tmp_path / "home", embedded=True)
    for round_ in range(kills):
        with Load(server, begin=round_ * 1_000) as load:
            load.reach(100)
            os.kill(postmaster(server), signal.SIGKILL)
            load.reach(len(load.acknowledged) + 100)
        assert set(load.acknowledged) <= requested(server)


def test_without_synchronous_commit_a_killed_postgres_forgets_what_it_acknowledged(serve, tmp_path: Path):
    """The negative control: the same kill, against commits that do not wait for the disk."""
    server = serve(home=tmp_path / "home", embedded=True)
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("CREATE TABLE acknowledged (number integer)")
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")
        connection.execute("ALTER SYSTEM SET wal_writer_flush_after = '512MB'")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(0.5)
        connection.execute("CHECKPOINT")
        connection.execute("SET synchronous_commit = off")
        for number in range(100):
            connection.execute("INSERT INTO acknowledged VALUES (%s)", (number,))
        processes = [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_activity").fetchall()]
        for pid in [postmaster(server), *processes]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    until, kept = time.monotonic() + 60, 100
    while True:
        try:
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                (kept,) = connection.execute("SELECT count(*) FROM acknowledged").fetchone() or (100,)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < until, "Postgres does not come back"
            time.sleep(0.1)
    assert kept < 100


def postmaster(server: Server) -> int:
    return int((server.home / "postgres" / "postmaster.pid").read_text().split("\n", 1)[0])


def refund_all_abandoned(server: Server) -> None:
    """What the sweep does after a while, at once."""
    run(
        lambda writer: Sweep(server.books.recorder, writer, SystemClock(), on_failure=fail, abandoned_seconds=0).once(),
        server,
    )


def run(work: Callable[[Writer], object], server: Server) -> None:
    async def on_loop() -> None:
        await work(server.books.writer)  # type: ignore[misc]  # a coroutine

    time.sleep(0.5)  # what the live dispatcher has in hand just now is not abandoned
    asyncio.run(on_loop())


def fail(error: BaseException) -> None:
    raise AssertionError from error


def handoffs_without_outcome(server: Server) -> int:
    events = log_of(server, server.keys["sk_live"])
    asked = {(e["data"]["verification_id"], e["data"]["send"]) for e in events if e["type"] == "CodeRequested"}
    settled = {
        (e["data"]["verification_id"], e["data"]["send"]) for e in events if e["type"] in ("CodeSent", "SendFailed")
    }
    return len(asked - settled)
