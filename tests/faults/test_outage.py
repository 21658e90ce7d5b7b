"""Postgres is away, in each of the ways in which it can be: everybody is told so, in time, and nobody has to restart anything.

The limits are far above what is seen; they only tell an answer from none.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from tests.faults.conftest import Fragile
from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once
from tests.support.server import Answer, Server, serving

ANSWER_SECONDS_MAX = 15.0
CALLERS = 6


@pytest.fixture
def database(fragile: Fragile) -> Iterator[str]:
    with fragile.cluster.database() as name:
        yield name


@pytest.fixture
def server(fragile: Fragile, database: str, tmp_path: Path) -> Iterator[Server]:
    """On a Postgres that may go away; what it recorded is sound when the test ends."""
    more = {"DONEOTP_DATABASE_URL": fragile.cluster.url(database)}
    with serving(tmp_path / "home", more=more) as running:
        yield running
        assert_sound(log_of(running, running.keys["sk_live"]))


def send(server: Server, place: int) -> Callable[[], Answer]:
    """A send that may be repeated."""
    return lambda: server.post(
        "/v1/verify/send",
        {"phone_number": f"+1415555{place:04}"},
        key=server.keys["sk_live"],
        headers={"Idempotency-Key": f"send-{place}"},
    )


def every_call(server: Server) -> list[Callable[[], Answer]]:
    """Whatever needs the ledger, each several times at once."""
    key = server.keys["sk_live"]
    body = {"phone_number": "+14155550000", "code": "000000"}
    reads = ("/v1/balance", "/v1/events", "/v1/verifications", "/v1/verifications/ver_" + "a" * 34)
    return [
        *[send(server, place) for place in range(CALLERS)],
        *[lambda: server.post("/v1/verify/check", body, key=key)] * CALLERS,
        *[lambda path=path: server.get(path, key=key) for path in reads for _ in range(CALLERS)],
    ]


def timed(call: Callable[[], Answer]) -> Callable[[], tuple[Answer, float]]:
    def run() -> tuple[Answer, float]:
        begun = time.monotonic()
        return call(), time.monotonic() - begun

    return run


def assert_all_unavailable(calls: list[Callable[[], Answer]]) -> None:
    answers = at_once([timed(call) for call in calls])
    told = {(answer.status, (answer.body or {}).get("code"), "retry-after" in answer.headers) for answer, _ in answers}
    assert told == {(503, "service_unavailable", True)}
    assert max(seconds for _, seconds in answers) < ANSWER_SECONDS_MAX


def wait_until(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + ANSWER_SECONDS_MAX
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.05)


def is_ready(server: Server) -> bool:
    return server.get("/readyz").status == 200


def requests_in(server: Server) -> int:
    return sum(event["type"] == "CodeRequested" for event in log_of(server, server.keys["sk_live"]))


def test_while_postgres_is_silent_everybody_hears_so_in_time_and_then_all_goes_on(fragile, server):
    assert is_ready(server)
    with fragile.frozen():
        assert_all_unavailable(every_call(server))  # who came first and found out
        assert not is_ready(server)
        assert_all_unavailable(every_call(server))  # who came later and need not wait
        assert server.get("/healthz").status == 200
        assert server.get("/metrics").status == 200
    wait_until(lambda: is_ready(server), "not ready again")
    wait_until(lambda: all(send(server, place)().status == 200 for place in range(CALLERS)), "no send goes through")
    # Some of the first may have been recorded after all; repeated with their Idempotency-Key they are there once.
    assert requests_in(server) == CALLERS


def test_postgres_is_killed_and_comes_back_and_what_was_acknowledged_is_there(fragile, server):
    acknowledged = [send(server, place)().body["verification_id"] for place in range(CALLERS)]
    fragile.kill()
    try:
        wait_until(lambda: not is_ready(server), "still ready")
        assert_all_unavailable(every_call(server))
    finally:
        fragile.start()
    wait_until(lambda: is_ready(server), "not ready again")
    wait_until(lambda: send(server, CALLERS)().status == 200, "no send goes through")
    assert [send(server, place)().body["verification_id"] for place in range(CALLERS)] == acknowledged
    assert requests_in(server) == CALLERS + 1


def test_a_backend_that_is_killed_takes_all_others_along_and_nobody_hears_of_an_internal_error(fragile, server):
    assert send(server, 0)().status == 200
    with psycopg.connect(fragile.cluster.conninfo()) as connection:
        # One process that dies like this and Postgres restarts all of them: shared memory may be damaged.
        os.kill(connection.info.backend_pid, signal.SIGKILL)
    answers = at_once(every_call(server))
    assert {answer.status for answer in answers} <= {200, 400, 404, 429, 503}
    wait_until(lambda: all(send(server, place)().status == 200 for place in range(CALLERS)), "no send goes through")
    assert requests_in(server) == CALLERS


def test_a_postgres_that_became_a_standby_is_unavailable_until_it_can_be_written_again(fragile, server, database):
    def be(mode: str) -> None:
        fragile.cluster.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = {mode}")

    # Sessions keep what they began with. A failover ends those that could write; those that cannot, the server must end.
    be("on")
    fragile.cluster.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    key = server.keys["sk_live"]
    assert_all_unavailable([send(server, 0)])
    assert server.get("/v1/balance", key=key).status == 200
    be("off")
    wait_until(lambda: send(server, 0)().status == 200, "no send goes through")


def test_a_log_that_somebody_keeps_locked_keeps_nobody_waiting_for_ever(fragile, server, database):
    with psycopg.connect(fragile.cluster.conninfo(database)) as connection:
        connection.execute("SELECT 1 FROM doneotp.heads FOR UPDATE")
        assert_all_unavailable([send(server, place) for place in range(CALLERS)])
    wait_until(lambda: all(send(server, place)().status == 200 for place in range(CALLERS)), "no send goes through")
    assert requests_in(server) == CALLERS
