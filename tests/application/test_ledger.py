"""The cache: always what the log folds to, whoever wrote it and whatever was dropped from memory."""

from collections.abc import Callable
from typing import Any

import pytest
from eventsourcing.persistence import OperationalError, ProgrammingError, RecordConflictError, StoredEvent

from application import ledger as ledgers
from application.accounts import ReadBalance
from application.ledger import Ledger
from application.mapper import EventMapper
from application.ports import LogRecorder, Record, Snapshot
from application.verifications import Outgoing
from domain import account as accounts
from domain import verification as verifications
from domain.account import Account
from domain.codec import decode
from domain.events import CreditAdded
from domain.verification import Verification
from tests.application.world import (
    ACCOUNT,
    NUMBER,
    OTHER_NUMBER,
    TEST_LOG,
    Process,
    events,
    kinds,
    memory,
    names,
    process,
)
from tests.support.clock import NOON, SeededEntropy, Stopwatch
from tests.support.memory import MemoryLogRecorder

READS = ["heads", "snapshots", "streams", "idempotent", "append", "log"]


def replayed(
    recorder: LogRecorder, log: str = ACCOUNT, *, until: int = 10**6
) -> tuple[Account, dict[str, Verification]]:
    """A log folded from its first event up to a position, without any cache."""
    account, streams = Account(), dict[str, Verification]()
    for record in recorder.select_log(log, after=0, limit=until):
        event = decode(record.topic, record.state)
        if record.stream:
            before = streams.get(record.stream, Verification())
            streams[record.stream] = verifications.evolve(before, event)
        else:
            account = accounts.evolve(account, event)
    return account, streams


def assert_cache_is_the_log(home: Process, log: str = ACCOUNT) -> None:
    """What is cached of a log at its position is exactly what the log folds to."""
    cached = home.ledger.known(log)
    assert cached is not None
    account, streams = replayed(home.recorder, log)
    assert (cached.position, cached.account.state) == (len(memory(home).log(log)), account)
    folded = {stream: home.ledger.stream(log, stream) for stream in cached.streams}
    assert {stream: found.state for stream, found in folded.items() if found} == {
        stream: streams.get(stream, Verification()) for stream in cached.streams
    }
    versions = {stream: sum(r.stream == stream for r in memory(home).log(log)) for stream in (*folded, "")}
    assert {stream: found.version for stream, found in folded.items() if found} | {
        "": cached.account.version
    } == versions


def busy(home: Process, *, times: int = 1) -> None:
    """Some of everything."""
    for _ in range(times):
        for number in (NUMBER, OTHER_NUMBER):
            outgoing: Any = home.do(home.send(number))
            home.do(home.took(outgoing, number))
            home.ask(home.check("0" * 6, number))
            [checked] = home.ask(home.check(outgoing.code, number))
            home.do(home.redeem(checked.token))
        home.ask(home.credit(7), home.send("+447911123456"), home.send("+390612345678"))
        home.clock.advance(seconds=700)


def test_what_is_cached_is_what_the_log_folds_to():
    home = process()
    busy(home, times=3)
    assert_cache_is_the_log(home)


def test_a_fresh_process_folds_the_same():
    home = process()
    busy(home)
    fresh = home.other()
    fresh.ask(ReadBalance(ACCOUNT), fresh.check("0" * 6), fresh.check("0" * 6, OTHER_NUMBER))
    assert_cache_is_the_log(fresh)


def test_what_others_wrote_is_folded_into_what_is_cached():
    home = process()
    busy(home)
    other = home.other()
    other.do(other.send())
    other.do(other.credit(3))
    home.ledger.confirm([ACCOUNT])
    assert_cache_is_the_log(home)


def test_catching_up_reads_page_after_page(monkeypatch):
    monkeypatch.setattr(ledgers, "CATCH_UP_ROWS", 3)
    home = process()
    busy(home)
    other = home.other()
    for credits in range(1, 8):
        other.do(other.credit(credits))
    before = len(memory(home).points)
    assert [event.credits for event in map(decoded, home.ledger.catch_up(ACCOUNT))] == [1, 2, 3, 4, 5, 6, 7]
    assert memory(home).points[before:] == ["log"] * 3
    assert_cache_is_the_log(home)


def decoded(record: Record) -> Any:
    return decode(record.topic, record.state)


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_a_tiny_cache_answers_as_a_large_one(monkeypatch, limit):
    def program(home: Process) -> list[Any]:
        busy(home, times=2)
        answers = home.ask(*[home.send(f"+1415555{n:04}") for n in range(2_700, 2_710)])
        answers += home.ask(home.send(log=TEST_LOG), home.send(OTHER_NUMBER), home.check("0" * 6), home.credit(1))
        return [str(getattr(answer, "answer", answer)) for answer in answers]

    large = process()
    expected = program(large)
    monkeypatch.setattr(ledgers, "LOGS_CACHED_MAX", limit)
    monkeypatch.setattr(ledgers, "STREAMS_CACHED_MAX", limit)
    small = process()
    assert program(small) == expected
    assert len(small.ledger._logs) <= limit
    assert len(small.ledger._streams) <= limit
    assert memory(small).log(ACCOUNT) == memory(large).log(ACCOUNT)
    small.balance()
    assert_cache_is_the_log(small)


def test_the_least_recently_used_log_is_dropped_with_its_streams(monkeypatch):
    monkeypatch.setattr(ledgers, "LOGS_CACHED_MAX", 1)
    home = process()
    home.do(home.send())
    assert home.ledger.stream(ACCOUNT, home.stream()) is not None
    home.balance(log=TEST_LOG)
    assert (home.ledger.known(ACCOUNT), home.ledger.stream(ACCOUNT, home.stream())) == (None, None)
    assert home.ledger.known(TEST_LOG) is not None


def test_a_log_that_is_used_again_is_not_the_least_recently_used(monkeypatch):
    monkeypatch.setattr(ledgers, "LOGS_CACHED_MAX", 2)
    home = process()
    for log in (ACCOUNT, TEST_LOG, ACCOUNT, "acct_z"):
        home.balance(log=log)
    assert [log for log in (ACCOUNT, TEST_LOG, "acct_z") if home.ledger.known(log)] == [ACCOUNT, "acct_z"]


def test_the_least_recently_used_number_is_dropped(monkeypatch):
    monkeypatch.setattr(ledgers, "STREAMS_CACHED_MAX", 2)
    home = process()
    for number in (NUMBER, OTHER_NUMBER):
        home.do(home.send(number))
    assert kinds(home.ask(home.send())) == ["ResendCooldown"]  # used, though nothing was recorded
    home.do(home.send("+447911123456"))
    kept = {number: home.ledger.stream(ACCOUNT, home.stream(number)) is not None for number in (NUMBER, OTHER_NUMBER)}
    assert kept == {NUMBER: True, OTHER_NUMBER: False}


def test_forgetting_what_is_not_known_is_no_error():
    home = process()
    home.ledger.forget("acct_z")
    home.ledger.forget(ACCOUNT)
    assert home.ledger.known(ACCOUNT) is None
    assert home.balance()["added"] == 100


@pytest.mark.parametrize("point", READS)
@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize("warm", [False, True])
def test_whoever_writes_while_we_read_is_seen(point, nth, warm):
    """At every point of every read another process uses the same number, another number and the account."""
    writer = process(credits=7)
    first: Outgoing = writer.do(writer.send())
    home = writer.other()
    if warm:
        home.ask(home.check("0" * 6), ReadBalance(ACCOUNT))
        writer.do(writer.credit(1))
    for _ in range(nth - 1):
        memory(home).steal(point, by=lambda: None)
    wrong = "0" * 6 if first.code != "0" * 6 else "1" * 6

    def disturb() -> None:
        writer.ask(writer.check(wrong), writer.send(OTHER_NUMBER), writer.credit(1), writer.suspend(), writer.resume())

    memory(home).steal(point, by=disturb)
    answers = home.ask(
        home.check(wrong, key="K"), home.send(OTHER_NUMBER, key="S"), home.send("+447911123456"), ReadBalance(ACCOUNT)
    )
    memory(home).calm()
    account, _ = replayed(home.recorder)
    assert account.available >= 0
    assert answers[3].available == account.available
    lefts = [event.attempts_left for event in events(home.recorder) if type(event).__name__ == "AttemptFailed"]
    assert lefts == list(range(4, 4 - len(lefts), -1))
    assert answers[0].extras["attempts_left"] == lefts[-1]
    assert kinds(answers[1:2]) in (["Outgoing"], ["ResendCooldown"])
    assert_cache_is_the_log(home)


def test_a_number_that_others_used_since_takes_the_whole_log_along():
    writer = process()
    home = writer.other()
    home.balance()
    outgoing: Outgoing = writer.do(writer.send())
    assert kinds(home.ask(home.check(outgoing.code))) == ["Checked"]
    assert home.writer.conflicts == 0
    assert_cache_is_the_log(home)


def test_an_account_that_moved_on_while_its_log_was_loaded_is_as_of_where_it_was_read():
    writer = process()
    home = writer.other()
    memory(home).steal("snapshots", by=lambda: writer.do(writer.credit(1)))
    assert home.balance() == {"available": 101, "debited": 0, "refunded": 0, "added": 101, "position": 3}
    assert_cache_is_the_log(home)


def test_a_state_is_visible_to_others_whole_or_not_at_all():
    home = process()
    outdate_snapshots(home)
    fresh = home.other()
    seen: list[Any] = []
    for point in ("heads", "snapshots", "streams", "events"):
        memory(fresh).steal(point, by=lambda: seen.append(fresh.ledger.account(ACCOUNT, fresh_seconds=60)))
    fresh.balance()
    assert seen == [None] * 4
    assert fresh.ledger.account(ACCOUNT, fresh_seconds=60) == replayed(home.recorder)[0]


def outdate_snapshots(home: Process) -> None:
    """Leave snapshots of an earlier shape behind, for the account and for a number."""
    for stream in ("", home.stream()):
        memory(home).save_snapshot(
            Snapshot(ACCOUNT, stream, 1, 1, "Account.state.0" if not stream else "Verification.state.0", b"?")
        )


@pytest.mark.parametrize("point", ["heads", "snapshots", "streams", "events"])
@pytest.mark.parametrize("nth", [1, 2])
def test_a_read_that_fails_leaves_nothing_half_loaded(point, nth):
    home = process()
    busy(home)
    outdate_snapshots(home)
    fresh = home.other()
    for _ in range(nth - 1):
        memory(fresh).steal(point, by=lambda: None)
    memory(fresh).fail(point, OperationalError("away"))
    answers = fresh.ask(ReadBalance(ACCOUNT), fresh.check("0" * 6))
    assert answers[0].added == replayed(home.recorder)[0].added
    assert kinds(answers[1:]) == ["AlreadyVerified"]
    assert_cache_is_the_log(fresh)


def test_a_view_is_given_only_while_it_is_fresh():
    home = process()
    home.balance()
    account = replayed(home.recorder)[0]
    home.watch.seconds += 0.5
    assert home.ledger.account(ACCOUNT, fresh_seconds=0.5) == account
    assert home.ledger.account(ACCOUNT, fresh_seconds=0.49) is None
    assert home.ledger.account("acct_z", fresh_seconds=1) is None


@pytest.mark.parametrize("look", ["confirm", "catch_up", "append"])
def test_looking_and_writing_make_a_view_fresh_again(look):
    home = process()
    home.watch.seconds += 60
    match look:
        case "confirm":
            home.ledger.confirm([ACCOUNT, "acct_z"])
        case "catch_up":
            home.ledger.catch_up(ACCOUNT)
        case _:
            home.do(home.credit(1))
    assert home.ledger.account(ACCOUNT, fresh_seconds=0) == replayed(home.recorder)[0]


def test_logs_are_in_use_when_somebody_asked_for_them_lately():
    home = process()
    home.watch.seconds += 100
    assert home.ledger.active(within_seconds=60) == []
    home.ledger.account(ACCOUNT, fresh_seconds=1_000)
    assert home.ledger.active(within_seconds=60) == [ACCOUNT]
    home.watch.seconds += 60
    assert home.ledger.active(within_seconds=60) == [ACCOUNT]
    home.watch.seconds += 1
    assert home.ledger.active(within_seconds=60) == []
    assert (home.ledger.is_beyond(ACCOUNT, 1), home.ledger.is_beyond(ACCOUNT, 2)) == (True, False)
    assert home.ledger.is_beyond("acct_z", 0) is False
    assert home.ledger.active(within_seconds=60) == [ACCOUNT]


def test_many_missing_things_are_read_at_once():
    home = process()
    busy(home)
    fresh = home.other()
    before = len(memory(fresh).points)
    fresh.ask(*[fresh.check("0" * 6, number) for number in (NUMBER, OTHER_NUMBER, "+447911123456", "+390612345678")])
    asked = memory(fresh).points[before:]
    assert [asked.count(point) for point in ("snapshots", "streams", "log", "append")] == [2, 2, 0, 0]


def test_what_is_cached_is_not_read_again():
    home = process()
    home.do(home.send())
    before = len(memory(home).points)
    home.ask(home.check("0" * 6), home.credit(1))
    assert memory(home).points[before:] == ["append"]


def test_a_record_knows_its_place_and_carries_the_position_in_its_id():
    home = process()
    outgoing: Outgoing = home.do(home.send(key="K"))
    stream = home.stream()
    requested, debited = memory(home).log(ACCOUNT)[2:]
    assert [(r.originator_id, r.originator_version, r.topic, r.id, r.log, r.stream) for r in (requested, debited)] == [
        (f"{ACCOUNT}/{stream}", 1, "CodeRequested.v1", 3, ACCOUNT, stream),
        (ACCOUNT, 3, "CreditDebited.v1", 4, ACCOUNT, ""),
    ]
    assert [int.from_bytes(r.event_id[:6]) for r in (requested, debited)] == [3, 4]
    assert [(r.event_id[6] >> 4, r.event_id[8] >> 6, len(r.event_id)) for r in (requested, debited)] == [(8, 2, 16)] * 2
    assert requested.event_id[9:] != debited.event_id[9:]
    assert (requested.idempotency, debited.idempotency) == (home.send(key="K").idempotency.partition(".")[0], "")
    assert outgoing.answer.verification_id.encode() in requested.state


def test_the_library_finds_its_way_around():
    """eventsourcing's own interface over our mapper and recorder, for code that knows the library and not us."""
    home = process()
    home.do(home.send())
    ledger = home.ledger
    stored = home.recorder.select_events(f"{ACCOUNT}/{home.stream()}")
    assert isinstance(ledger.mapper, EventMapper)
    assert [ledger.mapper.to_domain_event(event).event for event in stored] == events(home.recorder)[2:3]
    assert ledger.recorder is home.recorder
    ledger.close()
    for refused in (
        lambda: home.recorder.select_notifications(1, 10),
        home.recorder.max_notification_id,
        home.recorder.subscribe,
    ):
        with pytest.raises(ProgrammingError):
            refused()


def test_the_library_inserts_records_and_nothing_else():
    home = process()
    recorder = home.recorder
    event = CreditAdded(at=NOON, credits=1, reference="R")
    good = home.ledger.record(ACCOUNT, "", version=3, position=3, event=event)
    assert recorder.insert_events([]) == []
    assert recorder.insert_events([good]) == [3]
    with pytest.raises(RecordConflictError):
        recorder.insert_events([good])
    with pytest.raises(ProgrammingError):
        recorder.insert_events([StoredEvent(ACCOUNT, 4, "CreditAdded.v1", b"{}")])
    assert names(recorder) == ["AccountOpened", "CreditAdded", "CreditAdded"]


def test_the_environment_configures_nothing(monkeypatch):
    monkeypatch.setenv("PERSISTENCE_MODULE", "no.such.module")
    monkeypatch.setenv("CIPHER_TOPIC", "no.such:Cipher")
    ledger = Ledger(MemoryLogRecorder(), SeededEntropy(), monotonic=Stopwatch())
    assert dict(ledger.env) == {}


def page(**wanted: Any) -> Callable[[LogRecorder], list[int]]:
    return lambda recorder: [event.originator_version for event in recorder.select_events(ACCOUNT, **wanted)]


@pytest.mark.parametrize(
    ("read", "versions"),
    [
        (page(), [1, 2, 3, 4, 5]),
        (page(gt=2), [3, 4, 5]),
        (page(lte=2), [1, 2]),
        (page(gt=1, lte=4, desc=True), [4, 3, 2]),
        (page(desc=True, limit=2), [5, 4]),
        (page(gt=1, limit=1), [2]),
    ],
)
def test_a_stream_is_read_in_part_and_in_either_direction(read, versions):
    home = process()
    home.ask(*[home.credit(n) for n in (1, 2, 3)])
    assert read(home.recorder) == versions
