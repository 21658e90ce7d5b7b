"""Months of random business with late facts, refunds, rate cards and closings; and a plain third way to a statement."""

import random
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from application.ports import Record
from domain import periods
from domain.codec import encode
from domain.events import (
    TOPICS,
    CodeRequested,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    Event,
    RateCardAdopted,
    SendFailed,
    StatementIssued,
    Verified,
)
from domain.rates import FLAT, RateCard
from interfaces.billing.issuing import issued_at
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.statements.sheet import Key, Line, Statement
from projections.transparency.entry import decode
from projections.transparency.tree import Frontier, leaf_hash
from tests.support.bundles import Log
from tests.support.given import opened, requested

BEGIN = datetime(2026, 1, 20, 9, tzinfo=UTC)
COUNTRIES = ("TR", "US", "DE")
Placed = list[tuple[int, Event]]


def root_over(entries: Sequence[bytes]) -> Callable[[int], bytes]:
    """Roots of the tree over the first so many entries."""

    def root(size: int) -> bytes:
        frontier = Frontier()
        for entry in entries[:size]:
            frontier.add(leaf_hash(entry))
        return frontier.root()

    return root


class Months:
    """A log that grows by random business. A seed decides all of it; every figure keeps the ledger's invariants."""

    def __init__(self, name: str = "acct_a", *, seed: int = 1, begin: datetime = BEGIN) -> None:
        self.log = Log(name)
        self.events: Placed = []
        self.streams: list[str] = []
        self.now = begin
        self.closed = ""
        self._chance = random.Random(seed)
        self.cards: list[tuple[datetime, RateCard]] = [(datetime.min.replace(tzinfo=UTC), FLAT)]
        self._open: list[CodeRequested] = []
        self._paid: list[CreditDebited] = []
        self._begun = 0
        self.add(replace(opened(), account_id=name, at=begin))
        self.add(CreditAdded(at=begin, credits=100_000, reference="R0"))

    def add(self, event: Event, *, stream: str = "") -> None:
        """Record an event as it is."""
        self.log.add((stream, event))
        self.events.append((self.log.position, event))
        self.streams.append(stream)

    def go_on(self, steps: int, *, closes: bool = True) -> "Months":
        """So many random steps."""
        for _ in range(steps):
            self.now += timedelta(hours=self._chance.choice((0, 1, 5, 30)))
            chance = self._chance.random()
            if chance < 0.5:
                self.send()
            elif chance < 0.65:
                self.fail()
            elif chance < 0.8:
                self.verify()
            elif chance < 0.85:
                self.add(CreditAdded(at=self.at(), credits=self._chance.randrange(1, 50), reference=f"R{self.now}"))
            elif chance < 0.9:
                self.adopt(RateCard(per=self._chance.choice(("message", "segment")), prices=self._prices()))
            elif closes:
                self.close()
        return self

    def at(self) -> datetime:
        """Now, or now and then a moment before that: another process's clock was behind, or a provider is late."""
        return self.now - timedelta(hours=self._chance.choice((0, 0, 0, 0, 20, 200)))

    def send(self) -> None:
        self._begun += 1
        stream = f"s{self._begun:021}"
        country, segments = self._chance.choice(COUNTRIES), self._chance.choice((1, 1, 2))
        at = self.at()
        card = [card for since, card in self.cards if since <= at][-1]
        price = card.price(country, segments=segments)
        asked = replace(
            requested(of=f"ver_{stream}{'0' * 12}", price=price.credits),
            at=at,
            country=country,
            segments=segments,
            expires_at=at + timedelta(days=60),
        )
        self.add(asked, stream=stream)
        self._open.append(asked)
        if price.credits:
            debit = CreditDebited(
                at=at,
                verification_id=asked.verification_id,
                send=1,
                credits=price.credits,
                rate_card=card.id,
                country=country,
                units=price.units,
                unit_credits=price.unit_credits,
            )
            self.add(debit)
            self._paid.append(debit)

    def fail(self) -> None:
        """Give one of the messages back, of whatever month."""
        if not self._paid:
            return
        debit = self._paid.pop(self._chance.randrange(len(self._paid)))
        name, send, at = debit.verification_id, debit.send, self.at()
        report: Event = SendFailed(at=at, verification_id=name, send=send, reason="unreachable")
        if self._chance.random() < 0.5:
            report = DeliveryReported(
                at=at, verification_id=name, send=send, outcome="undelivered", provider="inbox", reason="expired"
            )
        self.add(report, stream=name[4:26])
        self.add(CreditRefunded(at=at, verification_id=name, send=send, credits=debit.credits, reason="unreachable"))

    def verify(self) -> None:
        if not self._open:
            return
        asked = self._open.pop(self._chance.randrange(len(self._open)))
        at = min(max(self.at(), asked.at), asked.expires_at - timedelta(seconds=1))
        verified = Verified(
            at=at,
            verification_id=asked.verification_id,
            phone=asked.phone,
            token_id=f"t{self.now}",
            token_expires_at=at,
        )
        self.add(verified, stream=asked.verification_id[4:26])

    def adopt(self, card: RateCard) -> None:
        """From now on."""
        self.add(
            RateCardAdopted(
                at=self.now, rate_card=card.id, per=card.per, prices=card.prices, effective_from=self.now, by="cli:ann"
            )
        )
        self.cards.append((self.now, card))

    def close(self) -> None:
        """The first month that is open, when it is over; some events may come between its tree size and its closing."""
        period = periods.following(self.closed) if self.closed else self.bills()[0].period
        if self.now < periods.end(period):
            return
        statement = next(bill for bill in self.bills() if bill.period == period)
        for _ in range(self._chance.randrange(3)):
            self.send()
        self.add(issued_at(statement, self.now, by="cli:ann"))
        self.closed = period

    def bills(self, size: int | None = None) -> list[Statement]:
        """All statements, by the plain way."""
        upto = self.log.position if size is None else size
        return list(reference(self.log.name, self.events[:upto], root_over(self.log.entries)))

    def _prices(self) -> dict[str, int]:
        return {"*": self._chance.randrange(0, 4), "TR": self._chance.randrange(1, 9)}


def reference(log: str, events: Placed, root_of: Callable[[int], bytes]) -> Iterator[Statement]:
    """Statements by their definition, each from all events anew."""
    closings = [(event.period, event.tree_size) for _, event in events if isinstance(event, StatementIssued)]
    debits = {(e.verification_id, e.send): e for _, e in events if isinstance(e, CreditDebited)}

    def period_of(position: int, event: Event) -> str:
        closed = [period for period, size in closings if size < position]
        return max([periods.of(event.at), *(periods.following(period) for period in closed)])

    counted = [(position, event) for position, event in events if _counts(event)]
    months = [periods.of(event.at) for _, event in counted]
    last = max([*months, *(periods.following(period) for period, _ in closings)], default="")
    period = min(months, default="9")
    while period <= last:
        size = next((size for closed, size in closings if closed >= period), len(events))
        inside = [(position, event) for position, event in counted if position <= size]
        mine = [event for position, event in inside if period_of(position, event) == period]
        earlier = [event for position, event in inside if period_of(position, event) < period]
        yield Statement(
            account=log,
            period=period,
            is_closed=any(closed >= period for closed, _ in closings),
            tree_size=size,
            root=root_of(size).hex(),
            lines=tuple(_lines([e for e in mine if isinstance(e, CreditDebited | CreditRefunded)], debits, period)),
            added=sum(event.credits for event in mine if isinstance(event, CreditAdded)),
            verifications=sum(isinstance(event, CodeRequested) for event in mine),
            verified=sum(isinstance(event, Verified) for event in mine),
            opening_balance=sum(_net(event) for event in earlier),
        )
        period = periods.following(period)


def _counts(event: Event) -> bool:
    return (isinstance(event, CodeRequested) and event.send == 1) or isinstance(
        event, CreditAdded | CreditDebited | CreditRefunded | Verified
    )


def _net(event: Event) -> int:
    match event:
        case CreditAdded() | CreditRefunded():
            return event.credits
        case CreditDebited():
            return -event.credits
        case _:
            return 0


def _lines(
    moved: Sequence[CreditDebited | CreditRefunded], debits: dict[tuple[str, int], CreditDebited], period: str
) -> Iterator[Line]:
    by_key: dict[Key, list[tuple[int, int, int]]] = {}
    for event in moved:
        debit = debits[event.verification_id, event.send]
        sign = 1 if event is debit else -1
        is_own = periods.of(event.at) == periods.of(debit.at) == period
        kind = "correction" if not is_own else "charge" if event is debit else "refund"
        key = Key(kind, f"{event.at:%Y-%m-%d}", debit.country, debit.unit_credits, debit.rate_card)
        by_key.setdefault(key, []).append((sign, sign * debit.units, sign * event.credits))
    for key in sorted(by_key):
        yield Line(key, *map(sum, zip(*by_key[key], strict=True)))


def stored(recorder: PostgresLogRecorder, months: Months) -> Months:
    """The log in Postgres, as it was written elsewhere."""
    records = []
    for raw, (position, event), stream in zip(months.log.entries, months.events, months.streams, strict=True):
        entry = decode(raw)
        records.append(
            Record(
                id=position,
                originator_id=f"{entry.log}/{stream}" if stream else entry.log,
                originator_version=entry.version,
                topic=TOPICS[type(event)],
                state=encode(event),
                log=entry.log,
                stream=stream,
                event_id=bytes.fromhex(entry.event_id.replace("-", "")),
            )
        )
    assert recorder.append(records) == set()
    return months
