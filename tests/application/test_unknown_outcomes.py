"""An append whose fate nobody knows: found out by reading, never decided twice, and told when it cannot be found out."""

import asyncio
import threading
from functools import partial
from typing import Any

import pytest
from eventsourcing.persistence import IntegrityError, InterfaceError, OperationalError

from application import writer as writers
from application.accounts import ReadBalance
from application.ports import Record
from application.verifications import Outgoing
from domain.codec import UnreadableEvent
from domain.refusals import Overloaded, ServiceUnavailable
from tests.application.world import (
    ACCOUNT,
    OTHER_NUMBER,
    TEST_LOG,
    Process,
    kinds,
    memory,
    names,
    process,
    wait_until,
)

UNKNOWN = "The ledger was lost while recording; repeat the request with the same Idempotency-Key."
NOTHING = "The ledger cannot be reached or is still starting; nothing was recorded."
LOST = [OperationalError("the connection was lost"), InterfaceError("closed"), IntegrityError("on our own events")]


@pytest.mark.parametrize("error", LOST)
def test_a_lost_commit_is_recognised_by_its_event_ids(error):
    home = process()
    memory(home).lose_acknowledgement(error)
    answers = home.ask(home.send(), home.credit(5))
    assert kinds(answers) == ["Outgoing", "CreditAdded"]
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited", "CreditAdded"]
    assert home.balance() == {"available": 104, "debited": 1, "refunded": 0, "added": 105, "position": 5}
    assert home.ledger.account(ACCOUNT, fresh_seconds=1) == home.other().account()


def test_trying_again_without_looking_would_debit_twice():
    """What the test above would show of a writer that took an error for a refusal of the database."""
    home = process()
    memory(home).lose_acknowledgement()
    retried = home.other()
    with pytest.raises(OperationalError):
        write_carelessly(home, home.credit(5))
    write_carelessly(retried, retried.credit(5))
    assert home.balance()["added"] == 110


def write_carelessly(home: Process, command: Any) -> None:
    """Decide and append, and know nothing of errors."""
    home.ledger.prepare([(command.log, command.stream)])
    home.ledger.confirm([command.log])
    draft = writers.Draft(home.ledger, command.log, now=home.clock.now())
    [(stream, event)] = command.decide(draft).events
    version, position = draft.folded.version + 1, draft.position + 1
    record = home.ledger.record(command.log, stream, version=version, position=position, event=event)
    memory(home).append([record])


@pytest.mark.parametrize("error", LOST)
def test_an_append_that_did_not_arrive_is_decided_again(error):
    home = process()
    memory(home).fail("append", error)
    assert kinds(home.ask(home.send())) == ["Outgoing"]
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]


def test_the_code_that_was_answered_is_the_code_that_was_stored():
    home = process()
    memory(home).lose_acknowledgement()
    outgoing: Outgoing = home.do(home.send())
    assert kinds(home.ask(home.check(outgoing.code))) == ["Checked"]


def test_a_commit_that_lands_between_the_look_and_the_next_try_is_recognised():
    home = process()
    land = memory(home).delay_commit()
    memory(home).steal("append", by=land)
    assert kinds(home.ask(home.credit(5))) == ["CreditAdded"]
    assert home.balance()["added"] == 105


def test_a_commit_that_lands_after_the_next_try_is_refused_by_the_head():
    home = process()
    land = memory(home).delay_commit()
    assert kinds(home.ask(home.credit(5))) == ["CreditAdded"]
    assert land() == {ACCOUNT}
    assert home.balance()["added"] == 105


def test_a_commit_of_many_that_lands_while_they_are_taken_apart_is_recognised_for_each():
    home = process()
    memory(home).fail("append")
    land = memory(home).delay_commit()
    memory(home).steal("append", by=land)
    answers = home.ask(home.credit(1), home.credit(10), home.credit(100))
    assert kinds(answers) == ["CreditAdded"] * 3
    assert home.balance()["added"] == 211


def test_a_commit_that_lands_is_recognised_though_a_read_meets_it_first():
    home = process()
    land = memory(home).delay_commit()
    for point in ("log", "heads", "idempotent"):
        memory(home).steal(point, by=lambda: None)  # past the look that follows the error
    memory(home).steal("heads", by=land)
    answers = home.ask(home.credit(5), ReadBalance(ACCOUNT))
    assert [answers[0].credits, answers[1].added] == [5, 105]
    assert home.balance()["added"] == 105


@pytest.mark.parametrize("point", ["append", "idempotent", "heads", "streams", "snapshots", "log", "hold", "commit"])
def test_a_commit_that_lands_at_any_point_of_the_next_tries_counts_once(point):
    home = process()
    memory(home).fail("append")
    land = memory(home).delay_commit()
    landed: list[set[str]] = []
    memory(home).steal(point, by=lambda: landed.append(land()) if not landed and point_is_late(home) else None)
    key = home.keyring.idempotency(ACCOUNT, "K", request=b"R")
    answers = home.ask(home.credit(1), home.credit(10, idempotency=key), ReadBalance(ACCOUNT), home.send(OTHER_NUMBER))
    assert kinds(answers) == ["CreditAdded", "CreditAdded", "Balance", "Outgoing"]
    if not landed:
        landed.append(land())
    assert home.balance() == {"available": 110, "debited": 1, "refunded": 0, "added": 111, "position": 6}
    assert home.ledger.account(ACCOUNT, fresh_seconds=1) == home.other().account()


def point_is_late(home: Process) -> bool:
    """Whether the append that is to land has been sent."""
    return len(home.failures) >= 2


def test_what_was_stored_counts_once_though_the_look_at_another_log_that_moved_fails():
    home = process()
    home.balance(log=TEST_LOG)
    other = home.other()
    memory(home).steal("append", by=lambda: other.do(other.credit(1, log=TEST_LOG)))
    memory(home).fail("log")
    assert kinds(home.ask(home.credit(5), home.credit(5, log=TEST_LOG))) == ["CreditAdded"] * 2
    assert [home.balance()["added"], home.balance(log=TEST_LOG)["added"]] == [105, 6]


def test_others_who_wrote_in_between_do_not_hide_a_lost_commit():
    home = process()
    other = home.other()
    memory(home).lose_acknowledgement()
    memory(home).steal("log", by=lambda: other.do(other.credit(1)))
    assert kinds(home.ask(home.credit(5))) == ["CreditAdded"]
    assert home.balance()["added"] == 106


def test_a_ledger_that_stays_away_is_unavailable_and_says_what_may_have_happened():
    home = process(credits=1)
    memory(home).lose_acknowledgement()
    memory(home).fail("log", times=1_000)
    answers = home.ask(home.send(), home.send(OTHER_NUMBER), ReadBalance(ACCOUNT))
    assert [(type(a), a.detail, a.retry_after_seconds) for a in answers] == [
        (ServiceUnavailable, UNKNOWN, 1),
        (ServiceUnavailable, NOTHING, 1),
        (ServiceUnavailable, NOTHING, 1),
    ]
    assert home.watch.seconds == pytest.approx(writers.UNKNOWN_SECONDS_MAX, abs=1)


def test_after_an_unknown_outcome_the_same_request_with_its_key_finds_what_was_stored():
    home = process()
    memory(home).lose_acknowledgement()
    memory(home).fail("log", times=1_000)
    assert kinds(home.ask(home.send(key="K"))) == ["ServiceUnavailable"]
    memory(home).calm()
    again: Outgoing = home.do(home.send(key="K"))
    assert (again.is_new, again.answer.resend_in) == (False, 30)
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]


def test_a_ledger_that_comes_back_in_time_was_never_away():
    home = process()
    memory(home).fail("append")
    memory(home).fail("log", times=20)
    assert kinds(home.ask(home.send())) == ["Outgoing"]
    assert 0 < home.watch.seconds < writers.UNKNOWN_SECONDS_MAX


def test_a_writer_that_is_closing_does_not_wait_for_a_ledger_that_is_away():
    home = process()
    memory(home).fail("append", times=10_000)
    memory(home).fail("log", times=10_000)
    home.writer._closing = True
    assert kinds(home.ask(home.send())) == ["ServiceUnavailable"]
    assert home.watch.seconds == 0


def test_a_ledger_that_reads_but_does_not_write_is_not_asked_for_ever():
    home = process()
    memory(home).fail("append", times=10_000)
    [answer] = home.ask(home.send())
    assert isinstance(answer, (Overloaded, ServiceUnavailable))
    assert len(home.failures) <= writers.TRIES_MAX
    assert home.watch.seconds < writers.UNKNOWN_SECONDS_MAX + 1


def test_a_turn_that_is_lost_at_its_commit_is_an_unknown_outcome_too():
    home = process()
    other = home.other()
    for _ in range(writers.TRIES_BEFORE_TURN):
        memory(home).steal("append", by=lambda: other.do(other.credit(1)))
    memory(home).fail("commit")
    assert kinds(home.ask(home.credit(5))) == ["CreditAdded"]
    assert home.balance()["added"] == 107


def test_while_the_ledger_is_away_nobody_is_made_to_wait_for_it(monkeypatch):
    monkeypatch.setattr(writers, "SWEEP_SECONDS", 0.001)
    home = process()
    memory(home).fail("append", times=10_000)
    memory(home).fail("log", times=10_000)
    memory(home).fail("heads", times=10_000)
    home.writer.start()
    first = home.writer.submit(home.send())
    assert isinstance(first.exception(10), ServiceUnavailable)
    assert home.writer.is_away
    with pytest.raises(ServiceUnavailable) as refused:
        home.writer.submit(home.send())
    assert refused.value.retry_after_seconds == 1
    waited = home.watch.seconds
    assert isinstance(asyncio.run(unbounded(home)), ServiceUnavailable)
    assert home.watch.seconds == waited
    memory(home).calm()
    home.watch.seconds += 1
    wait_until(lambda: not home.writer.is_away)
    assert home.writer.submit(home.send()).result(10).is_new
    home.writer.close()


async def unbounded(home: Process) -> BaseException | None:
    """What a command that may not be refused for want of room comes to."""
    asked = home.writer.ask(home.credit(1), bounded=False)
    await asyncio.wait([asked], timeout=10)
    return asked.exception()


def test_those_who_queue_behind_a_ledger_that_goes_away_are_told_at_once():
    home = process()
    reached, go_on = threading.Event(), threading.Event()

    def away() -> None:
        reached.set()
        go_on.wait(10)
        memory(home).fail("log", times=10_000)
        memory(home).fail("heads", times=10_000)
        raise OperationalError("the network is away")

    memory(home).steal("append", by=away)
    home.writer.start()
    first = home.writer.submit(home.credit(1))
    assert reached.wait(10)
    rest = [home.writer.submit(home.credit(1)) for _ in range(writers.BATCH_MAX + 100)]
    go_on.set()
    details = [str(future.exception(10)) for future in (first, *rest)]
    assert details == [UNKNOWN] + [NOTHING] * len(rest)
    assert home.watch.seconds == pytest.approx(writers.UNKNOWN_SECONDS_MAX, abs=1)
    memory(home).calm()
    home.writer.close()


def test_a_log_that_is_read_and_never_written_has_a_limit_in_time():
    home = process()
    for _ in range(writers.TRIES_MAX):
        memory(home).steal("append", by=partial(slowly, home))
    [answer] = home.ask(home.send())
    assert (type(answer), answer.retry_after_seconds, home.writer.is_away) == (ServiceUnavailable, 1, True)
    assert writers.UNKNOWN_SECONDS_MAX <= home.watch.seconds < writers.UNKNOWN_SECONDS_MAX + 4


def slowly(home: Process) -> None:
    """A lock that is waited for and not given."""
    home.watch.seconds += 3
    raise OperationalError("canceling statement due to lock timeout")


def unreadable(home: Process, log: str, stream: str = "") -> None:
    """Let a version of DoneOTP that is not written yet append to a log."""
    before = memory(home).log(log)
    version = sum(record.stream == stream for record in before) + 1
    memory(home).append(
        [
            Record(
                originator_id=f"{log}/{stream}" if stream else log,
                originator_version=version,
                topic="CodeRequested.v9",
                state=b"{}",
                id=len(before) + 1,
                log=log,
                stream=stream,
                event_id=bytes(16),
            )
        ]
    )


@pytest.mark.parametrize("cached", [False, True])
def test_a_log_that_cannot_be_read_is_nobody_elses_trouble(cached):
    home = process()
    unreadable(home, TEST_LOG)
    if not cached:
        home = home.other()
    answers = home.ask(home.send(), home.credit(5, log=TEST_LOG), home.send(OTHER_NUMBER))
    assert kinds(answers) == ["Outgoing", "UnreadableEvent", "Outgoing"]
    assert home.watch.seconds == 0
    assert kinds(home.ask(home.credit(5, log=TEST_LOG))) == ["UnreadableEvent"]


def test_a_number_whose_history_cannot_be_read_is_no_other_numbers_trouble():
    home = process()
    unreadable(home, ACCOUNT, home.stream())
    home = home.other()
    answers = home.ask(home.send(OTHER_NUMBER), home.send(), home.credit(5))
    assert kinds(answers) == ["Outgoing", "UnreadableEvent", "CreditAdded"]
    assert kinds(home.ask(home.send())) == ["UnreadableEvent"]


def test_a_log_that_cannot_be_read_is_told_of_after_the_others_were_brought_up_to_date():
    home = process()
    home.do(home.credit(5, log=TEST_LOG))
    unreadable(home, TEST_LOG)
    home.other().do(home.credit(5))
    with pytest.raises(UnreadableEvent, match=r"CodeRequested\.v9"):
        home.ledger.confirm([TEST_LOG, "acct_never_cached", ACCOUNT])
    reached = {log: getattr(home.ledger.known(log), "position", None) for log in (TEST_LOG, ACCOUNT)}
    heads = memory(home).heads([TEST_LOG, ACCOUNT])
    assert reached == {TEST_LOG: heads[TEST_LOG] - 1, ACCOUNT: heads[ACCOUNT]}


def test_a_log_that_cannot_be_read_does_not_end_the_writer(monkeypatch):
    monkeypatch.setattr(writers, "SWEEP_SECONDS", 0.001)
    home = process()
    unreadable(home, TEST_LOG)
    home.writer.start()
    home.watch.seconds += 1
    wait_until(lambda: bool(home.failures))
    assert home.writer.submit(home.send()).result(10).is_new
    home.writer.close()


def test_a_snapshot_that_is_lost_or_cannot_be_saved_costs_nothing_but_time(monkeypatch):
    monkeypatch.setattr("application.ledger.SNAPSHOT_EVERY_EVENTS", 2)
    home = process()
    memory(home).fail("save_snapshot")
    assert kinds(home.ask(home.send(), home.send(OTHER_NUMBER))) == ["Outgoing", "Outgoing"]
    assert kinds(home.failures) == ["OperationalError"]
    assert home.other().balance() == home.balance()
