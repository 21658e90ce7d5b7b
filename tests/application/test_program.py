"""Random programs against a model: whatever a client, a provider and an operator do, in whatever order, wherever.

Two processes share a recorder. Each action goes to one of them, several at once as a batch, and sometimes one of them acts
right in the middle of what the other does; a process may start anew. Every answer must be the model's. On the
memory recorder the network loses appends and answers besides; on Postgres every stored byte must equal memory's.
"""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from application.accounts import Balance, ReadBalance
from application.ports import LogRecorder
from application.verifications import Cancelled, Checked, Outgoing, Redeemed
from domain.events import AccountResumed, AccountSuspended, CreditAdded
from domain.policy import Policy
from domain.refusals import Refusal
from interfaces.postgres.recorder import PostgresLogRecorder
from tests.application.test_ledger import replayed
from tests.application.world import Process, memory
from tests.support.clock import SeededEntropy, SettableClock
from tests.support.memory import MemoryLogRecorder
from tests.support.model import Action, Model, Name, Told

NUMBERS = ("+14155552671", "+905321232719", "+447911123456")
LONG = Policy(code_digits=10)  # of 31 bits: ten nines are never right
WRONG = "9" * 10
OPENING = 12
STEPS = (1, 29, 30, 31, 60, 119, 120, 240, 299, 300, 599, 600, 3_600, 86_399, 86_400, 90_000)
LOGS = count(1)

number = strategies.sampled_from(NUMBERS)
key = strategies.sampled_from(["", "", "", "K1", "K2"])
choice = strategies.integers(0, 9)


class Site:
    """A recorder with two processes, and the ids, codes and tokens that they gave to what the model names."""

    def __init__(self, recorder: LogRecorder, *, log: str, clock: SettableClock) -> None:
        self.recorder = recorder
        self.log = log
        self.clock = clock
        self._seeds = count(1)
        self.processes = [self._process(), self._process()]
        self.processes[0].do(self.processes[0].opening(log, mode="live"))
        self.processes[0].do(self.processes[0].credit(OPENING, log=log))
        self.ids: dict[Name, str] = {}
        self.codes: dict[Name, str] = {}
        self.tokens: dict[Name, str] = {}

    def restart(self, which: int) -> None:
        self.processes[which] = self._process()

    def _process(self) -> Process:
        return Process(self.recorder, clock=self.clock, entropy=SeededEntropy(next(self._seeds)))

    def command(self, action: Action, process: Process, *, key: str) -> Any:
        """The product's command for an action."""
        log = self.log
        match action:
            case ("send", number):
                return process.send(number, key=key, log=log, policy=LONG)
            case ("check", number, code, of):
                guess = WRONG if code is None else self.codes[code]
                named = None if of is None else self.ids[of]
                return process.check(guess, number, of=named, key=key, log=log, policy=LONG)
            case ("redeem", token, number):
                return process.redeem(self.tokens[token], number, key=key, log=log)
            case ("cancel", of):
                return process.cancel(self.ids[of], key=key, log=log)
            case ("took", of, send):
                return process.took(self.ids[of], of[0], send=send, log=log)
            case ("refused", of, send):
                return process.refused(self.ids[of], of[0], send=send, log=log)
            case ("delivery", of, send, delivered):
                return process.delivery(self.ids[of], of[0], send=send, delivered=delivered, log=log)
            case ("credit", credits, reference):
                paid = process.keyring.idempotency(log, f"credit {reference}", request=str(credits).encode())
                return process.credit(credits, reference, log=log, idempotency=paid)
            case ("suspend", suspended):
                return process.suspend(log=log) if suspended else process.resume(log=log)
            case _:
                return ReadBalance(log)

    def told(self, action: Action, answer: Any) -> Told:
        """An answer in the model's words; what is new in it is learnt, what is not must be what it was."""
        match answer:
            case Refusal():
                waits = {"retry_after_seconds": answer.retry_after_seconds} if answer.retry_after_seconds else {}
                return answer.code, *sorted((answer.extras | waits).items())
            case Outgoing():
                again = answer.code == ""
                name = self._name(action[1], answer, learn=not again)
                if not again:
                    assert self.codes.setdefault(name, answer.code) == answer.code
                    return "sent", name, answer.send, answer.answer.expires_in, answer.answer.resend_in
                return "sent again", name, answer.answer.expires_in, answer.answer.resend_in
            case Checked():
                name = self._named(answer.verification_id)
                assert self.tokens.setdefault(name, answer.token) == answer.token
                return "verified", name
            case Redeemed():
                name = self._named(answer.verification_id)
                assert answer.phone_number[-4:] == name[0][-4:]
                return "redeemed", name
            case Cancelled():
                return "cancelled", self._named(answer.verification_id)
            case CreditAdded():
                return "credited", answer.credits
            case Balance():
                return "balance", answer.available, answer.debited, answer.refunded, answer.added, answer.position
            case AccountSuspended() | AccountResumed():
                return "changed", True
            case None:
                return ("changed", False) if action[0] == "suspend" else ("recorded",)
            case _:
                return "error", answer

    def _name(self, number: str, outgoing: Outgoing, *, learn: bool) -> Name:
        of = outgoing.answer.verification_id
        if learn and of not in self.ids.values():
            self.ids[(number, 1 + sum(name[0] == number for name in self.ids))] = of
        return self._named(of)

    def _named(self, verification_id: str) -> Name:
        return next(name for name, known in self.ids.items() if known == verification_id)


class Program(RuleBasedStateMachine):
    """Actions on the model and on every site."""

    recorders: tuple[LogRecorder, ...] = ()
    """Beside a fresh one in memory, which is always there."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = SettableClock()
        self.model = Model(opening=OPENING)
        log = f"acct_{next(LOGS)}"
        self.sites = [Site(recorder, log=log, clock=self.clock) for recorder in (MemoryLogRecorder(), *self.recorders)]
        self.log = log

    # Choosing what to do.

    def names(self) -> list[Name]:
        return list(self.sites[0].ids)

    def pick(self, names: list[Any], which: int) -> Any:
        return names[-1 - which % len(names)]

    def action(self, data: strategies.DataObject) -> Action:
        """Some action that makes sense to try now."""
        kinds = ["send", "send", "check", "check", "credit", "balance", "suspend"]
        names, messages = self.names(), [(m, s) for n in self.model.numbers.values() for m, s in n.messages]
        if names:
            kinds += ["right", "right", "right", "wrong", "wrong", "named", "cancel", "took", "refused", "delivery"]
        if self.sites[0].tokens:
            kinds += ["redeem", "redeem"]
        which, other = data.draw(choice), data.draw(choice)
        match data.draw(strategies.sampled_from(kinds)):
            case "send":
                return "send", data.draw(number)
            case "check":
                return "check", data.draw(number), None, None
            case "right":
                name = self.pick(names, which)
                return "check", name[0], name, None if other % 2 else name
            case "wrong":
                name = self.pick(names, which)
                return "check", name[0], None, None if other % 2 else name
            case "named":
                name = self.pick(names, which)
                return "check", data.draw(number), name, self.pick(names, other)
            case "cancel":
                return "cancel", self.pick(names, which)
            case "took" | "refused" as fate:
                return fate, *self.pick(messages, which)
            case "delivery":
                return "delivery", *self.pick(messages, which), other % 2 == 0
            case "redeem":
                return "redeem", self.pick(list(self.sites[0].tokens), which), data.draw(number) if other > 6 else None
            case "credit":
                return "credit", which + 1, f"R{other}"
            case "suspend":
                return "suspend", other > 6
            case _:
                return ("balance",)

    def draw(self, data: strategies.DataObject) -> tuple[Action, str]:
        action = self.action(data)
        return action, data.draw(key) if action[0] in ("send", "check", "redeem", "cancel") else ""

    # Doing it.

    @initialize()
    def begin(self) -> None:
        assert self.model.do(("balance",)) == ("balance", OPENING, 0, 0, OPENING, 2)

    @rule(data=strategies.data(), size=strategies.integers(1, 4), where=strategies.integers(0, 1))
    def batch(self, data: strategies.DataObject, size: int, where: int) -> None:
        actions = [self.draw(data) for _ in range(size)]
        expected = [self.model.do(action, key=key) for action, key in actions]
        for site in self.sites:
            process = site.processes[where]
            answers = process.ask(*[site.command(action, process, key=key) for action, key in actions])
            assert [site.told(action, answer) for (action, _), answer in zip(actions, answers, strict=True)] == expected

    @precondition(lambda self: len(self.sites) == 1)
    @rule(
        data=strategies.data(),
        where=strategies.integers(0, 1),
        fault=strategies.sampled_from(["lost", "failed", "late", "stolen", "restarted"]),
        point=strategies.sampled_from(["append", "heads", "log", "streams", "idempotent"]),
    )
    def disturbed(self, data: strategies.DataObject, where: int, fault: str, point: Any) -> None:
        """Two actions: in one batch with a fault of the network, or one right in the middle of the other."""
        site, (first, second) = self.sites[0], [self.draw(data) for _ in range(2)]
        recorder, process, other = memory(site.processes[0]), site.processes[where], site.processes[1 - where]
        inner: list[Any] = []

        def meanwhile() -> None:
            inner.extend(other.ask(site.command(second[0], other, key=second[1])))

        match fault:
            case "lost":
                recorder.lose_acknowledgement()
            case "failed":
                recorder.fail(point)
            case "late":
                recorder.steal("append", recorder.delay_commit())
            case "stolen":
                recorder.steal(point, meanwhile)
            case _:
                site.restart(where)
                process = site.processes[where]
        together = [first] if fault == "stolen" else [first, second]
        answers = process.ask(*[site.command(action, process, key=key) for action, key in together])
        recorder.calm()
        if inner:
            order, answers = [second, first], [*inner, *answers]
        elif fault == "stolen":
            meanwhile()
            order, answers = [first, second], [*answers, *inner]
        else:
            order = together
        expected = [self.model.do(action, key=key) for action, key in order]
        assert [site.told(action, answer) for (action, _), answer in zip(order, answers, strict=True)] == expected

    @rule(seconds=strategies.sampled_from(STEPS))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        self.model.now += seconds

    @rule(where=strategies.integers(0, 1))
    def restart(self, where: int) -> None:
        for site in self.sites:
            site.restart(where)

    # What must always be.

    @invariant()
    def the_balance_is_never_below_zero(self) -> None:
        assert self.model.available >= 0
        [told] = [self.model.do(("balance",))]
        for site in self.sites:
            assert {site.told(("balance",), process.do(ReadBalance(self.log))) for process in site.processes} == {told}

    def teardown(self) -> None:
        logs = [list(site.recorder.select_log(self.log, after=0, limit=10**6)) for site in self.sites]
        assert all(log == logs[0] for log in logs)
        for site in self.sites:
            for process in site.processes:
                account, streams = replayed(site.recorder, self.log)
                cached = process.ledger.known(self.log)
                assert cached is not None
                assert cached.account.state == account
                folded = {stream: process.ledger.stream(self.log, stream) for stream in cached.streams}
                assert {s: f.state for s, f in folded.items() if f and f.version} == {
                    s: streams[s] for s, f in folded.items() if f and f.version
                }


@pytest.fixture
def postgres(conninfo: str) -> Iterator[PostgresLogRecorder]:
    recorder = PostgresLogRecorder(conninfo)
    yield recorder
    recorder.close()


@pytest.fixture(params=["memory", "postgres"])
def program(request: pytest.FixtureRequest) -> type[Program]:
    """The program on memory alone, with faults; or on memory and Postgres at once, without."""
    on = () if request.param == "memory" else (request.getfixturevalue("postgres"),)
    return type(f"Program on {request.param}", (Program,), {"recorders": on})


def test_whatever_happens_every_answer_is_the_models(program: type[Program]) -> None:
    share = 5 if not program.recorders else 25
    examples = max(1, settings().max_examples // share)
    run_state_machine_as_test(program, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None))
