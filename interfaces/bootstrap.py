"""The composition root: nothing else constructs an adapter.

Parts are built in the order in which they depend on each other, and closed in the reverse.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from application.accounts import Administration
from application.dispatch import Dispatcher
from application.guard import Guard
from application.keyring import Keyring
from application.ledger import Ledger
from application.ports import Message
from application.receipts import Receipts
from application.routing import ByMode, Router
from application.tokens import Tokens
from application.verifications import RecordDelivery
from application.webhooks import Webhooks
from application.writer import Writer
from domain.guard import Reason
from interfaces import carriers, first_account, logs, secrets
from interfaces.dashboard import routes as dashboard
from interfaces.dashboard.operators import Operators
from interfaces.dashboard.sessions import Sessions
from interfaces.dashboard.totp import Totp
from interfaces.dashboard.visit import Office
from interfaces.guard.challenge import Challenge
from interfaces.guard.pow import ProofOfWork
from interfaces.guard.siteverify import ADDRESSES, SiteVerify
from interfaces.http import app, widget
from interfaces.http import carrier_receipts as receipt_routes
from interfaces.http.desk import Desk
from interfaces.http.streams import Streams
from interfaces.limits.shared import SharedWindows
from interfaces.limits.windows import Counters, Windows
from interfaces.postgres import fingerprint
from interfaces.postgres.abandoned import Sweep
from interfaces.postgres.connection import Lines
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.settings import Settings
from interfaces.sms.inbox import InboxProvider, InboxStore
from interfaces.sms.nobody import Nobody
from interfaces.sms.scenario import ScenarioProvider
from interfaces.webhooks.reach import Reach
from interfaces.world import SystemClock, SystemEntropy

DRAIN_SECONDS: Final = 20.0
"""How long a stopping server waits for providers; what is left then is refunded by the next sweep."""

OPERATOR_LINES_MAX: Final = 2
"""Connections of a process for operators and their sessions, opened when they are needed."""


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger and those who may write to it."""

    recorder: PostgresLogRecorder
    ledger: Ledger
    writer: Writer
    keyring: Keyring
    administration: Administration
    webhooks: Webhooks
    operators: Operators
    sessions: Sessions


@contextlib.contextmanager
def books(conninfo: str, *, root: bytes, readers_max: int = 5) -> Iterator[Books]:
    """An open ledger, on a database that is migrated. Raises SecretUnusable on one that was begun under another root."""
    entropy = SystemEntropy()
    recorder = PostgresLogRecorder(conninfo, readers_max=readers_max)
    keyring = Keyring(root)
    lines = Lines(conninfo, size_max=OPERATOR_LINES_MAX)
    guard = Guard(keyring, on_trip=_guard_tripped)
    ledger = Ledger(recorder, entropy, monotonic=time.monotonic, guard=guard)
    writer = Writer(ledger, SystemClock(), on_failure=_failure("writer"))
    writer.start()
    try:
        fingerprint.require(recorder, keyring.fingerprint())
        administration = Administration(writer, keyring, entropy)
        yield Books(
            recorder,
            ledger,
            writer,
            keyring,
            administration,
            Webhooks(writer, keyring, entropy),
            Operators(lines),
            Sessions(lines),
        )
    finally:
        writer.close()
        lines.close()
        recorder.close()
        ledger.close()


@dataclass(frozen=True, slots=True)
class Service:
    """A process that serves: its application, started and ready."""

    application: ASGIApp
    dispatcher: Dispatcher
    streams: Streams


@contextlib.asynccontextmanager
async def service(
    books: Books,
    settings: Settings,
    *,
    inbox: InboxStore | None,
    process: str,
    extra: tuple[HTTPRouteHandler, ...] = (),
) -> AsyncIterator[Service]:
    """The service on the running loop. Leaving drains it: what was accepted is handed over and recorded."""
    entropy, clock = SystemEntropy(), SystemClock()
    live = carriers.providers(settings, books.keyring, inbox)
    tests = ScenarioProvider(
        Nobody() if inbox is None else InboxProvider(inbox),
        report=lambda message, delivered, reason: _report(books.writer, message, delivered=delivered, reason=reason),
    )

    challenge = _challenge(settings, books.keyring, clock, entropy)
    router = Router(live, carriers.routes(settings), clock)
    receipts = Receipts(books.writer, books.keyring, reported=router.reported)
    dispatcher = Dispatcher(books.writer, clock, ByMode(live=router, tests=tests), on_failure=_failure("dispatcher"))
    sweep = Sweep(books.recorder, books.writer, clock, on_failure=_failure("sweep"))
    streams = Streams()
    counters = _counters(settings)
    desk = Desk(
        ledger=books.ledger,
        recorder=books.recorder,
        writer=books.writer,
        dispatcher=dispatcher,
        keyring=books.keyring,
        tokens=Tokens(books.keyring),
        clock=clock,
        entropy=entropy,
        inbox=inbox,
        streams=streams,
        counters=counters,
        trusted_proxies=settings.trusted_proxies,
        challenge=challenge,
        pages_need_origins=settings.env == "production",
        demo=first_account.derived(secrets.root(settings)) if settings.env == "development" else None,
    )
    reports = receipt_routes.routes(receipts, carriers.signatures(settings), clock)
    office = Office(
        desk=desk,
        administration=books.administration,
        operators=books.operators,
        sessions=books.sessions,
        totp=Totp(books.keyring.operators_key()),
        webhooks=books.webhooks,
        reach=Reach(allows_local=settings.env == "development"),
    )
    handlers = (*extra, *reports, *dashboard.routes(office))
    application = app.build(desk, process=process, on_failure=_request_failure, extra=handlers)
    dispatcher.start()
    sweep.start()
    try:
        yield Service(application, dispatcher, streams)
    finally:
        if not await dispatcher.drain(timeout_seconds=DRAIN_SECONDS):
            logs.log.warning("drain_timed_out", count=dispatcher.waiting)
        await counters.close()
        await sweep.stop()
        await dispatcher.stop()
        tests.close()
        await challenge.close()
        await carriers.close(live)


def _counters(settings: Settings) -> Counters:
    if settings.limits_storage is None:
        return Windows(time.monotonic)
    return SharedWindows(settings.limits_storage, time.monotonic, on_failure=_failure("limits"))


def _challenge(settings: Settings, keyring: Keyring, clock: SystemClock, entropy: SystemEntropy) -> Challenge:
    kind, _, site_key = settings.challenge.partition(":")
    service = next((name for name in ADDRESSES if name == kind), None)
    if service is not None:
        secret = settings.challenge_secret
        return SiteVerify(service, site_key=site_key, secret=secret, script=widget.CHALLENGE_ADDRESS)
    return ProofOfWork(keyring.challenge_key(), clock=clock, entropy=entropy, script=widget.CHALLENGE_ADDRESS)


def _report(writer: Writer, message: Message, *, delivered: bool, reason: str) -> None:
    command = RecordDelivery(
        message.log, message.stream, message.verification_id, message.send, delivered, "scenario", reason
    )
    writer.ask(command, bounded=False).add_done_callback(lambda done: done.cancelled() or done.exception())


def _failure(part: str) -> Callable[[BaseException], None]:
    return lambda error: logs.failure(part, error)


def _guard_tripped(log: str, reason: Reason) -> None:
    """Without what was shut: a prefix is most of a number. `guard show` names it, masked."""
    logs.log.warning("guard_tripped", log=log, reason=reason.scope, count=reason.bad)


def _request_failure(error: BaseException, request_id: str) -> None:
    logs.failure("request", error, request_id=request_id)
