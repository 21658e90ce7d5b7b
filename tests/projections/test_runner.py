"""The runner: every event once, in whatever portions, whoever else runs, and whatever one log holds."""

import threading
from typing import Any

import psycopg
import pytest

from interfaces import projecting
from projections.activity import Activity
from projections.balances import Balances
from projections.facts import Stretch
from projections.rebuild import RebuildRefused
from projections.runner import Runner, shares
from projections.views import all_views
from tests.projections.views import catch_up, contents, digests, no_poison, runner, tracked
from tests.support.business import Business
from tests.support.server import wait_for

SPOIL = """
WITH moved AS (UPDATE doneotp.heads SET position = position + 1 WHERE log = %(log)s RETURNING position)
INSERT INTO doneotp.events (log, position, stream, version, event_id, topic, body)
SELECT %(log)s, position, 'unreadable', 1, gen_random_uuid(), %(topic)s, %(body)s FROM moved"""

END_THE_RUNNER = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'doneotp-projections' AND pid <> pg_backend_pid()"""


def of_sizes(*sizes: int) -> list[Stretch]:
    return [Stretch(f"acct_{place}", 10, 10 + size) for place, size in enumerate(sizes)]


@pytest.mark.parametrize(
    ("needs", "given"),
    [
        ([5], [5]),
        ([500], [100]),
        ([500, 3, 7], [90, 3, 7]),
        ([500, 500], [50, 50]),
        ([500, 60, 10], [45, 45, 10]),
        ([1] * 150, [1] * 100),
        ([], []),
    ],
)
def test_a_busy_log_gets_what_the_others_leave(needs: list[int], given: list[int]) -> None:
    got = {stretch.log: stretch.until - stretch.after for stretch in shares(of_sizes(*needs), events_max=100)}
    assert sum(got.values()) <= 100
    if len(needs) < 100:
        assert [got[f"acct_{place}"] for place in range(len(needs))] == given
    else:
        assert sorted(got.values()) == given


def test_a_log_gets_its_events_from_the_first_one_on() -> None:
    assert shares([Stretch("acct_a", 10, 500), Stretch("acct_b", 0, 4)], events_max=100) == [
        Stretch("acct_b", 0, 4),
        Stretch("acct_a", 10, 106),
    ]


def test_every_log_is_tracked_up_to_its_head(business: Business, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    assert tracked(connection) == business.positions()
    assert len(contents(connection, "activity")) == sum(business.positions().values())


def test_the_portions_do_not_matter(business: Business, connection: psycopg.Connection[Any]) -> None:
    assert catch_up(connection) == 1
    at_once = digests(connection)
    for events_max in (1, 7, 100):
        connection.execute("DROP SCHEMA doneotp_views CASCADE")
        assert catch_up(connection, events_max=events_max) > 2
        assert digests(connection) == at_once


def test_what_comes_later_is_taken_later(business: Business, connection: psycopg.Connection[Any]) -> None:
    for _ in range(20):
        catch_up(connection)
        business.go_on(5)
    catch_up(connection)
    bit_by_bit = digests(connection)
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    assert digests(connection) == bit_by_bit


def test_no_log_waits_for_a_busy_one(conninfo: str, connection: psycopg.Connection[Any]) -> None:
    business = Business(conninfo, logs=["acct_a", *(f"acct_z{place}" for place in range(10))])
    business.go_on(300, log="acct_a")
    running = runner(connection, events_max=40)
    running.turn()
    heads, reached = business.positions(), tracked(connection)
    assert {log for log in heads if reached.get(log) == heads[log]} == heads.keys() - {"acct_a"}
    assert reached["acct_a"] == 20
    business.close()


def test_a_turn_goes_through_all_logs_however_many(
    conninfo: str, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.runner.LOGS_MAX", 3)
    business = Business(conninfo, logs=[f"acct_{place:02}" for place in range(10)])
    running = runner(connection)
    turns = [running.turn() for _ in range(5)]
    assert [(turn.events, turn.is_full) for turn in turns] == [(6, True), (6, True), (6, True), (2, False), (0, False)]
    assert tracked(connection) == business.positions()
    business.close()


@pytest.mark.parametrize(("topic", "body"), [("CodeSent.v99", "{}"), ("CodeSent.v1", "{"), ("Verified.v1", "{}")])
def test_an_event_that_cannot_be_read_stops_its_own_log_alone(
    business: Business, connection: psycopg.Connection[Any], topic: str, body: str
) -> None:
    connection.execute(SPOIL, {"log": "acct_a", "topic": topic, "body": body.encode()})
    spoilt = business.positions()["acct_a"]
    business.go_on(50, log="acct_b")
    told: list[tuple[str, int]] = []
    running = runner(connection, on_poison=lambda log, position: told.append((log, position)), events_max=50)
    while running.turn().is_full:
        pass
    assert not running.turn().is_full
    assert tracked(connection) == business.positions() | {"acct_a": spoilt - 1}
    assert told == [("acct_a", spoilt)]


def test_an_event_that_cannot_be_folded_stops_its_own_log_alone(
    business: Business, connection: psycopg.Connection[Any]
) -> None:
    body = b'{"at":"2026-11-01T12:00:00Z","verification_id":"ver_none","send":1,"provider":"p","message_id":"m"}'
    connection.execute(SPOIL, {"log": "acct_a", "topic": "CodeSent.v1", "body": body})
    told: list[tuple[str, int]] = []
    catch_up(connection, on_poison=lambda log, position: told.append((log, position)))
    heads = business.positions()
    assert (tracked(connection), told) == (heads | {"acct_a": heads["acct_a"] - 1}, [("acct_a", heads["acct_a"])])


def test_a_row_that_the_database_refuses_stops_its_own_log_alone(
    conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    business = Business(conninfo, logs=[f"acct_{place}" for place in range(9)])
    body = b'{"at":"2026-11-01T12:00:00Z","reason":"nul \\u0000"}'
    connection.execute(SPOIL, {"log": "acct_4", "topic": "AccountSuspended.v1", "body": body})
    told: list[tuple[str, int]] = []
    catch_up(connection, on_poison=lambda log, position: told.append((log, position)))
    reached = tracked(connection)
    assert reached.keys() == business.positions().keys() - {"acct_4"}
    assert told == [("acct_4", 1)]
    business.close()


def test_several_runners_at_once_count_every_event_once(
    business: Business, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    runner(connection)
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            with projecting.connect(conninfo) as own:
                running = Runner(own, all_views(), on_poison=lambda log, position: None, events_max=13)
                while not stop.is_set():
                    running.turn()
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    business.go_on(100)
    wait_for(lambda: failures or tracked(connection) == business.positions())
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    together = digests(connection)
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    assert digests(connection) == together


def test_the_process_makes_again_what_somebody_drops(
    business: Business, conninfo: str, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projecting, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(projecting, "TIDY_SECONDS", 0.01)
    stop = threading.Event()
    poisons: list[Any] = []

    def is_up_to_date() -> bool:
        try:
            return tracked(connection) == business.positions() and len(digests(connection)) == len(all_views())
        except psycopg.errors.UndefinedTable:
            return False

    thread = threading.Thread(
        target=lambda: projecting.run(
            conninfo, stop=stop, on_failure=lambda error: None, on_poison=lambda *told: poisons.append(told)
        )
    )
    thread.start()
    try:
        wait_for(is_up_to_date)
        whole = digests(connection)
        for dropped in ("TABLE doneotp_views.usage", "SCHEMA doneotp_views CASCADE", "TABLE doneotp_views.activity"):
            connection.execute(f"DROP {dropped}".encode())
            business.go_on(1, log="acct_a")
            wait_for(is_up_to_date)
        business.go_on(20)
        wait_for(is_up_to_date)
        # Another revision of a view is built again, beside the others.
        connection.execute("UPDATE doneotp_views.revisions SET revision = 0 WHERE view = 'verifications'")
        connection.execute("UPDATE doneotp_views.verifications SET credits = 999")
        connection.execute(END_THE_RUNNER)
        wait_for(
            lambda: connection.execute("SELECT 1 FROM doneotp_views.revisions WHERE revision = 0").fetchone() is None
        )
        wait_for(is_up_to_date)
    finally:
        stop.set()
        thread.join()
    found = digests(connection)
    assert found != whole
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    assert (digests(connection), poisons) == (found, [])


def test_a_new_view_that_stumbles_over_an_event_brings_all_to_end_before_it(
    business: Business, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    body = b'{"at":"2026-11-01T12:00:00Z","verification_id":"ver_none","send":1,"provider":"p","message_id":"m"}'
    connection.execute(SPOIL, {"log": "acct_a", "topic": "CodeSent.v1", "body": body})
    runner(connection)
    only = Runner(connection, [Balances(), Activity()], on_poison=no_poison)  # they do not mind it
    only.turn()
    assert tracked(connection) == business.positions()
    connection.execute("DROP TABLE doneotp_views.usage, doneotp_views.verifications")
    stop = threading.Event()
    failures: list[BaseException] = []
    thread = threading.Thread(
        target=lambda: projecting.run(conninfo, stop=stop, on_failure=failures.append, on_poison=lambda *told: None)
    )
    thread.start()
    before_it = business.positions()["acct_a"] - 1
    try:
        wait_for(lambda: failures and is_tracked(connection, business.positions() | {"acct_a": before_it}))
    finally:
        stop.set()
        thread.join()
    assert [type(failure) for failure in failures] == [RebuildRefused]
    assert len(contents(connection, "activity")) == sum(tracked(connection).values())


def is_tracked(connection: psycopg.Connection[Any], positions: dict[str, int]) -> bool:
    try:
        return tracked(connection) == positions
    except psycopg.errors.UndefinedTable:
        return False


def test_views_of_a_later_history_are_made_again(business: Business, connection: psycopg.Connection[Any]) -> None:
    """The ledger was restored to an earlier moment, the views were not."""
    catch_up(connection)
    sound = digests(connection)
    connection.execute("UPDATE doneotp_views.tracking SET position = position + 1 WHERE log = 'acct_a'")
    connection.execute("UPDATE doneotp_views.usage SET sent = sent + 1")
    catch_up(connection)
    assert digests(connection) == sound
