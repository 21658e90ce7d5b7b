"""One log has an event that nobody can read, as a newer version may write it: that is this log's trouble alone."""

import asyncio

import psycopg
import pytest

from domain.codec import UnreadableEvent
from interfaces.bench import phones
from interfaces.postgres.abandoned import Sweep
from interfaces.world import SystemClock
from tests.faults.desk import desk_on
from tests.support.books import assert_sound, log_of
from tests.support.server import wait_for

SPOIL = (
    "UPDATE doneotp.heads SET position = position + 1 WHERE log = %(log)s",
    """INSERT INTO doneotp.events (log, position, stream, version, event_id, topic, body)
    SELECT log, position, 'unreadable', 1, gen_random_uuid(), %(topic)s, '{}' FROM doneotp.heads WHERE log = %(log)s""",
)
TOPICS = ["CodeRequested.v1", "CodeRequested.v99"]


def spoil(conninfo: str, log: str, topic: str) -> None:
    with psycopg.connect(conninfo) as connection:
        for statement in SPOIL:
            connection.execute(statement, {"log": log, "topic": topic})


@pytest.mark.parametrize("topic", TOPICS)
def test_the_server_goes_on_for_everybody_else(serve, topic):
    server = serve()  # its own: what cannot be read is complained about for as long as it runs
    sick, well = server.open_account(10), server.open_account(10)

    def send(account, place):
        body = {"phone_number": phones.number(place)}
        return server.post("/v1/verify/send", body, key=account.keys["sk_live"]).status

    assert [send(sick, 0), send(well, 0)] == [200, 200]
    spoil(server.conninfo, sick.account_id, topic)
    wait_for(lambda: send(sick, 1) == 500)
    assert [send(well, place) for place in (1, 2, 3)] == [200, 200, 200]
    assert (send(sick, 2), server.get("/readyz").status) == (500, 200)
    assert_sound(log_of(server, well.keys["sk_live"]))


def test_what_others_write_to_another_log_is_noticed_all_the_same(conninfo):
    with desk_on(conninfo) as desk, desk_on(conninfo) as other:
        sick, well = (desk.administration.open_account(name="Test", credits=10, by="test") for _ in range(2))
        for account in (sick, well):
            desk.writer.submit(desk.send(log=account.account_id)).result(30)
        spoil(conninfo, sick.account_id, TOPICS[0])
        before = len(desk.recorder.select_log(well.account_id, after=0, limit=100))
        other.administration.add_credit(well.account_id, credits=1, reference="news", by="test")
        wait_for(lambda: desk.ledger.is_beyond(well.account_id, before))
        wait_for(lambda: desk.failures)
        assert {type(failure) for failure in desk.failures} == {UnreadableEvent}


@pytest.mark.parametrize("topic", TOPICS)
def test_the_sweep_pays_back_what_others_lost(conninfo, topic):
    with desk_on(conninfo) as desk:
        accounts = [desk.administration.open_account(name="Test", credits=10, by="test") for _ in range(5)]
        for account in accounts:
            desk.writer.submit(desk.send(log=account.account_id)).result(30)
        sick = accounts.pop(2)
        spoil(conninfo, sick.account_id, topic)
        failures: list[BaseException] = []
        sweep = Sweep(desk.recorder, desk.writer, SystemClock(), on_failure=failures.append, abandoned_seconds=0)
        given_up = asyncio.run(sweep.once())
        assert given_up == len(accounts)
        assert {type(failure) for failure in failures} == {UnreadableEvent}
        assert [desk.administration.account(a.account_id).refunded for a in accounts] == [1] * len(accounts)
