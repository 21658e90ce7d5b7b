"""Snapshots: a long stream loads from its last folded state, and one that cannot be used is as good as none."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import msgspec
import pytest

from application import ledger as ledgers
from application.accounts import ReadBalance
from application.ledger import SNAPSHOT_EVERY_EVENTS, SNAPSHOT_TOPICS
from application.ports import Record, Snapshot
from application.verifications import Outgoing
from domain.account import Account
from domain.codec import encode
from domain.events import AccountOpened, CreditAdded, CreditDebited, Event
from domain.verification import Verification
from tests.application.test_ledger import assert_cache_is_the_log, busy, replayed
from tests.application.world import ACCOUNT, NUMBER, OTHER_NUMBER, Process, kinds, memory, process
from tests.support.clock import NOON
from tests.support.memory import MemoryLogRecorder


@pytest.fixture
def every_five(monkeypatch) -> None:
    monkeypatch.setattr(ledgers, "SNAPSHOT_EVERY_EVENTS", 5)


def spend(home: Process, *, until: int) -> None:
    """Use one number and the account until the log is that long."""
    while len(memory(home).log(ACCOUNT)) < until:
        home.clock.advance(seconds=9_000)  # so many that the number stays below its messages of 24 hours
        outgoing: Outgoing = home.do(home.send())
        home.do(home.took(outgoing))
        home.ask(home.check("0" * 6), home.check(outgoing.code))


@pytest.mark.usefixtures("every_five")
@pytest.mark.parametrize("length", range(5, 60, 3))
def test_a_snapshot_and_what_came_after_it_is_the_whole_stream(length):
    home = process()
    spend(home, until=length)
    fresh = home.other()
    fresh.ask(ReadBalance(ACCOUNT), fresh.check("0" * 6), fresh.check("0" * 6, OTHER_NUMBER))
    assert_cache_is_the_log(fresh)
    assert memory(home).snapshot(ACCOUNT) is None or memory(home).snapshot(ACCOUNT, home.stream()) is not None


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_is_the_state_at_its_version_and_position():
    home = process()
    spend(home, until=40)
    records = memory(home).log(ACCOUNT)
    for stream, kind in (("", Account), (home.stream(), Verification)):
        snapshot = memory(home).snapshot(ACCOUNT, stream)
        assert snapshot is not None
        earlier = MemoryLogRecorder()
        earlier.append(records[: snapshot.position])
        account, streams = replayed(earlier)
        assert msgspec.json.decode(snapshot.state, type=kind) == (streams[stream] if stream else account)
        assert snapshot.version == sum(record.stream == stream for record in records[: snapshot.position])
        assert snapshot.topic == SNAPSHOT_TOPICS["verification" if stream else "account"]


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_is_kept_after_so_many_events_and_not_before():
    home = process()
    home.ask(home.credit(1), home.credit(1))
    assert memory(home).snapshot(ACCOUNT) is None
    home.do(home.credit(1))
    assert memory(home).snapshot(ACCOUNT) == Snapshot(
        ACCOUNT, "", 5, 5, SNAPSHOT_TOPICS["account"], msgspec.json.encode(replayed(home.recorder)[0])
    )
    home.ask(*[home.credit(1)] * 4)
    assert memory(home).snapshot(ACCOUNT).version == 5  # type: ignore[union-attr]
    home.do(home.credit(1))
    assert memory(home).snapshot(ACCOUNT).version == 10  # type: ignore[union-attr]


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_is_kept_by_whoever_loads_from_one():
    home = process()
    home.ask(*[home.credit(1)] * 7)
    fresh = home.other()
    fresh.do(fresh.credit(1))
    assert memory(home).snapshot(ACCOUNT).version == 9  # type: ignore[union-attr]
    fresh.ask(*[fresh.credit(1)] * 4)
    assert memory(home).snapshot(ACCOUNT).version == 14  # type: ignore[union-attr]


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_of_another_shape_is_ignored_and_replaced():
    home = process()
    spend(home, until=30)
    for stream in ("", home.stream()):
        newest = memory(home).snapshot(ACCOUNT, stream)
        assert newest is not None
        memory(home).save_snapshot(renamed(newest))
    fresh = home.other()
    answers = fresh.ask(ReadBalance(ACCOUNT), fresh.check("0" * 6))
    assert (answers[0].debited, kinds(answers[1:])) == (replayed(home.recorder)[0].debited, ["AlreadyVerified"])
    assert_cache_is_the_log(fresh)
    spend(fresh, until=34)
    assert {memory(home).snapshot(ACCOUNT, s).topic for s in ("", home.stream())} == set(  # type: ignore[union-attr]
        SNAPSHOT_TOPICS.values()
    )


def renamed(snapshot: Snapshot) -> Snapshot:
    """The same snapshot as an earlier version would have written it: under another topic, in another shape."""
    topic = snapshot.topic.rpartition(".")[0] + ".0"
    return Snapshot(snapshot.log, snapshot.stream, snapshot.version, snapshot.position, topic, b'{"shape":"old"}')


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_that_another_process_saves_between_our_reads_is_used_rightly():
    home = process()
    spend(home, until=30)
    for point in ("heads", "snapshots", "streams"):
        fresh = home.other()
        memory(home).steal(point, by=lambda: busy(home))
        fresh.ask(ReadBalance(ACCOUNT), fresh.check("0" * 6))
        fresh.ask(fresh.check("0" * 6, OTHER_NUMBER))
        assert_cache_is_the_log(fresh)


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_that_is_the_end_of_the_log_says_where_the_log_is():
    home = process()
    fresh = home.other()
    memory(home).steal("snapshots", by=lambda: home.ask(*[home.credit(1)] * 5))
    assert fresh.do(fresh.credit(1)).credits == 1
    assert fresh.writer.conflicts == 0
    assert_cache_is_the_log(fresh)


@pytest.mark.usefixtures("every_five")
def test_a_snapshot_from_after_the_head_that_was_read_takes_the_log_along():
    home = process()
    spend(home, until=30)
    fresh = home.other()
    fresh.balance()
    memory(home).steal("snapshots", by=lambda: spend(home, until=60))
    fresh.ask(fresh.check("0" * 6))
    assert_cache_is_the_log(fresh)


class Debits(Sequence[Record]):
    """The log of an account that was opened, topped up and debited again and again; made as it is read."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._opening: list[Event] = [
            AccountOpened(at=NOON, account_id=ACCOUNT, name="Acme", mode="live"),
            CreditAdded(at=NOON, credits=2 * count, reference="R"),
        ]
        self._debit = encode(CreditDebited(at=NOON, verification_id="ver_1", send=1, credits=1, rate_card="flat-1"))

    def __len__(self) -> int:
        return len(self._opening) + self._count

    @overload
    def __getitem__(self, place: int) -> Record: ...
    @overload
    def __getitem__(self, place: slice) -> list[Record]: ...
    def __getitem__(self, place: int | slice) -> Record | list[Record]:
        if isinstance(place, slice):
            return [self._record(n) for n in range(*place.indices(len(self)))]
        return self._record(place)

    def __iter__(self) -> Iterator[Record]:
        return map(self._record, range(len(self)))

    def _record(self, place: int) -> Record:
        opening = self._opening[place] if place < len(self._opening) else None
        return Record(
            originator_id=ACCOUNT,
            originator_version=place + 1,
            topic=f"{type(opening).__name__}.v1" if opening else "CreditDebited.v1",
            state=encode(opening) if opening else self._debit,
            id=place + 1,
            log=ACCOUNT,
            stream="",
            event_id=bytes(16),
        )


def test_a_million_debits_load_from_a_snapshot_and_the_few_that_came_after_it():
    recorder = MemoryLogRecorder()
    recorder.fill(ACCOUNT, Debits(1_000_000))
    version = 1_000_002 - SNAPSHOT_EVERY_EVENTS + 1  # the oldest that may be the newest
    state = Account(id=ACCOUNT, name="Acme", opened_at=NOON, added=2_000_000, debited=version - 2)
    recorder.save_snapshot(
        Snapshot(ACCOUNT, "", version, version, SNAPSHOT_TOPICS["account"], msgspec.json.encode(state))
    )
    home = Process(recorder)
    assert home.balance() == {
        "available": 1_000_000,
        "debited": 1_000_000,
        "refunded": 0,
        "added": 2_000_000,
        "position": 1_000_002,
    }
    assert recorder.rows_read == SNAPSHOT_EVERY_EVENTS - 1


def test_without_its_snapshot_a_long_stream_is_read_from_the_beginning():
    recorder = MemoryLogRecorder()
    recorder.fill(ACCOUNT, Debits(3_000))
    assert Process(recorder).balance()["debited"] == 3_000
    assert recorder.rows_read == 3_002


def test_real_debits_leave_snapshots_behind_so_that_few_rows_are_ever_read():
    home = process(credits=10_000)
    for batch in range(8):
        home.ask(*[home.send(f"+1415555{2_000 + batch * 500 + n:04}") for n in range(500)])
    fresh = home.other()
    before = memory(home).rows_read
    assert fresh.balance()["debited"] == 4_000
    assert memory(home).rows_read - before < SNAPSHOT_EVERY_EVENTS
    assert_cache_is_the_log(fresh)


def test_a_number_that_is_used_for_years_loads_from_its_snapshot(monkeypatch: Any):
    monkeypatch.setattr(ledgers, "SNAPSHOT_EVERY_EVENTS", 50)
    home = process(credits=10_000)
    for _ in range(40):
        spend(home, until=len(memory(home).log(ACCOUNT)) + 1)
        home.clock.advance(seconds=86_400)
    fresh = home.other()
    fresh.balance()
    before = memory(home).rows_read
    [answer] = fresh.ask(fresh.check("0" * 6, NUMBER))
    assert type(answer).__name__ == "AlreadyVerified"
    assert memory(home).rows_read - before < 50
    assert sum(record.stream != "" for record in memory(home).log(ACCOUNT)) > 150
