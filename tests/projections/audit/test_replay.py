"""Balances and usage come out of the entries alone, by days and countries, however late a report comes."""

from msgspec.structs import astuple, replace

from domain import codec
from domain.events import CreditRefunded
from projections import usage
from projections.audit.bundle import Bundle
from projections.audit.findings import Finding
from projections.audit.replay import COUNTS, Books, replay
from projections.facts import Fact
from projections.transparency.entry import decode
from tests.support.auditor import Desk
from tests.support.bundles import Log
from tests.support.given import (
    added,
    debited,
    failed,
    moment,
    opened,
    redeemed,
    reported,
    requested,
    send_failed,
    sent,
    verified,
)
from tests.support.traffic import whole

DAY = 86_400
LIVE = Log("acct_a").add(
    ("", opened()),
    ("", added(10)),
    ("s", requested()),
    ("", debited()),
    ("s", sent()),
    *[("s", event) for event in failed(times=2)],
    ("s", verified()),
    ("s", redeemed()),
    ("t", replace(requested(of="ver_2", price=3), country="TR")),
    ("", debited(3, of="ver_2")),
    ("t", sent(of="ver_2")),
    ("s", reported(at=DAY)),
    ("t", reported("undelivered", of="ver_2", at=DAY)),
    ("", CreditRefunded(at=moment(DAY), verification_id="ver_2", send=1, credits=3, reason="undelivered")),
    ("s", requested(of="ver_3", at=DAY)),
    ("", replace(debited(of="ver_3"), at=moment(DAY))),
    ("s", send_failed(of="ver_3", at=DAY)),
    ("", CreditRefunded(at=moment(DAY), verification_id="ver_3", send=1, credits=1, reason="unreachable")),
)
TEST = Log("acct_a-test").add(("", opened(mode="test")), ("s", requested(price=0)), ("s", sent()))


def row(day: str, country: str, **counts: int) -> dict[str, object]:
    return {"day": day, "country": country, **dict.fromkeys(COUNTS, 0), **counts}


TEN_SECONDS = 10_000_000
USAGE = [
    row("2026-11-01", "TR", begun=1, requested=1, sent=1, credits_debited=3),
    row(
        "2026-11-01",
        "US",
        begun=1,
        requested=1,
        sent=1,
        verified=1,
        attempts_failed=2,
        credits_debited=1,
        to_verify_microseconds=TEN_SECONDS,
    ),
    row("2026-11-02", "TR", undelivered=1, credits_refunded=3),
    row(
        "2026-11-02",
        "US",
        begun=1,
        requested=1,
        failed=1,
        delivered=1,
        credits_debited=1,
        credits_refunded=1,
    ),
]


def test_balances_and_usage_are_recomputed(desk: Desk):
    directory = desk.bundle({"acct_a": LIVE.entries, "acct_a-test": TEST.entries}).directory
    live = {"available": 9, "debited": 5, "refunded": 4, "added": 10, "usage": USAGE}
    test_usage = [row("2026-11-01", "US", begun=1, requested=1, sent=1)]
    assert replay(Bundle(directory)).document() == {
        "accounts": {"acct_a": live},
        "test_logs": {"acct_a": {"available": 0, "debited": 0, "refunded": 0, "added": 0, "usage": test_usage}},
        "position": 22,
        "findings": [],
    }


def test_what_comes_late_is_counted_where_its_verification_was_asked_for():
    entries = [decode(entry) for entry in LIVE.entries]
    books = Books(kept_max=1)
    for entry in entries:
        books.see(entry)
    books.finish(iter(entries))
    assert books.document()["usage"] == USAGE


def test_usage_is_the_servers_own_by_another_path():
    """The view of the server counts events; this counts entries. Neither knows the other."""
    assert usage.Counts.__struct_fields__ == COUNTS
    entries = [decode(entry) for entry in whole("acct_first", events=5_000)]
    facts = [Fact(one.position, one.stream, one.version, codec.decode(one.type, one.body)) for one in entries]
    batch = {"acct_first": facts}
    counted = usage.counted(batch, usage.beginnings(batch, lambda *_: []))
    books = Books(kept_max=100)
    for entry in entries:
        books.see(entry)
    books.finish(iter(entries))
    assert books.usage == {
        (day.isoformat(), country): [*astuple(counts)] for (_, day, country), counts in counted.items()
    }


def test_whoever_compares_statements_gets_the_entries_of_each_log(desk: Desk):
    directory = desk.bundle({"acct_a": LIVE.entries}).directory
    (directory / "statements/acct_a").mkdir(parents=True)
    asked = []

    def compare(bundle, log, issued, entries):
        assert issued == []
        asked.append((log, [entry.position for entry in entries()], len([*entries()])))
        yield Finding("statement-differs", "It differs.", log)

    replayed = replay(Bundle(directory), compare_statements=compare)
    assert asked == [("acct_a", list(range(1, 20)), 19)]
    assert [found.name for found in replayed.findings] == ["statement-differs"]
