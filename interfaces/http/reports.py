"""What an account looks at from above: usage by day and country, and its activity, who did what."""

import re
from collections.abc import Sequence
from datetime import date
from itertools import starmap
from typing import Final, NamedTuple

import msgspec

from application.ports import Record
from domain.codec import decode
from domain.events import TYPES
from domain.refusals import InvalidRequest
from interfaces.http import views
from interfaces.http.calls import Call, Context, Query
from interfaces.http.desk import in_thread
from interfaces.http.reads import READS, log_time
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.activity import PAGE, PAGE_OF_KINDS, Activity, Entry, entry
from projections.facts import Fact
from projections.usage import Counts, Key, Usage, beginnings, counted, grouped, plus

DAYS_MAX: Final = 366
SPAN_MAX: Final = 50_000
"""Positions that one page of activity looks at for the kinds that were asked for."""
KINDS: Final = frozenset(kind.__name__ for kind in TYPES.values())
_KINDS: Final = "^({0})(,({0}))*$".format("|".join(sorted(KINDS)))
_DAYS: Final = 30
_ROWS_MAX: Final = 1_000
_GROUPS: Final = {"day,country": (True, True), "day": (True, False), "country": (False, True), "": (False, False)}
"""By day, by country."""
_DATE: Final = {"type": "string", "format": "date"}
_GROUPED: Final = grouped()
_ALL: Final = "*"
_CURSOR: Final = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}|[*])/([A-Z0-9]{2,3}|[*])$"

Group = tuple[str, str]


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a group. `verifications` began, `requested` are messages; `credits` is debited less refunded.

    `conversion` is verified over begun, `seconds_to_verify` the mean; both are null where there is nothing to divide by.
    """

    day: str | None
    country: str | None
    verifications: int
    requested: int
    sent: int
    failed: int
    delivered: int
    undelivered: int
    verified: int
    cancelled: int
    attempts_failed: int
    credits_debited: int
    credits_refunded: int
    credits: int
    conversion: float | None
    seconds_to_verify: float | None


class UsagePage(msgspec.Struct, frozen=True, kw_only=True):
    """Usage of the days `from` to `to`, both included (UTC), true after the event at `position`."""

    from_: str = msgspec.field(name="from")
    to: str
    rows: list[UsageRow]
    cursor: str | None
    position: int


class ActivityPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first, true after the event at `position`. `cursor` goes into the next request; null when there is no more."""

    activity: list[Entry]
    cursor: str | None
    position: int


async def usage(context: Context) -> UsagePage:
    """Messages, outcomes and credits by day (UTC) and country."""
    parameters = context.request.query_params
    today = (await log_time(context)).date()
    last = _day(parameters.get("to"), default=today, name="to")
    first = _day(parameters.get("from"), default=date.fromordinal(max(1, last.toordinal() - _DAYS + 1)), name="from")
    if not 0 <= (last - first).days < DAYS_MAX:
        raise InvalidRequest(f"from must not be after to, nor more than {DAYS_MAX} days before it.")
    groups = parameters.get("group_by", "day,country")
    if groups not in _GROUPS:
        raise InvalidRequest("group_by must be day, country, or day,country; with nothing all is one row.")
    by_day, by_country = _GROUPS[groups]
    asked = _Asked(
        first,
        last,
        by_day=by_day,
        by_country=by_country,
        after=_group(parameters.get("cursor")),
        limit=context.number("limit", default=_ROWS_MAX, least=1, most=_ROWS_MAX),
    )
    return await in_thread(_usage, context, asked)  # type: ignore[no-any-return]


class _Asked(NamedTuple):
    first: date
    last: date
    by_day: bool
    by_country: bool
    after: Group
    limit: int

    def group(self, day: date, country: str) -> Group:
        return day.isoformat() if self.by_day else _ALL, country if self.by_country else _ALL


def _usage(context: Context, asked: _Asked) -> UsagePage:
    recorder, log = context.desk.recorder, context.identity.log
    reached = views.reach(recorder, log, Usage)
    found: dict[Group, Counts] = {}
    if reached:
        parameters = (asked.by_day, asked.by_country, log, asked.first, asked.last, *asked.after, asked.limit + 1)
        rows = views.rows(recorder, _GROUPED, (log, *parameters))
        reached = rows[0][0]
        found = {(day, country): Counts(*counts) for _, day, country, *counts in rows if day is not None}
    last = max(found) if len(found) > asked.limit else None
    tail = views.tail(recorder, log, after=reached)
    for (_, day, country), counts in _counted(recorder, log, tail).items():
        group = asked.group(day, country)
        if asked.first <= day <= asked.last and group > asked.after and (last is None or group <= last):
            found[group] = plus(found.get(group, Counts()), counts)
    listed = sorted(found.items())
    return UsagePage(
        from_=asked.first.isoformat(),
        to=asked.last.isoformat(),
        rows=list(starmap(_row, listed[: asked.limit])),
        cursor="/".join(listed[asked.limit - 1][0]) if len(listed) > asked.limit else None,
        position=tail[-1].id if tail else reached,
    )


def _counted(recorder: PostgresLogRecorder, log: str, tail: list[Record]) -> dict[Key, Counts]:
    """What the tail counts for."""
    facts = [
        Fact(record.id, record.stream, record.originator_version, decode(record.topic, record.state)) for record in tail
    ]
    batch = {log: facts}
    return counted(batch, beginnings(batch, recorder.execute))


def _row(group: Group, counts: Counts) -> UsageRow:
    day, country = group
    return UsageRow(
        day=None if day == _ALL else day,
        country=None if country == _ALL else country,
        verifications=counts.begun,
        requested=counts.requested,
        sent=counts.sent,
        failed=counts.failed,
        delivered=counts.delivered,
        undelivered=counts.undelivered,
        verified=counts.verified,
        cancelled=counts.cancelled,
        attempts_failed=counts.attempts_failed,
        credits_debited=counts.credits_debited,
        credits_refunded=counts.credits_refunded,
        credits=counts.credits_debited - counts.credits_refunded,
        conversion=round(counts.verified / counts.begun, 4) if counts.begun else None,
        seconds_to_verify=(
            round(counts.to_verify_microseconds / counts.verified / 1_000_000, 3) if counts.verified else None
        ),
    )


async def activity(context: Context) -> ActivityPage:
    """Who did what, from where and with which key, how it ended and why; newest first."""
    limit = context.number("limit", default=100, least=1, most=_ROWS_MAX)
    before = context.number("cursor", default=2**53, least=1, most=2**53)
    kinds = kinds_in(context.request.query_params.get("kind"))
    recorder, log = context.desk.recorder, context.identity.log
    return await in_thread(activity_page, recorder, log, before, limit, kinds)  # type: ignore[no-any-return]


def kinds_in(text: str | None) -> tuple[str, ...]:
    """Types of events by name, separated by commas; none means all. Raises InvalidRequest."""
    kinds = () if text is None else tuple(text.split(","))
    if not KINDS.issuperset(kinds):
        raise InvalidRequest("kind must be types of events such as CodeRequested, separated by commas.")
    return kinds


def activity_page(
    recorder: PostgresLogRecorder, log: str, before: int, limit: int, kinds: Sequence[str] = ()
) -> ActivityPage:
    """Up to `limit` entries before a position; with `kinds` those alone, among at most SPAN_MAX positions."""
    reached = views.reach(recorder, log, Activity)
    tail = views.tail(recorder, log, after=reached)
    news = [entry(record.id, decode(record.topic, record.state)) for record in tail if record.id < before]
    position = tail[-1].id if tail else reached
    floor = max(1, min(before, position + 1) - SPAN_MAX) if kinds else 1
    listed = [one for one in news if not kinds or one.what in kinds][: -limit - 1 : -1]
    if reached and len(listed) < limit:
        upto, most = min(before, reached + 1), limit - len(listed)
        rows = (
            views.rows(recorder, PAGE_OF_KINDS, (log, upto, floor, list(kinds), most))
            if kinds
            else views.rows(recorder, PAGE, (log, upto, most))
        )
        listed += [Entry(**dict(zip(Entry.__struct_fields__, row, strict=True))) for row in rows]
    last = listed[-1].position if len(listed) == limit else floor
    return ActivityPage(activity=listed, cursor=str(last) if last > 1 else None, position=position)


def _day(text: str | None, *, default: date, name: str) -> date:
    if text is None:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise InvalidRequest(f"{name} must be a date such as 2026-11-24.")
    return day


def _group(cursor: str | None) -> Group:
    """The group that an earlier answer ended with; one before all others to begin with."""
    if cursor is None:
        return "", ""
    if not re.fullmatch(_CURSOR, cursor, re.ASCII):
        raise InvalidRequest("cursor must be one that an earlier answer gave.")
    day, _, country = cursor.partition("/")
    return day, country


CALLS: Final = (
    Call(
        "GET",
        "/v1/usage",
        "Messages, outcomes and credits by day and country",
        "sk",
        READS,
        UsagePage,
        usage,
        query=(
            Query("from", _DATE, f"First day, UTC; {_DAYS - 1} days before `to` unless told."),
            Query("to", _DATE, "Last day, included; today unless told."),
            Query(
                "group_by",
                {"type": "string", "examples": ["day,country", "day", "country"]},
                "day,country unless told.",
            ),
            Query("cursor", {"type": "string"}, "From an earlier answer."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _ROWS_MAX}, f"Rows, {_ROWS_MAX} unless told."),
        ),
    ),
    Call(
        "GET",
        "/v1/activity",
        "Who did what, newest first",
        "sk",
        READS,
        ActivityPage,
        activity,
        query=(
            Query("cursor", {"type": "integer", "minimum": 1, "maximum": 2**53}, "From an earlier answer."),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": _ROWS_MAX}, "Rows, 100 unless told."),
            Query(
                "kind",
                {"type": "string", "pattern": _KINDS, "examples": ["Verified", "KeyIssued,KeyRevoked"]},
                "Only events of these types; a page may then be short, or empty, and still have a cursor.",
            ),
        ),
    ),
)
