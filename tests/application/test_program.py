"""Random programs against a model: whatever a client, a provider and an operator do, in whatever order, wherever.

Two processes share a recorder. Each action goes to one of them, several at once as a batch, and sometimes one of them acts
right in the middle of what the other does; a process may start anew. Every answer must be the model's. On the
memory recorder the network loses appends and answers besides; on Postgres every stored byte must equal memory's.
"""

import copy
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import Phase, settings, strategies
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from application.accounts import Balance, ReadBalance
from application.ports import LogRecorder, Record
from application.verifications import Cancelled, Checked, Outgoing, Redeemed
from domain.events import AccountResumed, AccountSuspended, CreditAdded
from domain.policy import Policy
from domain.refusals import Refusal
from domain.verification import Verification
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
EVERY_DAY = 100
"""Examples that Hypothesis tries unless a profile asks for more."""

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

    def stored(self) -> list[Record]:
        return list(self.recorder.select_log(self.log, after=0, limit=10**6))

    def assert_cache_is_the_log(self, which: int) -> None:
        ledger = self.processes[which].ledger
        cached = ledger.known(self.log)
        if cached is None:
            return
        account, streams = replayed(self.recorder, self.log, until=cached.position)
        assert cached.account.state == account
        for stream in cached.streams:
            folded = ledger.stream(self.log, stream)
            assert folded is not None
            assert folded.state == streams.get(stream, Verification())

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
        self.is_sound = True
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
        self.is_sound = False
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
        self.is_sound = False
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
        orders = [[0, 1], [1, 0]]
        if fault == "stolen":
            orders = [[1, 0]] if inner else [[0, 1]]
            if not inner:
                meanwhile()
            answers += inner
        told = {n: site.told((first, second)[n][0], answers[n]) for n in orders[0]}
        self.accept([first, second], [told[0], told[1]], orders=orders)

    def accept(self, actions: list[tuple[Action, str]], told: list[Told], *, orders: list[list[int]]) -> None:
        """What was told must be what the model tells when it does the actions in one of these orders."""
        wanted = []
        for order in orders:
            model = copy.deepcopy(self.model)
            answers = {n: model.do(actions[n][0], key=actions[n][1]) for n in order}
            wanted.append([answers[n] for n in range(len(actions))])
            if wanted[-1] == told:
                self.model = model
                return
        raise AssertionError(f"{actions} were answered {told} and not as one of {wanted}")

    @rule(seconds=strategies.sampled_from(STEPS))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds=seconds)
        self.model.now += seconds

    @rule(where=strategies.integers(0, 1))
    def restart(self, where: int) -> None:
        """A process starts anew; what it had in memory was what the log folds to, and every recorder has the same log."""
        logs = [site.stored() for site in self.sites]
        assert all(log == logs[0] for log in logs)
        for site in self.sites:
            site.assert_cache_is_the_log(where)
            site.restart(where)

    # What must always be.

    @invariant()
    def the_log_is_as_long_as_the_model_says_and_nothing_is_owed(self) -> None:
        self.is_sound = False
        assert self.model.available >= 0
        assert [site.recorder.heads([self.log]) for site in self.sites] == [{self.log: self.model.facts}] * len(
            self.sites
        )
        self.is_sound = True

    def teardown(self) -> None:
        if self.is_sound:
            self.restart(0)
            self.restart(1)


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
    """Bounded in time every day, failing or not: what it finds is shown as it was found, and made small by the long run."""
    profile = settings()
    examples, phases = profile.max_examples, tuple(profile.phases)
    if examples <= EVERY_DAY:
        examples, phases = EVERY_DAY // 2, (Phase.reuse, Phase.generate)
    if program.recorders:
        examples //= 5
    run_state_machine_as_test(
        program, settings=settings(max_examples=examples, phases=phases, deadline=None, report_multiple_bugs=False)
    )
