"""The report as tables for people."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from interfaces.bench.percentiles import Latency
from interfaces.bench.report import CallLimit, Limits, Pair, Report, Scenario, middle

_MIB: Final = 1_048_576


def text(report: Report) -> str:
    """Tables."""
    machine = report.machine
    lines = [
        f"{machine.cpus} CPUs ({machine.cpu}), {machine.platform}, Python {machine.python}, Postgres {machine.postgres}",
        f"each line {report.seconds:g} s; c = clients; latencies in ms; CPU in µs per request; bytes per verification",
        "",
        _row(
            "workers",
            "accounts",
            "c",
            "flows/s",
            "req/s",
            *_CALLS,
            "CPU server",
            "Postgres",
            "client",
            "RSS MiB",
            "tables",
            "WAL",
        ),
        *(_scenario(scenario) for scenario in report.scenarios),
        "",
        f"limits at c={report.limits.noop_route.clients}; ratios are the median of {len(report.rounds)} rounds",
        *_limits(report.limits),
        "",
        *(
            f"{'ok' if floor.passed else 'MISSED':8}{floor.name}: {floor.value:.3f} (floor {floor.floor:g})"
            for floor in report.floors
        ),
    ]
    return "\n".join([*lines, *(f"ERRORS  {failure}" for failure in report.failures)])


_CALLS: Final = ("send p50/p99", "check p50/p99", "validate p50/p99")
_WIDTHS: Final = (8, 9, 5, 9, 8, 15, 15, 17, 11, 9, 7, 8, 7, 7)


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
        _number(cpu.client_us),
        _number(None if resident is None else resident / _MIB),
        _number(None if storage is None else storage.table_bytes),
        _number(None if storage is None else storage.wal_bytes),
    )


def _limits(limits: Limits) -> list[str]:
    return [
        _call_limit("no-op route of the same server", limits.noop_route),
        _call_limit("raw ASGI application", limits.raw_asgi),
        f"  {'batched raw inserts':33}{limits.raw_inserts.verifications_per_second:>9.0f} verifications/s",
        _flow_limit("naive path", limits.naive),
        _flow_limit("naive path with the cache on", limits.naive_cached),
    ]


def _flow_limit(name: str, limit: Scenario) -> str:
    return f"  {name:33}{limit.flows_per_second:>9.0f} flows/s, {limit.requests_per_second:.0f} requests/s"


def _call_limit(name: str, limit: CallLimit) -> str:
    rate, cpu = f"{limit.requests_per_second:>9.0f} requests/s", _number(limit.cpu_per_request.server_us)
    return f"  {name:33}{rate}, p50/p99 {_latency(limit.latency)}, {cpu} µs of server CPU each"


def _latency(latency: Latency) -> str:
    return f"{_number(latency.p50_ms, 1)}/{_number(latency.p99_ms, 1)}"


def _number(value: float | None, decimals: int = 0) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def pairs(pairs: Sequence[Pair], *, work: str) -> str:
    """What some work beside the load costs it."""
    lines = [
        f"| pair | flows/s without {work} | with | with over without | Postgres CPU µs per request without | with |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {number} | {pair.without.flows_per_second:.0f} | {pair.with_.flows_per_second:.0f} | {pair.flows_ratio:.3f} "
        f"| {pair.without.cpu_per_request.postgres_us} | {pair.with_.cpu_per_request.postgres_us} |"
        for number, pair in enumerate(pairs, 1)
    ]
    return "\n".join(
        [*lines, "", f"median of the ratios: {middle([pair.flows_ratio for pair in pairs], by=float):.3f}"]
    )


def pairs_document(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The same for programs."""
    ratio = middle([pair.flows_ratio for pair in pairs], by=float)
    return {"pairs": msgspec.to_builtins(pairs), "flows_ratio": round(ratio, 4)}
