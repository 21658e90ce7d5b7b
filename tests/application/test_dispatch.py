"""The handoff: what a provider took or did not take, bounded, within a deadline, and drained."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from application import dispatch
from application.dispatch import ABANDONED_SECONDS, DEADLINE_SECONDS, Dispatcher
from application.ports import Accepted, FailureKind, Message, ProviderFailed
from application.verifications import Outgoing
from application.writer import UNKNOWN_SECONDS_MAX
from domain.refusals import InsufficientCredit, Overloaded
from interfaces.sms import line
from tests.application.world import NUMBER, OTHER_NUMBER, Process, events, kinds, memory, names, process, wait_until

NUMBERS = [f"+1415555{n:04}" for n in range(2_600, 2_700)]


class Script:
    """A provider that does what it is told, in order, and then takes everything."""

    def __init__(self, *acts: Callable[[Message], Any], name: str = "script") -> None:
        self.name = name
        self._acts = list(acts)
        self.seen: list[Message] = []

    async def send(self, message: Message) -> Accepted:
        self.seen.append(message)
        if self._acts:
            done = self._acts.pop(0)(message)
            if asyncio.iscoroutine(done):
                await done
        return Accepted(f"msg_{len(self.seen)}")


def fails(reason: str = "unreachable", *, kind: FailureKind = "refused") -> Callable[[Message], Any]:
    def act(message: Message) -> None:
        raise ProviderFailed(reason, kind=kind)

    return act


def crashes(message: Message) -> None:
    raise ZeroDivisionError


class Ways:
    """Providers in the order in which they are asked, and what was noted of each."""

    def __init__(self, *providers: Any) -> None:
        self.order = providers
        self.notes: list[tuple[str, str]] = []

    def providers(self, message: Message) -> Iterator[Any]:
        yield from self.order

    def noted(self, provider: Any, failure: ProviderFailed | None) -> None:
        self.notes.append((provider.name, "" if failure is None else failure.reason))


class Post:
    """A process with its dispatcher, on the running loop."""

    def __init__(self, home: Process, provider: Any, **more: Any) -> None:
        self.home = home
        self.ways = provider if isinstance(provider, Ways) else Ways(provider)
        self.dispatcher = Dispatcher(home.writer, home.clock, self.ways, on_failure=home.failures.append, **more)

    async def send(self, number: str = NUMBER) -> Outgoing:
        """Ask for a code as HTTP does: keep a place, record, hand over."""
        self.dispatcher.reserve()

        def hand_over(outcome: Any) -> None:
            if isinstance(outcome, Outgoing) and outcome.is_new:
                self.dispatcher.accept(self.message(outcome, number))
            else:
                self.dispatcher.release()

        return await self.home.writer.ask(self.home.send(number), after=hand_over)

    def message(self, outgoing: Outgoing, number: str) -> Message:
        command = self.home.send(number)
        return Message(
            log=command.log,
            stream=command.stream,
            verification_id=outgoing.answer.verification_id,
            send=outgoing.send,
            message_id="msg_ours",
            to=number,
            mask=command.phone.mask,
            text=f"{outgoing.code} is your code",
            code=outgoing.code,
            accepted_at=self.home.clock.now(),
            account=command.log,
        )


@asynccontextmanager
async def post(home: Process, provider: Any, *, start: bool = True, **more: Any) -> AsyncIterator[Post]:
    home.writer.start()
    office = Post(home, provider, **more)
    if start:
        office.dispatcher.start()
    try:
        yield office
    finally:
        await office.dispatcher.stop()
        home.writer.close()


def run(home: Process, provider: Any, act: Callable[[Post], Any], **more: Any) -> Any:
    """Act with a dispatcher that has started; then everything is drained and the outcome returned."""

    async def main() -> Any:
        async with post(home, provider, **more) as office:
            outcome = await act(office)
            assert await office.dispatcher.drain(timeout_seconds=10)
            assert office.dispatcher.waiting == 0
            return outcome

    return asyncio.run(main())


def test_a_message_that_was_taken_is_recorded_with_what_the_provider_calls_it():
    home, provider = process(), Script()
    outgoing = run(home, provider, lambda office: office.send())
    assert [(message.to, message.code) for message in provider.seen] == [(NUMBER, outgoing.code)]
    sent = events(home.recorder)[-1]
    assert (names(home.recorder)[2:], sent.provider, sent.message_id, sent.segments, sent.send) == (
        ["CodeRequested", "CreditDebited", "CodeSent"],
        "script",
        "msg_1",
        1,
        1,
    )


def test_segments_are_those_of_the_text():
    home, provider = process(), Script()

    async def long(office: Post) -> None:
        outgoing: Outgoing = await office.home.writer.ask(home.send())
        office.dispatcher.reserve()
        office.dispatcher.accept(replace(office.message(outgoing, NUMBER), text="я" * 71))

    run(home, provider, long)
    assert events(home.recorder)[-1].segments == 2


def test_a_message_that_was_not_taken_is_paid_back():
    home = process()
    run(home, Script(fails("no_route")), lambda office: office.send())
    failed, refunded = events(home.recorder)[-2:]
    assert (names(home.recorder)[-2:], failed.reason, failed.provider, refunded.reason) == (
        ["SendFailed", "CreditRefunded"],
        "no_route",
        "script",
        "no_route",
    )
    assert home.balance()["available"] == 100


def test_a_provider_that_crashes_harms_its_message_alone():
    home = process()

    async def two(office: Post) -> list[Outgoing]:
        return [await office.send(), await office.send(OTHER_NUMBER)]

    run(home, Script(crashes), two)
    assert sorted(names(home.recorder)[2:]) == sorted(
        ["CodeRequested", "CreditDebited"] * 2 + ["SendFailed", "CreditRefunded", "CodeSent"]
    )
    failed = next(event for event in events(home.recorder) if type(event).__name__ == "SendFailed")
    assert (failed.reason, failed.provider, kinds(home.failures)) == ("internal_error", "", ["ZeroDivisionError"])


def test_a_message_without_a_provider_is_paid_back():
    home = process()

    run(home, Ways(), lambda office: office.send())
    failed, refunded = events(home.recorder)[-2:]
    assert (failed.reason, failed.provider, refunded.reason, home.failures) == ("no_provider", "", "no_provider", [])


# Two providers.


def offered(*providers: Script, home: Process | None = None) -> tuple[Any, list[tuple[str, str]], Process]:
    """The fate of a message that these were asked to take, and what was noted of each."""
    home, ways = home or process(), Ways(*providers)
    run(home, ways, lambda office: office.send())
    for provider in providers:
        assert len({(message.code, message.message_id) for message in provider.seen}) <= 1
    codes = {message.code for provider in providers for message in provider.seen}
    assert len(codes) <= 1, "every provider gets the same code"
    fate = next(event for event in events(home.recorder)[4:] if type(event).__name__ != "CreditRefunded")
    return fate, ways.notes, home


def second() -> Script:
    return Script(name="second")


@pytest.mark.parametrize("kind", ["refused", "rejected", "unconnected", "unknown"])
def test_what_one_provider_does_not_take_is_offered_to_the_next_at_once(kind):
    fate, notes, home = offered(Script(fails("busy", kind=kind)), second())
    assert (type(fate).__name__, fate.provider, fate.tried) == ("CodeSent", "second", ("script:busy",))
    assert (notes, home.balance()["available"]) == ([("script", "busy"), ("second", "")], 99)


def test_what_a_provider_says_of_segments_and_cost_is_recorded():
    priced = Script()

    async def send(message: Message) -> Accepted:
        return Accepted("SM1", segments=2, cost_micros=33_300, cost_currency="EUR")

    priced.send = send  # type: ignore[method-assign]
    fate, _, _ = offered(priced)
    assert (fate.message_id, fate.segments, fate.cost_micros, fate.cost_currency) == ("SM1", 2, 33_300, "EUR")


def test_a_message_goes_out_to_two_providers_at_most():
    refusing = [Script(fails("busy"), name=name) for name in ("first", "second", "third")]
    fate, notes, home = offered(*refusing)
    assert (type(fate).__name__, fate.reason, fate.provider, fate.tried) == (
        "SendFailed",
        "busy",
        "second",
        ("first:busy",),
    )
    assert ([len(provider.seen) for provider in refusing], notes[-1][0]) == ([1, 1, 0], "second")
    assert home.balance()["available"] == 100


def test_providers_that_cannot_be_reached_were_handed_nothing_and_are_bounded_too():
    away = [Script(fails("connect_failed", kind="unconnected"), name=f"way {n}") for n in range(6)]
    fate, notes, _ = offered(*away)
    assert (type(fate).__name__, fate.reason, len(notes)) == ("SendFailed", "connect_failed", dispatch.OFFERS_MAX)
    away = [Script(fails("connect_failed", kind="unconnected"), name=f"way {n}") for n in range(2)]
    fate, notes, _ = offered(*away, second())
    assert (type(fate).__name__, fate.provider, len(notes)) == ("CodeSent", "second", 3)


@pytest.mark.parametrize("then", ["refused", "unknown"])
def test_a_message_that_somebody_may_have_taken_has_not_failed(then):
    fate, _, home = offered(
        Script(fails("timeout", kind="unknown")), Script(fails("busy", kind=then), name="second"), second()
    )
    assert (type(fate).__name__, fate.provider, fate.reason, fate.tried) == (
        "SendUnconfirmed",
        "script",
        "timeout",
        ("second:busy",),
    )
    assert home.balance()["available"] == 99, "neither sent nor failed: nothing is paid back yet"


def test_a_refusal_after_the_deadline_is_the_end():
    home = process()

    def slow(message: Message) -> None:
        home.clock.advance(seconds=DEADLINE_SECONDS + 1)
        raise ProviderFailed("busy")

    fate, notes, _ = offered(Script(slow), second(), home=home)
    assert (type(fate).__name__, fate.reason, notes) == ("SendFailed", "busy", [("script", "busy")])


def test_the_deadline_and_the_time_of_two_handoffs_end_before_a_message_counts_as_abandoned():
    assert DEADLINE_SECONDS + line.SECONDS_MAX < ABANDONED_SECONDS < 60


@pytest.mark.parametrize(("late", "taken"), [(DEADLINE_SECONDS, True), (DEADLINE_SECONDS + 0.001, False)])
def test_a_message_is_never_handed_over_after_its_deadline(late, taken):
    home, provider = process(), Script()

    async def main() -> None:
        async with post(home, provider, start=False) as office:
            await office.send()
            home.clock.advance(seconds=late)
            office.dispatcher.start()
            assert await office.dispatcher.drain(timeout_seconds=10)

    asyncio.run(main())
    assert len(provider.seen) == int(taken)
    assert names(home.recorder)[4:] == (["CodeSent"] if taken else ["SendFailed", "CreditRefunded"])
    if not taken:
        assert events(home.recorder)[-2].reason == "deadline"


def test_what_is_waiting_is_bounded_and_what_is_refused_costs_nothing():
    home = process()

    async def main() -> list[Any]:
        async with post(home, Script(), start=False, waiting_max=3) as office:
            outcomes = await asyncio.gather(*map(office.send, NUMBERS[:10]), return_exceptions=True)
            assert office.dispatcher.waiting == 3
            office.dispatcher.start()
            assert await office.dispatcher.drain(timeout_seconds=10)
            again = await office.send(NUMBERS[11])
            assert await office.dispatcher.drain(timeout_seconds=10)
            return [*outcomes, again]

    outcomes = asyncio.run(main())
    assert kinds(outcomes) == ["Outgoing"] * 3 + ["Overloaded"] * 7 + ["Outgoing"]
    assert {refused.retry_after_seconds for refused in outcomes if isinstance(refused, Overloaded)} == {1}
    assert home.balance()["debited"] == 4


def test_a_place_that_was_kept_for_nothing_is_given_back():
    home = process(credits=0)

    async def refused(office: Post) -> None:
        with pytest.raises(InsufficientCredit):
            await office.send()

    run(home, Script(), refused)
    assert names(home.recorder) == ["AccountOpened"]


def test_many_messages_are_handed_over_at_once():
    home = process()
    together: list[int] = []

    async def act(office: Post) -> None:
        gate = asyncio.Event()
        under_way = 0

        async def hold(message: Message) -> None:
            nonlocal under_way
            under_way += 1
            together.append(under_way)
            if under_way == 50:
                gate.set()
            await asyncio.wait_for(gate.wait(), 10)

        office.ways.order = (Script(*[hold] * 50),)
        await asyncio.gather(*map(office.send, NUMBERS[:50]))

    run(home, Script(), act)
    assert max(together) == 50
    assert names(home.recorder).count("CodeSent") == 50


def test_draining_waits_for_what_was_accepted_and_says_when_it_took_too_long():
    home = process()

    async def main() -> list[bool]:
        gate = asyncio.Event()

        async def hold(message: Message) -> None:
            await gate.wait()

        async with post(home, Script(hold)) as office:
            idle = await office.dispatcher.drain(timeout_seconds=10)
            await office.send()
            stuck = await office.dispatcher.drain(timeout_seconds=0.01)
            gate.set()
            done = await office.dispatcher.drain(timeout_seconds=10)
            return [idle, stuck, done]

    assert asyncio.run(main()) == [True, False, True]
    assert names(home.recorder)[-1] == "CodeSent"


def test_what_was_not_finished_at_a_stop_is_left_to_the_sweep():
    home = process()

    async def main() -> int:
        async with post(home, Script(), start=False) as office:
            await office.send()
            await office.dispatcher.stop()
            return office.dispatcher.waiting

    assert asyncio.run(main()) == 1
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]


def test_a_fate_that_cannot_be_recorded_yet_is_recorded_later(monkeypatch):
    monkeypatch.setattr(dispatch, "RECORD_RETRY_SECONDS", 0.001)
    home = process()

    def away(message: Message) -> None:
        memory(home).fail("append", times=10_000)
        memory(home).fail("log", times=10_000)

    async def disturbed(office: Post) -> None:
        await office.send()
        await asyncio.to_thread(wait_until, lambda: home.watch.seconds > 2 * UNKNOWN_SECONDS_MAX)
        memory(home).calm()

    run(home, Script(away), disturbed)
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited", "CodeSent"]


def test_a_fate_that_cannot_be_recorded_in_time_is_left_to_the_sweep(monkeypatch):
    monkeypatch.setattr(dispatch, "RECORD_RETRY_SECONDS", 0.001)
    home = process()

    def away(message: Message) -> None:
        home.clock.advance(seconds=ABANDONED_SECONDS + 1)
        memory(home).fail("append", times=10_000)
        memory(home).fail("log", times=10_000)

    run(home, Script(away), lambda office: office.send())
    memory(home).calm()
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]
    home.do(home.refused(only_verification(home), reason="abandoned"))
    assert home.balance()["refunded"] == 1


def only_verification(home: Process) -> str:
    """The id of the one verification in the log."""
    of: str = events(home.recorder)[2].verification_id
    return of


def test_a_fate_that_somebody_else_recorded_is_settled():
    home = process()

    def swept(message: Message) -> None:
        other = home.other()
        other.do(other.refused(only_verification(home), reason="abandoned"))

    run(home, Script(swept), lambda office: office.send())
    assert names(home.recorder)[4:] == ["SendFailed", "CreditRefunded"]


def test_a_fate_that_the_database_refuses_frees_its_place():
    home = process()
    memory(home).poison("CodeSent.v1")
    run(home, Script(), lambda office: office.send())
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]
    assert "DataError" in kinds(home.failures)


def test_a_writer_that_has_closed_frees_the_place_too():
    home = process()

    async def main() -> int:
        gate = asyncio.Event()

        async def hold(message: Message) -> None:
            await gate.wait()

        home.writer.start()
        office = Post(home, Script(hold))
        office.dispatcher.start()
        await office.send()
        await asyncio.to_thread(home.writer.close)
        gate.set()
        assert await office.dispatcher.drain(timeout_seconds=10)
        await office.dispatcher.stop()
        return office.dispatcher.waiting

    assert asyncio.run(main()) == 0
    assert kinds(home.failures) == ["ServiceUnavailable"]


def test_a_fate_nobody_waits_for_any_more_is_no_complaint():
    home = process()

    async def main() -> None:
        async with post(home, Script()) as office:
            future = home.writer.ask(home.send(), bounded=False)
            dispatch._consume(_cancelled())
            await future
            assert office.dispatcher.waiting == 0

    asyncio.run(main())


def _cancelled() -> asyncio.Future[None]:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    future.cancel()
    return future
