"""Three ways to a statement: the server's view, the auditor's fold, and its definition word by word. They agree to the byte."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from domain.events import CreditAdded, CreditDebited, CreditRefunded, StatementIssued
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.sealing import executing
from projections.audit.statements import Fold, Issued, closings_of
from projections.rebuild import rebuild
from projections.statements.bills import Bills, parse_line
from projections.statements.sheet import Statement, written
from projections.transparency.entry import decode
from projections.views import all_views
from tests.projections.views import catch_up, digests
from tests.support.bills import Months, root_over, stored

SEEDS = range(1, 7)


@pytest.fixture
def recorder(conninfo: str) -> Iterator[PostgresLogRecorder]:
    recorder = PostgresLogRecorder(conninfo)
    yield recorder
    recorder.close()


def served(connection: psycopg.Connection[Any], months: Months, size: int | None = None) -> list[Statement]:
    """By the views."""
    bills = server(connection, months, size)
    found = [bills.statement(period) for period in bills.periods()]
    return [statement for statement in found if statement is not None]


def server(connection: psycopg.Connection[Any], months: Months, size: int | None = None) -> Bills:
    root_of = root_over(months.log.entries)
    return Bills(executing(connection), root_of, months.log.name, size or months.log.position)


def folded(months: Months, size: int | None = None, *, kept_max: int = 3) -> list[Statement]:
    """By the auditor's tool, with a memory of a few debits."""
    entries = [decode(raw) for raw in months.log.entries[:size]]
    issued = [Issued(entry.position, entry.data) for entry in entries if entry.type == "StatementIssued.v1"]
    fold = Fold(months.log.name, closings_of(issued), kept_max=kept_max)
    for entry in entries:
        fold.see(entry)
    fold.finish(iter(entries))
    return list(fold.statements(root_over(months.log.entries)))


def files(statements: list[Statement]) -> list[bytes]:
    return [content for statement in statements for _, content in written(statement)]


@pytest.mark.parametrize("seed", SEEDS)
def test_all_ways_give_the_same_bytes(
    recorder: PostgresLogRecorder, connection: psycopg.Connection[Any], seed: int
) -> None:
    months = stored(recorder, Months(seed=seed).go_on(250))
    catch_up(connection, events_max=100)
    expected = months.bills()
    assert {line.key.kind for bill in expected for line in bill.lines} == {"charge", "refund", "correction"}
    assert served(connection, months) == folded(months) == expected
    assert files(served(connection, months)) == files(folded(months)) == files(expected)
    for size in range(1, months.log.position, 23):
        assert served(connection, months, size) == folded(months, size) == months.bills(size)


def test_a_rebuilt_view_gives_the_same(recorder: PostgresLogRecorder, connection: psycopg.Connection[Any]) -> None:
    months = stored(recorder, Months(seed=3).go_on(250))
    catch_up(connection, events_max=40)
    before = digests(connection)
    rebuild(connection, all_views(), on_step=lambda _: None)
    assert digests(connection) == before
    assert served(connection, months) == months.bills()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_closed_statement_never_changes_whatever_comes_later(seed: int) -> None:
    months = Months(seed=seed).go_on(200)
    issued = [(place, event) for place, event in months.events if isinstance(event, StatementIssued)]
    assert len(issued) > 1
    for place, event in issued:
        at_once = [files([bill]) for bill in folded(months, place) if bill.period == event.period]
        for size in range(place, months.log.position + 1, 7):
            assert [files([bill]) for bill in folded(months, size) if bill.period == event.period] == at_once


@pytest.mark.parametrize("seed", SEEDS)
def test_months_add_up_to_the_balance_and_each_begins_where_the_last_one_ended(seed: int) -> None:
    months = Months(seed=seed).go_on(200)
    for size in range(2, months.log.position + 1, 11):
        bills = folded(months, size)
        events = [event for _, event in months.events[:size]]
        debited = sum(event.credits for event in events if isinstance(event, CreditDebited))
        refunded = sum(event.credits for event in events if isinstance(event, CreditRefunded))
        added = sum(event.credits for event in events if isinstance(event, CreditAdded))
        open_ones = [bill for bill in bills if not bill.is_closed]
        assert [one.closing_balance for one in bills[:-1]] == [one.opening_balance for one in bills[1:]]
        if open_ones and open_ones[-1] is bills[-1]:
            assert sum(bill.credits for bill in bills) == debited - refunded
            assert bills[-1].closing_balance == added - debited + refunded
        assert all(line.units * line.key.unit_credits == line.credits for bill in bills for line in bill.lines)


def test_a_line_is_explained_by_exactly_the_events_that_it_sums(
    recorder: PostgresLogRecorder, connection: psycopg.Connection[Any]
) -> None:
    months = stored(recorder, Months(seed=2).go_on(250))
    catch_up(connection)
    bills, explained = server(connection, months), set()
    for statement in served(connection, months):
        for line in statement.lines:
            name = parse_line(statement.line_id(line))
            assert name == (months.log.name, statement.period, line.key)
            events = bills.explained(statement.period, line.key)
            explained |= {event.position for event in events}
            assert sum(event.credits for event in events) == line.credits
            assert sum(1 if event.credits > 0 else -1 for event in events) == line.messages
            for event in events:
                entry = decode(months.log.entries[event.position - 1])
                assert (event.event_id, event.at, event.type) == (
                    entry.event_id,
                    entry.data["at"],
                    entry.type.removesuffix(".v1"),
                )
    moved = {place for place, event in months.events if isinstance(event, CreditDebited | CreditRefunded)}
    assert explained == moved


def test_the_list_says_what_the_statements_say(
    recorder: PostgresLogRecorder, connection: psycopg.Connection[Any]
) -> None:
    months = stored(recorder, Months(seed=4).go_on(250))
    catch_up(connection)
    listed = server(connection, months).listed()
    assert [
        (row.period, row.status, row.tree_size, row.credits, row.added, row.opening_balance, row.closing_balance)
        for row in listed
    ] == [
        (
            bill.period,
            "closed" if bill.is_closed else "open",
            bill.tree_size,
            bill.credits,
            bill.added,
            bill.opening_balance,
            bill.closing_balance,
        )
        for bill in months.bills()
    ]
    assert server(connection, months).statement("2031-01") is None


def test_a_test_log_has_no_charges(recorder: PostgresLogRecorder, connection: psycopg.Connection[Any]) -> None:
    months = stored(recorder, Months("acct_a-test", seed=4).go_on(20))
    catch_up(connection)
    assert server(connection, months).periods() == []
