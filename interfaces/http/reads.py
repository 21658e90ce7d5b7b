"""What an account can read of its own: balance, verifications, and its log event by event."""

import asyncio
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from application.accounts import Balance, ReadBalance
from application.history import Detail, Page, details
from application.keyring import stream_in
from application.ports import Record
from domain import account as accounts
from domain.account import Account
from domain.codec import decode
from domain.events import CodeRequested
from domain.refusals import InvalidRequest, Overloaded, VerificationNotFound
from interfaces.http.calls import Call, Context, Query
from interfaces.http.desk import in_thread

_FOLD_ROWS: Final = 5_000
_WAIT_SECONDS_MAX: Final = 30
_LOOK_SECONDS: Final = 0.05
_WAITERS_MAX: Final = 1_000
_READS: Final = (
    "invalid_request",
    "missing_api_key",
    "invalid_api_key",
    "revoked_api_key",
    "key_scope_forbidden",
    "internal_error",
    "service_unavailable",
    "overloaded",
)


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One stored event. `position` is dense in this log; `version` is its place in its stream; `data` is what is stored."""

    position: int
    event_id: str
    type: str
    type_version: int
    stream: str
    version: int
    at: datetime
    data: msgspec.Raw


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Events after a position. `next` is what to ask after next time."""

    events: list[FeedEvent]
    next: int


async def balance(context: Context) -> Balance:
    """The balance now, or as it stood at a moment or a position."""
    parameters = context.request.query_params
    at, position = parameters.get("at"), parameters.get("position")
    if at is None and position is None:
        return await context.desk.writer.ask(ReadBalance(context.identity.log))
    if at is not None and position is not None:
        raise InvalidRequest("Ask for a balance by at or by position, not both.")
    until = context.number("position", default=2**53, least=0, most=2**53)
    return await in_thread(_balance_as_of, context, until, None if at is None else _moment(at))  # type: ignore[no-any-return]


def _balance_as_of(context: Context, until: int, at: datetime | None) -> Balance:
    account, reached, after = Account(), 0, 0
    while True:
        records = context.desk.recorder.select_log(context.identity.log, after=after, limit=_FOLD_ROWS)
        for record in records:
            event = decode(record.topic, record.state)
            if record.id > until or (at is not None and event.at > at):
                return Balance.of(account, reached)
            reached = record.id
            if not record.stream:
                account = accounts.evolve(account, event)
        if len(records) < _FOLD_ROWS:
            return Balance.of(account, reached)
        after = reached


async def verification(context: Context) -> Detail:
    """One verification with its timeline."""
    verification_id = context.request.path_params["verification_id"]
    stream = stream_in(verification_id)
    if stream is None:
        raise VerificationNotFound
    log = context.identity.log
    records = await in_thread(context.desk.recorder.select_histories, [(log, stream)])
    found = details(records, now=await _now(context)).get(verification_id)
    if found is None:
        raise VerificationNotFound
    return found


async def verifications(context: Context) -> Page:
    """Verifications, newest first."""
    limit = context.number("limit", default=50, least=1, most=200)
    before = context.number("cursor", default=2**53, least=1, most=2**53)
    now = await _now(context)
    return await in_thread(_page, context, before, limit, now)  # type: ignore[no-any-return]


def _page(context: Context, before: int, limit: int, now: datetime) -> Page:
    recorder, log = context.desk.recorder, context.identity.log
    begun: dict[str, Record] = {}
    reached = before
    while len(begun) < limit and reached > 1:
        requests = recorder.select_requests(log, before=reached, limit=limit)
        if not requests:
            break
        for record in requests:
            reached = record.id
            event = decode(record.topic, record.state)
            if isinstance(event, CodeRequested) and event.send == 1:
                begun[event.verification_id] = record
            if len(begun) == limit:
                break
    streams = list(dict.fromkeys((log, record.stream) for record in begun.values()))
    found = details(recorder.select_histories(streams), now=now) if streams else {}
    head = recorder.heads([log]).get(log, 0)
    more = len(begun) == limit
    return Page(
        verifications=[found[verification_id] for verification_id in begun],
        cursor=str(reached) if more else None,
        position=head,
    )


_waiters = 0


async def events(context: Context) -> Feed:
    """The account's log, from a position on; `wait` holds the answer back until there is something new."""
    global _waiters  # noqa: PLW0603 - one count per process
    after = context.number("after", default=0, least=0, most=2**53)
    limit = context.number("limit", default=100, least=1, most=1_000)
    wait = context.number("wait", default=0, least=0, most=_WAIT_SECONDS_MAX)
    log, desk = context.identity.log, context.desk
    records = await in_thread(_log_after, desk.recorder, log, after, limit)
    if not records and wait:
        if _waiters >= _WAITERS_MAX:
            raise Overloaded(retry_after_seconds=1)
        _waiters += 1
        try:
            # Only a log that the writer knows is looked after, and a test log nobody may have used here yet.
            await desk.writer.ask(ReadBalance(log))
            async with asyncio.timeout(wait):
                while not desk.ledger.is_beyond(log, after):  # noqa: ASYNC110 - the writer's thread has no event to set
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            pass
        finally:
            _waiters -= 1
        records = await in_thread(_log_after, desk.recorder, log, after, limit)
    return Feed(events=[_feed(record) for record in records], next=records[-1].id if records else after)


def _log_after(recorder: Any, log: str, after: int, limit: int) -> list[Record]:
    return list(recorder.select_log(log, after=after, limit=limit))


def _feed(record: Record) -> FeedEvent:
    name, _, version = record.topic.partition(".v")
    return FeedEvent(
        position=record.id,
        event_id=str(UUID(bytes=record.event_id)),
        type=name,
        type_version=int(version),
        stream=str(record.originator_id),
        version=record.originator_version,
        at=decode(record.topic, record.state).at,
        data=msgspec.Raw(record.state),
    )


async def _now(context: Context) -> datetime:
    """The log's time: test keys may have moved theirs."""
    now = (await context.desk.writer.ask(ReadBalance(context.identity.log))).at
    assert now is not None, "a balance of now has its moment"
    return now


def _moment(text: str) -> datetime:
    try:
        moment = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        raise InvalidRequest("at must be an RFC 3339 moment such as 2026-11-24T12:00:00Z.") from None
    if moment.tzinfo is None:
        raise InvalidRequest("at must be an RFC 3339 moment with its offset, such as 2026-11-24T12:00:00Z.")
    return moment


CALLS: Final = (
    Call(
        "GET",
        "/v1/balance",
        "Credits of the account",
        "sk",
        _READS,
        Balance,
        balance,
        query=(
            Query("at", {"type": "string", "format": "date-time"}, "As it stood at a moment."),
            Query("position", {"type": "integer", "minimum": 0, "maximum": 2**53}, "As it stood after an event."),
        ),
    ),
    Call(
        "GET",
        "/v1/verifications",
        "Verifications, newest first",
        "sk",
        _READS,
        Page,
        verifications,
        query=(
            Query("cursor", {"type": "integer", "minimum": 1, "maximum": 2**53}, "From an earlier answer."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 200}, "Rows, 50 unless told."),
        ),
    ),
    Call(
        "GET",
        "/v1/verifications/{verification_id:str}",
        "One verification with its timeline",
        "sk",
        (*_READS, "verification_not_found"),
        Detail,
        verification,
    ),
    Call(
        "GET",
        "/v1/events",
        "The account's log: positions 1, 2, 3 … without a hole",
        "sk",
        _READS,
        Feed,
        events,
        query=(
            Query(
                "after", {"type": "integer", "minimum": 0, "maximum": 2**53}, "Position to begin after, 0 unless told."
            ),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Events, 100 unless told."),
            Query("wait", {"type": "integer", "minimum": 0, "maximum": 30}, "Seconds to wait for something new."),
        ),
    ),
)
