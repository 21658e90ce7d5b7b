"""Statements folded from a log's entries alone, compared with those that were issued and with those that lie in a bundle.

The server has another way to the same figures. Memory is that of the lines, and of the debits made last: a refund of an older
one waits until the log was read once more.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any, Final, NamedTuple

from projections.audit.bundle import Bundle, TreeFiles
from projections.audit.findings import Finding, Found
from projections.audit.recent import KEPT_MAX, Recent
from projections.statements import sheet
from projections.statements.sheet import Closing, Key, Line, Statement
from projections.transparency import tree
from projections.transparency.entry import Entry
from projections.transparency.tiles import width_at

STATEMENT_BYTES_MAX: Final = 1 << 26
ISSUED: Final = "StatementIssued.v1"
_TEST_SUFFIX: Final = "-test"
_PERIOD: Final = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])", re.ASCII)
FIRST: Final = "2000-01"
LAST: Final = "2099-12"
"""Months that there are statements of; an event that was made up to be of another century is counted at the end of these."""

RootOf = Callable[[int], bytes]
"""The root of the tree of a log's first so many events."""


class Issued(NamedTuple):
    """A StatementIssued and its place."""

    place: int
    data: dict[str, Any]


class _Debit(NamedTuple):
    month: str
    country: str
    rate_card: str
    unit_credits: int
    units: int


_UNKNOWN: Final = _Debit("", "", "", 0, 0)


class _Month:
    def __init__(self) -> None:
        self.added = 0
        self.begun = 0
        self.verified = 0
        self.lines: dict[Key, list[int]] = {}

    def charge(self, kind: str, day: str, debit: _Debit, *, sign: int, credits: int) -> None:
        """One message that was paid for, or given back."""
        key = Key(kind, day, debit.country, debit.unit_credits, debit.rate_card)
        figures = self.lines.setdefault(key, [0, 0, 0])
        figures[0] += sign
        figures[1] += sign * debit.units
        figures[2] += sign * credits


class Fold:
    """All statements of one log, given what was closed. Give `see` every entry in order, then call `finish`."""

    def __init__(self, log: str, closings: Sequence[Closing], *, kept_max: int = KEPT_MAX) -> None:
        self.size = 0
        self._log = log
        self._closings = closings
        self._waiting = list(closings)  # those that are still ahead
        self._first_open = ""
        self._months: defaultdict[str, _Month] = defaultdict(_Month)
        self._seen = ("9", "")  # the first and the last month with an event that counts
        self._debits: Recent[_Debit] = Recent(kept_max=kept_max)
        self._late: dict[str, tuple[str, dict[str, Any]]] = {}  # refunds, with their statement, by the debit's name

    def see(self, entry: Entry) -> None:
        """Take one event into account."""
        self.size = place = entry.position
        while self._waiting and self._waiting[0].tree_size < place:
            self._first_open = sheet.following(self._waiting.pop(0).period)
        type_, data = entry.type, entry.data
        match type_:
            case "CreditDebited.v1":
                debit = _debit(data)
                self._debits.put(_name(data), debit)
                period = self._period(data)
                kind = sheet.CHARGE if period == debit.month else sheet.CORRECTION
                self._months[period].charge(kind, data["at"][:10], debit, sign=1, credits=data["credits"])
            case "CreditRefunded.v1":
                period, found = self._period(data), self._debits.get(_name(data))
                if found is None:
                    self._late[_name(data)] = (period, data)
                else:
                    self._refund(period, data, found)
            case "CreditAdded.v1":
                self._months[self._period(data)].added += data["credits"]
            case "CodeRequested.v1" if data["send"] == 1:
                self._months[self._period(data)].begun += 1
            case "Verified.v1":
                self._months[self._period(data)].verified += 1
            case _:
                pass

    def finish(self, again: Iterable[Entry]) -> None:
        """The end of the log. `again` gives it once more, and is asked only when a debit has to be looked up."""
        if self._late:
            for entry in again:
                late = self._late.pop(_name(entry.data), None) if entry.type == "CreditDebited.v1" else None
                if late is not None:
                    self._refund(*late, _debit(entry.data))
        for period, data in self._late.values():
            self._refund(period, data, _UNKNOWN)
        self._late.clear()

    def statements(self, root_of: RootOf) -> Iterator[Statement]:
        """By month, without a gap. Raises what `root_of` raises."""
        period, last = self._seen
        if self._closings:
            last = max(last, sheet.following(self._closings[-1].period))
        balance, known = 0, dict[int, str]()
        while period <= last and self._seen[1]:
            month = self._months[period]
            closing = sheet.closing_of(self._closings, period)
            size = self.size if closing is None else closing.tree_size
            if size not in known:
                known[size] = root_of(size).hex()
            statement = Statement(
                account=self._log,
                period=period,
                is_closed=closing is not None,
                tree_size=size,
                root=known[size],
                lines=tuple(Line(key, *figures) for key, figures in sorted(month.lines.items())),
                added=month.added,
                verifications=month.begun,
                verified=month.verified,
                opening_balance=balance,
            )
            yield statement
            balance, period = statement.closing_balance, sheet.following(period)

    def _period(self, data: dict[str, Any]) -> str:
        """The statement that an event of now is of: its own month's, unless that is closed."""
        month: str = min(max(data["at"][:7], FIRST), LAST)
        first, last = self._seen
        self._seen = (min(first, month), max(last, month))
        return max(month, self._first_open)

    def _refund(self, period: str, data: dict[str, Any], debit: _Debit) -> None:
        is_of_month = data["at"][:7] == debit.month == period
        kind = sheet.REFUND if is_of_month else sheet.CORRECTION
        self._months[period].charge(kind, data["at"][:10], debit, sign=-1, credits=data["credits"])


def in_turn(issued: Iterable[Issued]) -> list[Issued]:
    """Those that close a month later than all before; what comes out of turn closes none."""
    found: list[Issued] = []
    for place, data in issued:
        period, size = (found[-1].data["period"], found[-1].data["tree_size"]) if found else ("", 0)
        if _PERIOD.fullmatch(data["period"]) and data["period"] > period and size <= data["tree_size"] < place:
            found.append(Issued(place, data))
    return found


def closings_of(issued: Iterable[Issued]) -> list[Closing]:
    """What is closed."""
    return [Closing(data["period"], data["tree_size"]) for _, data in in_turn(issued)]


def differing(
    log: str,
    issued: Sequence[Issued],
    entries: Callable[[], Iterator[Entry]],
    *,
    root_of: RootOf,
    kept_max: int = KEPT_MAX,
) -> int | None:
    """The place of the first StatementIssued that does not say what the log says; None when all do."""
    fold = _folded(log, closings_of(issued), entries, kept_max=kept_max)
    statements = {statement.period: statement for statement in fold.statements(root_of)}
    closing = {place for place, _ in in_turn(issued)}
    for place, data in issued:
        statement = statements.get(data["period"])
        if (
            place not in closing
            or statement is None
            or _figures(statement) != {name: data[name] for name in _figures(statement)}
        ):
            return place
    return None


def compare(
    bundle: Bundle, log: str, issued: Sequence[Issued], entries: Callable[[], Iterator[Entry]]
) -> Iterator[Finding]:
    """What in the bundle's `statements/` is not what its log comes to. Raises Found where the log cannot be read."""
    if log.endswith(_TEST_SUFFIX) or not bundle.has(f"statements/{log}"):
        return
    fold = _folded(log, closings_of(issued), entries, kept_max=KEPT_MAX)
    expected = {
        f"statements/{log}/{statement.period}.{format_}": content
        for statement in fold.statements(roots(TreeFiles(bundle, log), fold.size))
        for format_, content in sheet.written(statement)
    }
    found = {path for path in bundle.walk(f"statements/{log}") if isinstance(path, str)}
    for path in sorted(found | expected.keys()):
        try:
            content = bundle.read(path, bytes_max=STATEMENT_BYTES_MAX)
        except Found as missing:
            yield missing.finding._replace(log=log)
            continue
        if content != expected.get(path):
            sentence = f"{path} is not the statement that the log comes to."
            yield Finding("statement-differs", sentence, log, 0, path)


def roots(files: TreeFiles, size: int) -> RootOf:
    """Roots out of a bundle's hash tiles, which `verify` compares with the entries."""

    def read(level: int, index: int) -> bytes:
        return files.tile(level, index, width_at(level, index, size))

    return lambda wanted: tree.root(read, wanted)


def _folded(log: str, closings: Sequence[Closing], entries: Callable[[], Iterator[Entry]], *, kept_max: int) -> Fold:
    fold = Fold(log, closings, kept_max=kept_max)
    for entry in entries():
        fold.see(entry)
    fold.finish(entries())
    return fold


def _figures(statement: Statement) -> dict[str, Any]:
    return {
        "tree_size": statement.tree_size,
        "root": statement.root,
        "sha256": sha256(statement.csv()).hexdigest(),
        "credits": statement.credits,
        "added": statement.added,
        "opening_balance": statement.opening_balance,
        "closing_balance": statement.closing_balance,
    }


def _debit(data: dict[str, Any]) -> _Debit:
    prices = (data.get("country", ""), data["rate_card"], data.get("unit_credits", 0), data.get("units", 1))
    return _Debit(data["at"][:7], *prices)


def _name(data: dict[str, Any]) -> str:
    return f"{data['verification_id']}/{data['send']}"
