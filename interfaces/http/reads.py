"""What an account can read of its own: its balance and its verifications, now and as they were."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from application.accounts import Balance, ReadBalance
from application.history import Detail, Page, details
from application.keyring import stream_in
from application.ports import Record
from domain import account as accounts
from domain.account import Account
from domain.codec import decode
from domain.refusals import InvalidRequest, VerificationNotFound
from interfaces.http import views
from interfaces.http.calls import Call, Context, Query
from interfaces.http.desk import in_thread
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.activity import Activity
from projections.balances import AT_MOMENT, AT_POSITION, Balances
from projections.facts import stream_of
from projections.verifications import (
    BY_ID,
    PAGE,
    PAGE_BY_OUTCOME,
    PAGE_EXPIRED,
    PAGE_PENDING,
    Verifications,
)

STATUSES: Final = ("pending", "verified", "failed", "expired", "cancelled")
READS: Final = (
    "invalid_request",
    "missing_api_key",
    "invalid_api_key",
    "revoked_api_key",
    "key_scope_forbidden",
    "internal_error",
    "service_unavailable",
    "overloaded",
)


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
    recorder, log = context.desk.recorder, context.identity.log
    after = views.reach(recorder, log, Balances, Activity)
    position, account = min(until, after), Account()
    if after:
        statement, parameters = (
            (AT_POSITION, (position, log, position)) if at is None else (AT_MOMENT, (after, at, at, log, log))
        )
        for position, added, debited, refunded in views.rows(recorder, statement, parameters):  # noqa: B007 - at most one
            account = Account(added=added, debited=debited, refunded=refunded)
    if position < after:
        return Balance.of(account, position)
    for record in views.tail(recorder, log, after=after, most=until - after):
        event = decode(record.topic, record.state)
        if at is not None and event.at > at:
            break
        position = record.id
        if not record.stream:
            account = accounts.evolve(account, event)
    return Balance.of(account, position)


async def verification(context: Context) -> Detail:
    """One verification with its timeline."""
    verification_id = context.request.path_params["verification_id"]
    stream = stream_in(verification_id)
    if stream is None:
        raise VerificationNotFound
    now = await log_time(context)
    found: Detail | None = await in_thread(_verification, context, verification_id, stream, now)
    if found is None:
        raise VerificationNotFound
    return found


def _verification(context: Context, verification_id: str, stream: str, now: datetime) -> Detail | None:
    found = records_of(context.desk.recorder, context.identity.log, verification_id, stream=stream)
    return details(found, now=now).get(verification_id)


def records_of(recorder: PostgresLogRecorder, log: str, verification_id: str, *, stream: str) -> list[Record]:
    """The events of one verification, in order, perhaps with others of its number."""
    after = views.reach(recorder, log, Verifications)
    places = _places(recorder, BY_ID, (log, [verification_id])) if after else []
    news = recorder.select_tail(log, stream, after=after, limit=views.TAIL_MAX)
    return _gathered(recorder, log, places, news, until=2**53)


async def verifications(context: Context) -> Page:
    """Verifications, newest first. A page may be shorter than `limit`; the last one has no cursor."""
    limit = context.number("limit", default=50, least=1, most=200)
    before = context.number("cursor", default=2**53, least=1, most=2**53)
    status = context.request.query_params.get("status")
    if status is not None and status not in STATUSES:
        raise InvalidRequest(f"status must be one of {', '.join(STATUSES)}.")
    now = await log_time(context)
    return await in_thread(_page, context, before, limit, status, now)  # type: ignore[no-any-return]


def _page(context: Context, before: int, limit: int, status: str | None, now: datetime) -> Page:
    """What the view has, and what the tail has begun or changed: that is judged anew.

    The view goes on meanwhile, so it is asked first: all that it may have taken since is in the tail.
    """
    recorder, log = context.desk.recorder, context.identity.log
    after = views.reach(recorder, log, Verifications)
    places = _places(recorder, *_page_statement(log, before, limit, status=status, now=now)) if after else []
    news = views.tail(recorder, log, after=after)
    position = news[-1].id if news else after
    named = {getattr(decode(record.topic, record.state), "verification_id", "") for record in news}
    more = len(places) == limit
    last = places[-1].position if more else 0
    if after and status is not None and named:
        changed = _places(recorder, BY_ID, (log, sorted(named)))
        places = list(
            {place.position: place for place in (*places, *changed) if last <= place.position < before}.values()
        )
    found = _folded(recorder, log, places, news, until=position, now=now)
    listed = [
        (detail.timeline[0].position, detail)
        for detail in found.values()
        if last <= detail.timeline[0].position < before and status in (None, detail.status)
    ]
    listed.sort(key=lambda one: -one[0])
    if len(listed) > limit:
        more, last = True, listed[limit - 1][0]
    return Page(
        verifications=[detail for _, detail in listed[:limit]],
        cursor=str(last) if more else None,
        position=position,
    )


class _Place(NamedTuple):
    position: int
    verification_id: str
    first_version: int
    last_version: int


def _page_statement(
    log: str, before: int, limit: int, *, status: str | None, now: datetime
) -> tuple[bytes, tuple[object, ...]]:
    match status:
        case None:
            return PAGE, (log, before, limit)
        case "pending":
            return PAGE_PENDING, (log, before, now, limit)
        case "expired":
            return PAGE_EXPIRED, (log, before, now, limit)
        case _:
            return PAGE_BY_OUTCOME, (log, before, status, limit)


def _places(recorder: PostgresLogRecorder, statement: bytes, parameters: tuple[object, ...]) -> list[_Place]:
    return [_Place(*row) for row in views.rows(recorder, statement, parameters)]


def _folded(
    recorder: PostgresLogRecorder,
    log: str,
    places: Sequence[_Place],
    news: Sequence[Record],
    *,
    until: int,
    now: datetime,
) -> dict[str, Detail]:
    """The verifications at the places and those that began in the news, from the ledger itself, as of a position."""
    return details(_gathered(recorder, log, places, news, until=until), now=now)


def _gathered(
    recorder: PostgresLogRecorder, log: str, places: Sequence[_Place], news: Sequence[Record], *, until: int
) -> list[Record]:
    parts = [(stream_of(place.verification_id), place.first_version, place.last_version) for place in places]
    found = (*(recorder.select_parts(log, parts) if parts else ()), *news)
    records = {record.id: record for record in found if record.id <= until}
    return [records[position] for position in sorted(records)]


async def log_time(context: Context) -> datetime:
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
        READS,
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
        READS,
        Page,
        verifications,
        query=(
            Query("cursor", {"type": "integer", "minimum": 1, "maximum": 2**53}, "From an earlier answer."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 200}, "Rows, 50 unless told."),
            Query("status", {"type": "string", "enum": list(STATUSES)}, "Only those."),
        ),
    ),
    Call(
        "GET",
        "/v1/verifications/{verification_id:str}",
        "One verification with its timeline",
        "sk",
        (*READS, "verification_not_found"),
        Detail,
        verification,
    ),
)
