"""`replay`: balances and usage of every log, recomputed from the entries alone. What `verify` checks is taken for granted here.

Usage is by the day (UTC) of each event and the country of the number that it is about. Memory is that of the
verifications begun last and of the rows: what comes late is looked up in the log once more, at its end.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, NamedTuple

from projections.audit import known
from projections.audit.bundle import Bundle, TreeFiles
from projections.audit.findings import Finding, Findings, Found
from projections.audit.invariants import TEST_SUFFIX
from projections.audit.recent import KEPT_MAX, Recent
from projections.audit.seals import read_checkpoint
from projections.audit.statements import Issued
from projections.transparency.entry import Entry, MalformedEntry, decode
from projections.transparency.tiles import TILE_WIDTH, width_at

COUNTS: Final = (
    "begun",
    "requested",
    "sent",
    "failed",
    "delivered",
    "undelivered",
    "verified",
    "cancelled",
    "attempts_failed",
    "credits_debited",
    "credits_refunded",
    "to_verify_microseconds",
)
"""Of one row of usage: the columns of the server's own view of it, which a test compares."""

_COUNTED: Final = {
    "CodeRequested.v1": COUNTS.index("requested"),
    "CodeSent.v1": COUNTS.index("sent"),
    "SendFailed.v1": COUNTS.index("failed"),
    "Verified.v1": COUNTS.index("verified"),
    "VerificationCancelled.v1": COUNTS.index("cancelled"),
    "AttemptFailed.v1": COUNTS.index("attempts_failed"),
    "CreditDebited.v1": COUNTS.index("credits_debited"),
    "CreditRefunded.v1": COUNTS.index("credits_refunded"),
}
_DELIVERIES: Final = {"delivered": COUNTS.index("delivered"), "undelivered": COUNTS.index("undelivered")}
_BEGUN: Final = COUNTS.index("begun")
_VERIFIED: Final = COUNTS.index("verified")
_TO_VERIFY: Final = COUNTS.index("to_verify_microseconds")
_MICROSECOND: Final = timedelta(microseconds=1)
UNKNOWN_COUNTRY: Final = ""
"""Of what happened to a verification that never began: `verify` names it."""


class _Beginning(NamedTuple):
    at: str
    country: str


class _Count(NamedTuple):
    """What one event adds to a row."""

    at: str
    column: int
    amount: int


class Books:
    """What one log comes to. Give `see` every entry in order, then call `finish`."""

    def __init__(self, *, kept_max: int = KEPT_MAX) -> None:
        self.size = 0
        self.added = 0
        self.debited = 0
        self.refunded = 0
        self.usage: dict[tuple[str, str], list[int]] = {}
        """By day and country."""
        self.issued: list[Issued] = []
        self._beginnings: Recent[_Beginning] = Recent(kept_max=kept_max)
        self._late: dict[str, list[_Count]] = {}

    @property
    def available(self) -> int:
        """Credits that are left."""
        return self.added - self.debited + self.refunded

    def see(self, entry: Entry) -> None:
        """Take one event into account."""
        self.size += 1
        type_, data = entry.type, entry.data
        amount = data.get("credits", 1)
        match type_:
            case "CreditAdded.v1":
                self.added += amount
            case "CreditDebited.v1":
                self.debited += amount
            case "CreditRefunded.v1":
                self.refunded += amount
            case "StatementIssued.v1":
                self.issued.append(Issued(entry.position, data))
            case "CodeRequested.v1" if data["send"] == 1:
                self._beginnings.put(data["verification_id"], _Beginning(data["at"], data["country"]))
            case _:
                pass
        column = _DELIVERIES[data["outcome"]] if type_ == "DeliveryReported.v1" else _COUNTED.get(type_)
        if column is None:
            return
        verification_id, count = data["verification_id"], _Count(data["at"], column, amount)
        beginning = self._beginnings.get(verification_id)
        if beginning is None:
            self._late.setdefault(verification_id, []).append(count)
        else:
            self._count(count, beginning)
            if type_ == "CodeRequested.v1" and data["send"] == 1:
                self._count(_Count(data["at"], _BEGUN, 1), beginning)

    def finish(self, again: Iterator[Entry]) -> None:
        """The end of the log. `again` gives it once more, and is asked only when a beginning has to be looked up."""
        if self._late:
            for entry in again:
                data = entry.data
                if entry.type == "CodeRequested.v1" and data["send"] == 1 and data["verification_id"] in self._late:
                    for count in self._late.pop(data["verification_id"]):
                        self._count(count, _Beginning(data["at"], data["country"]))
        for counts in self._late.values():
            for count in counts:
                self._count(count, _Beginning(count.at, UNKNOWN_COUNTRY))
        self._late.clear()

    def document(self) -> dict[str, Any]:
        """For `--json`: rows by day, then country."""
        return {
            "available": self.available,
            "debited": self.debited,
            "refunded": self.refunded,
            "added": self.added,
            "usage": [
                {"day": day, "country": country, **dict(zip(COUNTS, counts, strict=True))}
                for (day, country), counts in sorted(self.usage.items())
            ],
        }

    def _count(self, count: _Count, beginning: _Beginning) -> None:
        key = (count.at[:10], beginning.country)
        counts = self.usage.get(key)
        if counts is None:
            counts = self.usage[key] = [0] * len(COUNTS)
        counts[count.column] += count.amount
        if count.column == _VERIFIED:
            counts[_TO_VERIFY] += max(0, (known.moment(count.at) - known.moment(beginning.at)) // _MICROSECOND)


@dataclass(slots=True)
class Replayed:
    """The books of every log, and what kept some from being read."""

    books: dict[str, Books] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """For `--json`. A test log is listed under its account's id."""
        live = {log: books for log, books in self.books.items() if not log.endswith(TEST_SUFFIX)}
        test = {log.removesuffix(TEST_SUFFIX): books for log, books in self.books.items() if log.endswith(TEST_SUFFIX)}
        return {
            "accounts": {log: books.document() for log, books in live.items()},
            "test_logs": {log: books.document() for log, books in test.items()},
            "position": sum(books.size for books in self.books.values()),
            "findings": [finding.document() for finding in self.findings],
        }


CompareStatements = Callable[[Bundle, str, Sequence[Issued], Callable[[], Iterator[Entry]]], Iterator[Finding]]
"""Takes the bundle, a log, what it issued and its entries (to be asked as often as needed); gives what differs from
`statements/`."""


def replay(
    bundle: Bundle,
    *,
    compare_statements: CompareStatements | None = None,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Replayed:
    """Recompute every log of a bundle. Never raises for what is in it."""
    findings, replayed = Findings(), Replayed()
    sizes = {}
    for log in bundle.logs():
        signed, problems = read_checkpoint(bundle, f"accounts/{log}/checkpoint", None, log=log)
        if signed is None:
            for problem in problems:
                findings.add(problem)
        else:
            sizes[log] = signed.checkpoint.size
    done = 0
    for log, size in sizes.items():
        reader = _Reader(TreeFiles(bundle, log), size)
        books = replayed.books[log] = Books()
        try:
            for entry in reader.entries():
                books.see(entry)
                done += 1
                if not done % TILE_WIDTH:
                    progress(done, sum(sizes.values()))
            books.finish(reader.entries())
            if compare_statements is not None and bundle.has("statements"):
                for finding in compare_statements(bundle, log, books.issued, reader.entries):
                    findings.add(finding)
        except Found as found:
            findings.add(found.finding._replace(log=log))
    if not bundle.has("accounts"):
        findings.add(Finding("missing-file", "There is no accounts.", file="accounts"))
    replayed.findings = findings.all
    return replayed


class _Reader:
    def __init__(self, files: TreeFiles, size: int) -> None:
        self._files = files
        self._size = size

    def entries(self) -> Iterator[Entry]:
        """Every entry; raises Found at one that cannot be read or is of no known shape."""
        for index in range(-(-self._size // TILE_WIDTH)):
            raws = self._files.entries(index, width_at(0, index, self._size))
            for place, raw in enumerate(raws, index * TILE_WIDTH + 1):
                yield self._entry(place, raw)

    def _entry(self, place: int, raw: bytes) -> Entry:
        log = self._files.log
        try:
            entry = decode(raw)
        except MalformedEntry as refused:
            raise Found(Finding("entry-malformed", f"The entry is malformed: {refused}.", log, place)) from None
        complaint = known.complaint(entry.type, entry.data)
        if complaint is not None:
            raise Found(Finding(*complaint, log, place))
        return entry
