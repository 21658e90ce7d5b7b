"""`billing`: statement, close, explain, periods. From a running or a stopped system."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from domain import periods as months
from domain.events import StatementIssued
from domain.keys import account_of
from domain.refusals import Refusal, StateConflict
from interfaces.billing.issuing import issued_at
from interfaces.bootstrap import Books
from interfaces.cli.administration import OpenDatabase, books_on, open_database, operator
from interfaces.cli.output import Refused, emit
from interfaces.cli.sealed import sealed
from projections.statements import bills as views
from projections.statements import focus
from projections.statements.bills import Bills
from projections.statements.sheet import Statement
from projections.transparency import tree
from projections.transparency.receipts import checkpoint_in
from projections.transparency.shelf import Shelf

_LIVE: Final = b"SELECT log FROM doneotp.heads WHERE right(log, 5) <> '-test' ORDER BY log LIMIT 100000"
_HAVE: Final = b"SELECT 1 FROM doneotp_views.tracking WHERE log = %b AND position >= %b"
_NOTHING: Final = "There is nothing in this period."
Write = Callable[[Statement], bytes]


def statement(arguments: argparse.Namespace) -> int:
    """Write one statement: to stdout, or to a file."""
    with _refusing(), open_database() as opened, sealed(opened, with_views=True) as shelf:
        months.begin(arguments.period)
        found = _bills(shelf, arguments.account, arguments.tree_size).statement(arguments.period)
    if found is None:
        raise Refused("not_found", _NOTHING, "Run ./doneotp billing periods ACCOUNT.")
    if not arguments.out:
        content = found.json() if arguments.json else _writer(arguments.format)(found)
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return 0
    content = _writer(arguments.format)(found)
    try:
        Path(arguments.out).write_bytes(content)
    except OSError as error:
        raise Refused("cannot_write", f"{arguments.out} cannot be written: {error.strerror}.") from None
    digest = sha256(content).hexdigest()
    document = {"path": arguments.out, "sha256": digest, "tree_size": found.tree_size, "credits": found.credits}
    emit(arguments, document, f"{arguments.out}\nsha256 {digest}")
    return 0


def periods(arguments: argparse.Namespace) -> int:
    """List the months of an account."""
    with open_database() as opened, sealed(opened, with_views=True) as shelf:
        listed = _bills(shelf, arguments.account, None).listed()
    lines = [
        f"{row.period}  {row.status:6}  {row.opening_balance} + {row.added} - {row.credits} = {row.closing_balance}"
        f"  (tree size {row.tree_size})"
        for row in listed
    ]
    document = {"account_id": arguments.account, "statements": msgspec.to_builtins(listed)}
    emit(arguments, document, "\n".join(lines) or "Nothing was billed yet.")
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """List the events behind a line."""
    line = views.parse_line(arguments.line)
    if line is None:
        raise Refused("not_found", "That is not the name of a line.", "It is the last cell of a line of the CSV.")
    with _refusing(), open_database() as opened, sealed(opened, with_views=True) as shelf:
        months.begin(line.period)
        events = _bills(shelf, line.account, arguments.tree_size).explained(line.period, line.key)
    if not events:
        raise Refused("not_found", "There is no such line.")
    lines = [
        f"{event.position:>10}  {event.event_id}  {event.at}  {event.verification_id}  message {event.send}"
        f"  {event.credits:+}"
        for event in events
    ]
    credits = sum(event.credits for event in events)
    document = {"line": arguments.line, "credits": credits, "events": msgspec.to_builtins(events)}
    emit(arguments, document, "\n".join([*lines, f"{credits} credits in {len(events)} events"]))
    return 0


def close(arguments: argparse.Namespace) -> int:
    """Fix the bills of a period, of one account or of all, and of the months before that are still open."""
    grace = timedelta(hours=arguments.grace_hours)
    closed: list[dict[str, Any]] = []
    left: list[dict[str, Any]] = []
    with _refusing(), open_database() as opened, books_on(opened) as books:
        months.begin(arguments.period)
        if arguments.account:
            closed += _close(opened, books, arguments.account, arguments.period, grace=grace, is_only=True)
        else:
            for (log,) in books.recorder.execute(_LIVE):
                try:
                    closed += _close(opened, books, log, arguments.period, grace=grace, is_only=False)
                except Refused as refused:  # of this account alone, such as an event that cannot be read
                    left.append({"account_id": log, "code": refused.code, "detail": refused.message})
    lines = [f"{row['account_id']}  {row['period']}  credits {row['credits']}  {row['sha256']}" for row in closed]
    lines += [f"{row['account_id']}  NOT CLOSED: {row['detail']}" for row in left]
    emit(arguments, {"closed": closed, "left": left}, "\n".join(lines) or "Nothing was left to close.")
    return 1 if left else 0


def _close(
    opened: OpenDatabase, books: Books, log: str, period: str, *, grace: timedelta, is_only: bool
) -> Iterator[dict[str, Any]]:
    """One period after the other; what somebody else closes meanwhile is theirs."""
    first = True
    while True:
        with sealed(opened, with_views=True) as shelf:
            bills = _bills(shelf, log, None)
            found = _next_open(bills, period)
        if found is None:
            if first and is_only:
                is_closed = period <= bills.closed_period
                detail = f"The period {bills.closed_period} is closed already." if is_closed else _NOTHING
                raise StateConflict(detail)
            return
        first = False

        def made(now: datetime, found: Statement = found) -> StatementIssued:
            return issued_at(found, now, by=operator())

        try:
            books.administration.issue_statement(log, made, closed_period=bills.closed_period, grace=grace)
        except StateConflict:
            if books.administration.account(log).closed_period == bills.closed_period:
                raise
            continue  # somebody else was first: look again
        digest = sha256(found.closed().csv()).hexdigest()
        yield {"account_id": log, "period": found.period, "credits": found.credits, "sha256": digest}


def _next_open(bills: Bills, period: str) -> Statement | None:
    """The first month that is not closed, as it would be closed; None when none is left up to the period."""
    closed = bills.closed_period
    ahead = next((month for month in bills.periods() if closed < month <= period), None)
    return None if ahead is None else bills.statement(ahead)


def _bills(shelf: Shelf, log: str, size: int | None) -> Bills:
    """As of what is sealed, or of fewer events."""
    found = shelf.trees([log]).get(log)
    if account_of(log) != log or found is None or not found.note:
        raise Refused("not_found", "There is no such account, or it has no bills.", "Run ./doneotp accounts list.")
    sealed_size = checkpoint_in(found.note).size
    if shelf.execute(_HAVE, (log, sealed_size)) != [(1,)]:
        raise Refused("views_behind", "The views do not have all of this log.", "Run ./doneotp projections status.")
    if size is not None and size > sealed_size:
        raise Refused("invalid_request", f"--tree-size must be at most {sealed_size}, which is sealed.")
    return Bills(shelf.execute, lambda wanted: tree.root(shelf.reader(log), wanted), log, size or sealed_size)


def _writer(format_: str) -> Write:
    if format_ == "pdf":
        from interfaces.billing.pdf import pdf  # typesetting takes its time to load

        return pdf
    writers: dict[str, Write] = {
        "csv": Statement.csv,
        "jsonl": Statement.jsonl,
        "json": Statement.json,
        "focus": focus.csv,
    }
    return writers[format_]


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Refusal as refusal:
        raise Refused(refusal.code, refusal.detail) from None
