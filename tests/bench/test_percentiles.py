"""Percentiles by nearest rank."""

from array import array

import pytest

from interfaces.bench.percentiles import Latency, percentile, summary


@pytest.mark.parametrize(
    ("percent", "value"), [(0, 1), (1, 1), (10, 1), (11, 2), (50, 5), (90, 9), (99, 10), (100, 10)]
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(percent, value):
    assert percentile(range(1, 11), percent) == value


def test_every_percentile_of_one_value_is_that_value():
    assert [percentile([7.0], percent) for percent in (0, 50, 99, 100)] == [7.0] * 4


def test_latencies_are_summed_up_in_milliseconds_whatever_their_order():
    seconds = array("d", (number / 1000 for number in range(200, 0, -1)))
    assert summary(seconds) == Latency(count=200, p50_ms=100.0, p99_ms=198.0, max_ms=200.0)


def test_no_call_has_no_latency():
    assert summary(array("d")) == Latency(count=0, p50_ms=None, p99_ms=None, max_ms=None)
