"""What an account or a public key has spent lately, exact enough that no cap is ever passed.

Hours are whole ones, and a day is the hour that is now and the 24 before it: every 24 hours are inside such a day, so a cap
holds for each of them. A month is a calendar month, UTC, as on a statement. A refund makes room in the hour and month in
which it comes, at most what was spent in those.
"""

from datetime import UTC, datetime
from typing import Final

import msgspec

HOURS_MAX: Final = 25
_HOUR_SECONDS: Final = 3_600


class Spent(msgspec.Struct, frozen=True):
    """Credits by hour, oldest first, and of the latest month. Hours count from 1970, months from year 0."""

    hours: tuple[tuple[int, int], ...] = ()
    month: int = 0
    month_credits: int = 0

    def day(self, now: datetime) -> int:
        """Credits of the 24 hours that end now, and of what was before them in the first one."""
        since = _hour(now) - HOURS_MAX
        return sum(credits for hour, credits in self.hours if hour > since)

    def of_month(self, now: datetime) -> int:
        """Credits of this month."""
        return self.month_credits if self.month >= _month(now) else 0


NONE: Final = Spent()


def plus(spent: Spent, credits: int, *, at: datetime) -> Spent:
    """After `credits` more at a moment, or less where they are negative. A clock that is behind counts as the latest hour."""
    hour, month, hours = _hour(at), _month(at), spent.hours
    if hours and hours[-1][0] >= hour:
        hours = (*hours[:-1], (hours[-1][0], max(0, hours[-1][1] + credits)))
    elif credits > 0:
        hours = (*hours[-HOURS_MAX + 1 :], (hour, credits))
    if month > spent.month:
        return Spent(hours, month, max(0, credits))
    return Spent(hours, spent.month, max(0, spent.month_credits + credits))


def _hour(moment: datetime) -> int:
    return int(moment.timestamp()) // _HOUR_SECONDS


def _month(moment: datetime) -> int:
    utc = moment.astimezone(UTC)
    return utc.year * 12 + utc.month
