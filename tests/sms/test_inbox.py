"""The inbox in one process: what is seen, in which order, for how long, and by how many."""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import msgspec
import pytest

from application.ports import Accepted, Message
from domain.refusals import Overloaded
from interfaces.sms.inbox import Inbox, InboxMessage, InboxProvider

Result = TypeVar("Result")
ONE, OTHER = "+14155552671", "+905321232719"


def run(act: Callable[[], Awaitable[Result]]) -> Result:
    async def whole() -> Result:
        return await act()

    return asyncio.run(whole())


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


def codes(messages: list[InboxMessage]) -> list[str]:
    return [message.code for message in messages]


def test_a_message_has_the_fields_of_the_contract_and_a_masked_account(message) -> None:
    async def act() -> tuple[Accepted, InboxMessage | None]:
        inbox = Inbox()
        accepted = await InboxProvider(inbox).send(message(text="493812 kodunuz. Şifre"))
        return accepted, await inbox.latest(ONE, 0)

    accepted, found = run(act)
    assert accepted == Accepted("msg_000000000000000000000001")
    assert msgspec.json.decode(msgspec.json.encode(found)) == {
        "to": ONE,
        "text": "493812 kodunuz. Şifre",
        "code": "493812",
        "verification_id": "ver_" + "v" * 42,
        "segments": 1,
        "encoding": "UCS-2",
        "at": "2026-11-03T09:30:00Z",
        "account": "acct_abcd****",
        "mode": "test",
        "price_credits": 0,
    }


def test_handing_over_never_waits_so_the_message_is_there_before_the_client_has_its_answer(message) -> None:
    inbox = Inbox()
    with pytest.raises(StopIteration):
        InboxProvider(inbox).send(message()).send(None)
    found = inbox.newest(ONE)
    assert found is not None
    assert found.code == "493812"


def test_latest_is_the_newest_of_that_number_alone() -> None:
    async def act() -> list[InboxMessage | None]:
        inbox = Inbox()
        for to, code in ((ONE, "111111"), (OTHER, "222222"), (ONE, "333333")):
            inbox.put(entry(to, code=code))
        return [await inbox.latest(to, 5) for to in (ONE, OTHER)]

    assert run(act) == [entry(ONE, code="333333"), entry(OTHER, code="222222")]


def test_latest_waits_for_the_first_message_and_every_waiter_has_it() -> None:
    async def act() -> list[InboxMessage | None]:
        inbox = Inbox()
        waiting = [asyncio.create_task(inbox.latest(to, 5)) for to in (ONE, ONE, OTHER)]
        await asyncio.sleep(0)
        inbox.put(entry(ONE, code="111111"))
        inbox.put(entry(ONE, code="222222"))
        inbox.put(entry(OTHER, code="333333"))
        return await asyncio.gather(*waiting)

    assert run(act) == [entry(ONE, code="111111"), entry(ONE, code="111111"), entry(OTHER, code="333333")]


def test_latest_is_nothing_when_none_comes_in_time() -> None:
    async def act() -> tuple[InboxMessage | None, InboxMessage | None]:
        inbox = Inbox()
        inbox.put(entry(OTHER))
        return await inbox.latest(ONE, 0), await inbox.latest(ONE, 0.02)

    assert run(act) == (None, None)


def test_more_waiters_than_the_limit_are_refused_and_those_who_leave_make_room() -> None:
    async def act() -> list[str]:
        inbox = Inbox(waiters_max=2)
        seen = []
        waiting = [asyncio.create_task(inbox.latest(ONE, 5)) for _ in range(2)]
        await asyncio.sleep(0)
        try:
            await inbox.latest(OTHER, 5)
        except Overloaded:
            seen.append("refused")
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        seen.append(str(await inbox.latest(OTHER, 0.01)))
        inbox.put(entry())
        seen.append(str(await waiting[1] == entry()))
        seen.append(str(await inbox.latest(ONE, 5) == entry()))
        return seen

    assert run(act) == ["refused", "None", "True", "True"]


def test_a_cursor_reads_everything_once_in_the_order_of_arrival() -> None:
    async def act() -> list[list[str]]:
        inbox = Inbox(messages_max=100)
        for number in range(5):
            inbox.put(entry(code=str(number)))
        pages, after = [], ""
        for _ in range(3):
            messages, after = await inbox.messages(after, 2)
            pages.append(codes(messages))
        empty, after = await inbox.messages(after, 2)
        inbox.put(entry(code="5"))
        later, _ = await inbox.messages(after, 2)
        return [*pages, codes(empty), codes(later)]

    assert run(act) == [["0", "1"], ["2", "3"], ["4"], [], ["5"]]


def test_what_was_overwritten_is_skipped_by_cursor_and_by_number() -> None:
    async def act() -> tuple[list[str], list[str], InboxMessage | None]:
        inbox = Inbox(messages_max=3)
        inbox.put(entry(OTHER, code="0"))
        _, after_first = await inbox.messages("", 10)
        for number in range(1, 8):
            inbox.put(entry(code=str(number)))
        messages, cursor = await inbox.messages(after_first, 10)
        inbox.put(entry(code="8"))
        later, _ = await inbox.messages(cursor, 10)
        return codes(messages), codes(later), await inbox.latest(OTHER, 0)

    assert run(act) == (["5", "6", "7"], ["8"], None)


def test_a_number_whose_older_message_is_overwritten_keeps_its_newer_one() -> None:
    async def act() -> InboxMessage | None:
        inbox = Inbox(messages_max=3)
        for to, code in ((ONE, "0"), (ONE, "1"), (OTHER, "2"), (OTHER, "3")):
            inbox.put(entry(to, code=code))
        return await inbox.latest(ONE, 0)

    assert run(act) == entry(ONE, code="1")


@pytest.mark.parametrize("garbage", ["", "0", "7", "-", "x-1", "ffffffff-3", "é-1", "-1-1", "9" * 5000])
def test_what_is_no_cursor_of_this_inbox_reads_from_the_beginning(garbage: str) -> None:
    async def act() -> list[str]:
        inbox = Inbox()
        inbox.put(entry(code="0"))
        inbox.put(entry(code="1"))
        return codes((await inbox.messages(garbage, 10))[0])

    assert run(act) == ["0", "1"]


def test_a_cursor_of_an_earlier_process_reads_from_the_beginning() -> None:
    async def act() -> list[str]:
        before, inbox = Inbox(), Inbox()
        for number in range(3):
            before.put(entry(code=str(number)))
        _, cursor = await before.messages("", 10)
        inbox.put(entry(code="new"))
        return codes((await inbox.messages(cursor, 10))[0])

    assert run(act) == ["new"]


def test_a_page_has_at_least_one_message_and_at_most_a_thousand() -> None:
    async def act() -> list[int]:
        inbox = Inbox()
        for _ in range(1_500):
            inbox.put(entry())
        return [len((await inbox.messages("", limit))[0]) for limit in (0, 1, 1_000, 5_000)]

    assert run(act) == [1, 1, 1_000, 1_000]


def test_the_inbox_of_a_server_holds_ten_thousand_messages() -> None:
    async def act() -> tuple[int, str]:
        inbox = Inbox()
        for number in range(10_007):
            inbox.put(entry(code=str(number)))
        first, cursor = await inbox.messages("", 1_000)
        read = len(first)
        while True:
            page, cursor = await inbox.messages(cursor, 1_000)
            if not page:
                return read, first[0].code
            read += len(page)

    assert run(act) == (10_000, "7")


def test_no_representation_of_a_message_shows_what_is_in_it(message: Callable[..., Message]) -> None:
    shown = repr([entry(code="493812"), message()]) + str(entry())
    assert [secret for secret in (ONE, ONE[1:], "493812", "verification") if secret in shown] == []


def test_whoever_waits_for_news_has_them_whosever_they_are() -> None:
    async def act() -> object:
        inbox = Inbox()
        waiting = [asyncio.create_task(inbox.messages("", 10, wait_seconds=5)) for _ in range(3)]
        await asyncio.sleep(0)
        inbox.put(entry(OTHER))
        pages = await asyncio.gather(*waiting)
        inbox.put(entry(ONE))
        return [messages for messages, _ in pages], (await inbox.messages(pages[0][1], 10, wait_seconds=5))[0]

    assert run(act) == ([[entry(OTHER)]] * 3, [entry(ONE)])


def test_no_news_in_time_is_an_empty_page_with_the_same_cursor() -> None:
    async def act() -> object:
        inbox = Inbox()
        inbox.put(entry())
        _, cursor = await inbox.messages("", 10)
        messages, after = await inbox.messages(cursor, 10, wait_seconds=0.01)
        return messages, after == cursor

    assert run(act) == ([], True)


def test_those_who_wait_for_news_are_counted_and_leave_room_when_they_go() -> None:
    async def act() -> object:
        inbox = Inbox(waiters_max=1)
        waiting = asyncio.create_task(inbox.messages("", 10, wait_seconds=5))
        await asyncio.sleep(0)
        refused = await asyncio.gather(inbox.messages("", 10, wait_seconds=5), return_exceptions=True)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return type(refused[0]), (await inbox.messages("", 10, wait_seconds=0.01))[0]

    assert run(act) == (Overloaded, [])


def test_the_recent_ones_are_the_newest_oldest_first_also_when_the_ring_has_turned() -> None:
    async def act() -> object:
        inbox = Inbox(messages_max=5)
        found = [await inbox.recent(2)]
        for number in range(8):
            inbox.put(entry(code=str(number)))
        found += [await inbox.recent(2), await inbox.recent(100)]
        return [codes(messages) for messages, _ in found], (await inbox.messages(found[1][1], 10))[0]

    assert run(act) == ([[], ["6", "7"], ["3", "4", "5", "6", "7"]], [])


def test_a_message_says_its_mode_and_its_price(message) -> None:
    async def act() -> object:
        inbox = Inbox()
        provider = InboxProvider(inbox)
        for log, price in (("acct_abcdefghijklmnop", 3), ("acct_abcdefghijklmnop-test", 0)):
            await provider.send(dataclasses.replace(message(), log=log, price_credits=price))
        return [(one.mode, one.price_credits) for one in (await inbox.recent(2))[0]]

    assert run(act) == [("live", 3), ("test", 0)]
