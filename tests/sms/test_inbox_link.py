"""The inbox seen through other processes of one server: over real sockets, on both loops, with hosts that come and go."""

import asyncio
import contextlib
import multiprocessing
import os
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar
from unittest.mock import ANY

import pytest
import uvloop

from domain.refusals import Overloaded, ServiceUnavailable
from interfaces.sms import inbox_link
from interfaces.sms.inbox import Inbox, InboxMessage
from interfaces.sms.inbox_host import InboxHost
from interfaces.sms.inbox_link import RemoteInbox
from interfaces.sms.inbox_wire import FRAME_BYTES_MAX

Result = TypeVar("Result")
Run = Callable[[Callable[[], Awaitable[Result]]], Result]
ONE, OTHER = "+14155552671", "+905321232719"


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run[object]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def on_loop(act: Callable[[], Awaitable[object]]) -> object:
        async def whole() -> object:
            return await act()

        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(whole())

    return on_loop


def entry(to: str = ONE, *, code: str = "000000") -> InboxMessage:
    return InboxMessage(
        to=to,
        text=f"{code} is your verification code.",
        code=code,
        verification_id="ver_1",
        segments=1,
        encoding="GSM-7",
        at=datetime(2026, 11, 3, 9, 30, tzinfo=UTC),
        account="acct_abcd****",
        mode="test",
        price_credits=0,
    )


@contextlib.asynccontextmanager
async def hosted(directory: Path, inbox: Inbox) -> AsyncIterator[InboxHost]:
    host = InboxHost(inbox, directory=directory)
    await host.start()
    try:
        yield host
    finally:
        await host.close()


@contextlib.asynccontextmanager
async def linked(path: Path) -> AsyncIterator[RemoteInbox]:
    remote = RemoteInbox(path)
    try:
        yield remote
    finally:
        await remote.close()


def test_what_one_worker_puts_every_worker_sees(run, tmp_path) -> None:
    async def act() -> object:
        inbox = Inbox()
        async with hosted(tmp_path / "link", inbox) as host, linked(host.path) as first, linked(host.path) as second:
            first.put(entry(ONE, code="111111"))
            second.put(entry(OTHER, code="222222"))
            seen = [await worker.latest(to, 5) for worker in (first, second) for to in (ONE, OTHER)]
            messages, cursor = await first.messages("", 10)
            first.put(entry(ONE, code="333333"))
            assert await first.latest(ONE, 5) == entry(ONE, code="333333")
            later, _ = await second.messages(cursor, 10)
            return seen, sorted(message.code for message in messages), later

    one, other = entry(ONE, code="111111"), entry(OTHER, code="222222")
    assert run(act) == ([one, other, one, other], ["111111", "222222"], [entry(ONE, code="333333")])


def test_a_worker_sees_its_own_message_at_once_without_waiting(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host, linked(host.path) as remote:
            seen = []
            for number in range(50):
                remote.put(entry(code=str(number)))
                seen.append(await remote.latest(ONE, 0))
            return seen

    assert run(act) == [entry(code=str(number)) for number in range(50)]


def test_waiting_through_a_worker_ends_with_the_message_or_with_nothing(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host, linked(host.path) as first, linked(host.path) as second:
            waiting = [asyncio.create_task(first.latest(to, wait)) for to, wait in ((ONE, 5), (OTHER, 0.05))]
            await asyncio.sleep(0.01)
            second.put(entry())
            return await asyncio.gather(*waiting)

    assert run(act) == [entry(), None]


def test_thousands_of_messages_arrive_in_order_and_complete(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host, linked(host.path) as remote:
            for number in range(9_000):
                remote.put(entry(code=str(number)))
                if number % 700 == 0:
                    await asyncio.sleep(0)
            codes: list[str] = []
            cursor = ""
            while len(codes) < 9_000:
                messages, cursor = await remote.messages(cursor, 1_000)
                codes.extend(message.code for message in messages)
            return codes

    assert run(act) == [str(number) for number in range(9_000)]


def test_what_is_put_before_the_host_is_there_arrives_when_it_comes(run, tmp_path) -> None:
    async def act() -> object:
        async with linked(tmp_path / "link" / "inbox.sock") as remote:
            for number in range(10_003):
                remote.put(entry(code=str(number)))
            await asyncio.sleep(0.02)
            async with hosted(tmp_path / "link", Inbox()):
                messages, _ = await remote.messages("", 1)
                newest = await remote.latest(ONE, 0)
                return messages, newest

    # More than an inbox holds is not kept for it either: the three oldest made place.
    assert run(act) == ([entry(code="3")], entry(code="10002"))


def test_a_lost_host_refuses_those_who_wait_and_a_new_one_is_found(run, tmp_path) -> None:
    async def act() -> object:
        async with linked(tmp_path / "link" / "inbox.sock") as remote:
            async with hosted(tmp_path / "link", Inbox()):
                waiting = asyncio.create_task(remote.latest(ONE, 5))
                await remote.messages("", 1)
            async with asyncio.timeout(2):  # much less than they would have waited
                lost = await asyncio.gather(waiting, return_exceptions=True)
            remote.put(entry(code="after"))
            async with hosted(tmp_path / "link", Inbox()):
                return type(lost[0]), await remote.latest(ONE, 5)

    assert run(act) == (ServiceUnavailable, entry(code="after"))


def test_news_and_the_recent_ones_come_through_a_worker_too(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host, linked(host.path) as first, linked(host.path) as second:
            _, cursor = await first.recent(10)
            waiting = asyncio.create_task(first.messages(cursor, 10, wait_seconds=5))
            await asyncio.sleep(0.01)
            second.put(entry())
            found, cursor = await waiting
            return found, await first.messages(cursor, 10, wait_seconds=0.01) == ([], cursor), await second.recent(1)

    assert run(act) == ([entry()], True, ([entry()], ANY))


def test_a_host_where_too_many_wait_for_news_refuses_through_a_worker(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox(waiters_max=0)) as host, linked(host.path) as remote:
            refused = await asyncio.gather(remote.messages("", 1, wait_seconds=5), return_exceptions=True)
            return type(refused[0])

    assert run(act) is Overloaded


def test_without_a_host_questions_end_in_a_refusal_and_not_in_silence(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(inbox_link, "ANSWER_SECONDS_MAX", 0.02)
    monkeypatch.setattr(inbox_link, "ASKERS_MAX", 2)

    async def act() -> object:
        async with linked(tmp_path / "inbox.sock") as remote:
            asked = [remote.latest(ONE, 0.01), remote.messages("", 1), remote.messages("", 1)]
            return [type(answer) for answer in await asyncio.gather(*asked, return_exceptions=True)]

    assert run(act) == [ServiceUnavailable, ServiceUnavailable, Overloaded]


def test_whoever_stops_waiting_makes_room_in_the_host(run, tmp_path) -> None:
    async def act() -> object:
        inbox = Inbox(waiters_max=1)
        async with hosted(tmp_path / "link", inbox) as host, linked(host.path) as remote:
            waiting = asyncio.create_task(remote.latest(ONE, 5))
            await remote.messages("", 1)
            refused = await asyncio.gather(remote.latest(OTHER, 5), return_exceptions=True)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            return type(refused[0]), await remote.latest(OTHER, 0.01)

    assert run(act) == (Overloaded, None)


def test_a_worker_that_dies_while_it_waits_makes_room_in_the_host(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox(waiters_max=1)) as host, linked(host.path) as alive:
            async with linked(host.path) as dying:
                waiting = asyncio.create_task(dying.latest(ONE, 5))
                await dying.messages("", 1)
            await asyncio.gather(waiting, return_exceptions=True)
            async with asyncio.timeout(5):
                while True:
                    try:
                        return await alive.latest(OTHER, 0.01)
                    except Overloaded:
                        await asyncio.sleep(0.01)

    assert run(act) is None


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", (FRAME_BYTES_MAX + 1).to_bytes(4, "big"), b"\0\0\0\1\xc1", b"\0\0\0\5\x81\xa1", b""],
    ids=["http", "too long", "not a body", "cut", "nothing"],
)
def test_a_connection_that_speaks_something_else_is_ended_and_harms_nobody(run, tmp_path, garbage: bytes) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host, linked(host.path) as remote:
            remote.put(entry())
            reader, writer = await asyncio.open_unix_connection(str(host.path))
            writer.write(garbage)
            writer.write_eof()
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return answer, await remote.latest(ONE, 5)

    assert run(act) == (b"", entry())


def test_a_host_that_answers_garbage_is_left_and_tried_again(run, tmp_path) -> None:
    async def act() -> object:
        met = asyncio.Semaphore(0)

        async def garble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            met.release()
            writer.write(b"\0\0\0\1\xc1")
            await reader.read()
            writer.close()

        path = tmp_path / "inbox.sock"
        server = await asyncio.start_unix_server(garble, str(path))
        async with linked(path) as remote:
            remote.put(entry())
            async with asyncio.timeout(5):
                for _ in range(3):
                    await met.acquire()
            server.close()
            refused = await asyncio.gather(asyncio.wait_for(remote.latest(ONE, 0), 0.1), return_exceptions=True)
        await server.wait_closed()
        return type(refused[0]) in (TimeoutError, ServiceUnavailable)

    assert run(act) is True


def test_the_socket_lies_in_a_directory_of_its_owner_alone_and_goes_with_the_host(run, tmp_path) -> None:
    async def act() -> object:
        async with hosted(tmp_path / "link", Inbox()) as host:
            mode = stat.S_IMODE(host.path.parent.stat().st_mode)
        return mode, host.path.exists()

    assert run(act) == (0o700, False)


def test_a_directory_that_others_may_enter_is_refused(run, tmp_path) -> None:
    async def act() -> object:
        shared = tmp_path / "shared"
        shared.mkdir()
        shared.chmod(0o755)
        target = tmp_path / "own"
        target.mkdir(mode=0o700)
        link = tmp_path / "pointer"
        link.symlink_to(target)
        said = []
        for directory in (shared, link, tmp_path / ("d" * 120)):
            with pytest.raises(ValueError, match=r"mode 0700|longer than") as refused:
                await InboxHost(Inbox(), directory=directory).start()
            said.append(str(refused.value).replace(str(tmp_path), ""))
        return said

    only_owner = "must be a directory that only its owner may enter (mode 0700)."
    assert run(act) == [
        f"/shared {only_owner}",
        f"/pointer {only_owner}",
        f"The path of the inbox's socket is longer than 103 bytes: /{'d' * 120}/inbox.sock",
    ]


def test_the_socket_that_a_killed_host_left_behind_is_replaced(run, tmp_path) -> None:
    async def act() -> object:
        directory = tmp_path / "link"
        directory.mkdir(mode=0o700)
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(directory / "inbox.sock"))
        left.close()
        async with hosted(directory, Inbox()) as host, linked(host.path) as remote:
            remote.put(entry())
            return await remote.latest(ONE, 5)

    assert run(act) == entry()


def _worker(path: str, number: int) -> None:
    async def act() -> None:
        async with linked(Path(path)) as remote:
            for message in range(200):
                remote.put(entry(OTHER, code=f"{number}-{message}"))
            if await remote.latest(ONE, 5) is None:
                os._exit(1)

    asyncio.run(act())


def test_messages_of_real_worker_processes_meet_in_one_inbox(tmp_path) -> None:
    async def act() -> tuple[list[int | None], list[str]]:
        inbox = Inbox()
        async with hosted(tmp_path / "link", inbox) as host:
            context = multiprocessing.get_context("spawn")
            workers = [context.Process(target=_worker, args=(str(host.path), number)) for number in range(2)]
            for worker in workers:
                worker.start()
            inbox.put(entry(ONE))
            for worker in workers:
                await asyncio.to_thread(worker.join, 20)
            messages, _ = await inbox.messages("", 1_000)
            return [worker.exitcode for worker in workers], sorted(m.code for m in messages if m.to == OTHER)

    expected = sorted(f"{number}-{message}" for number in range(2) for message in range(200))
    assert asyncio.run(act()) == ([0, 0], expected)
