"""A ledger with endpoints and postmen of the test's own: with a schedule that does not take days."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg

from application.writer import Decision, Draft
from domain.events import Event
from interfaces import bootstrap
from interfaces.bootstrap import Books
from interfaces.webhooks import reads
from interfaces.webhooks.outbound import Outbound
from interfaces.webhooks.outbox import WAITING_MAX, Outbox
from interfaces.webhooks.postman import Postman
from interfaces.webhooks.reach import Reach
from interfaces.webhooks.reads import Delivery

ROOT = b"root secret of the tests, 32 b.."
QUICK = (0.0, 0.05, 0.05)
CLAIM_SECONDS = 3.0


class Office:
    """Books on a database, one account, and how its deliveries stand."""

    def __init__(self, conninfo: str, books: Books) -> None:
        self.conninfo = conninfo
        self.books = books
        self.log = books.administration.open_account(name="Test", credits=0, by="test").account_id
        self.failures: list[BaseException] = []
        self.poisoned: list[tuple[str, int]] = []

    def endpoint(self, url: str, *types: str) -> str:
        return self.books.webhooks.add(self.log, url=url, types=types or ("account.*",), by="test").id

    def credit(self, reference: str) -> None:
        self.books.administration.add_credit(self.log, credits=1, reference=reference, by="test")

    def record(self, *events: Event, stream: str = "") -> None:
        """Facts as they are, of one stream."""
        self.books.writer.submit(_Record(self.log, stream or None, events)).result(10)

    def deliveries(self, **narrowed: Any) -> list[Delivery]:
        """Oldest first."""
        return reads.deliveries(self.books.recorder.execute, self.log, limit=1_000, **narrowed)[::-1]

    def told(self) -> list[tuple[str, str, list[str]]]:
        """Type, status and what became of each attempt."""
        return [(one.type, one.status, [at.error or "taken" for at in one.attempts]) for one in self.deliveries()]

    def execute(self, statement: bytes) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            rows = connection.execute(statement)
            return rows.fetchall() if rows.description else []

    @contextlib.contextmanager
    def postman(
        self, *, schedule: tuple[float, ...] = QUICK, seconds_max: float = 5.0, waiting_max: int = WAITING_MAX
    ) -> Iterator[threading.Event]:
        """One who posts for as long as the context lasts."""
        stop = threading.Event()

        async def post() -> None:
            await Postman(
                self.conninfo,
                self.books.keyring,
                Outbound(Reach(allows_local=True), seconds_max=seconds_max),
                Outbox(on_poison=lambda log, position: self.poisoned.append((log, position)), waiting_max=waiting_max),
                disable=self._disable,
                on_failure=self.failures.append,
                schedule=schedule,
                claim_seconds=CLAIM_SECONDS,
            ).run(stop)

        thread = threading.Thread(target=lambda: asyncio.run(post()))
        thread.start()
        try:
            yield stop
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive()

    def _disable(self, log: str, endpoint_id: str, reason: str) -> None:
        self.books.webhooks.disable(log, endpoint_id=endpoint_id, reason=reason, by="system")


class _Record:
    """A command that decides for what it is given."""

    idempotency = ""

    def __init__(self, log: str, stream: str | None, events: tuple[Event, ...]) -> None:
        self.log = log
        self.stream = stream
        self._events = events

    def decide(self, draft: Draft) -> Decision[None]:
        return Decision(None, tuple((self.stream or "", event) for event in self._events))

    def replay(self, event: Any) -> Any:
        raise AssertionError("never carries an Idempotency-Key")


@contextlib.contextmanager
def office(conninfo: str) -> Iterator[Office]:
    with bootstrap.books(conninfo, root=ROOT) as books:
        yield Office(conninfo, books)
