"""The statements of one log, from the views `charges` and `balances`. What a statement says is told in `sheet.py`.

Every event is of one statement: that of its own month, or, when that was closed before it came, of the first month after
the last one that was closed by then.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import Any, Final, NamedTuple

import msgspec

from domain import periods
from domain.codec import decode
from domain.events import CreditDebited, CreditRefunded, StatementIssued
from projections.balances import AT_POSITION
from projections.statements import sheet
from projections.statements.sheet import Closing, Key, Line, Statement

Execute = Callable[[bytes, tuple[Any, ...]], Sequence[tuple[Any, ...]]]
"""Rows of one statement with its parameters."""

_CLOSED: Final = b"""
SELECT c.month, c.tree_size, e.body FROM doneotp_views.charges AS c JOIN doneotp.events AS e USING (log, position)
WHERE c.log = %b AND c.what = 'closed' AND c.position <= %b ORDER BY c.position"""
_FIRST: Final = b"""
SELECT month FROM doneotp_views.charges WHERE log = %b AND what <> 'closed' AND position <= %b ORDER BY month LIMIT 1"""
_LAST: Final = b"""
SELECT month FROM doneotp_views.charges WHERE log = %b AND what <> 'closed' AND position <= %b ORDER BY month DESC LIMIT 1"""
# The rows of a statement: those of its month, and of earlier months those that came late. Both are short ranges of the key.
_OF_PERIOD: Final = """
FROM (
    SELECT * FROM doneotp_views.charges WHERE log = %b AND month = %b AND position <= %b AND what <> 'closed'
    UNION ALL
    SELECT * FROM doneotp_views.charges
    WHERE log = %b AND month = ANY(%b::text[]) AND position > %b AND position <= %b AND what <> 'closed') AS c"""
_SUMS: Final = f"""
SELECT what, month, debited_in, day::text, country, unit_credits, rate_card,
    count(*), sum(units)::bigint, sum(credits)::bigint {_OF_PERIOD}
GROUP BY what, month, debited_in, day, country, unit_credits, rate_card""".encode()
_EVENTS: Final = f"""
SELECT c.what, c.month, c.debited_in, c.position, e.event_id, e.topic, e.body {_OF_PERIOD}
JOIN doneotp.events AS e USING (log, position)
WHERE c.day = %b::text::date AND c.country = %b AND c.unit_credits = %b AND c.rate_card = %b ORDER BY c.position""".encode()
_MOVED_LATER: Final = b"""
SELECT coalesce(sum(CASE WHEN what IN ('added', 'refunded') THEN credits WHEN what = 'debited' THEN -credits END), 0)::bigint
FROM doneotp_views.charges WHERE log = %b AND month = ANY(%b::text[]) AND position <= %b"""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A statement in a row: whole credits, and the size of the log that it is of."""

    period: str
    status: str
    tree_size: int
    credits: int
    added: int
    opening_balance: int
    closing_balance: int


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One event behind a line. `credits` is negative for a refund."""

    position: int
    event_id: str
    type: str
    at: str
    verification_id: str
    send: int
    credits: int


class Bills:
    """Statements as of the first `size` events of a live log, which the views and its tree must have."""

    def __init__(self, execute: Execute, root_of: Callable[[int], bytes], log: str, size: int) -> None:
        self._execute = execute
        self._root_of = root_of
        self._log = log
        self._size = size
        self._issued: dict[str, StatementIssued] = {}
        self._closings: list[Closing] = []
        for period, tree_size, body in execute(_CLOSED, (log, size)):
            event = decode("StatementIssued.v1", body)
            assert isinstance(event, StatementIssued), "the topic says so"
            self._issued[period] = event
            self._closings.append(Closing(period, tree_size))

    @property
    def closed_period(self) -> str:
        """The last period that is closed, '' before the first."""
        return self._closings[-1].period if self._closings else ""

    def periods(self) -> list[str]:
        """From the first month with an event that counts to the last one, or the one after the last that was closed."""
        first, last = (self._execute(statement, (self._log, self._size)) for statement in (_FIRST, _LAST))
        if not first:
            return []
        until = max(last[0][0], periods.following(self.closed_period) if self._closings else "")
        return list(_months(first[0][0], until))

    def statement(self, period: str) -> Statement | None:
        """The statement of a month; None where there is none. Raises LookupError when the tree is not whole."""
        months = self.periods()
        if period not in months:
            return None
        closing = sheet.closing_of(self._closings, period)
        size = closing.tree_size if closing is not None else self._size
        sums: dict[Key, list[int]] = {}
        counted = {"added": 0, "begun": 0, "verified": 0}
        for what, month, debited_in, day, country, unit_credits, rate_card, count, units, credits in self._execute(
            _SUMS, self._range(period, months, size)
        ):
            if what in counted:
                counted[what] += credits if what == "added" else count
                continue
            sign = -1 if what == "refunded" else 1
            key = Key(_kind(what, month, debited_in, period=period), day, country, unit_credits, rate_card)
            figures = sums.setdefault(key, [0, 0, 0])
            for place, figure in enumerate((count, units, credits)):
                figures[place] += sign * figure
        lines = tuple(Line(key, *figures) for key, figures in sorted(sums.items()))
        closing_balance = self._balance(size) - self._moved_later(period, months, size)
        credits = sum(line.credits for line in lines)
        return Statement(
            account=self._log,
            period=period,
            is_closed=closing is not None,
            tree_size=size,
            root=self._root_of(size).hex(),
            lines=lines,
            added=counted["added"],
            verifications=counted["begun"],
            verified=counted["verified"],
            opening_balance=closing_balance - counted["added"] + credits,
        )

    def listed(self) -> list[Listed]:
        """All statements. Those that were issued are read from their events."""
        return [self._listed(period) for period in self.periods()]

    def explained(self, period: str, key: Key) -> list[Explained]:
        """The events behind a line, in the order of the log."""
        months = self.periods()
        closing = sheet.closing_of(self._closings, period)
        size = closing.tree_size if closing is not None else self._size
        found = []
        asked = (*self._range(period, months, size), key.day, key.country, key.unit_credits, key.rate_card)
        for what, month, debited_in, position, event_id, topic, body in self._execute(_EVENTS, asked):
            event = decode(topic, body)
            if isinstance(event, CreditDebited | CreditRefunded) and key.kind == _kind(
                what, month, debited_in, period=period
            ):
                found.append(
                    Explained(
                        position=position,
                        event_id=str(event_id),
                        type=topic.partition(".")[0],
                        at=msgspec.to_builtins(event.at),
                        verification_id=event.verification_id,
                        send=event.send,
                        credits=-event.credits if what == "refunded" else event.credits,
                    )
                )
        return found

    def _range(self, period: str, months: Sequence[str], size: int) -> tuple[Any, ...]:
        before = periods.previous(period)
        late_after = next((closing.tree_size for closing in self._closings if closing.period == before), None)
        earlier = [] if late_after is None else list(takewhile(lambda month: month < period, months))
        return self._log, period, size, self._log, earlier, late_after or 0, size

    def _balance(self, size: int) -> int:
        totals = self._execute(AT_POSITION, (size, self._log, size))
        return totals[0][1] - totals[0][2] + totals[0][3] if totals else 0

    def _moved_later(self, period: str, months: Sequence[str], size: int) -> int:
        """What events of later months did to the balance before this period was closed."""
        later = [month for month in months if month > period]
        return int(self._execute(_MOVED_LATER, (self._log, later, size))[0][0])

    def _listed(self, period: str) -> Listed:
        of: StatementIssued | Statement | None = self._issued.get(period) or self.statement(period)
        assert of is not None, "there is a statement of every period"
        is_closed = isinstance(of, StatementIssued) or of.is_closed
        return Listed(
            period=period,
            status="closed" if is_closed else "open",
            tree_size=of.tree_size,
            credits=of.credits,
            added=of.added,
            opening_balance=of.opening_balance,
            closing_balance=of.closing_balance,
        )


class LineName(NamedTuple):
    """What the name of a line says."""

    account: str
    period: str
    key: Key


def parse_line(name: str) -> LineName | None:
    """The parts of a line's name; None when it is none."""
    parts = name.split("/")
    if len(parts) != 7 or not (parts[5].isascii() and parts[5].isdigit() and len(parts[5]) <= 15):
        return None
    account, period, kind, day, country, unit_credits, rate_card = parts
    return LineName(account, period, Key(kind, day, country, int(unit_credits), rate_card))


def _kind(what: str, month: str, debited_in: str, *, period: str) -> str:
    if month != period or debited_in != period:
        return sheet.CORRECTION
    return sheet.REFUND if what == "refunded" else sheet.CHARGE


def _months(first: str, last: str) -> Iterator[str]:
    while first <= last:
        yield first
        first = periods.following(first)
