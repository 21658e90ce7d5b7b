"""Figures for Prometheus: requests by route and outcome, latency, and the writer. No label holds personal data.

Counting is plain arithmetic on the hot path; prometheus-client shapes the figures when they are asked for.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

BUCKETS_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_ROUTES_MAX: Final = 64
MEDIA_TYPE: Final = "text/plain; version=0.0.4"


class Metrics:
    """Counts of one process. Gauges are read when Prometheus asks."""

    def __init__(self, gauges: Callable[[], dict[str, float]]) -> None:
        self._gauges = gauges
        self._requests: dict[tuple[str, int], int] = {}
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def observe(self, route: str, status: int, seconds: float) -> None:
        """Count one answer. `route` is a path template, never a path."""
        if route not in self._buckets:
            if len(self._buckets) >= _ROUTES_MAX:
                route = "other"
            self._buckets.setdefault(route, [0] * (len(BUCKETS_SECONDS) + 1))
            self._seconds.setdefault(route, 0.0)
        key = (route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        self._buckets[route][bisect_left(BUCKETS_SECONDS, seconds)] += 1
        self._seconds[route] += seconds

    def collect(self) -> Iterator[Metric]:
        """What prometheus-client asks a collector for."""
        requests = CounterMetricFamily("doneotp_requests", "Answers by route and status.", labels=["route", "status"])
        for (route, status), count in sorted(self._requests.items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        latency = HistogramMetricFamily("doneotp_request_seconds", "Time to answer.", labels=["route"])
        for route, counts in sorted(self._buckets.items()):
            total, buckets = 0, []
            for bound, count in zip([*map(str, BUCKETS_SECONDS), "+Inf"], counts, strict=True):
                total += count
                buckets.append((bound, float(total)))
            latency.add_metric([route], buckets, self._seconds[route])
        yield latency
        for name, value in self._gauges().items():
            gauge = GaugeMetricFamily(f"doneotp_{name}", f"{name.replace('_', ' ')}.")
            gauge.add_metric([], value)
            yield gauge

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)
