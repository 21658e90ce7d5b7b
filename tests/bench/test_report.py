"""What is reported, and how it is judged."""

from typing import Any

import pytest
from msgspec.structs import replace

from interfaces.bench import report, tables
from interfaces.bench.job import Cpu, Outcome
from interfaces.bench.percentiles import Latency
from interfaces.bench.raw_inserts import RawInserts
from interfaces.bench.report import CallLimit, CpuPerRequest, Floor, Limits, Machine, Report, Round, Scenario, Storage

LATENCY = Latency(count=3_000, p50_ms=12.0, p99_ms=30.0, max_ms=40.0)
FLOW = Outcome(
    seconds=2.0,
    requests=6_000,
    flows=2_000,
    flows_ever=2_400,
    errors={},
    latencies=dict.fromkeys(("send", "code", "check", "validate"), LATENCY),
    inbox_reads=100,
    cpu=Cpu(client=0.3, server=1.8, postgres=None),
    server_resident_bytes=100 * 1_048_576,
    next_number=2_400,
    inbox_after="2400",
)
CALLS = replace(FLOW, flows=0, flows_ever=0, latencies={"call": LATENCY})


def scenario(*, flows: int = 2_000, errors: dict[str, int] | None = None) -> Scenario:
    outcome = replace(FLOW, flows=flows, requests=3 * flows, errors=errors or {})
    return Scenario.of(
        outcome, workers=1, accounts=1, clients=64, storage=Storage(table_bytes=2_500.0, wal_bytes=4_000.5)
    )


def noop(*, requests: int = 20_000, errors: dict[str, int] | None = None) -> CallLimit:
    return CallLimit.of(replace(CALLS, requests=requests, errors=errors or {}), clients=64)


def test_a_scenario_counts_per_second_and_per_request():
    measured = scenario()
    assert (measured.flows_per_second, measured.requests_per_second, measured.inbox_reads_per_second) == (
        1_000.0,
        3_000.0,
        50.0,
    )
    assert measured.cpu_per_request == CpuPerRequest(server_us=300.0, postgres_us=None, client_us=50.0)
    assert measured.client_cpu_share == 0.15


def rounds(*ratios: tuple[int, int]) -> list[Round]:
    """Rounds of 2,000 flows, that is 6,000 requests, each with its own no-op requests and naive flows."""
    return [
        Round(flow=scenario(), noop_route=noop(requests=noop_requests), naive=scenario(flows=naive_flows))
        for noop_requests, naive_flows in ratios
    ]


def limits(measured: list[Round], **others: Any) -> Limits:
    given: dict[str, Any] = {
        "noop_route": measured[0].noop_route,
        "raw_asgi": noop(requests=60_000),
        "raw_inserts": RawInserts(seconds=2.0, verifications=10_000, verifications_per_second=5_000.0),
        "naive": measured[0].naive,
        "naive_cached": scenario(flows=600),
    }
    return Limits(**(given | others))


@pytest.mark.parametrize(
    ("measured", "requests_ratio", "flows_ratio"),
    [
        ([(20_000, 250)], (0.3, True), (8.0, True)),
        ([(20_010, 251)], (0.3, False), (7.968, False)),
        ([(0, 0)], (0.0, False), (0.0, False)),
        ([(20_000, 2_000), (60_000, 200), (10_000, 250)], (0.3, True), (8.0, True)),
        ([(10_000, 100), (60_000, 1_000)], (0.1, False), (2.0, False)),
    ],
)
def test_a_floor_is_judged_by_the_median_ratio_of_the_rounds(measured, requests_ratio, flows_ratio):
    names = ("requests/s of the flow over those of the no-op route", "flows/s over those of the naive path")
    assert report.floors(rounds(*measured)) == [
        Floor(name=name, value=value, floor=floor, passed=passed)
        for name, floor, (value, passed) in zip(names, (0.3, 8.0), (requests_ratio, flows_ratio), strict=True)
    ]


def test_every_error_of_every_load_is_named():
    flawed = Round(
        flow=scenario(errors={"send: 500": 1}),
        noop_route=noop(errors={"call: 404": 2}),
        naive=scenario(errors={"code: missing": 3}),
    )
    loads = [scenario(errors={"inbox: 503": 4, "check: overloaded": 5})]
    its_limits = limits(
        rounds((1, 1)), raw_asgi=noop(errors={"call: 500": 6}), naive_cached=scenario(errors={"send: 500": 7})
    )
    found = report.failures(loads, its_limits, [*rounds((1, 1)), flawed])
    assert found == [
        "workers 1, accounts 1, clients 64: 5 x check: overloaded",
        "workers 1, accounts 1, clients 64: 4 x inbox: 503",
        "raw ASGI: 6 x call: 500",
        "naive path, cached: 7 x send: 500",
        "round 2, flow: 1 x send: 500",
        "round 2, no-op route: 2 x call: 404",
        "round 2, naive path: 3 x code: missing",
    ]


def test_the_tables_name_every_missed_floor_and_every_error():
    measured = rounds((20_000, 500))
    text = tables.text(
        Report(
            machine=Machine(
                platform="Linux x86_64", cpus=2, cpu="a CPU", python="3.13.1", postgres="18.6", durability="fsync on"
            ),
            seconds=2.0,
            scenarios=[measured[0].flow],
            limits=limits(measured),
            rounds=measured,
            floors=report.floors(measured),
            failures=["raw ASGI: 6 x call: 500"],
            passed=False,
        )
    )
    lines = text.splitlines()
    row = next(line.split() for line in lines if line.split()[:3] == ["1", "1", "64"])
    assert row[3:] == ["1000", "3000", *["12.0/30.0"] * 3, "300", "-", "50", "100", "2500", "4000"]
    assert [line.split()[0] for line in lines if "floor" in line] == ["ok", "MISSED"]
    assert lines[-1] == "ERRORS  raw ASGI: 6 x call: 500"
