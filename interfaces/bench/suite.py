"""The whole run: servers up, loads one after the other, the limits right beside the reference scenario, one report."""

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final, Literal

import msgspec

from interfaces.bench import accounts, database, naive, noop, raw_inserts, report, scratch
from interfaces.bench.job import Cursor, Job, Outcome
from interfaces.bench.profile import Profile
from interfaces.bench.profile import record as record_profile
from interfaces.bench.report import CallLimit, Limits, Machine, Pair, Report, Round, Scenario, Storage, middle
from interfaces.bench.scratch import Served

Resting = Callable[[Served, Path], AbstractContextManager[None]]
"""Keeps some work from being done, on a server with this home, for as long as the context lasts."""
_LOAD_SECONDS_MAX: Final = 60.0
_SETTLE_SECONDS: Final = 1.0
_RESUME_SECONDS: Final = 6.0
"""What was held back starts again, and catches up, in this time."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure. Limits and floors belong to the first worker count, the first account count and `reference_clients`.

    The floors' loads are repeated `rounds` times in turn, so that a machine that slows down slows all of them.
    """

    workers: tuple[int, ...] = (1, 2)
    accounts: tuple[int, ...] = (1, 100)
    clients: tuple[int, ...] = (1, 16, 64, 256)
    reference_clients: int = 64
    rounds: int = 3
    seconds: float = 5.0
    warmup_seconds: float = 1.0
    profile_seconds: int = 0

    @property
    def reference(self) -> tuple[int, int, int]:
        """Workers, accounts and clients of the scenario that the floors are for."""
        return self.workers[0], self.accounts[0], self.reference_clients


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The report; and where the CPU went, if the plan asked for it, with the scenario it was seen in."""

    report: Report
    profile: Profile | None = None
    profiled: Scenario | None = None


def measure(plan: Plan, *, say: Callable[[str], None]) -> Measured:
    """Carry the plan out; raises StartFailed, and Unwatchable when the plan asks for a profile."""
    with tempfile.TemporaryDirectory(prefix="doneotp-bench-") as name:
        folder = Path(name)
        # Started by root, the database runs as another user, who has to reach its directory below this one.
        folder.chmod(0o711)
        return Suite(plan, folder, say).run()


class Suite:
    """One run of a plan."""

    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._keys: tuple[str, ...] = ()
        self._next_number = 0
        self._inbox_after: dict[int, Cursor] = {}
        self._scenarios: list[Scenario] = []
        self._rounds: list[Round] = []
        self._limits: Limits | None = None
        self._machine: Machine | None = None
        self._profile: Profile | None = None
        self._profiled: Scenario | None = None

    def run(self) -> Measured:
        for workers in self._plan.workers:
            self._say(f"starting serve --workers {workers}")
            with scratch.service(self._folder / "home", workers=workers) as server:
                if not self._keys:
                    self._open_accounts(server)
                    self._machine = machine(server.conninfo)
                    self._limits = self._reference(server)
                for account_count in self._plan.accounts:
                    for clients in self._plan.clients:
                        if (workers, account_count, clients) != self._plan.reference:
                            self._scenarios.append(self._scenario(server, workers, account_count, clients))
        assert self._limits is not None
        assert self._machine is not None
        floors = report.floors(self._rounds)
        failures = report.failures(self._scenarios, self._limits, self._rounds)
        return Measured(
            report=Report(
                machine=self._machine,
                seconds=self._plan.seconds,
                scenarios=sorted(self._scenarios, key=lambda s: (s.workers, s.accounts, s.clients)),
                limits=self._limits,
                rounds=self._rounds,
                floors=floors,
                failures=failures,
                passed=not failures and all(floor.passed for floor in floors),
            ),
            profile=self._profile,
            profiled=self._profiled,
        )

    def paired(self, resting: Resting) -> list[Pair]:
        """The reference scenario with some work and without, in turn, on one server."""
        workers, account_count, clients = self._plan.reference
        pairs = []
        with scratch.service(self._folder / "home", workers=workers) as server:
            self._open_accounts(server)
            for turn in range(self._plan.rounds):
                # Each goes first in turn: what slows the machine down from one load to the next must not fall on one.
                first = self._scenario(server, workers, account_count, clients) if turn % 2 else None
                with resting(server, self._folder / "home"):
                    without = self._scenario(server, workers, account_count, clients)
                time.sleep(_RESUME_SECONDS)
                with_ = first or self._scenario(server, workers, account_count, clients)
                pairs.append(Pair(without=without, with_=with_))
        return pairs

    def _open_accounts(self, server: Served) -> None:
        self._keys = accounts.open_accounts(self._folder / "home", server.conninfo, max(self._plan.accounts))

    def _reference(self, server: Served) -> Limits:
        """The reference scenario and the limits, in rounds; then what is only to be known, and the profile."""
        workers, account_count, clients = self._plan.reference
        for number in range(1, self._plan.rounds + 1):
            flow = self._scenario(server, workers, account_count, clients)
            self._say(f"round {number}: no-op route")
            noop_route = self._load(server, "call", clients=clients, keys=self._keys[:1], path=noop.PATH)
            self._say(f"round {number}: naive path")
            naive_flow = self._naive(server)
            self._rounds.append(
                Round(flow=flow, noop_route=CallLimit.of(noop_route, clients=clients), naive=naive_flow)
            )
        self._scenarios.append(middle([each.flow for each in self._rounds], by=lambda s: s.flows_per_second))
        self._say("raw inserts")
        inserts = raw_inserts.measure(server.conninfo, seconds=self._plan.seconds)
        self._say("raw ASGI")
        with scratch.limit("interfaces.bench.raw_asgi", folder=self._folder) as fast:
            raw = self._load(fast, "call", clients=clients, keys=fast.keys, path=noop.PATH)
        self._say("naive path with the cache on")
        naive_cached = self._naive(server, naive.CACHED)
        if self._plan.profile_seconds:
            self._profiled = self._watch(server)
        return Limits(
            noop_route=middle([each.noop_route for each in self._rounds], by=lambda limit: limit.requests_per_second),
            raw_asgi=CallLimit.of(raw, clients=clients),
            raw_inserts=inserts,
            naive=middle([each.naive for each in self._rounds], by=lambda s: s.flows_per_second),
            naive_cached=naive_cached,
        )

    def _naive(self, server: Served, *options: str) -> Scenario:
        """Anew each time: as it comes, the library slows down with every event of the hot account."""
        database.make_schema(server.conninfo, naive.SCHEMA)
        clients = self._plan.reference_clients
        with scratch.limit("interfaces.bench.naive", server.conninfo, *options, folder=self._folder) as slow:
            outcome = self._load(slow, "flow", clients=clients, keys=slow.keys)
        return Scenario.of(outcome, workers=1, accounts=1, clients=clients, storage=None)

    def _scenario(self, server: Served, workers: int, account_count: int, clients: int) -> Scenario:
        self._say(f"flow: workers {workers}, accounts {account_count}, clients {clients}")
        before = database.written(server.conninfo)
        outcome = self._load(server, "flow", keys=self._keys[:account_count], clients=clients)
        # What the run itself has caused is written by then, projections and seals included.
        time.sleep(_SETTLE_SECONDS)
        after = database.written(server.conninfo)
        storage = None
        if outcome.flows_ever:
            storage = Storage(
                table_bytes=round((after.table_bytes - before.table_bytes) / outcome.flows_ever, 1),
                wal_bytes=round((after.wal_bytes - before.wal_bytes) / outcome.flows_ever, 1),
            )
        return Scenario.of(outcome, workers=workers, accounts=account_count, clients=clients, storage=storage)

    def _watch(self, server: Served) -> Scenario:
        """The reference scenario once more, watched: the sampler slows it, so its figures are its own."""
        workers, account_count, clients = self._plan.reference
        self._say("profile")
        # The sampler takes its time to start and to end.
        seconds = self._plan.profile_seconds + 2.0
        with ThreadPoolExecutor(1) as beside:
            loading = beside.submit(
                self._load, server, "flow", keys=self._keys[:account_count], clients=clients, seconds=seconds
            )
            time.sleep(self._plan.warmup_seconds)
            self._profile = record_profile(server.pid, seconds=self._plan.profile_seconds)
            outcome = loading.result()
        return Scenario.of(outcome, workers=workers, accounts=account_count, clients=clients, storage=None)

    def _load(
        self,
        server: Served,
        kind: Literal["flow", "call"],
        *,
        clients: int,
        keys: tuple[str, ...],
        path: str = "",
        seconds: float | None = None,
    ) -> Outcome:
        job = Job(
            port=server.port,
            kind=kind,
            clients=clients,
            seconds=self._plan.seconds if seconds is None else seconds,
            warmup_seconds=self._plan.warmup_seconds,
            keys=keys,
            path=path,
            first_number=self._next_number,
            inbox_after=self._inbox_after.get(server.pid, ""),
            server_pid=server.pid,
            postgres_pid=server.postgres_pid,
        )
        done = subprocess.run(
            [sys.executable, "-m", "interfaces.bench.load"],
            input=msgspec.json.encode(job),
            stdout=subprocess.PIPE,
            check=True,
            timeout=job.seconds + job.warmup_seconds + _LOAD_SECONDS_MAX,
        )
        outcome = msgspec.json.decode(done.stdout, type=Outcome)
        self._next_number = outcome.next_number
        self._inbox_after[server.pid] = outcome.inbox_after
        return outcome


def behind(lock: int) -> Resting:
    """The work behind an advisory lock."""
    return lambda server, _: database.holding(server.conninfo, lock)


def compare(plan: Plan, resting: Resting, *, say: Callable[[str], None]) -> list[Pair]:
    """What some work costs the reference scenario; raises StartFailed."""
    with tempfile.TemporaryDirectory(prefix="doneotp-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)
        return Suite(plan, folder, say).paired(resting)


def machine(conninfo: str) -> Machine:
    """What the figures belong to."""
    version, durability = database.described(conninfo)
    return Machine(
        platform=f"{platform.system()} {platform.machine()}",
        cpus=os.cpu_count() or 0,
        cpu=_cpu_model(),
        python=platform.python_version(),
        postgres=version,
        durability=durability,
    )


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
