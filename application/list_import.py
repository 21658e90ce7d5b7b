"""A file of list entries: what it asks for, line by line, and the changes that it comes to.

A line that is wrong is named by its number and never by its value, which may be somebody's number.
"""

import csv
from collections.abc import Iterable
from typing import Final, cast, get_args

import msgspec

from application.keyring import Keyring
from application.listing import entries
from domain.lists import ENTRIES_MAX, ENTRIES_PER_CHANGE_MAX, UNSUPPORTED, Effect, Kind, Lists, changed
from domain.refusals import InvalidRequest

COLUMNS: Final = ("effect", "kind", "value")
LINES_MAX: Final = 2 * ENTRIES_MAX
VALUE_LENGTH_MAX: Final = 300


class BadLine(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a line."""

    line: int
    why: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Values for one change of a list: one event."""

    effect: Effect
    kind: Kind
    values: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a file comes to. Where lines are bad nothing of it is to be done. `entries` are those that are not there yet."""

    bad: tuple[BadLine, ...] = ()
    changes: tuple[Change, ...] = ()
    lines: int = 0
    entries: int = 0


def plan(lines: Iterable[str], *, keyring: Keyring, account: str, lists: Lists) -> Plan:
    """Read a file; raises InvalidRequest when its form is wrong or it is more than lists hold."""
    reader = csv.reader(lines)
    bad: list[BadLine] = []
    known: dict[tuple[Effect, Kind], dict[str, str]] = {}
    removed: dict[tuple[Kind, str], bool] = {}
    count = 0
    try:
        if tuple(next(reader, ())) != COLUMNS:
            raise InvalidRequest(f"The first line of the file is {','.join(COLUMNS)}.")
        for row in reader:
            count += bool(row)
            if count > LINES_MAX:
                raise InvalidRequest(f"A file has at most {LINES_MAX} lines of entries.")
            why = _take(row, keyring=keyring, account=account, known=known, removed=removed)
            if why:
                bad.append(BadLine(line=reader.line_num, why=why))
    except csv.Error:
        raise InvalidRequest(f"Line {reader.line_num} of the file is no CSV.") from None
    if bad:
        return Plan(bad=tuple(bad), lines=count)
    return _planned(known, lists=lists, lines=count)


def _take(
    row: list[str],
    *,
    keyring: Keyring,
    account: str,
    known: dict[tuple[Effect, Kind], dict[str, str]],
    removed: dict[tuple[Kind, str], bool],
) -> str:
    """Note a line; what is wrong with it, empty where nothing is."""
    if not row:
        return ""
    if len(row) != len(COLUMNS) or len(row[2]) > VALUE_LENGTH_MAX:
        return f"A line is effect, kind and a value of at most {VALUE_LENGTH_MAX} characters."
    effect, kind, value = row
    if effect not in get_args(Effect):
        return f"An effect is one of {', '.join(get_args(Effect))}."
    if kind not in get_args(Kind):
        return f"A kind is one of {', '.join(get_args(Kind))}."
    effect, kind = cast("Effect", effect), cast("Kind", kind)
    try:
        ((key, _),) = entries(keyring, account, kind, [value]).items()
    except InvalidRequest as refusal:
        return refusal.detail
    if effect == "allow" and kind == "type" and key not in UNSUPPORTED:
        return f"Only what is refused otherwise can be allowed: {', '.join(sorted(UNSUPPORTED))}."
    is_removed = effect == "remove"
    if removed.setdefault((kind, key), is_removed) != is_removed:
        return "Another line has this entry, and one of the two removes it."
    known.setdefault((effect, kind), {})[key] = value
    return ""


def _planned(known: dict[tuple[Effect, Kind], dict[str, str]], *, lists: Lists, lines: int) -> Plan:
    changes: list[Change] = []
    after, count = lists, 0
    for (effect, kind), values in known.items():
        for key in values:
            before, after = after, changed(after, effect=effect, kind=kind, entries={key: ""})
            count += before.count() != after.count()
        held = list(values.values())
        changes += [
            Change(effect=effect, kind=kind, values=tuple(held[at : at + ENTRIES_PER_CHANGE_MAX]))
            for at in range(0, len(held), ENTRIES_PER_CHANGE_MAX)
        ]
    if after.count() > max(ENTRIES_MAX, lists.count()):
        raise InvalidRequest(f"An account's lists have at most {ENTRIES_MAX} entries together.")
    return Plan(changes=tuple(changes), lines=lines, entries=count)
