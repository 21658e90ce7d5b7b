"""Latencies of one call: kept whole, summed up once at the end."""

import math
from array import array
from collections.abc import Sequence
from typing import Final

import msgspec

_MILLISECONDS: Final = 1_000


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """What is reported of the latencies of one call, in milliseconds; None where there was no call."""

    count: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


def percentile(ascending: Sequence[float], percent: float) -> float:
    """Nearest rank: the smallest value that at least `percent` of all values do not exceed."""
    return ascending[max(0, math.ceil(len(ascending) * percent / 100) - 1)]


def summary(seconds: "array[float]") -> Latency:
    """Count, p50, p99 and maximum."""
    if not seconds:
        return Latency(count=0, p50_ms=None, p99_ms=None, max_ms=None)
    ascending = sorted(seconds)

    def milliseconds(percent: float) -> float:
        return round(percentile(ascending, percent) * _MILLISECONDS, 3)

    return Latency(count=len(ascending), p50_ms=milliseconds(50), p99_ms=milliseconds(99), max_ms=milliseconds(100))
