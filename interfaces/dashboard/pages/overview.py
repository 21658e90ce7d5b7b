"""The overview: balance and how long it lasts, what was sent and proved and what it cost, by day and by country."""

import statistics
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

from litestar import Response

from application.history import Detail
from interfaces.dashboard.visit import Visit
from interfaces.http import reads, reports
from interfaces.http.reports import UsageRow

DAYS: Final = 30
RUNWAY_DAYS: Final = 7
MEDIAN_OF: Final = 200
COUNTRIES_SHOWN: Final = 12
_WIDTH: Final = 720
_HEIGHT: Final = 160


class Bar(NamedTuple):
    """One day of the picture: in pixels, and in words."""

    x: float
    width: float
    verified_y: float
    verified_height: float
    other_y: float
    other_height: float
    said: str


async def page(visit: Visit) -> Response[bytes]:
    """The figures of the last 30 days, exact up to this moment."""
    now = (await reads.log_time(visit.reading())).date()
    since = (now - timedelta(days=DAYS - 1)).isoformat()
    balance = await reads.balance(visit.reading())
    by_day = (await reports.usage(visit.reading(group_by="day", **{"from": since, "to": now.isoformat()}))).rows
    by_country = (await reports.usage(visit.reading(group_by="country", **{"from": since, "to": now.isoformat()}))).rows
    totals = (await reports.usage(visit.reading(group_by="", **{"from": since, "to": now.isoformat()}))).rows
    total = totals[0] if totals else None
    verified = await reads.verifications(visit.reading(status="verified", limit=str(MEDIAN_OF)))
    days = _days(by_day, since=date.fromisoformat(since))
    return visit.html(
        "overview.html",
        title="Overview",
        balance=balance,
        lasts=_lasts(balance.available, by_day, today=now),
        total=total,
        median=_median(verified.verifications),
        median_of=len(verified.verifications),
        cost=round(total.credits / total.verified, 2) if total is not None and total.verified else None,
        days=days,
        bars=_bars(days),
        top=max((row.verifications for _, row in days if row is not None), default=0),
        width=_WIDTH,
        height=_HEIGHT,
        countries=_countries(by_country),
        since=since,
        until=now.isoformat(),
    )


def _lasts(available: int, rows: Sequence[UsageRow], *, today: date) -> int | None:
    """Days until the balance is used up at the mean of the last seven, today included; None where nothing is spent."""
    first = (today - timedelta(days=RUNWAY_DAYS - 1)).isoformat()
    spent = sum(row.credits for row in rows if row.day is not None and row.day >= first)
    return int(available * RUNWAY_DAYS / spent) if spent > 0 else None


def _median(verified: Sequence[Detail]) -> float | None:
    """Seconds from the beginning to the right code, of the newest that were verified."""
    spans = [
        (step.at - one.created_at).total_seconds()
        for one in verified
        for step in one.timeline
        if step.type == "Verified"
    ]
    return round(statistics.median(spans), 1) if spans else None


def _days(rows: Sequence[UsageRow], *, since: date) -> list[tuple[str, UsageRow | None]]:
    """Every day in turn, also those on which nothing happened."""
    found = {row.day: row for row in rows}
    days = [(since + timedelta(days=number)).isoformat() for number in range(DAYS)]
    return [(day, found.get(day)) for day in days]


def _bars(days: Sequence[tuple[str, UsageRow | None]]) -> list[Bar]:
    top = max((max(row.verifications, row.verified) for _, row in days if row is not None), default=0) or 1
    step = _WIDTH / len(days)
    bars = []
    for place, (day, row) in enumerate(days):
        begun = 0 if row is None else row.verifications
        verified = 0 if row is None else min(row.verified, begun)
        tall, part = _HEIGHT * begun / top, _HEIGHT * verified / top
        bars.append(
            Bar(
                x=round(place * step + 2, 1),
                width=round(step - 4, 1),
                verified_y=round(_HEIGHT - part, 1),
                verified_height=round(part, 1),
                other_y=round(_HEIGHT - tall, 1),
                other_height=round(tall - part, 1),
                said=f"{day}: {begun} begun, {verified} verified",
            )
        )
    return bars


def _countries(rows: Sequence[UsageRow]) -> list[tuple[UsageRow, float]]:
    """The largest, each with its share of the largest, in percent."""
    largest = sorted(rows, key=lambda row: -row.verifications)[:COUNTRIES_SHOWN]
    top = max((row.verifications for row in largest), default=0) or 1
    return [(row, round(100 * row.verifications / top, 1)) for row in largest]
