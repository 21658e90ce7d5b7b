"""The numbers that fix an outcome: what the table says happens."""

import asyncio

import pytest

from application.ports import Accepted, Message, ProviderFailed
from application.scenarios import SCENARIOS
from interfaces.sms import scenario
from interfaces.sms.inbox import Inbox, InboxProvider
from interfaces.sms.scenario import ScenarioProvider

NUMBERS: dict[str, str] = {each.outcome: each.number for each in SCENARIOS}
Report = tuple[str, bool, str]


class Carrier:
    """A scenario provider over an inbox, with what it reported."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.reports: list[Report] = []
        self.told = asyncio.Event()
        self.provider = ScenarioProvider(
            InboxProvider(self.inbox), report=self.report, slow_seconds=0.05, report_seconds=0.02
        )

    def report(self, message: Message, delivered: bool, reason: str) -> None:  # noqa: FBT001
        self.reports.append((message.message_id, delivered, reason))
        self.told.set()

    async def arrived(self) -> list[str]:
        return [message.to for message in (await self.inbox.messages("", 1_000))[0]]


@pytest.mark.parametrize("number", ["+14155552671", NUMBERS["blocklisted"]])
def test_a_number_without_a_carrier_outcome_is_accepted_and_arrives(message, number: str) -> None:
    async def act() -> tuple[Accepted, list[str], list[Report]]:
        carrier = Carrier()
        accepted = await carrier.provider.send(message(to=number))
        await asyncio.sleep(0.05)
        return accepted, await carrier.arrived(), carrier.reports

    assert asyncio.run(act()) == (Accepted("msg_000000000000000000000001"), [number], [])


@pytest.mark.parametrize(
    ("outcome", "arrived", "report"),
    [("delivered", [NUMBERS["delivered"]], (True, "")), ("undelivered", [], (False, "unreachable"))],
)
def test_a_delivery_report_comes_after_acceptance(
    message, outcome: str, arrived: list[str], report: tuple[bool, str]
) -> None:
    async def act() -> tuple[Accepted, list[Report], list[str], list[Report]]:
        carrier = Carrier()
        accepted = await carrier.provider.send(message(to=NUMBERS[outcome]))
        before = list(carrier.reports)
        async with asyncio.timeout(5):
            await carrier.told.wait()
        return accepted, before, await carrier.arrived(), carrier.reports

    id_ = "msg_000000000000000000000001"
    assert asyncio.run(act()) == (Accepted(id_), [], arrived, [(id_, *report)])


@pytest.mark.parametrize(
    ("outcome", "receipts"),
    [("duplicate_receipts", [(True, "")] * 3), ("contradicting_receipts", [(False, "unreachable"), (True, "")])],
)
def test_receipts_come_as_often_as_the_number_says(message, outcome: str, receipts: list[tuple[bool, str]]) -> None:
    async def act() -> list[Report]:
        carrier = Carrier()
        await carrier.provider.send(message(to=NUMBERS[outcome]))
        async with asyncio.timeout(5):
            await carrier.told.wait()
        return carrier.reports

    assert asyncio.run(act()) == [("msg_000000000000000000000001", *receipt) for receipt in receipts]


@pytest.mark.parametrize("outcome", ["provider_down", "number_refused"])
def test_what_is_refused_says_why(message, outcome: str) -> None:
    with pytest.raises(ProviderFailed) as failed:
        asyncio.run(Carrier().provider.send(message(to=NUMBERS[outcome])))
    assert failed.value.reason == outcome


def test_a_slow_message_is_accepted_later_and_holds_up_no_other(message) -> None:
    async def act() -> list[list[str]]:
        carrier = Carrier()
        slow = asyncio.create_task(carrier.provider.send(message(to=NUMBERS["slow"])))
        await asyncio.sleep(0)
        await carrier.provider.send(message())
        seen = [await carrier.arrived()]
        await slow
        return [*seen, await carrier.arrived()]

    assert asyncio.run(act()) == [["+14155552671"], ["+14155552671", NUMBERS["slow"]]]


def test_where_the_provider_is_down_nothing_arrives(message) -> None:
    async def act() -> tuple[str, list[str]]:
        carrier = Carrier()
        with pytest.raises(ProviderFailed) as failed:
            await carrier.provider.send(message(to=NUMBERS["provider_down"]))
        return failed.value.reason, await carrier.arrived()

    assert asyncio.run(act()) == ("provider_down", [])


def test_slow_messages_and_reports_are_bounded_and_make_room_again(message, monkeypatch) -> None:
    monkeypatch.setattr(scenario, "SLOW_MAX", 2)
    monkeypatch.setattr(scenario, "REPORTS_MAX", 1)

    async def act() -> tuple[list[str], list[str], list[str]]:
        carrier = Carrier()

        async def outcome(to: str) -> str:
            try:
                return type(await carrier.provider.send(message(to=NUMBERS[to]))).__name__
            except ProviderFailed as failed:
                return failed.reason

        slow = await asyncio.gather(*(outcome("slow") for _ in range(3)))
        reported = [await outcome("undelivered") for _ in range(2)]
        await carrier.told.wait()
        return slow, reported, [await outcome("slow"), await outcome("delivered")]

    assert asyncio.run(act()) == (
        ["Accepted", "Accepted", "scenario_limit"],
        ["Accepted", "scenario_limit"],
        ["Accepted", "Accepted"],
    )


def test_closing_forgets_the_reports_that_have_not_come(message) -> None:
    async def act() -> list[Report]:
        carrier = Carrier()
        await carrier.provider.send(message(to=NUMBERS["undelivered"]))
        carrier.provider.close()
        await asyncio.sleep(0.05)
        return carrier.reports

    assert asyncio.run(act()) == []
