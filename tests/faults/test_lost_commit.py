"""The answer to a COMMIT gets lost: the effect must be there exactly once, and so must the answer.

Negative control: the same fault against a writer that retries plainly debits twice.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from eventsourcing.persistence import PersistenceError

from application.accounts import Administration, OpenedAccount
from application.keyring import Keyring
from application.ledger import Ledger
from application.verifications import SendCode
from application.writer import Draft, Writer
from domain import phone
from domain.account import Account
from domain.policy import Policy
from domain.verification import Caller
from interfaces.postgres import connection
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.world import SystemClock, SystemEntropy
from tests.support.proxy import Proxy, proxied

NUMBER = phone.parse("+14155552671")
APPEND = b"CodeRequested.v1"


class Desk:
    """A writer that reaches Postgres through the proxy."""

    def __init__(self, conninfo: str) -> None:
        self.entropy = SystemEntropy()
        self.recorder = PostgresLogRecorder(conninfo)
        self.ledger = Ledger(self.recorder, self.entropy, monotonic=time.monotonic)
        self.failures: list[BaseException] = []
        self.writer = Writer(self.ledger, SystemClock(), on_failure=self.failures.append)
        self.keyring = Keyring(b"k" * 32)
        self.administration = Administration(self.writer, self.keyring, self.entropy)
        self.writer.start()
        self.account: OpenedAccount = self.administration.open_account(name="Test", credits=10, by="test")

    def send(self) -> SendCode:
        log = self.account.account_id
        return SendCode(
            log=log,
            stream=self.keyring.stream_of(log, NUMBER.e164),
            phone=NUMBER,
            caller=Caller(),
            keyring=self.keyring,
            entropy=self.entropy,
            policy=Policy(),
        )

    def stored(self) -> Account:
        """The account as the log has it."""
        return self.administration.account(self.account.account_id)

    def close(self) -> None:
        self.writer.close()
        self.recorder.close()


@pytest.fixture
def proxy(conninfo: str, tmp_path: Path) -> Iterator[Proxy]:
    with proxied(tmp_path / "p", str(psycopg.conninfo.conninfo_to_dict(conninfo)["host"])) as running:
        yield running


@pytest.fixture
def desk(proxy: Proxy, conninfo: str) -> Iterator[Desk]:
    desk = Desk(psycopg.conninfo.make_conninfo(conninfo, host=str(proxy.directory)))
    yield desk
    desk.close()


@pytest.mark.parametrize("fault", ["lose_answer", "lose_request"])
def test_a_send_whose_commit_is_lost_on_the_way_is_debited_once_and_answered(proxy, desk, fault):
    proxy.arm(fault, trigger=APPEND)
    outgoing = desk.writer.submit(desk.send()).result(30)
    log = desk.account.account_id
    topics = [record.topic for record in desk.recorder.select_log(log, after=0, limit=100)]
    assert (proxy.faults, desk.stored().debited, topics.count("CodeRequested.v1")) == (1, 1, 1)
    assert outgoing.answer.verification_id.startswith("ver_")
    assert len(desk.failures) == 1


def test_an_answer_that_never_comes_is_given_up_and_found_in_the_log(proxy, desk, monkeypatch):
    monkeypatch.setattr(connection, "STATEMENT_SECONDS_MAX", 1.0)
    proxy.arm("hang_after_request", trigger=APPEND)
    outgoing = desk.writer.submit(desk.send()).result(30)
    assert (proxy.faults, desk.stored().debited) == (1, 1)
    assert outgoing.is_new


def test_many_commands_in_the_lost_transaction_are_each_there_once(proxy, desk):
    log = desk.account.account_id
    numbers = [phone.parse(f"+1415555{number:04}") for number in range(5)]
    commands = [
        SendCode(
            log=log,
            stream=desk.keyring.stream_of(log, number.e164),
            phone=number,
            caller=Caller(),
            keyring=desk.keyring,
            entropy=desk.entropy,
            policy=Policy(),
        )
        for number in numbers
    ]
    proxy.arm("lose_answer", trigger=APPEND)
    ids = {future.result(30).answer.verification_id for future in [desk.writer.submit(c) for c in commands]}
    assert (len(ids), desk.stored().debited) == (5, 5)


def test_a_plain_retry_debits_twice(proxy, desk):
    """The negative control: the same loss, and a writer that appends what it decided again when the first try fails."""
    desk.writer.close()
    command = desk.send()
    desk.ledger.prepare([(command.log, command.stream)])
    decided = command.decide(Draft(desk.ledger, command.log, now=SystemClock().now())).events

    def append() -> None:
        desk.ledger.catch_up(command.log)
        draft = Draft(desk.ledger, command.log, now=SystemClock().now())
        draft.take(decided)
        assert not desk.recorder.append(draft.records)

    proxy.arm("lose_answer", trigger=APPEND)
    with pytest.raises(PersistenceError):
        append()
    append()
    topics = [record.topic for record in desk.recorder.select_log(command.log, after=0, limit=100)]
    assert topics.count("CreditDebited.v1") == 2
