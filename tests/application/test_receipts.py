"""What providers report: once, in any order, however early, and whether we know the message or not."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from application.receipts import Receipt, Receipts
from application.verifications import Outgoing
from tests.application.world import ACCOUNT, Process, kinds, names, process

REPORTS: list[tuple[str, bool]] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    REPORTS.clear()


def heard(provider: str, *, delivered: bool) -> None:
    REPORTS.append((provider, delivered))


def receipt(home: Process, outgoing: Outgoing, *, delivered: bool | None = True, provider: str = "inbox") -> Receipt:
    reference = home.keyring.receipt_reference(
        provider, log=ACCOUNT, verification_id=outgoing.answer.verification_id, send=1
    )
    return Receipt(provider, reference, "SM1", delivered)


def run(home: Process, act: Callable[[Receipts], Any], **more: Any) -> Any:
    async def main() -> Any:
        return await act(Receipts(home.writer, home.keyring, reported=heard, **more))

    home.writer.start()
    try:
        return asyncio.run(main())
    finally:
        home.writer.close()


def test_a_report_counts_once_however_often_it_comes_and_the_later_says_nothing():
    home = process()
    outgoing = home.do(home.send())
    home.do(home.took(outgoing))

    async def many(receipts: Receipts) -> Any:
        first = await receipts.take(receipt(home, outgoing, delivered=None))
        second = await receipts.take(receipt(home, outgoing, delivered=False))
        again = await asyncio.gather(
            *(receipts.take(receipt(home, outgoing, delivered=d)) for d in (False, True, None))
        )
        return [first, second, *again], dict(receipts.counts)

    told, counts = run(home, many)
    assert told == ["settled", "recorded", "settled", "settled", "settled"]
    assert counts == {"settled": 4, "recorded": 1}
    assert names(home.recorder)[5:] == ["DeliveryReported", "CreditRefunded"]
    assert (REPORTS, home.balance()["refunded"]) == ([("inbox", False)], 1)


def test_fifty_at_once_refund_once():
    home = process()
    outgoing = home.do(home.send())
    home.do(home.took(outgoing))

    async def many(receipts: Receipts) -> Any:
        return await asyncio.gather(*(receipts.take(receipt(home, outgoing, delivered=False)) for _ in range(50)))

    assert sorted(run(home, many)) == ["recorded"] + ["settled"] * 49
    assert home.balance()["refunded"] == 1


@pytest.mark.parametrize("reference", ["", "a.b.c.d", "acct_a.x.1.y"])
def test_a_message_that_is_not_ours_is_counted_and_nothing_more(reference):
    home = process()
    told = run(home, lambda receipts: receipts.take(Receipt("inbox", reference, "SM1", delivered=True)))
    assert (told, names(home.recorder)[2:]) == ("unknown", [])


def test_a_sealed_reference_to_no_verification_is_unknown_too():
    home = process()
    reference = home.keyring.receipt_reference("inbox", log=ACCOUNT, verification_id="ver_short", send=1)
    assert run(home, lambda receipts: receipts.take(Receipt("inbox", reference, "SM1", delivered=True))) == "unknown"


def test_a_report_before_the_answer_waits_for_it():
    home = process()
    outgoing = home.do(home.send())

    async def early(receipts: Receipts) -> Any:
        waiting = asyncio.create_task(receipts.take(receipt(home, outgoing)))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await home.writer.ask(home.took(outgoing))
        return await waiting

    assert run(home, early, pauses_seconds=(0.01,) * 500) == "recorded"
    assert names(home.recorder)[4:] == ["CodeSent", "DeliveryReported"]


def test_a_report_on_a_message_that_nobody_speaks_of_is_its_answer_in_the_end():
    home = process()
    outgoing = home.do(home.send())
    early = receipt(home, outgoing, delivered=None)
    assert run(home, lambda receipts: receipts.take(early), pauses_seconds=(0.01,)) == "recorded"
    assert (names(home.recorder)[4:], REPORTS) == (["CodeSent"], [])


def test_those_that_wait_are_bounded():
    home = process()
    outgoing = home.do(home.send())

    async def crowd(receipts: Receipts) -> Any:
        return await asyncio.gather(*(receipts.take(receipt(home, outgoing)) for _ in range(5)), return_exceptions=True)

    told = run(home, crowd, pauses_seconds=(0.2,), parked_max=2)
    assert kinds([one for one in told if isinstance(one, BaseException)]) == ["Overloaded"] * 3
    assert sorted(one for one in told if isinstance(one, str)) == ["recorded", "settled"]
