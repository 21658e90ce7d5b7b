"""A cache that forgets nearly everything, snapshots after every few events, two writers: states are what replay makes them.

Negative control: a snapshot that says something else is seen by the same comparison.
"""

import random
import threading
import time
from collections import Counter

import msgspec
import psycopg

from application import ledger as ledgers
from application.ledger import Ledger
from domain import account as accounts
from domain import verification as verifications
from domain.account import Account
from domain.codec import decode
from domain.refusals import Refusal
from domain.verification import Verification
from interfaces.bench import phones
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.world import SystemEntropy
from tests.faults.desk import Desk, desk_on
from tests.support.books import assert_sound
from tests.support.load import stored

LIMITS = {"LOGS_CACHED_MAX": 2, "STREAMS_CACHED_MAX": 3, "SNAPSHOT_EVERY_EVENTS": 4, "CATCH_UP_ROWS": 5}
LOGS = 4
NUMBERS = 5
STEPS = 60
CALLERS = 6
States = dict[str, Account | Verification]


def work(desks: list[Desk], logs: list[str], seed: int) -> Counter[str]:
    """One caller: sends, right and wrong codes and redemptions all over; what came of them."""
    choose = random.Random(seed)
    outcomes: Counter[str] = Counter()
    codes: dict[tuple[str, str], str] = {}
    for _ in range(STEPS):
        desk, log = choose.choice(desks), choose.choice(logs)
        number = phones.number(choose.randrange(NUMBERS))
        try:
            if choose.random() < 0.5 or (log, number) not in codes:
                outgoing = desk.writer.submit(desk.send(number, log=log)).result(30)
                codes[log, number] = outgoing.code
            else:
                code = codes[log, number] if choose.random() < 0.7 else "000000"
                checked = desk.writer.submit(desk.check(code, number, log=log)).result(30)
                desk.writer.submit(desk.redeem(checked.token, log=log)).result(30)
            outcomes["done"] += 1
        except Refusal as refusal:
            outcomes[refusal.code] += 1
    return outcomes


def replayed(conninfo: str, log: str) -> States:
    """Every state of a log, from its events alone."""
    states: States = {"": Account()}
    recorder = PostgresLogRecorder(conninfo)
    for record in recorder.select_log(log, after=0, limit=100_000):
        event = decode(record.topic, record.state)
        before = states.get(record.stream, Verification())
        if isinstance(before, Account):
            states[record.stream] = accounts.evolve(before, event)
        else:
            states[record.stream] = verifications.evolve(before, event)
    recorder.close()
    return states


def loaded(conninfo: str, log: str, streams: list[str]) -> States:
    """The same states as a process that starts now has them: from snapshots, and what came after."""
    recorder = PostgresLogRecorder(conninfo)
    ledger = Ledger(recorder, SystemEntropy(), monotonic=time.monotonic)
    ledger.prepare([(log, stream or None) for stream in streams])
    states: States = {}
    for stream in streams:
        folded = ledger.stream(log, stream) if stream else None
        cached = ledger.known(log)
        assert cached is not None
        states[stream] = cached.account.state if folded is None else folded.state
    recorder.close()
    return states


def differences(conninfo: str, logs: list[str]) -> list[tuple[str, str]]:
    """Which (log, stream) is not loaded as it is replayed."""
    found = []
    for log in logs:
        truth = replayed(conninfo, log)
        states = loaded(conninfo, log, list(truth))
        found += [(log, stream) for stream in truth if states[stream] != truth[stream]]
    return found


def test_forgetting_and_snapshots_change_nothing(conninfo, monkeypatch):
    for name, value in LIMITS.items():
        monkeypatch.setattr(ledgers, name, value)
    with desk_on(conninfo, credits=60) as one, desk_on(conninfo, credits=60) as other:
        desks = [one, other]
        opened = [desk.administration.open_account(name="T", credits=60, by="test") for desk in desks]
        logs = [one.log, other.log, *(account.account_id for account in opened)]
        assert len(logs) == LOGS
        outcomes: list[Counter[str]] = []
        callers = [
            threading.Thread(target=lambda s=seed: outcomes.append(work(desks, logs, s))) for seed in range(CALLERS)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        told = sum(outcomes, Counter())
        assert (sum(told.values()), told["done"] > 0, one.failures, other.failures) == (STEPS * CALLERS, True, [], [])
    for log in logs:
        assert_sound(stored(conninfo, log))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        snapshots = connection.execute("SELECT log, stream, state FROM doneotp.snapshots").fetchall()
        assert {stream == "" for _, stream, _ in snapshots} == {True, False}
        assert differences(conninfo, logs) == []
        # The negative control.
        log, stream, state = next(row for row in snapshots if row[1] == "")
        spoilt = msgspec.json.encode({**msgspec.json.decode(state), "debited": 12_345})
        connection.execute(
            "UPDATE doneotp.snapshots SET state = %s WHERE log = %s AND stream = %s", (spoilt, log, stream)
        )
    assert differences(conninfo, logs) == [(log, stream)]
