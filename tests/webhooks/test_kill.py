"""Killed with -9 at any moment, nothing that was recorded is lost to a receiver: the ledger is the outbox."""

import random
import subprocess
import sys
import time
from collections import Counter

import psutil

from interfaces.webhooks import reads
from tests.support.customer_hook import Got, hooked
from tests.support.server import ROOT, Server, wait_for
from tests.webhooks.office import Office

EVENTS = 40
KILLS = 4


def slowly(_: Got) -> int:
    time.sleep(0.05)
    return 200


def more_slowly(_: Got) -> int:
    time.sleep(0.4)
    return 200


def killed_again_and_again(desk: Office, *words: str) -> Counter[str]:
    """What arrived, by its reference, when the postman was killed at random moments and then let go on."""
    chance = random.Random(5)
    with hooked() as hook:
        hook.answer = slowly
        desk.endpoint(hook.url, "account.credit_added")
        command = [sys.executable, "-m", "tests.webhooks.child", desk.conninfo, *words]
        for number in range(KILLS + 1):
            before = len(hook.got)
            child = subprocess.Popen(command, cwd=ROOT)
            try:
                for event in range(EVENTS // KILLS + 1):
                    desk.credit(f"R{number}.{event}")
                if number < KILLS:
                    while len(hook.got) == before:
                        time.sleep(0.005)
                    time.sleep(chance.random() * 0.04)
                else:
                    wait_for(lambda: desk.deliveries() and all(one.status == "delivered" for one in desk.deliveries()))
                    wait_for(lambda: hook.at_once == 0)
                    time.sleep(0.3)
            finally:
                child.kill()
                child.wait()
        return Counter(got.document["data"]["reference"] for got in hook.answered)


def recorded() -> set[str]:
    return {f"R{number}.{event}" for number in range(KILLS + 1) for event in range(EVENTS // KILLS + 1)}


def test_a_postman_that_is_killed_again_and_again_loses_nothing(desk):
    arrived = killed_again_and_again(desk)
    assert arrived.keys() == recorded()


def test_one_that_acknowledges_before_it_posts_loses_what_it_had_in_its_hands(desk):
    """The negative control."""
    assert killed_again_and_again(desk, "forgetful").keys() < recorded()


def postman_of(server: Server) -> psutil.Process | None:
    for child in psutil.Process(server.pid).children(recursive=True):
        try:
            if "interfaces.cli.projector" in child.cmdline():
                return child
        except psutil.Error:
            continue
    return None


def test_a_server_that_is_killed_delivers_everything_when_it_is_back(serve):
    server = serve()
    account = server.open_account()
    with hooked() as hook:
        hook.answer = more_slowly
        server.books.webhooks.add(account.account_id, url=hook.url, types=("account.credit_added",), by="test")
        for number in range(20):
            server.books.administration.add_credit(account.account_id, credits=1, reference=f"R{number}", by="test")
        wait_for(lambda: hook.got)
        postman = postman_of(server)
        assert postman is not None
        postman.kill()
        server.kill()
        assert len(hook.got) < 20, "or nothing was left to lose"
        again = serve(home=server.home, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
        execute = again.books.recorder.execute
        wait_for(
            lambda: [one.status for one in reads.deliveries(execute, account.account_id)] == ["delivered"] * 20,
            seconds=90,
        )
        assert {got.document["data"]["reference"] for got in hook.answered} == {f"R{number}" for number in range(20)}
