"""The load generator: a process of its own, so that its CPU time is its own. Reads a job, writes the outcome."""

import asyncio
import gc
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from interfaces.bench import processes
from interfaces.bench.http1 import Connection
from interfaces.bench.inbox import Inbox
from interfaces.bench.job import Cpu, Job, Outcome
from interfaces.bench.meter import Meter
from interfaces.bench.users import CALL_STEPS, FLOW_STEPS, Caller, Client, User

_CALL_BODY: Final = b'{"phone_number":"+14155552671"}'
_REST_SECONDS_MAX: Final = 30.0
_EXPIRY_SECONDS: Final = 0.5


async def drive(job: Job) -> Outcome:
    """Carry the job out."""
    meter = Meter(clients=job.clients, steps=FLOW_STEPS if job.kind == "flow" else CALL_STEPS)
    numbers = itertools.count(job.first_number)
    inbox = Inbox(meter, after=job.inbox_after)
    clients: Sequence[Client]
    if job.kind == "flow":
        keys = itertools.cycle(job.keys)
        clients = [User(meter, inbox=inbox, numbers=numbers, keys=keys) for _ in range(job.clients)]
        await _connect(inbox, port=job.port)
        inbox.start()
    else:
        clients = [Caller(meter, path=job.path, key=job.keys[0], body=_CALL_BODY) for _ in range(job.clients)]
    for client in clients:
        await _connect(client, port=job.port)
    expiry = asyncio.create_task(_expire(inbox))
    for client in clients:
        client.start()
    await asyncio.sleep(job.warmup_seconds)
    began, before = time.perf_counter(), _cpu(job)
    meter.counting = True
    await asyncio.sleep(job.seconds)
    meter.counting = False
    seconds, after = time.perf_counter() - began, _cpu(job)
    meter.stopping = True
    try:
        await asyncio.wait_for(meter.resting.wait(), _REST_SECONDS_MAX)
    except TimeoutError:
        meter.errors["load: unfinished"] += 1
    expiry.cancel()
    for connection in (*clients, inbox):
        connection.close()
    return Outcome(
        seconds=seconds,
        requests=meter.requests,
        flows=meter.flows,
        flows_ever=meter.flows_ever,
        errors=dict(meter.errors),
        latencies=meter.latencies(),
        inbox_reads=meter.inbox_reads,
        cpu=Cpu(
            client=after.client - before.client,
            server=_difference(after.server, before.server),
            postgres=_difference(after.postgres, before.postgres),
        ),
        server_resident_bytes=processes.resident_bytes(_server(job, processes.table())),
        next_number=next(numbers),
        inbox_after=inbox.after,
    )


def main() -> None:
    """Read a job from stdin, write its outcome to stdout."""
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=Job)
    # What a request allocates dies by reference count; a collection would only be noise in the latencies.
    gc.disable()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        outcome = runner.run(drive(job))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # noqa: PLC0415 - not made for every platform
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _connect(connection: Connection, *, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: connection, "127.0.0.1", port)


async def _expire(inbox: Inbox) -> None:
    while True:
        await asyncio.sleep(_EXPIRY_SECONDS)
        inbox.expire()


def _cpu(job: Job) -> Cpu:
    table = processes.table()
    postgres = [] if job.postgres_pid is None else processes.tree(job.postgres_pid, processes=table)
    return Cpu(
        client=time.process_time(),
        server=processes.cpu_seconds(_server(job, table)),
        postgres=processes.cpu_seconds(postgres),
    )


def _server(job: Job, table: dict[int, processes.Process]) -> list[processes.Process]:
    return processes.tree(job.server_pid, processes=table, without=job.postgres_pid)


def _difference(after: float | None, before: float | None) -> float | None:
    return None if after is None or before is None else after - before


if __name__ == "__main__":
    main()
