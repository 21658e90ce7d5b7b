"""The report: what `--json` prints, and the floors it is judged by."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import msgspec

from interfaces.bench.job import Outcome
from interfaces.bench.percentiles import Latency
from interfaces.bench.raw_inserts import RawInserts

REQUESTS_FLOOR: Final = 0.30
FLOWS_FLOOR: Final = 8.0
_MICROSECONDS: Final = 1_000_000
Item = TypeVar("Item")


class CpuPerRequest(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds for each successful request; None where unknown. The inbox's reads are in it and not counted."""

    server_us: float | None
    postgres_us: float | None
    client_us: float | None

    @classmethod
    def of(cls, outcome: Outcome) -> "CpuPerRequest":
        def each(seconds: float | None) -> float | None:
            return (
                None
                if seconds is None or not outcome.requests
                else round(seconds * _MICROSECONDS / outcome.requests, 1)
            )

        cpu = outcome.cpu
        return cls(server_us=each(cpu.server), postgres_us=each(cpu.postgres), client_us=each(cpu.client))


class Storage(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes for each verification: growth of tables and indexes of the ledger, and write-ahead log."""

    table_bytes: float | None
    wal_bytes: float | None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """The verification flow under one load. Latencies are per call; `code` is the wait for the message."""

    workers: int
    accounts: int
    clients: int
    flows_per_second: float
    requests_per_second: float
    latencies: dict[str, Latency]
    cpu_per_request: CpuPerRequest
    client_cpu_share: float
    server_resident_bytes: int | None
    per_verification: Storage | None
    inbox_reads_per_second: float
    errors: dict[str, int]

    @classmethod
    def of(cls, outcome: Outcome, *, workers: int, accounts: int, clients: int, storage: Storage | None) -> "Scenario":
        return cls(
            workers=workers,
            accounts=accounts,
            clients=clients,
            flows_per_second=round(outcome.flows / outcome.seconds, 1),
            requests_per_second=round(outcome.requests / outcome.seconds, 1),
            latencies=outcome.latencies,
            cpu_per_request=CpuPerRequest.of(outcome),
            client_cpu_share=round(outcome.cpu.client / outcome.seconds, 3),
            server_resident_bytes=outcome.server_resident_bytes,
            per_verification=storage,
            inbox_reads_per_second=round(outcome.inbox_reads / outcome.seconds, 1),
            errors=outcome.errors,
        )


class CallLimit(msgspec.Struct, frozen=True, kw_only=True):
    """One request repeated."""

    clients: int
    requests_per_second: float
    latency: Latency
    cpu_per_request: CpuPerRequest
    client_cpu_share: float
    errors: dict[str, int]

    @classmethod
    def of(cls, outcome: Outcome, *, clients: int) -> "CallLimit":
        return cls(
            clients=clients,
            requests_per_second=round(outcome.requests / outcome.seconds, 1),
            latency=outcome.latencies["call"],
            cpu_per_request=CpuPerRequest.of(outcome),
            client_cpu_share=round(outcome.cpu.client / outcome.seconds, 3),
            errors=outcome.errors,
        )


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """The reference scenario and the two limits it is judged by, measured one right after the other."""

    flow: Scenario
    noop_route: CallLimit
    naive: Scenario


class Pair(msgspec.Struct, frozen=True, kw_only=True, rename={"with_": "with"}):
    """The reference scenario without and with some work beside it, one right after the other."""

    without: Scenario
    with_: Scenario

    @property
    def flows_ratio(self) -> float:
        """Flows/s with the work over those without it."""
        return _ratio(self.with_.flows_per_second, self.without.flows_per_second)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine could do, measured in the same run by the same client at the same concurrency.

    `naive` is the library as it comes, `naive_cached` the same with its cache set as fast as it gets.
    """

    noop_route: CallLimit
    raw_asgi: CallLimit
    raw_inserts: RawInserts
    naive: Scenario
    naive_cached: Scenario


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """A ratio within this run, the median of its rounds, and what it must not fall below."""

    name: str
    value: float
    floor: float
    passed: bool


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where this was measured."""

    platform: str
    cpus: int
    cpu: str
    python: str
    postgres: str
    durability: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything."""

    machine: Machine
    seconds: float
    scenarios: list[Scenario]
    limits: Limits
    rounds: list[Round]
    floors: list[Floor]
    failures: list[str]
    passed: bool


def middle(items: Sequence[Item], by: Callable[[Item], float]) -> Item:
    """The median one; of an even number the lower of the two in the middle."""
    return sorted(items, key=by)[(len(items) - 1) // 2]


def floors(rounds: Sequence[Round]) -> list[Floor]:
    """The two promises, for the flow at the limits' own concurrency, on one account with one worker."""
    return [
        _floor(
            "requests/s of the flow over those of the no-op route",
            [_ratio(each.flow.requests_per_second, each.noop_route.requests_per_second) for each in rounds],
            REQUESTS_FLOOR,
        ),
        _floor(
            "flows/s over those of the naive path",
            [_ratio(each.flow.flows_per_second, each.naive.flows_per_second) for each in rounds],
            FLOWS_FLOOR,
        ),
    ]


def failures(scenarios: Sequence[Scenario], limits: Limits, rounds: Sequence[Round]) -> list[str]:
    """Every load of the run in which something went wrong, with what and how often."""
    loads = [
        *((f"workers {s.workers}, accounts {s.accounts}, clients {s.clients}", s.errors) for s in scenarios),
        ("raw ASGI", limits.raw_asgi.errors),
        ("naive path, cached", limits.naive_cached.errors),
        *((f"round {number}, flow", each.flow.errors) for number, each in enumerate(rounds, 1)),
        *((f"round {number}, no-op route", each.noop_route.errors) for number, each in enumerate(rounds, 1)),
        *((f"round {number}, naive path", each.naive.errors) for number, each in enumerate(rounds, 1)),
    ]
    return [f"{name}: {count} x {error}" for name, errors in loads for error, count in sorted(errors.items())]


def _ratio(value: float, limit: float) -> float:
    return value / limit if limit else 0.0


def _floor(name: str, ratios: list[float], floor: float) -> Floor:
    ratio = middle(ratios, by=float)
    return Floor(name=name, value=round(ratio, 3), floor=floor, passed=ratio >= floor)
