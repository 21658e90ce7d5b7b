"""The report as tables for people."""

from typing import Final

from interfaces.bench.percentiles import Latency
from interfaces.bench.report import CallLimit, Limits, Report, Scenario

_MIB: Final = 1_048_576


def text(report: Report) -> str:
    """Tables."""
    machine = report.machine
    lines = [
        f"{machine.cpus} CPUs ({machine.cpu}), {machine.platform}, Python {machine.python}, Postgres {machine.postgres}",
        f"each line {report.seconds:g} s; latencies in ms, CPU in µs per request; c = clients",
        "",
        _row(
            "workers", "accounts", "c", "flows/s", "req/s", *_CALLS, "CPU server", "Postgres", "RSS MiB", "bytes", "WAL"
        ),
        *(_scenario(scenario) for scenario in report.scenarios),
        "",
        f"limits at c={report.limits.noop_route.clients}",
        *_limits(report.limits),
        "",
        *(
            f"{'ok' if floor.passed else 'MISSED':8}{floor.name}: {_number(floor.value, 3)} (floor {floor.floor:g})"
            for floor in report.floors
        ),
    ]
    failures = [
        f"errors at workers={s.workers} accounts={s.accounts} c={s.clients}: {s.errors}"
        for s in report.scenarios
        if s.errors
    ]
    for name, limit in (
        ("no-op", report.limits.noop_route),
        ("raw ASGI", report.limits.raw_asgi),
        ("naive", report.limits.naive),
    ):
        if limit.errors:
            failures.append(f"errors at the limit {name}: {limit.errors}")
    return "\n".join([*lines, *failures])


_CALLS: Final = ("send p50/p99", "check p50/p99", "validate p50/p99")
_WIDTHS: Final = (8, 9, 5, 9, 9, 15, 15, 17, 11, 9, 9, 8, 8)


def _row(*cells: str) -> str:
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, _WIDTHS, strict=True))


def _scenario(scenario: Scenario) -> str:
    cpu, storage = scenario.cpu_per_request, scenario.per_verification
    resident = scenario.server_resident_bytes
    return _row(
        str(scenario.workers),
        str(scenario.accounts),
        str(scenario.clients),
        _number(scenario.flows_per_second),
        _number(scenario.requests_per_second),
        *(_latency(scenario.latencies[call]) for call in ("send", "check", "validate")),
        _number(cpu.server_us),
        _number(cpu.postgres_us),
        _number(None if resident is None else resident / _MIB),
        _number(None if storage is None else storage.table_bytes),
        _number(None if storage is None else storage.wal_bytes),
    )


def _limits(limits: Limits) -> list[str]:
    naive = limits.naive
    return [
        _call_limit("no-op route of the same server", limits.noop_route),
        _call_limit("raw ASGI application", limits.raw_asgi),
        f"  {'batched raw inserts':33}{limits.raw_inserts.verifications_per_second:>9.0f} verifications/s",
        f"  {'naive path':33}{naive.flows_per_second:>9.0f} flows/s, {naive.requests_per_second:.0f} requests/s",
    ]


def _call_limit(name: str, limit: CallLimit) -> str:
    rate, cpu = f"{limit.requests_per_second:>9.0f} requests/s", _number(limit.cpu_per_request.server_us)
    return f"  {name:33}{rate}, p50/p99 {_latency(limit.latency)}, {cpu} µs of server CPU each"


def _latency(latency: Latency) -> str:
    return f"{_number(latency.p50_ms, 1)}/{_number(latency.p99_ms, 1)}"


def _number(value: float | None, decimals: int = 0) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"
