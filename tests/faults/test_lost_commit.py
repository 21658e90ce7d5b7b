"""The answer to a COMMIT gets lost: the effect must be there exactly once, and so must the answer.

Negative controls: a writer that retries plainly debits twice; without the watchdog a lost answer is waited for for ever.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import psycopg
import pytest
from eventsourcing.persistence import IntegrityError, PersistenceError

from application import writer
from application.writer import Draft
from interfaces.postgres import connection
from interfaces.world import SystemClock
from tests.faults.desk import Desk, desk_on
from tests.support.proxy import Fault, Proxy, proxied

APPEND = b"CodeRequested.v1"
COMMIT = b"COMMIT"
ONCE = {"CodeRequested.v1": 1, "CreditDebited.v1": 1}
FAULTS: tuple[Fault, ...] = get_args(Fault)


@pytest.fixture
def proxy(conninfo: str, tmp_path: Path) -> Iterator[Proxy]:
    with proxied(tmp_path / "p", str(psycopg.conninfo.conninfo_to_dict(conninfo)["host"])) as running:
        yield running


@pytest.fixture
def desk(proxy: Proxy, conninfo: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Its watchdog bites soon."""
    monkeypatch.setattr(connection, "STATEMENT_SECONDS_MAX", 0.5)
    with desk_on(psycopg.conninfo.make_conninfo(conninfo, host=str(proxy.directory))) as desk:
        yield desk


def sends(desk: Desk) -> Counter[str]:
    return Counter(topic for topic in desk.topics() if topic in ONCE)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_send_whose_append_gets_lost_is_debited_once_and_answered(proxy, desk, fault):
    proxy.arm(fault, trigger=APPEND)
    outgoing = desk.writer.submit(desk.send()).result(30)
    assert (proxy.faults, sends(desk), desk.stored().debited) == (1, ONCE, 1)
    assert outgoing.is_new
    assert desk.failures != []


@pytest.mark.parametrize(
    ("fault", "trigger"), [(fault, COMMIT) for fault in FAULTS] + [(fault, APPEND) for fault in FAULTS[:-1]]
)
def test_nor_is_it_debited_twice_when_the_writer_had_taken_its_turn(proxy, desk, fault, trigger, monkeypatch):
    """Then the append is in a transaction that keeps the log locked, maybe for longer than we are there."""
    monkeypatch.setattr(writer, "TRIES_BEFORE_TURN", 0)
    proxy.arm(fault, trigger=trigger)
    outgoing = desk.writer.submit(desk.send()).result(30)
    assert (proxy.faults, sends(desk), desk.stored().debited) == (1, ONCE, 1)
    assert outgoing.is_new


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
def test_a_right_code_whose_append_gets_lost_earns_its_token(proxy, desk, fault):
    code = desk.writer.submit(desk.send()).result(30).code
    proxy.arm(fault, trigger=b"Verified.v1")
    token = desk.writer.submit(desk.check(code)).result(30).token
    assert desk.writer.submit(desk.redeem(token)).result(30).valid
    assert (proxy.faults, Counter(desk.topics())["Verified.v1"]) == (1, 1)


def test_many_commands_in_the_lost_transaction_are_each_there_once(proxy, desk):
    proxy.arm("lose_answer", trigger=APPEND)
    futures = [desk.writer.submit(desk.send(f"+1415555{number:04}")) for number in range(5)]
    ids = {future.result(30).answer.verification_id for future in futures}
    assert (len(ids), desk.stored().debited) == (5, 5)


def test_an_integrity_error_says_nothing_about_what_is_stored(conninfo, monkeypatch):
    """What a library that tries again by itself makes of a lost answer: its own events are in its way."""
    with desk_on(conninfo) as desk:
        append, errors = desk.recorder.append, iter([IntegrityError("duplicate key")])

        def append_and_complain(records):
            moved = append(records)
            for error in errors:
                raise error
            return moved

        monkeypatch.setattr(desk.recorder, "append", append_and_complain)
        outgoing = desk.writer.submit(desk.send()).result(30)
        assert (sends(desk), outgoing.is_new) == (ONCE, True)


def test_a_plain_retry_debits_twice(proxy, desk):
    """The negative control: the same loss, and a writer that appends what it decided again when the first try fails."""
    desk.writer.close()
    command = desk.send()
    desk.ledger.prepare([(command.log, command.stream)])
    decided = command.decide(Draft(desk.ledger, command.log, now=SystemClock().now())).events

    def append() -> None:
        desk.ledger.catch_up(command.log)
        draft = Draft(desk.ledger, command.log, now=SystemClock().now())
        draft.take(decided)
        assert not desk.recorder.append(draft.records)

    proxy.arm("lose_answer", trigger=APPEND)
    with pytest.raises(PersistenceError):
        append()
    append()
    assert sends(desk) == {"CodeRequested.v1": 2, "CreditDebited.v1": 2}


def test_without_the_watchdog_an_answer_that_never_comes_is_waited_for(proxy, desk, monkeypatch):
    """The other one: the socket stays open, the database's own timeouts tell nobody, and libpq waits."""
    monkeypatch.setattr(connection, "STATEMENT_SECONDS_MAX", 3_600)
    proxy.arm("hang_after_request", trigger=APPEND)
    future = desk.writer.submit(desk.send())
    with pytest.raises(TimeoutError):
        future.result(3)
    proxy.cut()
    assert future.result(30).is_new
