"""Billing periods are calendar months, UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from domain import periods
from domain.refusals import InvalidRequest


def test_a_moment_is_in_the_month_that_it_is_in_at_greenwich():
    assert periods.of(datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)) == "2026-11"
    assert periods.of(datetime(2026, 12, 1, 1, 0, tzinfo=timezone(timedelta(hours=2)))) == "2026-11"


@pytest.mark.parametrize(
    ("period", "previous", "begin", "end"),
    [
        ("2026-11", "2026-10", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12", "2026-11", datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-01", "2025-12", datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
    ],
)
def test_a_period_follows_another(period, previous, begin, end):
    assert (periods.previous(period), periods.begin(period), periods.end(period)) == (previous, begin, end)
    assert periods.following(previous) == period


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "2026-11\n", "\uff11"]
)
def test_what_is_no_month_is_refused(text):
    for read in (periods.begin, periods.end, periods.previous, periods.following):
        with pytest.raises(InvalidRequest):
            read(text)
