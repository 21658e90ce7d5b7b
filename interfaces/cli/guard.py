"""`guard`: show what is shut, and replay a log under other thresholds."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from application import guard_replay
from application.guard import EVENTS_READ_MAX, WATCHED
from application.ports import Record
from domain import account as accounts
from domain import keys
from domain.account import Account
from domain.events import CodeRequested
from domain.guard import Reason
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books
from interfaces.cli.output import Refused, emit

_PAGE = 5_000
_MODES = ("off", "counting only", "on")


def show(arguments: argparse.Namespace) -> int:
    """What is shut, held or asks for a challenge, by the events of the log up to now."""
    with open_books() as books:
        account = books.administration.account(arguments.account)
        log = _log(arguments)
        head = books.recorder.heads([log]).get(log, 0)
        recent = _records(books, log, after=max(0, head - EVENTS_READ_MAX))
        now = datetime.now(UTC)
        reasons = guard_replay.standing(recent, keyring=books.keyring, policy=account.policy, now=now)
    document = {
        "account_id": arguments.account,
        "log": log,
        "guard": _MODES[account.policy.guard],
        "scopes": [spelled(reason) for reason in reasons],
    }
    lines = [f"the guard is {_MODES[account.policy.guard]}", *(_line(reason) for reason in reasons)]
    emit(arguments, document, "\n".join(lines if reasons else [*lines, "everything is open"]))
    return 0


def simulate(arguments: argparse.Namespace) -> int:
    """What other thresholds would have stopped, saved and cost between two moments."""
    since, until = _moment(arguments.since), _moment(arguments.until)
    with open_books() as books:
        account = _changed(books.administration.account(arguments.account), arguments.changes)
        log = _log(arguments)
        records = _records(books, log, after=0, until=until)
        found = guard_replay.simulate(
            records,
            keyring=books.keyring,
            policy=account.policy,
            since=since or datetime.min.replace(tzinfo=UTC),
        )
    document = {"account_id": arguments.account, "log": log, **msgspec.to_builtins(found)}
    document["tripped"] = [spelled(reason) for reason in found.tripped]
    share = f" ({100 * found.users_lost / found.users:.3f} %)" if found.users else ""
    lines = [
        f"messages          {found.messages:>10}",
        f"stopped           {found.stopped:>10}",
        f"challenged        {found.challenged:>10}",
        f"credits saved     {found.credits_saved:>10}",
        f"users             {found.users:>10}",
        f"users lost        {found.users_lost:>10}{share}",
        *(_line(reason) for reason in found.tripped),
    ]
    emit(arguments, document, "\n".join(lines))
    return 0


def spelled(reason: Reason) -> dict[str, object]:
    """A reason as JSON has it: the moment as RFC 3339."""
    until = datetime.fromtimestamp(reason.until, UTC).isoformat().replace("+00:00", "Z") if reason.until else None
    return {**msgspec.to_builtins(reason), "until": until}


def _line(reason: Reason) -> str:
    until = f" until {spelled(reason)['until']}" if reason.until else ""
    return (
        f"{reason.stage:10}{reason.scope} {reason.of}{until}: in {reason.window_seconds} s {reason.bad} unverified"
        f" ({reason.young} young), {reason.good} good; shuts at {reason.limit}, is held at {reason.held_limit}"
    )


def _log(arguments: argparse.Namespace) -> str:
    return keys.log_of(arguments.account, mode="test" if arguments.test else "live")


def _records(books: Books, log: str, *, after: int, until: datetime | None = None) -> Iterator[Record]:
    """What the guard looks at, page by page; up to the first message that was asked for after `until`."""
    while True:
        rows = books.recorder.select_log(log, after=after, limit=_PAGE)
        for row in rows:
            if row.topic in WATCHED:
                if until is not None and _is_after(row, until):
                    return
                yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].id


def _is_after(row: Record, until: datetime) -> bool:
    """Messages alone end the period: what became of them may be written later."""
    return row.topic == "CodeRequested.v1" and msgspec.json.decode(row.state, type=CodeRequested).at >= until


def _changed(account: Account, given: list[tuple[str, str]]) -> Account:
    changes: dict[str, int] = {}
    for name, value in given:
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise Refused("invalid_request", f"{name} must be a whole number.")
        changes[name] = int(value)
    event = accounts.change_policy(account, changes=changes, by="simulation", now=datetime.now(UTC))
    return account if event is None else accounts.evolve(account, event)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused("invalid_request", "A moment is spelled as in 2026-11-01T00:00:00Z.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
