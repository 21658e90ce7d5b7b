"""A statement as it is written: the same records as CSV (RFC 4180), JSON lines and JSON. Part of the auditor's tool.

Whole numbers only, no clock, no settings: the same figures are the same bytes for ever. How the figures come about is not
here: the server and the auditor's tool each have a way of their own, and must agree.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, NamedTuple

CHARGE: Final = "charge"
CORRECTION: Final = "correction"
REFUND: Final = "refund"
CURRENCY: Final = "credit"
COLUMNS: Final = (
    *("record", "account", "period", "status", "currency", "kind", "day", "country", "rate_card", "unit_credits"),
    *("messages", "units", "credits", "added", "verifications", "verified", "conversion_bp", "opening_balance"),
    *("closing_balance", "tree_size", "root", "lines_sha256", "line"),
)
"""Of the CSV, and the names of JSON in this order. A record has those that apply to it."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_QUOTED: Final = frozenset('",\r\n')

Record = dict[str, str | int]


class Key(NamedTuple):
    """What a line is about, in the order in which lines are sorted."""

    kind: str
    day: str
    country: str
    unit_credits: int
    rate_card: str


class Line(NamedTuple):
    """Messages of one kind, day, country and price. What is given back is negative in all three figures."""

    key: Key
    messages: int
    units: int
    credits: int


class Closing(NamedTuple):
    """A StatementIssued: its period was fixed at the first `tree_size` events of the log."""

    period: str
    tree_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a month comes to. `root` is the RFC 6962 root of the log's first `tree_size` events, in hex."""

    account: str
    period: str
    is_closed: bool
    tree_size: int
    root: str
    lines: tuple[Line, ...]
    added: int
    verifications: int
    verified: int
    opening_balance: int

    @property
    def credits(self) -> int:
        """What was debited less what was given back."""
        return sum(line.credits for line in self.lines)

    @property
    def closing_balance(self) -> int:
        return self.opening_balance + self.added - self.credits

    @property
    def conversion_bp(self) -> int:
        """Verified of those begun, in basis points, rounded down; 0 where none was begun."""
        return self.verified * 10_000 // self.verifications if self.verifications else 0

    def closed(self) -> "Statement":
        """The same as it is once it is closed at this size."""
        return replace(self, is_closed=True)

    def line_id(self, line: Line) -> str:
        """The name of a line."""
        kind, day, country, unit_credits, rate_card = line.key
        return f"{self.account}/{self.period}/{kind}/{day}/{country}/{unit_credits}/{rate_card}"

    def records(self) -> Iterator[Record]:
        """The header, the lines, the total."""
        yield self._record("header", self._header())
        yield from self._body()

    def csv(self) -> bytes:
        """All cells of every record, CRLF after each; nothing that a spreadsheet takes for a formula."""
        rows = (COLUMNS, *([record.get(name, "") for name in COLUMNS] for record in self.records()))
        return b"".join(map(csv_row, rows))

    def jsonl(self) -> bytes:
        """One object a line."""
        return _lines(self.records())

    def json(self) -> bytes:
        """One object: the header's fields, `lines` and `total`."""
        *lines, total = ({**record} for record in self._body())
        for record in (*lines, total):
            for name in ("record", "account", "period"):
                del record[name]
        header = {"account": self.account, "period": self.period, **self._header()}
        del header["credits"]
        return _dump({**header, "lines": lines, "total": total}).encode() + b"\n"

    def _header(self) -> Record:
        return {
            "status": "closed" if self.is_closed else "open",
            "currency": CURRENCY,
            "credits": 0,
            "tree_size": self.tree_size,
            "root": self.root,
            "lines_sha256": sha256(_lines(self._body())).hexdigest(),
        }

    def _body(self) -> Iterator[Record]:
        for line in self.lines:
            figures = {"messages": line.messages, "units": line.units, "credits": line.credits}
            yield self._record("line", {**line.key._asdict(), **figures, "line": self.line_id(line)})
        yield self._record(
            "total",
            {
                "messages": sum(line.messages for line in self.lines),
                "units": sum(line.units for line in self.lines),
                **{name: getattr(self, name) for name in _TOTALS},
            },
        )

    def _record(self, record: str, fields: Record) -> Record:
        found: Record = {"record": record, "account": self.account, "period": self.period, **fields}
        return {name: found[name] for name in COLUMNS if name in found}


_TOTALS: Final = (
    *("credits", "added", "verifications", "verified", "conversion_bp", "opening_balance", "closing_balance"),
)


def written(statement: Statement) -> Iterator[tuple[str, bytes]]:
    """A statement in all formats that a bundle has it in."""
    yield "csv", statement.csv()
    yield "jsonl", statement.jsonl()
    yield "json", statement.json()


def csv_row(values: Iterable[str | int]) -> bytes:
    """One record of RFC 4180."""
    return (",".join(map(_cell, values)) + "\r\n").encode()


def following(period: str) -> str:
    """The month after."""
    year, month = int(period[:4]), int(period[5:])
    return f"{year + month // 12:04}-{month % 12 + 1:02}"


def closing_of(closings: Iterable[Closing], period: str) -> Closing | None:
    """What fixed a period: the first closing of it or of a later one. `closings` are in the order of the log."""
    return next((closing for closing in closings if closing.period >= period), None)


def _lines(records: Iterable[Record]) -> bytes:
    return "".join(_dump(record) + "\n" for record in records).encode()


def _dump(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"))


def _cell(value: str | int) -> str:
    """Text that would be a formula gets an apostrophe before it; a negative number is a number."""
    text = str(value)
    if isinstance(value, str) and text.startswith(_FORMULA):
        text = "'" + text
    return '"' + text.replace('"', '""') + '"' if _QUOTED & {*text} else text
