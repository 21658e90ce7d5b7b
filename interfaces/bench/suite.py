"""The whole run: servers up, loads one after the other, the limits right beside the reference scenario, one report."""

import os
import platform
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import msgspec

from interfaces.bench import accounts, database, naive, noop, raw_inserts, report, scratch
from interfaces.bench.job import Cursor, Job, Outcome
from interfaces.bench.profile import Profile
from interfaces.bench.profile import record as record_profile
from interfaces.bench.report import CallLimit, Limits, Machine, Report, Scenario, Storage
from interfaces.bench.scratch import Served

_LOAD_SECONDS_MAX: Final = 60.0
_SETTLE_SECONDS: Final = 1.0


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to measure. Limits and floors belong to `reference_clients` on one account with one worker."""

    workers: tuple[int, ...] = (1, 2)
    accounts: tuple[int, ...] = (1, 100)
    clients: tuple[int, ...] = (1, 16, 64, 256)
    reference_clients: int = 64
    seconds: float = 5.0
    warmup_seconds: float = 1.0
    profile_seconds: int = 0


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The report; and where the CPU went, if the plan asked for it, with the scenario it was seen in."""

    report: Report
    profile: Profile | None = None
    profiled: Scenario | None = None


def measure(plan: Plan, *, say: Callable[[str], None]) -> Measured:
    """Carry the plan out; raises StartFailed."""
    with tempfile.TemporaryDirectory(prefix="doneotp-bench-") as name:
        folder = Path(name)
        # Started by root, the database runs as another user, who has to reach its directory below this one.
        folder.chmod(0o711)
        return _Suite(plan, folder, say).run()


class _Suite:
    def __init__(self, plan: Plan, folder: Path, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._folder = folder
        self._say = say
        self._keys: tuple[str, ...] = ()
        self._next_number = 0
        self._inbox_after: Cursor = ""
        self._scenarios: list[Scenario] = []
        self._limits: Limits | None = None
        self._machine: Machine | None = None
        self._profile: Profile | None = None
        self._profiled: Scenario | None = None

    def run(self) -> Measured:
        for workers in self._plan.workers:
            self._say(f"starting serve --workers {workers}")
            with scratch.service(self._folder / "home", workers=workers) as server:
                self._inbox_after = ""
                if not self._keys:
                    self._keys = accounts.open_accounts(server.conninfo, max(self._plan.accounts))
                    self._machine = machine(server.conninfo)
                for account_count, clients in self._loads(workers):
                    self._scenarios.append(self._scenario(server, workers, account_count, clients))
                if self._limits is None:
                    self._limits = self._measure_limits(server)
                    if self._plan.profile_seconds:
                        self._profiled = self._watch(server, workers)
        assert self._limits is not None
        assert self._machine is not None
        floors = report.floors(self._reference(), self._limits)
        failed = any(s.errors for s in (*self._scenarios, self._limits.naive))
        return Measured(
            report=Report(
                machine=self._machine,
                seconds=self._plan.seconds,
                scenarios=sorted(self._scenarios, key=lambda s: (s.workers, s.accounts, s.clients)),
                limits=self._limits,
                floors=floors,
                passed=not failed and all(floor.passed for floor in floors),
            ),
            profile=self._profile,
            profiled=self._profiled,
        )

    def _loads(self, workers: int) -> list[tuple[int, int]]:
        """(accounts, clients) in order; the reference comes last, so that the limits are measured right after it."""
        loads = [(account_count, clients) for account_count in self._plan.accounts for clients in self._plan.clients]
        reference = (self._plan.accounts[0], self._plan.reference_clients)
        return [*(load for load in loads if load != reference), reference]

    def _reference(self) -> Scenario:
        return next(
            s
            for s in self._scenarios
            if (s.workers, s.accounts, s.clients)
            == (self._plan.workers[0], self._plan.accounts[0], self._plan.reference_clients)
        )

    def _scenario(self, server: Served, workers: int, account_count: int, clients: int) -> Scenario:
        self._say(f"flow: workers {workers}, accounts {account_count}, clients {clients}")
        before = database.written(server.conninfo)
        outcome = self._flow(server, keys=self._keys[:account_count], clients=clients)
        # What the run itself has caused is written by then, projections and seals included.
        threading.Event().wait(_SETTLE_SECONDS)
        after = database.written(server.conninfo)
        storage = None
        if outcome.flows_ever:
            storage = Storage(
                table_bytes=round((after.table_bytes - before.table_bytes) / outcome.flows_ever, 1),
                wal_bytes=round((after.wal_bytes - before.wal_bytes) / outcome.flows_ever, 1),
            )
        return Scenario.of(outcome, workers=workers, accounts=account_count, clients=clients, storage=storage)

    def _measure_limits(self, server: Served) -> Limits:
        clients, seconds = self._plan.reference_clients, self._plan.seconds
        self._say("limit: no-op route")
        noop_route = self._load(server, "call", clients=clients, keys=self._keys[:1], path=noop.PATH)
        self._say("limit: naive path")
        database.make_schema(server.conninfo, naive.SCHEMA)
        with scratch.limit("interfaces.bench.naive", server.conninfo, folder=self._folder) as slow:
            naive_flow = self._load(slow, "flow", clients=clients, keys=slow.keys)
        self._say("limit: raw inserts")
        inserts = raw_inserts.measure(server.conninfo, seconds=seconds)
        self._say("limit: raw ASGI")
        with scratch.limit("interfaces.bench.raw_asgi", folder=self._folder) as fast:
            raw = self._load(fast, "call", clients=clients, keys=fast.keys, path=noop.PATH)
        return Limits(
            noop_route=CallLimit.of(noop_route, clients=clients),
            raw_asgi=CallLimit.of(raw, clients=clients),
            raw_inserts=inserts,
            naive=Scenario.of(naive_flow, workers=1, accounts=1, clients=clients, storage=None),
        )

    def _watch(self, server: Served, workers: int) -> Scenario:
        """The reference scenario once more, watched: the sampler slows it, so its figures are its own."""
        self._say("profile")
        profiles: list[Profile] = []

        def watch() -> None:
            threading.Event().wait(self._plan.warmup_seconds)
            profiles.append(record_profile(server.pid, seconds=self._plan.profile_seconds))

        watcher = threading.Thread(target=watch)
        watcher.start()
        outcome = self._flow(
            server,
            keys=self._keys[:1],
            clients=self._plan.reference_clients,
            # The sampler takes its time to start.
            seconds=self._plan.profile_seconds + 2.0,
        )
        watcher.join()
        self._profile = profiles[0] if profiles else None
        return Scenario.of(outcome, workers=workers, accounts=1, clients=self._plan.reference_clients, storage=None)

    def _flow(self, server: Served, *, keys: tuple[str, ...], clients: int, seconds: float | None = None) -> Outcome:
        outcome = self._load(server, "flow", clients=clients, keys=keys, seconds=seconds)
        self._next_number = outcome.next_number
        self._inbox_after = outcome.inbox_after
        return outcome

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
            inbox_after=self._inbox_after if server.conninfo else "",
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
        return msgspec.json.decode(done.stdout, type=Outcome)


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
