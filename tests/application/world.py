"""A process of DoneOTP without its edges: a ledger and a writer on a recorder, with time and randomness of the test's own.

Several processes may share a recorder; each has a cache of its own. The writer's thread is not started: a test hands
over a batch and looks at the answers.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Literal

from application.accounts import Administer, ReadAccount, ReadBalance
from application.guard import Guard
from application.keyring import Keyring
from application.ledger import Ledger
from application.ports import LogRecorder
from application.tokens import Tokens
from application.verifications import (
    CancelVerification,
    CheckCode,
    Outgoing,
    RecordDelivery,
    RecordFailed,
    RecordSent,
    RedeemToken,
    SendCode,
)
from application.writer import Command, Ticket, Writer
from domain import account as accounts
from domain import phone as phones
from domain.account import Account
from domain.codec import decode
from domain.lists import NOTHING, Lists
from domain.policy import Policy
from domain.verification import Caller
from tests.support.clock import SeededEntropy, SettableClock, Stopwatch
from tests.support.destinations import destination
from tests.support.memory import MemoryLogRecorder

ACCOUNT = "acct_a"
TEST_LOG = "acct_a-test"
NUMBER = "+14155552671"
OTHER_NUMBER = "+905321232719"
ROOT = b"root secret of the tests, 32 b.."


class Process:
    """One process. `ask` is a batch; `failures` is what its writer reported."""

    def __init__(
        self,
        recorder: LogRecorder,
        *,
        clock: SettableClock | None = None,
        entropy: SeededEntropy | None = None,
        queue_max: int = 10_000,
        guarded: bool = False,
    ) -> None:
        self.recorder = recorder
        self.clock = clock or SettableClock()
        self.entropy = entropy or SeededEntropy()
        self.watch = Stopwatch()
        self.failures: list[BaseException] = []
        self.keyring = Keyring(ROOT)
        self.tokens = Tokens(self.keyring)
        self.tripped: list[tuple[str, str]] = []
        self.guard = Guard(self.keyring, on_trip=lambda log, reason: self.tripped.append((log, reason.scope)))
        self.ledger = Ledger(recorder, self.entropy, monotonic=self.watch, guard=self.guard if guarded else None)
        self.writer = Writer(
            self.ledger, self.clock, on_failure=self.failures.append, pause=self.watch.pause, queue_max=queue_max
        )

    def ask(self, *commands: Command[Any]) -> list[Any]:
        """Write these commands as one batch; their answers, or what they were refused with."""
        tickets = [Ticket(command, Future()) for command in commands]
        self.writer.write(tickets)
        return [outcome(ticket.future) for ticket in tickets]

    def do(self, command: Command[Any]) -> Any:
        """Write one command; raises its refusal."""
        ticket = Ticket(command, Future())
        self.writer.write([ticket])
        assert isinstance(ticket.future, Future)
        return ticket.future.result(0)

    def other(self) -> "Process":
        """Another process on the same recorder and clock, with randomness of its own."""
        return Process(self.recorder, clock=self.clock, entropy=SeededEntropy(2))

    # Commands.

    def stream(self, number: str = NUMBER, *, log: str = ACCOUNT) -> str:
        return self.keyring.stream_of(log, number)

    def caller(self, key: str = "", request: str = "", *, log: str = ACCOUNT) -> Caller:
        """A caller with this Idempotency-Key, if any, on a request of that content."""
        idempotency = self.keyring.idempotency(log, key, request=request.encode()) if key else ""
        return Caller(key_id="key_1", client_ip="192.0.2.0", idempotency=idempotency)

    def send(
        self,
        number: str = NUMBER,
        *,
        key: str = "",
        body: str = "",
        log: str = ACCOUNT,
        policy: Policy | None = None,
        lists: Lists = NOTHING,
        is_public: bool = False,
        has_solved: bool = False,
    ) -> SendCode:
        return SendCode(
            log=log,
            stream=self.stream(number, log=log),
            phone=phones.parse(number),
            caller=self.caller(key, f"send {number} {body}", log=log),
            keyring=self.keyring,
            entropy=self.entropy,
            holder=holder(policy),
            destination=destination(self.keyring, ACCOUNT, number, lists=lists),
            is_public=is_public,
            has_solved=has_solved,
        )

    def check(
        self,
        code: str,
        number: str = NUMBER,
        *,
        of: str | None = None,
        key: str = "",
        log: str = ACCOUNT,
        policy: Policy | None = None,
    ) -> CheckCode:
        return CheckCode(
            log=log,
            stream=self.stream(number, log=log),
            phone=phones.parse(number),
            code=code,
            verification_id=of,
            caller=self.caller(key, f"check {number} {code} {of}", log=log),
            keyring=self.keyring,
            tokens=self.tokens,
            entropy=self.entropy,
            holder=holder(policy),
        )

    def redeem(self, token: str, number: str | None = None, *, key: str = "", log: str = ACCOUNT) -> RedeemToken:
        return RedeemToken(
            log=log,
            claims=self.tokens.read(ACCOUNT, token),
            phone=None if number is None else phones.parse(number),
            caller=self.caller(key, f"redeem {token} {number}", log=log),
            keyring=self.keyring,
            holder=holder(),
        )

    def cancel(self, of: str, *, key: str = "", log: str = ACCOUNT) -> CancelVerification:
        return CancelVerification(log, of, self.caller(key, f"cancel {of}", log=log), holder())

    def took(self, message: Outgoing | str, number: str = NUMBER, *, send: int = 1, log: str = ACCOUNT) -> RecordSent:
        """A provider took a message: that of an answer, or of a verification by its id."""
        of, send = named(message, send)
        return RecordSent(log, self.stream(number, log=log), of, send, "inbox", "msg_1", 1)

    def refused(
        self,
        message: Outgoing | str,
        number: str = NUMBER,
        *,
        send: int = 1,
        log: str = ACCOUNT,
        reason: str = "unreachable",
    ) -> RecordFailed:
        of, send = named(message, send)
        return RecordFailed(log, self.stream(number, log=log), of, send, reason, "inbox")

    def delivery(
        self, message: Outgoing | str, number: str = NUMBER, *, delivered: bool, send: int = 1, log: str = ACCOUNT
    ) -> RecordDelivery:
        of, send = named(message, send)
        reason = "" if delivered else "handset off"
        return RecordDelivery(log, self.stream(number, log=log), of, send, delivered, "inbox", reason)

    # The account.

    def open(self, *, credits: int = 100) -> "Process":
        """Both logs of the account, and credits."""
        self.do(self.opening(ACCOUNT, mode="live"))
        self.do(self.opening(TEST_LOG, mode="test"))
        if credits:
            self.do(self.credit(credits))
        return self

    def opening(self, log: str, *, mode: Literal["live", "test"]) -> Administer:
        return Administer(
            log,
            lambda account, now: accounts.open_account(
                account, account_id=ACCOUNT, name="Acme", mode=mode, by="operator", now=now
            ),
        )

    def credit(self, credits: int, reference: str = "R1", *, log: str = ACCOUNT, idempotency: str = "") -> Administer:
        return Administer(
            log,
            lambda account, now: accounts.add_credit(
                account, credits=credits, reference=reference, by="operator", idempotency=idempotency, now=now
            ),
            idempotency=idempotency,
        )

    def suspend(self, reason: str = "fraud", *, log: str = ACCOUNT) -> Administer:
        return Administer(log, lambda account, now: accounts.suspend(account, reason=reason, by="operator", now=now))

    def resume(self, *, log: str = ACCOUNT) -> Administer:
        return Administer(log, lambda account, now: accounts.resume(account, by="operator", now=now))

    def advance(self, seconds: int, *, key: str = "", log: str = TEST_LOG) -> Administer:
        idempotency = self.caller(key, f"advance {seconds}", log=log).idempotency
        return Administer(
            log,
            lambda account, now: accounts.advance_clock(
                account, seconds=seconds, key_id="key_1", now=now, idempotency=idempotency
            ),
            idempotency=idempotency,
        )

    def balance(self, *, log: str = ACCOUNT) -> dict[str, int]:
        """What is available, debited, refunded and added, and where the log ends."""
        found = self.do(ReadBalance(log))
        return {
            "available": found.available,
            "debited": found.debited,
            "refunded": found.refunded,
            "added": found.added,
            "position": found.position,
        }

    def account(self, *, log: str = ACCOUNT) -> Account:
        account: Account = self.do(ReadAccount(log))
        return account


def holder(policy: Policy | None = None) -> Account:
    """The account whose key asks."""
    return Account(id=ACCOUNT, policy=policy or Policy())


def named(message: Outgoing | str, send: int) -> tuple[str, int]:
    """The verification and number of a message."""
    return (message, send) if isinstance(message, str) else (message.answer.verification_id, message.send)


def outcome(future: Any) -> Any:
    """The answer, or the refusal or error that came in its place."""
    assert future.done(), "every command is answered before the batch is over"
    return future.exception() or future.result()


def events(recorder: LogRecorder, log: str = ACCOUNT) -> list[Any]:
    """All facts of a log; each is an Event of its own kind."""
    return [decode(record.topic, record.state) for record in recorder.select_log(log, after=0, limit=1_000_000)]


def names(recorder: LogRecorder, log: str = ACCOUNT) -> list[str]:
    """What kinds of facts a log holds, in order."""
    return [type(event).__name__ for event in events(recorder, log)]


def kinds(answers: Sequence[Any]) -> list[str]:
    """What kinds of answers there were."""
    return [type(answer).__name__ for answer in answers]


def process(*, credits: int = 100, **more: Any) -> Process:
    """A process on a memory recorder with an opened account."""
    return Process(MemoryLogRecorder(), **more).open(credits=credits)


def memory(process: Process) -> MemoryLogRecorder:
    """The recorder of a process, for its faults."""
    assert isinstance(process.recorder, MemoryLogRecorder)
    return process.recorder


def wait_until(condition: Callable[[], bool]) -> None:
    """Until another thread has brought it about."""
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.001)
