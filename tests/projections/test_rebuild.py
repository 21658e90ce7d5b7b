"""Rebuilding: the same rows as live ones, beside them, and at one moment in their place."""

import threading
from typing import Any

import psycopg
import pytest

from interfaces import projecting
from projections import rebuild as rebuilding
from projections.rebuild import Rebuild, RebuildRefused, rebuild
from projections.views import REBUILT, all_views, drop_leftovers, prepare
from tests.projections.views import catch_up, contents, digests, tracked
from tests.support.business import Business
from tests.support.server import wait_for

NAMES = [view.name for view in all_views()]


def quietly(done: int) -> None:
    """No progress is shown."""


def schemas(connection: psycopg.Connection[Any]) -> set[str]:
    rows = connection.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'doneotp%'")
    return {name for (name,) in rows}


@pytest.mark.parametrize("seed", range(1, 6))
def test_rebuilt_is_live(conninfo: str, connection: psycopg.Connection[Any], seed: int) -> None:
    business = Business(conninfo, seed=seed)
    for _ in range(6):
        business.go_on(40)
        catch_up(connection, events_max=31)
    live = digests(connection)
    assert rebuild(connection, all_views(), on_step=quietly) == sum(business.positions().values())
    assert digests(connection) == live
    assert schemas(connection) == {"doneotp", "doneotp_views"}
    business.go_on(40)
    catch_up(connection)
    assert digests(connection) != live
    business.close()


@pytest.mark.parametrize("name", NAMES)
def test_one_view_alone_is_rebuilt_and_mended(
    business: Business, connection: psycopg.Connection[Any], name: str
) -> None:
    catch_up(connection)
    sound = digests(connection)
    connection.execute(f"DELETE FROM doneotp_views.{name} WHERE log = 'acct_a'".encode())
    assert {view for view in NAMES if digests(connection)[view] != sound[view]} == {name}
    rebuild(connection, [view for view in all_views() if view.name == name], on_step=quietly)
    assert digests(connection) == sound


def test_a_digest_is_of_the_content_alone(business: Business, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    before = digests(connection)
    connection.execute("SET TimeZone = 'Asia/Kathmandu'")
    connection.execute("SET DateStyle = 'German'")
    for name in NAMES:
        connection.execute(f"CREATE TABLE rows AS SELECT * FROM doneotp_views.{name} ORDER BY random()".encode())
        connection.execute(f"TRUNCATE doneotp_views.{name}".encode())
        connection.execute(f"INSERT INTO doneotp_views.{name} SELECT * FROM rows".encode())
        connection.execute("DROP TABLE rows")
    assert digests(connection) == before
    connection.execute("UPDATE doneotp_views.balances SET at = at + interval '1 microsecond' WHERE position = 2")
    assert digests(connection) == before | {"balances": digests(connection)["balances"]} != before


def test_readers_see_the_whole_view_all_the_time(
    business: Business, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    """While views are rebuilt again and again, and the live ones go on."""
    catch_up(connection)
    stop = threading.Event()
    partial: list[Any] = []
    looks = [0]

    def read() -> None:
        with psycopg.connect(conninfo, autocommit=True) as own:
            own.prepare_threshold = 1  # a plan made for the table that is gone must not be used
            while not stop.is_set():
                rows = own.execute(
                    """SELECT t.log, t.position, (SELECT count(*) FROM doneotp_views.activity AS a WHERE a.log = t.log),
                    (SELECT max(position) FROM doneotp_views.activity AS a WHERE a.log = t.log)
                    FROM doneotp_views.tracking AS t"""
                ).fetchall()
                partial.extend(row for row in rows if not row[1] == row[2] == row[3])
                looks[0] += 1

    def project() -> None:
        with projecting.connect(conninfo) as own:
            while not stop.is_set():
                catch_up(own, events_max=20)

    threads = [threading.Thread(target=each) for each in (read, read, project)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        business.go_on(10)
        rebuild(connection, all_views(), on_step=quietly)
    wait_for(lambda: tracked(connection) == business.positions())
    stop.set()
    for thread in threads:
        thread.join()
    assert (partial, looks[0] > 8) == ([], True)
    live = digests(connection)
    connection.execute("DROP SCHEMA doneotp_views CASCADE")
    catch_up(connection)
    assert digests(connection) == live


def test_only_one_rebuild_is_at_work(business: Business, conninfo: str, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    with projecting.connect(conninfo) as other:
        first = Rebuild(other, all_views())
        first.begin()
        with pytest.raises(RebuildRefused, match="another rebuild is at work"):
            rebuild(connection, all_views(), on_step=quietly)
        assert (drop_leftovers(connection), REBUILT in schemas(connection)) == (False, True)
        assert first.step()
        first.end()
    assert schemas(connection) == {"doneotp", "doneotp_views"}


def test_what_a_dead_rebuild_left_goes_with_the_next_start(
    business: Business, conninfo: str, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilding, "EVENTS_MAX", 50)
    catch_up(connection)
    live, rows = digests(connection), contents(connection, "usage")
    with projecting.connect(conninfo) as dying:
        work = Rebuild(dying, all_views())
        work.begin()
        assert not work.step()
    assert REBUILT in schemas(connection)
    assert contents(connection, "usage") == rows
    assert prepare(connection, all_views()) == []
    assert (schemas(connection), digests(connection)) == ({"doneotp", "doneotp_views"}, live)


def test_a_rebuild_that_fails_leaves_nothing(
    business: Business, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(connection)
    live = digests(connection)
    monkeypatch.setattr(rebuilding, "EVENTS_MAX", 50)

    def interrupted(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(connection, all_views(), on_step=interrupted)
    assert (schemas(connection), digests(connection)) == ({"doneotp", "doneotp_views"}, live)


def test_a_swap_does_not_make_readers_wait_behind_a_long_one(
    business: Business, conninfo: str, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    catch_up(connection)
    live = digests(connection)
    with projecting.connect(conninfo) as reader:
        work = Rebuild(connection, all_views())
        work.begin()
        with reader.transaction():
            reader.execute("SELECT count(*) FROM doneotp_views.usage")
            assert [work.step(), work.step()] == [False, False]
        assert work.step()
        work.end()
    assert digests(connection) == live
