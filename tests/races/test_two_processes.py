"""Two processes that serve together: what one knows the other knows in time, and neither can be missed."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from itertools import count

import psutil
import pytest

from domain.codec import decode
from domain.events import KeyRevoked
from interfaces.bench import phones
from tests.races.scenes import code_of
from tests.support.books import assert_sound, log_of
from tests.support.callers import Caller, at_once, one_for_each_process
from tests.support.load import under_load
from tests.support.postgres import Cluster
from tests.support.receiver import receiving
from tests.support.server import Server, run, serving, wait_for
from tests.support.sweeping import sweep, unsettled

REVOCATION_SECONDS_MAX = 5.0
"""Five times what is promised: a busy machine is no broken promise."""


@pytest.fixture(scope="module")
def pair(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("pair") / "home"
    with (
        cluster.database() as name,
        serving(home, workers=2, more={"DONEOTP_DATABASE_URL": cluster.url(name)}) as server,
    ):
        yield server


@pytest.fixture
def callers(pair: Server) -> Iterator[list[Caller]]:
    with one_for_each_process(pair, count=2) as found:
        yield found


def test_what_one_process_recorded_the_other_acts_on_at_once(pair, callers):
    key = pair.open_account().keys["sk_live"]
    for turn, number in zip(range(40), map(phones.number, count(1)), strict=False):
        one, other = callers[turn % 2], callers[1 - turn % 2]
        assert other.post("/v1/verify/check", {"phone_number": number, "code": "000000"}, key=key).status == 404
        sent = one.post("/v1/verify/send", {"phone_number": number}, key=key)
        code = code_of(pair, sent.body["verification_id"])
        # Nothing has told the other of it, and it refused the same a moment ago.
        checked = other.post("/v1/verify/check", {"phone_number": number, "code": code}, key=key)
        assert checked.status == 200, checked
        assert one.post("/v1/verify/validate-token", {"token": checked.body["token"]}, key=key).status == 200
        again = other.post("/v1/verify/validate-token", {"token": checked.body["token"]}, key=key)
        assert again.body["code"] == "token_already_redeemed"
        assert [caller.get("/v1/balance", key=key).body["debited"] for caller in callers] == [turn + 1] * 2


def test_a_send_through_one_process_cools_the_other_down_too(pair, callers):
    key = pair.open_account().keys["sk_live"]
    for place in range(20):
        body = {"phone_number": phones.number(1_000 + place)}
        told = [caller.post("/v1/verify/send", body, key=key).body.get("code") for caller in callers]
        assert told == [None, "resend_cooldown"]


def test_a_message_is_in_the_inbox_of_every_process_whichever_sent_it(pair, callers):
    key = pair.open_account().keys["sk_live"]
    for sender in callers:
        number = phones.number(hash(sender.process) % 1_000_000)
        sent = sender.post("/v1/verify/send", {"phone_number": number}, key=key)
        seen = [caller.get(f"/inbox/latest?to=%2B{number[1:]}&wait=5").body["verification_id"] for caller in callers]
        assert seen == [sent.body["verification_id"]] * 2


def test_a_key_that_the_command_line_revokes_is_refused_by_every_process(pair, callers):
    opened = pair.open_account()
    key = opened.keys["sk_live"]
    (key_id,) = [
        k.id for k in pair.books.administration.account(opened.account_id).keys.values() if k.kind == "sk_live"
    ]
    accepted = [0.0, 0.0]

    def use(place: int) -> str:
        while True:
            answer = callers[place].get("/v1/balance", key=key)
            if answer.status != 200:
                return str(answer.body["code"])
            accepted[place] = time.time()
            time.sleep(0.01)

    def revoke() -> str:
        wait_for(lambda: all(accepted))
        database = {"DONEOTP_DATABASE_URL": pair.environment["DONEOTP_DATABASE_URL"]}
        ended = run("keys", "revoke", opened.account_id, key_id, home=pair.home, **database)
        return f"ended with {ended.status}"

    assert at_once([lambda: use(0), lambda: use(1), revoke]) == ["revoked_api_key", "revoked_api_key", "ended with 0"]
    records = pair.books.recorder.select_log(opened.account_id, after=0, limit=100)
    events = [decode(record.topic, record.state) for record in records]
    (revoked,) = [event for event in events if isinstance(event, KeyRevoked)]
    assert max(accepted) - revoked.at.timestamp() < REVOCATION_SECONDS_MAX


def test_two_writers_on_one_log_get_in_each_others_way_and_both_get_on(pair, callers):
    opened = pair.open_account(1_000)
    # Three hundred messages that nobody verifies are what the fraud guard is there for.
    pair.books.administration.change_policy(opened.account_id, changes={"guard": 0}, by="test")
    key = opened.keys["sk_live"]
    before = [caller.figure("writer_conflicts_total") for caller in callers]
    accepted: dict[str, list[str]] = {caller.process: [] for caller in callers}

    def work(caller: Caller, begin: int) -> None:
        for place in range(150):
            answer = caller.post("/v1/verify/send", {"phone_number": phones.number(begin + place)}, key=key)
            assert answer.status == 200, answer
            accepted[caller.process].append(answer.body["verification_id"])

    at_once([partial(work, caller, place * 1_000) for place, caller in enumerate(callers)])
    events = log_of(pair, key)
    assert_sound(events)
    requested = [event["data"]["verification_id"] for event in events if event["type"] == "CodeRequested"]
    assert sorted(requested) == sorted(each for some in accepted.values() for each in some)
    after = [caller.figure("writer_conflicts_total") for caller in callers]
    assert sum(after) > sum(before)


def workers_of(server: Server) -> list[psutil.Process]:
    """The processes that serve."""
    found = []
    for child in psutil.Process(server.pid).children():
        with suppress(psutil.NoSuchProcess):  # a dead one, too, until it is buried
            if "interfaces.cli.worker" in " ".join(child.cmdline()):
                found.append(child)
    return found


def is_gone(server: Server, pid: int) -> bool:
    """Whether no process of the server's has this number."""
    return pid not in [worker.pid for worker in workers_of(server)]


def test_a_killed_worker_is_replaced_and_what_it_acknowledged_stays(pair):
    with under_load(pair, pair.open_account(100_000)) as load:
        for _ in range(2):
            load.reach(100)
            victim = workers_of(pair)[0]
            os.kill(victim.pid, signal.SIGKILL)
            wait_for(partial(is_gone, pair, victim.pid))
            wait_for(lambda: len(workers_of(pair)) == 2)
            load.reach(100)
    assert load.lost() == set()
    assert set(load.failed) <= {503}
    with one_for_each_process(pair, count=2):
        pass


def test_the_messages_that_a_killed_worker_had_in_hand_are_paid_back_once(cluster, tmp_path):
    with receiving() as receiver, cluster.database() as name:
        receiver.way = "hang"
        more = {"DONEOTP_DATABASE_URL": cluster.url(name), "DONEOTP_SMS": f"webhook:{receiver.url}"}
        with serving(tmp_path / "home", workers=2, more=more) as server:
            key = server.open_account(100).keys["sk_live"]
            with one_for_each_process(server, count=2) as callers:
                for place in range(20):
                    sent = callers[place % 2].post("/v1/verify/send", {"phone_number": phones.number(place)}, key=key)
                    assert sent.status == 200
                wait_for(lambda: len(receiver.got) == 20)
                os.kill(workers_of(server)[0].pid, signal.SIGKILL)
            receiver.way = 200
            receiver.released.set()
            wait_for(lambda: unsettled(log_of(server, key)) == 10)
            # Those of the other are on their way; nobody speaks for these until the sweep does, however many sweep.
            assert server.get("/v1/balance", key=key).body["refunded"] == 0
            assert sweep(server.books, sweepers=4) == 10
            assert sweep(server.books) == 0
            events = log_of(server, key)
            assert_sound(events)
            assert (unsettled(events), server.get("/v1/balance", key=key).body["refunded"]) == (0, 10)
