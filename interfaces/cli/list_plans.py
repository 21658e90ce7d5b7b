"""`lists`: import a file, and try a rule on what was sent."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from application import list_import, list_trial, listing
from application.list_import import Plan
from application.listing import INSTALLATION
from application.ports import Record
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books, operator
from interfaces.cli.lists import account_named
from interfaces.cli.output import Refused, emit

FILE_BYTES_MAX: Final = 2_000_000
BAD_LINES_SHOWN_MAX: Final = 20
_PAGE: Final = 5_000


def import_(arguments: argparse.Namespace) -> int:
    """Put a file's entries on the lists, or say what that would change."""
    account, lines = account_named(arguments.account), _lines(arguments.file)
    with open_books() as books:
        administration = books.administration
        plan = list_import.plan(lines, keyring=books.keyring, account=account, lists=administration.lists(account))
        _require_good(plan)
        if not arguments.dry_run:
            for change in plan.changes:
                administration.change_lists(
                    account, effect=change.effect, kind=change.kind, values=list(change.values), by=operator()
                )
    done = "would change" if arguments.dry_run else "changed"
    document = {
        "account_id": account,
        "dry_run": arguments.dry_run,
        "lines": plan.lines,
        "entries_changed": plan.entries,
        "changes": [{"effect": one.effect, "kind": one.kind, "values": len(one.values)} for one in plan.changes],
    }
    text = [f"{plan.lines} lines, {done} {plan.entries} entries"]
    text += [f"{one.effect:8}{one.kind:8}{len(one.values):>6}" for one in plan.changes]
    emit(arguments, document, "\n".join(text))
    return 0


def try_(arguments: argparse.Namespace) -> int:
    """What a rule would have refused in the days before now."""
    now = datetime.now(UTC)
    with open_books() as books:
        list_trial.require_tellable(arguments.kind)
        account = books.administration.account(arguments.account)
        entries = listing.entries(books.keyring, account.id, arguments.kind, arguments.values)
        found = list_trial.tried(
            _records(books, account.id),
            rule=list_trial.alone(account.lists, effect=arguments.effect, kind=arguments.kind, entries=entries),
            both=(account.lists, books.administration.lists(INSTALLATION)),
            since=now - timedelta(days=arguments.days),
        )
    document = {"account_id": account.id, "days": arguments.days, **msgspec.to_builtins(found)}
    lines = [
        f"messages in {arguments.days} days  {found.messages:>8}",
        f"would be refused     {found.refused:>8}   to {found.numbers} numbers, {found.credits} credits",
        f"of these numbers had verified {found.verified}",
    ]
    if found.untold:
        lines.append(
            f"cannot be told       {found.untold:>8}   masks hide what decides; {found.untold_verified} had verified"
        )
    emit(arguments, document, "\n".join(lines))
    return 0


def _require_good(plan: Plan) -> None:
    if plan.bad:
        shown = [f"line {bad.line}: {bad.why}" for bad in plan.bad[:BAD_LINES_SHOWN_MAX]]
        more = len(plan.bad) - len(shown)
        said = " ".join([*shown, f"And {more} more."] if more else shown)
        raise Refused("invalid_request", said, "Nothing of the file was taken. Mend these lines.")


def _lines(name: str) -> list[str]:
    try:
        with Path(name).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise Refused("invalid_request", f"A file has at most {FILE_BYTES_MAX} bytes.")
        return content.decode("utf-8-sig").splitlines(keepends=True)
    except OSError as error:
        raise Refused("invalid_request", f"The file cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Refused("invalid_request", "The file is not UTF-8.") from None


def _records(books: Books, log: str) -> Iterator[Record]:
    after = 0
    while True:
        rows = books.recorder.select_log(log, after=after, limit=_PAGE)
        yield from (row for row in rows if row.topic in list_trial.TOPICS)
        if len(rows) < _PAGE:
            return
        after = rows[-1].id
