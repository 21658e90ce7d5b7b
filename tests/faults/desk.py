"""A ledger and its writer on Postgres, in the test's own process, so that a test can come between them."""

import contextlib
import time
from collections.abc import Iterator

from application.accounts import Administration, OpenedAccount
from application.keyring import Keyring
from application.ledger import Ledger
from application.tokens import Tokens
from application.verifications import CheckCode, RedeemToken, SendCode
from application.writer import Writer
from domain import phone
from domain.account import Account
from domain.verification import Caller
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.world import SystemClock, SystemEntropy
from tests.support.destinations import destination

NUMBER = "+14155552671"


class Desk:
    """One writer, started, and an account to write to. `failures` is what the writer reported."""

    def __init__(self, conninfo: str, *, credits: int = 10) -> None:
        self.entropy = SystemEntropy()
        self.recorder = PostgresLogRecorder(conninfo)
        self.ledger = Ledger(self.recorder, self.entropy, monotonic=time.monotonic)
        self.failures: list[BaseException] = []
        self.writer = Writer(self.ledger, SystemClock(), on_failure=self.failures.append)
        self.keyring = Keyring(b"k" * 32)
        self.tokens = Tokens(self.keyring)
        self.administration = Administration(self.writer, self.keyring, self.entropy)
        self.writer.start()
        self.account: OpenedAccount = self.administration.open_account(name="Test", credits=credits, by="test")
        self.log = self.account.account_id

    def send(self, number: str = NUMBER, *, log: str = "") -> SendCode:
        log = log or self.log
        return SendCode(
            log=log,
            stream=self.keyring.stream_of(log, number),
            phone=phone.parse(number),
            caller=Caller(),
            keyring=self.keyring,
            entropy=self.entropy,
            destination=destination(self.keyring, self.log, number),
            holder=self._holder(),
        )

    def check(self, code: str, number: str = NUMBER, *, log: str = "") -> CheckCode:
        log = log or self.log
        return CheckCode(
            log=log,
            stream=self.keyring.stream_of(log, number),
            phone=phone.parse(number),
            code=code,
            verification_id=None,
            caller=Caller(),
            keyring=self.keyring,
            tokens=self.tokens,
            entropy=self.entropy,
            holder=self._holder(),
        )

    def redeem(self, token: str, *, log: str = "") -> RedeemToken:
        log = log or self.log
        return RedeemToken(log, self.tokens.read(log, token), None, Caller(), self.keyring, self._holder())

    def _holder(self) -> Account:
        return Account(id=self.log)

    def stored(self) -> Account:
        """The account as the log has it."""
        return self.administration.account(self.log)

    def topics(self) -> list[str]:
        """What is in the log, in order."""
        return [record.topic for record in self.recorder.select_log(self.log, after=0, limit=5_000)]

    def close(self) -> None:
        self.writer.close()
        self.recorder.close()


@contextlib.contextmanager
def desk_on(conninfo: str, *, credits: int = 10) -> Iterator[Desk]:
    """A desk for as long as the context lasts."""
    desk = Desk(conninfo, credits=credits)
    try:
        yield desk
    finally:
        desk.close()
