"""Child processes that are kept running: started again when they die, stopped before their keeper ends."""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import Any, Final

from interfaces import logs

STOP_SECONDS_MAX: Final = 40.0
START_SECONDS_MAX: Final = 60.0
RESTART_SECONDS: Final = 1.0
RESTART_SECONDS_MAX: Final = 30.0
"""Between two starts of one that dies soon after each."""
READY_LINE: Final = b"ready\n"
"""What a child writes to its standard output once it is at work."""


class WorkerFailed(Exception):
    """A worker could not start."""


async def keep(
    command: Sequence[str],
    *,
    started: asyncio.Event,
    stop: asyncio.Event,
    descriptors: tuple[int, ...] = (),
    is_needed: bool = True,
) -> None:
    """Run a child, and another when it dies, until `stop`; raises WorkerFailed when one that is needed never starts."""
    wait_seconds = RESTART_SECONDS
    while not stop.is_set():
        begun = time.monotonic()
        # The pipe to its standard input is how a child learns that we are gone, whatever ended us.
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, pass_fds=descriptors
        )
        assert process.stdout is not None, "asked for above"
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS_MAX)
        except TimeoutError:
            line = b""
        if line == READY_LINE:
            started.set()
            await first(process.wait(), stop.wait())
        elif is_needed and not started.is_set() and not stop.is_set():
            await _end(process)
            raise WorkerFailed("a worker did not start; see the log")
        if process.returncode is None:
            await _end(process)
        elif not stop.is_set():
            logs.log.error("worker_died" if is_needed else "projector_died", count=1)
            lived_long = time.monotonic() - begun > RESTART_SECONDS_MAX
            wait_seconds = RESTART_SECONDS if is_needed or lived_long else min(2 * wait_seconds, RESTART_SECONDS_MAX)
            await first(asyncio.sleep(wait_seconds), stop.wait())


@contextlib.asynccontextmanager
async def keeping(command: Sequence[str]) -> AsyncIterator[None]:
    """Keep a child for as long as the context lasts. Whether it starts is not waited for."""
    stop = asyncio.Event()
    keeper = asyncio.create_task(keep(command, started=asyncio.Event(), stop=stop, is_needed=False))
    try:
        yield
    finally:
        stop.set()
        await keeper


async def first(*awaitables: Awaitable[Any]) -> None:
    """Return when the first is done; the others that were made here are given up."""
    given = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    await asyncio.wait(given, return_when=asyncio.FIRST_COMPLETED)
    for task, awaitable in zip(given, awaitables, strict=True):
        if task is not awaitable and not task.done():
            task.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        await process.wait()
