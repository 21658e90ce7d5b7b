"""A ledger of any length, made through the real event types; the same seed gives the same events."""

import base64
import heapq
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from domain.events import (
    AccountOpened,
    AttemptFailed,
    CodeRequested,
    CodeSent,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    DeliveryReported,
    Event,
    SendFailed,
    TokenRedeemed,
    Verified,
)
from domain.rates import FLAT

BEGIN: Final = datetime(2026, 10, 1, tzinfo=UTC)
MASKS: Final = (("+1415****2671", "US"), ("+90532****2719", "TR"), ("+4930****4567", "DE"), ("+44791****0123", "GB"))
Step = tuple[datetime, int, tuple[tuple[str, Event], ...]]


class Traffic:
    """Endless: `events()` gives what a log with many users records, in order."""

    def __init__(self, log: str, *, seed: int, number_share: float = 0.5) -> None:
        self._log = log
        self._random = random.Random(f"{seed} {log}")  # noqa: S311 - the same every time is what is wanted
        self._is_live = not log.endswith("-test")
        self._now = BEGIN
        self._order = 0
        self._later: list[Step] = []
        self._streams: list[str] = []
        self._number_share = number_share

    def events(self) -> Iterator[tuple[str, Event]]:
        """Events with their streams: '' is the account's own."""
        yield (
            "",
            AccountOpened(
                at=BEGIN,
                account_id=self._log.removesuffix("-test"),
                name="Acme",
                mode="live" if self._is_live else "test",
                by="operator",
            ),
        )
        yield "", CreditAdded(at=BEGIN, credits=10**12, reference="opening", by="operator")
        while True:
            self._now += timedelta(milliseconds=self._random.randrange(1, 400))
            while self._later and self._later[0][0] <= self._now:
                yield from heapq.heappop(self._later)[2]
            yield from self._begin()

    def _begin(self) -> Iterator[tuple[str, Event]]:
        """A message is asked for; what follows of it is put on the calendar."""
        chance, at = self._random, self._now
        if not self._streams or chance.random() < self._number_share:
            self._streams.append(_text(chance.randbytes(16)))
        stream = self._streams[chance.randrange(len(self._streams))]
        of, price = f"ver_{stream}{_text(chance.randbytes(15))}", int(self._is_live)
        phone, country = MASKS[sum(stream.encode()) % len(MASKS)]
        yield (
            stream,
            CodeRequested(
                at=at,
                verification_id=of,
                phone=phone,
                country=country,
                send=1,
                seed=chance.randbytes(16).hex(),
                digits=6,
                expires_at=at + timedelta(seconds=300),
                resend_in=30,
                attempts_left=5,
                price_credits=price,
                key_id="key_" + chance.randbytes(5).hex(),
                client_ip=f"203.0.{chance.randrange(256)}.0/24",
                idempotency=f"{_text(chance.randbytes(16))}.{_text(chance.randbytes(16))}",
                locale="en-US",
            ),
        )
        if price:
            yield (
                "",
                CreditDebited(
                    at=at,
                    verification_id=of,
                    send=1,
                    credits=price,
                    rate_card=FLAT.id,
                    country=country,
                    unit_credits=1,
                ),
            )
        if chance.random() < 0.03:
            failed = SendFailed(at=self._after(1), verification_id=of, send=1, reason="unreachable", provider="inbox")
            events: list[tuple[str, Event]] = [(stream, failed)]
            if price:
                events.append(
                    ("", CreditRefunded(at=failed.at, verification_id=of, send=1, credits=1, reason="failed"))
                )
            self._put(failed.at, *events)
            return
        self._answer(stream, of, phone)

    def _answer(self, stream: str, of: str, phone: str) -> None:
        chance = self._random
        sent = CodeSent(
            at=self._after(1), verification_id=of, send=1, provider="inbox", message_id=chance.randbytes(8).hex()
        )
        self._put(sent.at, (stream, sent))
        if chance.random() < 0.5:
            at = self._after(5)
            report = DeliveryReported(at=at, verification_id=of, send=1, outcome="delivered", provider="inbox")
            self._put(at, (stream, report))
        seconds = 8.0
        left = 5
        while left and chance.random() < 0.1:
            left -= 1
            seconds += 5
            at = self._now + timedelta(seconds=seconds)
            self._put(at, (stream, AttemptFailed(at=at, verification_id=of, attempts_left=left, key_id="key_a")))
        if left and chance.random() < 0.9:
            at = self._now + timedelta(seconds=seconds + 5)
            token, until = chance.randbytes(16).hex(), at + timedelta(seconds=600)
            verified = Verified(at=at, verification_id=of, phone=phone, token_id=token, token_expires_at=until)
            self._put(at, (stream, verified))
            at += timedelta(seconds=2)
            self._put(at, (stream, TokenRedeemed(at=at, verification_id=of, phone=phone, token_id=token)))

    def _after(self, seconds: float) -> datetime:
        return self._now + timedelta(seconds=self._random.random() * seconds)

    def _put(self, at: datetime, *events: tuple[str, Event]) -> None:
        self._order += 1
        heapq.heappush(self._later, (at, self._order, events))


def story(log: str, *, events: int, seed: int = 1) -> Iterator[tuple[str, Event]]:
    """At least so many events of a log; what was asked for is paid for, what failed is refunded."""
    made = Traffic(log, seed=seed).events()
    last: Event | None = None
    for stream, event in islice(made, events):
        yield stream, event
        last = event
    if isinstance(last, (CodeRequested, SendFailed)) and not log.endswith("-test"):
        yield next(made)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
