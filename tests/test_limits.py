"""Counts beside the ledger: in memory, and shared through a real redis-server."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from interfaces.limits.shared import SharedWindows
from interfaces.limits.windows import Count, Counters, Limit, Windows
from tests.support.clock import Stopwatch
from tests.support.server import wait_for

TWO = Limit("prefix", "acct_a/hash", 2, 60)
ONE = Limit("address", "acct_a/hash", 1, 60)


def lefts(counts: list[Count]) -> list[int]:
    return [count.left for count in counts]


def take(counters: Counters, *limits: Limit) -> list[int]:
    return lefts(asyncio.run(counters.take(limits)))


def test_a_window_begins_with_its_first_count_and_ends() -> None:
    watch = Stopwatch()
    windows = Windows(watch)
    assert [take(windows, TWO) for _ in range(3)] == [[1], [0], [-1]]
    watch.pause(60)
    assert take(windows, TWO) == [1]


def test_what_is_refused_counts_nowhere() -> None:
    windows = Windows(Stopwatch())
    assert [take(windows, TWO, ONE) for _ in range(5)] == [[1, 0], *[[0, -1]] * 4]
    assert take(windows, TWO) == [0]


def test_what_is_given_back_may_be_taken_again() -> None:
    windows = Windows(Stopwatch())
    assert take(windows, ONE) == [0]
    windows.give_back([ONE])
    assert [take(windows, ONE), take(windows, ONE)] == [[0], [-1]]


def test_no_more_windows_are_remembered_than_allowed() -> None:
    windows = Windows(Stopwatch(), kept_max=3)
    for n in range(10):
        take(windows, Limit("prefix", str(n), 1, 60))
    assert (len(windows), take(windows, Limit("prefix", "0", 1, 60))) == (3, [0])


def answers(port: int) -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a redis-server of the tests' own."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed (Debian: apt-get install redis-server)")
    room = tmp_path_factory.mktemp("redis")
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(room)],
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: answers(port))
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)


def test_processes_that_share_a_store_share_its_counts(redis: str) -> None:
    async def story() -> tuple[list[list[int]], list[BaseException]]:
        failures: list[BaseException] = []
        here, there = (SharedWindows(redis, Stopwatch(), on_failure=failures.append) for _ in range(2))
        found = [lefts(await where.take([TWO])) for where in (here, there, here)]
        await asyncio.sleep(0.1)  # what the third gave back is on its way
        there.give_back([TWO])
        await there.close()
        found.append(lefts(await here.take([TWO])))
        await here.close()
        return found, failures

    assert asyncio.run(story()) == ([[1], [0], [-1], [0]], [])


def test_many_at_once_get_no_more_than_the_limit(redis: str) -> None:
    async def story() -> int:
        failures: list[BaseException] = []
        shared = SharedWindows(redis, Stopwatch(), on_failure=failures.append)
        limit = Limit("prefix", "many", 10, 60)
        counts = await asyncio.gather(*(shared.take([limit]) for _ in range(20)))
        await shared.close()
        assert failures == []
        return sum(found[-1].left >= 0 for found in counts)

    assert asyncio.run(story()) <= 10


def test_a_store_that_does_not_answer_refuses_nobody_and_is_left_alone_for_a_while() -> None:
    async def story() -> tuple[list[list[Count]], int]:
        failures: list[BaseException] = []
        watch = Stopwatch()
        shared = SharedWindows("redis://127.0.0.1:1/0", watch, on_failure=failures.append)
        found = [await shared.take([ONE]) for _ in range(3)]
        await shared.close()
        return found, len(failures)

    assert asyncio.run(story()) == ([[], [], []], 1)
