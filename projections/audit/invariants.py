"""The invariants of one log, seen event by event. Each has a name that stays; the first event that breaks it is reported.

What concerns one verification is in `flows.py`. No rule here looks at a clock: what a test log's clock was moved by is in the
moments that its events carry already.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from projections.audit import known, masks, statements
from projections.audit.findings import Finding, Report
from projections.audit.flows import Flows
from projections.audit.prices import Cards
from projections.audit.recent import KEPT_MAX
from projections.audit.statements import Issued, RootOf
from projections.transparency.entry import Entry

TEST_SUFFIX: Final = "-test"

INVARIANTS: Final[dict[str, str]] = {
    "entry-of-this-log": "An entry names the log that it is in.",
    "positions-dense": "Positions count up from 1 without a hole.",
    "stream-versions-contiguous": "In each stream of a log, versions count up from 1 without a hole.",
    "opened-first": "A log begins with AccountOpened, has no other, and it names this account and this kind of log.",
    "event-type-known": "Every event is of a type that this tool knows.",
    "event-fields-known": "An event has the fields of its type and no others.",
    "event-fields-valid": "Every field has a value that it can have.",
    "numbers-masked": "No payload holds a phone number in full.",
    "addresses-masked": "No payload holds the address of one machine.",
    "balance-never-negative": "The balance is not below zero after any event.",
    "test-logs-never-debit": "A test log has no price and no debit.",
    "clocks-advance-in-test-logs": "Only a test log's clock is ever moved.",
    "verification-requested": "What happens to a verification happens after it was requested.",
    "sends-count-up": "The messages of a verification are numbered from 1 without a hole.",
    "attempts-count-down": "Each failed attempt takes one from the attempts left, of which there are at most five.",
    "verified-once": "A verification is verified at most once.",
    "verified-within-attempts": "No verification is verified after its last attempt has failed.",
    "verified-before-expiry": "No verification is verified at or after its expiry.",
    "verified-not-cancelled": "No verification is verified after it was cancelled.",
    "redeemed-once": "A token is redeemed at most once.",
    "redeemed-matches-verified": "A redeemed token is the one that its verification earned.",
    "redeemed-before-expiry": "No token is redeemed at or after its expiry.",
    "debit-pays-one-request": "A debit comes right after one CodeRequested of the same message and has its price.",
    "debit-priced-by-card": "A debit names the rate card in force, and asks what that card says for country and message.",
    "card-names-its-content": "A rate card that is adopted is named by its content.",
    "refund-for-one-debit": "A refund is for one debit, once, with its credits.",
    "credits-add-up": "A priced request is debited and a paid message that failed is refunded, right after it: what came in "
    "is what went out and what is left.",
    "statement-as-issued": "A statement that was issued has the figures, root and hash that the log before it comes to, and "
    "statements are issued in the order of their periods, for live logs alone.",
}
"""Every invariant, and what it promises."""


class LogInvariants:
    """Give `see` every entry of a log in order, then call `finish`."""

    def __init__(self, log: str, report: Report, *, root_of: RootOf, kept_max: int = KEPT_MAX) -> None:
        self.available = 0
        self.types: set[str] = set()
        """Every type of event that was seen, of those this tool knows."""
        self._log = log
        self._is_test = log.endswith(TEST_SUFFIX)
        self._report = report
        self._versions: dict[int, int] = {}  # by hash of the stream's name: one for each number that was ever asked
        self._cards = Cards()
        self._issued: list[Issued] = []
        self._root_of = root_of
        self._kept_max = kept_max
        self._requested: tuple[int, dict[str, Any]] = (0, {})  # the last CodeRequested, with its place
        self._flows = Flows(self._break, kept_max=kept_max, is_test=self._is_test)

    def see(self, place: int, entry: Entry) -> None:
        """The entry at this place, from 1."""
        log, position, stream, version, _, type_, body, data = entry
        if log != self._log:
            self._break("entry-of-this-log", place)
        if position != place:
            self._break("positions-dense", place)
        key = hash(stream)
        if version != self._versions.get(key, 0) + 1:
            self._break("stream-versions-contiguous", place)
        self._versions[key] = version
        complaint = known.complaint(type_, data)
        if complaint is not None:
            self._report(Finding(complaint[0], complaint[1], self._log, place))
        if masks.suspicious(body):
            for name, field in masks.unmasked(data):
                self._report(Finding(name, f"{INVARIANTS[name]} The field {_spelled(field)} does.", self._log, place))
        if (place == 1) != (type_ == "AccountOpened.v1"):
            self._break("opened-first", place)
        if complaint is not None:
            return
        self.types.add(type_)
        if "verification_id" in data:
            self._flows.see(place, type_, data)
        self._see_account(place, type_, entry)

    def finish(self, again: Callable[[], Iterator[tuple[int, Entry]]]) -> None:
        """After the last entry. `again` gives all entries once more, and is asked only when something older has to be seen."""

        def sound() -> Iterator[tuple[int, Entry]]:
            return (one for one in again() if known.complaint(one[1].type, one[1].data) is None)

        self._flows.finish((at, entry.type, entry.data) for at, entry in sound() if "verification_id" in entry.data)
        if self._issued and self._is_test:
            self._break("statement-as-issued", self._issued[0].place)
        elif self._issued:
            entries = lambda: (entry for _, entry in sound())  # noqa: E731
            place = statements.differing(
                self._log, self._issued, entries, root_of=self._root_of, kept_max=self._kept_max
            )
            if place is not None:
                self._break("statement-as-issued", place)

    def _see_account(self, place: int, type_: str, entry: Entry) -> None:
        data = entry.data
        match type_:
            case "CreditDebited.v1":
                self._see_debit(place, data)
            case "CreditRefunded.v1" | "CreditAdded.v1":
                self.available += data["credits"]
            case "AccountOpened.v1":
                mode = "test" if self._is_test else "live"
                if (data["account_id"], data["mode"]) != (self._log.removesuffix(TEST_SUFFIX), mode):
                    self._break("opened-first", place)
            case "CodeRequested.v1":
                self._requested = (place, data)
                if self._is_test and data["price_credits"]:
                    self._break("test-logs-never-debit", place)
            case "RateCardAdopted.v1":
                if not self._cards.adopt(data):
                    self._break("card-names-its-content", place)
            case statements.ISSUED:
                self._issued.append(Issued(place, data))
            case "ClockAdvanced.v1":
                if not self._is_test:
                    self._break("clocks-advance-in-test-logs", place)
            case _:
                pass

    def _see_debit(self, place: int, data: dict[str, Any]) -> None:
        if self._is_test:
            self._break("test-logs-never-debit", place)
            return
        self._see_price(place, data)
        self.available -= data["credits"]
        if self.available < 0:
            self._break("balance-never-negative", place)

    def _see_price(self, place: int, debit: dict[str, Any]) -> None:
        """Whether the price is the card's; a debit that pays for no request beside it has a finding of its own."""
        before, requested = self._requested
        pays = before == place - 1 and requested["price_credits"] == debit["credits"]
        if pays and not self._cards.is_price(debit, requested=requested):
            self._break("debit-priced-by-card", place)

    def _break(self, name: str, place: int) -> None:
        self._report(Finding(name, INVARIANTS[name], self._log, place))


def _spelled(field: str) -> str:
    """A field's name, unless it may itself be what must not be shown."""
    return field if field.isidentifier() else "with an odd name"
