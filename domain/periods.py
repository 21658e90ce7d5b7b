"""Billing periods: calendar months, UTC, written `2026-11`."""

import re
from datetime import UTC, datetime
from typing import Final

from domain.refusals import InvalidRequest

_PERIOD: Final = re.compile(r"(20[0-9]{2})-(0[1-9]|1[0-2])")


def of(moment: datetime) -> str:
    """The period that a moment is in."""
    return f"{moment.astimezone(UTC):%Y-%m}"


def begin(period: str) -> datetime:
    """The first moment of a period; raises InvalidRequest on what is none."""
    match = _PERIOD.fullmatch(period)
    if match is None:
        raise InvalidRequest("period must be a month such as 2026-11.")
    return datetime(int(match[1]), int(match[2]), 1, tzinfo=UTC)


def end(period: str) -> datetime:
    """The first moment after a period; raises InvalidRequest on what is none."""
    first = begin(period)
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def previous(period: str) -> str:
    """The period before; raises InvalidRequest on what is none."""
    first = begin(period)
    return f"{first.year - (first.month == 1):04}-{(first.month - 2) % 12 + 1:02}"


def following(period: str) -> str:
    """The period after; raises InvalidRequest on what is none."""
    return of(end(period))
