"""Group commit: many commands, one append, and nothing answered before it is stored."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from eventsourcing.persistence import DataError, OperationalError

from application import writer as writers
from application.accounts import ReadBalance
from application.verifications import Checked, Outgoing
from application.writer import Decision, Draft, Ticket
from domain.events import CreditAdded, Event
from domain.refusals import (
    AttemptsExhausted,
    InsufficientCredit,
    Overloaded,
    ResendCooldown,
    ServiceUnavailable,
    StateConflict,
    WrongCode,
)
from tests.application.world import (
    ACCOUNT,
    NUMBER,
    OTHER_NUMBER,
    Process,
    events,
    kinds,
    memory,
    names,
    process,
    wait_until,
)
from tests.support.clock import NOON


@dataclass
class Asked:
    """A command that a test decides itself."""

    answer: Callable[[Draft], Decision[Any]]
    log: str = ACCOUNT
    stream: str | None = None
    idempotency: str = ""
    times: int = 0
    seen: list[int] = field(default_factory=list)

    def decide(self, draft: Draft) -> Decision[Any]:
        self.times += 1
        self.seen.append(draft.position)
        return self.answer(draft)

    def replay(self, event: Event) -> Any:
        return event


def credit(credits: int = 1) -> CreditAdded:
    return CreditAdded(at=NOON, credits=credits, reference="R")


@contextmanager
def started(home: Process) -> Iterator[Process]:
    home.writer.start()
    try:
        yield home
    finally:
        home.writer.close()


def test_many_commands_are_one_append():
    home = process()
    before = len(memory(home).appends)
    answers = home.ask(*[home.send(f"+1415555{n:04}") for n in range(2671, 2691)])
    assert kinds(answers) == ["Outgoing"] * 20
    assert memory(home).appends[before:] == [40]
    assert home.balance() == {"available": 80, "debited": 20, "refunded": 0, "added": 100, "position": 42}


def test_a_batch_over_many_logs_is_one_append():
    home = process()
    logs = [f"acct_{n}" for n in range(30)]
    before = len(memory(home).appends)
    home.ask(*[Asked(lambda draft: Decision(None, (("", credit()),)), log=log) for log in logs])
    assert memory(home).appends[before:] == [30]
    assert [names(home.recorder, log) for log in logs] == [["CreditAdded"]] * 30


def test_each_command_sees_what_those_before_it_in_the_batch_decided():
    home = process(credits=2)
    numbers = ["+14155552671", "+14155552671", "+14155552672", "+14155552673"]
    answers = home.ask(*[home.send(number) for number in numbers])
    assert kinds(answers) == ["Outgoing", "ResendCooldown", "Outgoing", "InsufficientCredit"]
    assert home.balance()["available"] == 0


def test_five_guesses_are_compared_when_a_hundred_arrive_at_once():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    wrong = "0" * 6 if outgoing.code != "0" * 6 else "1" * 6
    answers = home.ask(*[home.check(wrong)] * 50, *[home.check(outgoing.code)] * 50)
    assert [answer.extras for answer in answers[:5]] == [{"attempts_left": left} for left in (4, 3, 2, 1, 0)]
    assert kinds(answers) == ["WrongCode"] * 5 + ["AttemptsExhausted"] * 95
    assert names(home.recorder)[4:] == ["AttemptFailed"] * 5


def test_one_of_a_hundred_right_codes_verifies():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    answers = home.ask(*[home.check(outgoing.code)] * 100)
    assert kinds(answers) == ["Checked"] + ["AlreadyVerified"] * 99


def test_a_wrong_code_is_stored_and_then_refused():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    with pytest.raises(WrongCode):
        home.do(home.check("000000" if outgoing.code != "000000" else "111111"))
    assert names(home.recorder)[-1] == "AttemptFailed"


def test_what_refuses_everything_stores_nothing():
    home = process(credits=0)
    before = len(memory(home).appends)
    assert kinds(home.ask(home.send(), home.send(OTHER_NUMBER))) == ["InsufficientCredit"] * 2
    assert memory(home).appends[before:] == []


def test_nothing_is_answered_before_it_is_stored():
    home = process()
    ticket = Ticket(home.send(), Future())
    done: list[bool] = []
    memory(home).steal("append", by=lambda: done.append(ticket.future.done()))
    home.writer.write([ticket])
    assert (done, ticket.future.done()) == ([False], True)


def test_nothing_is_cached_that_was_not_stored():
    home = process()
    memory(home).fail("append")
    memory(home).fail("log", times=1_000)
    assert kinds(home.ask(home.send())) == ["ServiceUnavailable"]
    assert home.ledger.known(ACCOUNT).account.state.debited == 0  # type: ignore[union-attr]


def test_a_command_that_fails_by_itself_harms_nobody_else():
    home = process()

    def crash(draft: Draft) -> Decision[None]:
        raise ZeroDivisionError

    answers = home.ask(home.send(), Asked(crash), home.send(OTHER_NUMBER))
    assert kinds(answers) == ["Outgoing", "ZeroDivisionError", "Outgoing"]
    assert kinds(home.failures) == ["ZeroDivisionError"]


@pytest.mark.parametrize("good", [0, 1])
def test_a_decision_that_cannot_be_written_down_leaves_no_part_of_itself(good):
    home = process()
    stream = home.stream()
    unwritable = msgspec.structs.replace(credit(), reference="\ud800")
    parts = ([(stream, msgspec.structs.replace(sample(home), verification_id="x"))] * good) + [("", unwritable)]
    answers = home.ask(
        Asked(lambda draft: Decision("never", tuple(parts)), stream=stream), home.send(), home.send(OTHER_NUMBER)
    )
    assert kinds(answers) == ["UnicodeEncodeError", "Outgoing", "Outgoing"]
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"] * 2
    assert [record.originator_version for record in memory(home).log(ACCOUNT)] == [1, 2, 1, 3, 1, 4]
    assert home.ledger.account(ACCOUNT, fresh_seconds=1) == home.other().account()


def sample(home: Process) -> Any:
    """A CodeRequested as it would be stored."""
    return next(event for event in events(process_with_send().recorder) if type(event).__name__ == "CodeRequested")


def process_with_send() -> Process:
    home = process()
    home.do(home.send())
    return home


def test_what_the_database_refuses_is_refused_alone():
    home = process()
    memory(home).poison("CreditAdded.v1")
    answers = home.ask(home.send(), home.credit(5), home.send(OTHER_NUMBER))
    assert kinds(answers) == ["Outgoing", "DataError", "Outgoing"]
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"] * 2
    assert set(kinds(home.failures)) == {"DataError"}


def test_a_refused_command_among_others_that_fail_keeps_its_refusal():
    home = process(credits=0)
    memory(home).poison("AccountSuspended.v1")
    assert kinds(home.ask(home.send(), home.suspend())) == ["InsufficientCredit", "DataError"]


def test_a_moved_head_is_decided_again_with_what_the_other_wrote():
    home = process(credits=1)
    other = home.other()
    memory(home).steal("append", by=lambda: other.do(other.send(OTHER_NUMBER)))
    with pytest.raises(InsufficientCredit):
        home.do(home.send())
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]
    assert home.writer.conflicts == 1


def test_only_the_log_that_moved_is_decided_again():
    home = process()
    other = home.other()
    here = Asked(lambda draft: Decision(draft.position, (("", credit()),)))
    there = Asked(lambda draft: Decision(draft.position, (("", credit()),)), log="acct_b")
    memory(home).steal("append", by=lambda: other.do(other.send()))
    assert home.ask(here, there) == [4, 0]
    assert (here.seen, there.seen) == ([2, 4], [0])


def test_a_writer_that_lost_twice_takes_its_turn():
    home = process()
    other = home.other()
    for _ in range(writers.TRIES_BEFORE_TURN):
        memory(home).steal("append", by=lambda: other.do(other.credit(1)))
    assert kinds(home.ask(home.send())) == ["Outgoing"]
    assert memory(home).held == [[ACCOUNT]]
    assert names(home.recorder)[2:] == ["CreditAdded", "CreditAdded", "CodeRequested", "CreditDebited"]


def test_a_writer_that_takes_its_turn_looks_once_more_what_others_wrote():
    home = process()
    other = home.other()
    for point in ("append", "append", "hold"):
        memory(home).steal(point, by=lambda: other.do(other.credit(1)))
    assert kinds(home.ask(home.send())) == ["Outgoing"]
    assert (memory(home).held, home.writer.conflicts) == ([[ACCOUNT]], 2)


def test_what_was_seen_of_others_is_not_remembered_for_ever():
    home = process()
    other = home.other()
    for _ in range(20):
        other.do(other.credit(1))
        home.do(home.credit(1))
    assert len(home.ledger.seen) <= 2


def test_a_command_that_always_loses_is_given_up():
    home = process()
    other = home.other()
    command = Asked(lambda draft: Decision(None, (("", credit()),)))
    for _ in range(writers.TRIES_MAX):
        memory(home).steal("append", by=lambda: other.do(other.credit(1)))
    [answer] = home.ask(command)
    assert (type(answer), answer.retry_after_seconds) == (Overloaded, 1)
    assert command.times == writers.TRIES_MAX


def test_a_full_queue_is_overloaded_for_those_who_may_be_refused():
    home = process(queue_max=2)
    waiting = threading.Event()
    memory(home).steal("append", by=lambda: waiting.wait(10))
    with started(home):
        first = home.writer.submit(home.credit(1))
        wait_until(lambda: home.writer.waiting == 0)
        rest = [home.writer.submit(home.credit(1)) for _ in range(2)]
        with pytest.raises(Overloaded) as refused:
            home.writer.submit(home.credit(1))

        async def dispatcher() -> None:
            with pytest.raises(Overloaded):
                home.writer.ask(home.credit(1))
            asked = home.writer.ask(home.credit(1), bounded=False)
            waiting.set()
            await asked

        asyncio.run(dispatcher())
        assert [type(future.result(10)) for future in (first, *rest)] == [CreditAdded] * 3
    assert (refused.value.retry_after_seconds, home.balance()["added"]) == (1, 104)


def test_what_was_accepted_before_the_close_is_answered_and_nothing_is_accepted_after():
    home = process()
    home.writer.start()
    assert home.writer.alive
    futures = [home.writer.submit(home.credit(1)) for _ in range(1_200)]
    home.writer.close()
    assert {type(future.result(0)) for future in futures} == {CreditAdded}
    assert not home.writer.alive
    with pytest.raises(ServiceUnavailable):
        home.writer.submit(home.credit(1))
    assert max(memory(home).appends) <= writers.BATCH_MAX


def test_whoever_comes_in_the_instant_of_the_close_is_answered_or_refused():
    home = process()
    home.writer.start()
    begun = threading.Barrier(5)

    def keep_asking(_: int) -> list[Any]:
        accepted = []
        begun.wait(10)
        while True:
            try:
                accepted.append(home.writer.submit(home.credit(1)))
            except Overloaded:
                continue
            except ServiceUnavailable:
                return accepted

    with ThreadPoolExecutor(4) as callers:
        asking = [callers.submit(keep_asking, n) for n in range(4)]
        begun.wait(10)
        home.writer.close()
        answers = [future.result(0) for caller in asking for future in caller.result(10)]
    assert {type(answer) for answer in answers} <= {CreditAdded}


def test_a_writer_that_was_never_started_accepts_nothing():
    with pytest.raises(ServiceUnavailable):
        process().writer.submit(process().credit(1))


def test_a_coroutine_is_answered_on_its_loop_after_its_callback():
    home = process()
    order: list[Any] = []

    async def client() -> Checked | Outgoing:
        loop = asyncio.get_running_loop()

        def after(outcome: Any) -> None:
            order.append(("after", type(outcome).__name__, asyncio.get_running_loop() is loop))

        answer = await home.writer.ask(home.send(), after=after)
        order.append("answered")
        return answer

    with started(home):
        assert isinstance(asyncio.run(client()), Outgoing)
    assert order == [("after", "Outgoing", True), "answered"]


def test_a_callback_hears_of_refusals_too():
    home = process(credits=0)
    heard: list[Any] = []

    async def client() -> None:
        with pytest.raises(InsufficientCredit):
            await home.writer.ask(home.send(), after=heard.append)

    with started(home):
        asyncio.run(client())
    assert kinds(heard) == ["InsufficientCredit"]


def test_a_callback_runs_even_when_its_caller_has_given_up():
    home = process()
    heard: list[Any] = []
    reached, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        reached.set()
        go_on.wait(10)

    memory(home).steal("append", by=wait)

    async def client() -> None:
        asked = home.writer.ask(home.send(), after=heard.append)
        await asyncio.to_thread(reached.wait, 10)
        asked.cancel()
        go_on.set()
        await home.writer.ask(ReadBalance(ACCOUNT))

    with started(home):
        asyncio.run(client())
    assert kinds(heard) == ["Outgoing"]


def test_a_callback_that_fails_leaves_nobody_unanswered():
    home = process()
    complaints: list[Any] = []

    def crash(outcome: Any) -> None:
        raise ZeroDivisionError

    async def client() -> list[Any]:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context["exception"]))
        asked = [home.writer.ask(home.send(), after=crash), home.writer.ask(home.send(OTHER_NUMBER))]
        done, _ = await asyncio.wait(asked, timeout=5)
        return [type(future.result()).__name__ if future in done else "nothing" for future in asked]

    with started(home):
        assert asyncio.run(client()) == ["Outgoing", "Outgoing"]
    assert kinds(complaints) == ["ZeroDivisionError"]


def test_a_loop_that_is_gone_is_nobody_to_answer():
    home = process()
    go_on = threading.Event()
    memory(home).steal("append", by=lambda: go_on.wait(10))

    async def client() -> None:
        home.writer.ask(home.send())

    with started(home):
        asyncio.run(client())
        go_on.set()
        assert home.writer.submit(ReadBalance(ACCOUNT)).result(10).debited == 1
    assert kinds(home.failures) == ["RuntimeError"]


def test_the_writer_looks_after_the_logs_in_use(monkeypatch):
    monkeypatch.setattr(writers, "SWEEP_SECONDS", 0.001)
    home = process()
    other = home.other()
    with started(home):
        other.do(other.suspend())
        home.watch.seconds += 1
        wait_until(lambda: home.ledger.known(ACCOUNT).position == 3)  # type: ignore[union-attr]
        account = home.ledger.account(ACCOUNT, fresh_seconds=0.5)
        assert (account.suspended if account else None, home.writer.last_contact_at) == ("fraud", 1.0)


def test_a_sweep_that_fails_is_reported_and_repeated(monkeypatch):
    monkeypatch.setattr(writers, "SWEEP_SECONDS", 0.001)
    home = process()
    other = home.other()
    other.do(other.suspend())
    memory(home).fail("heads", times=2)
    with started(home):
        for _ in range(3):
            home.watch.seconds += 1
            asked = len(memory(home).points)
            wait_until(partial(has_asked_more, home, asked))
        wait_until(lambda: home.ledger.known(ACCOUNT).position == 3)  # type: ignore[union-attr]
        assert kinds(home.failures) == ["OperationalError"] * 2


def has_asked_more(home: Process, asked: int) -> bool:
    """Whether the recorder was asked for anything beyond the first so many times."""
    return len(memory(home).points) > asked


def test_a_code_that_another_process_sent_is_found():
    home = process()
    other = home.other()
    assert kinds(home.ask(home.check("123456"))) == ["VerificationNotFound"]
    outgoing: Outgoing = other.do(other.send())
    assert kinds(home.ask(home.check(outgoing.code))) == ["Checked"]


def test_credit_that_another_process_added_is_there_to_spend():
    home = process(credits=0)
    other = home.other()
    assert kinds(home.ask(home.send())) == ["InsufficientCredit"]
    other.do(other.credit(1))
    assert kinds(home.ask(home.send())) == ["Outgoing"]


def test_a_refusal_on_stale_grounds_is_not_given_though_others_write_all_the_time():
    home = process(credits=0)
    other = home.other()
    assert kinds(home.ask(home.send())) == ["InsufficientCredit"]
    memory(home).steal("heads", by=lambda: other.do(other.credit(1)))
    assert kinds(home.ask(home.send())) == ["Outgoing"]


def test_doing_nothing_again_is_not_answered_on_stale_grounds():
    home = process()
    other = home.other()
    home.do(home.suspend())
    assert home.do(home.suspend()) is None
    other.do(other.resume())
    assert type(home.do(home.suspend())).__name__ == "AccountSuspended"


def test_a_read_is_of_all_that_is_stored():
    home = process()
    other = home.other()
    assert home.balance()["position"] == 2
    other.do(other.send())
    assert home.balance() == {"available": 99, "debited": 1, "refunded": 0, "added": 100, "position": 4}


def test_a_log_that_nobody_opened_reads_as_nothing():
    home = process()
    assert home.balance(log="acct_z") == {"available": 0, "debited": 0, "refunded": 0, "added": 0, "position": 0}
    with pytest.raises(StateConflict):
        home.account(log="acct_z")


def test_a_test_logs_clock_is_its_own():
    home = process()
    log = f"{ACCOUNT}-test"
    home.do(home.send(log=log))
    with pytest.raises(ResendCooldown):
        home.do(home.send(log=log))
    home.do(home.advance(30))
    assert home.do(home.send(log=log)).at == NOON + timedelta(seconds=30)
    assert home.do(home.send()).at == NOON


def test_a_batch_is_decided_at_one_moment():
    home = process()
    home.clock.advance(seconds=5)
    home.ask(home.send(), home.send(OTHER_NUMBER), home.credit(1))
    assert {event.at for event in events(home.recorder)[2:]} == {NOON + timedelta(seconds=5)}


def test_a_thousand_commands_through_the_thread_are_few_appends():
    home = process(credits=5_000)
    numbers = [f"+1415555{n:04}" for n in range(1_000, 2_000)]
    with started(home):
        futures = [home.writer.submit(home.send(number)) for number in numbers]
        assert {type(future.result(30)) for future in futures} == {Outgoing}
    assert sum(memory(home).appends) == 2_003
    assert (home.writer.batches, home.balance()["debited"]) == (len(memory(home).appends), 1_000)


def test_what_the_database_refuses_when_it_is_alone_is_refused_at_once():
    home = process()
    memory(home).fail("append", DataError("unacceptable"))
    assert kinds(home.ask(home.send())) == ["DataError"]
    assert kinds(home.ask(home.send())) == ["Outgoing"]


def test_exhaustion_is_not_forgotten_between_batches():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    wrong = "000000" if outgoing.code != "000000" else "111111"
    for _ in range(5):
        home.ask(home.check(wrong))
    with pytest.raises(AttemptsExhausted):
        home.do(home.check(outgoing.code))


def test_errors_of_the_network_while_reading_end_as_unavailable():
    home = process()
    memory(home).fail("heads", OperationalError("away"), times=10_000)
    [answer] = home.ask(ReadBalance("acct_new"))
    assert (type(answer), answer.detail, answer.retry_after_seconds) == (
        ServiceUnavailable,
        "The ledger cannot be reached or is still starting; nothing was recorded.",
        1,
    )
    assert home.watch.seconds == pytest.approx(writers.UNKNOWN_SECONDS_MAX, abs=1)


def test_numbers_that_are_not_asked_about_are_not_loaded():
    home = process_with_send()
    fresh = home.other()
    fresh.do(fresh.send(OTHER_NUMBER))
    assert fresh.ledger.stream(ACCOUNT, fresh.stream(NUMBER)) is None
