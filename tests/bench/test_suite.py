"""The whole bench, once and short: real servers, a real database, every limit."""

import argparse

import pytest

from interfaces.bench import suite
from interfaces.bench.suite import Plan
from interfaces.cli import bench


@pytest.fixture(scope="module")
def measured():
    said: list[str] = []
    short = Plan(
        workers=(1, 2), accounts=(2,), clients=(4,), reference_clients=4, rounds=1, seconds=1.0, warmup_seconds=0.2
    )
    return suite.measure(short, say=said.append)


def test_nothing_goes_wrong_in_any_load(measured):
    assert measured.report.failures == []


def test_every_scenario_and_every_limit_has_figures(measured):
    report = measured.report
    assert [(s.workers, s.accounts, s.clients) for s in report.scenarios] == [(1, 2, 4), (2, 2, 4)]
    assert all(s.flows_per_second > 0 and s.inbox_reads_per_second > 0 for s in report.scenarios)
    limits = report.limits
    assert (
        min(
            limits.noop_route.requests_per_second,
            limits.raw_asgi.requests_per_second,
            limits.raw_inserts.verifications_per_second,
            limits.naive.flows_per_second,
            limits.naive_cached.flows_per_second,
        )
        > 0
    )
    assert report.passed == all(floor.passed for floor in report.floors)


def test_a_verification_leaves_its_five_events_and_no_more_than_a_page(measured):
    sizes = [s.per_verification for s in measured.report.scenarios]
    assert all(size is not None and 500 < size.table_bytes < 8_192 and size.wal_bytes > 500 for size in sizes)


def test_the_whole_grid_is_measured_unless_it_has_to_be_quick():
    words = argparse.Namespace(quick=False, clients=64, seconds=5, profile="")
    assert bench.plan(words) == Plan()
    assert bench.plan(argparse.Namespace(quick=True, clients=4, seconds=1, profile="page.md")) == Plan(
        workers=(1,), accounts=(1,), clients=(4,), reference_clients=4, seconds=1, profile_seconds=10
    )
