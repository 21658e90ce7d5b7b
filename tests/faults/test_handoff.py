"""The handoff through the whole server, against a receiver that behaves well, badly, or not at all.

Negative control of the draining: a server that is killed instead leaves its messages without a fate.
"""

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest

from interfaces.bench import phones
from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once
from tests.support.receiver import Receiver
from tests.support.server import Answer, Server, wait_for
from tests.support.sweeping import sweep, unsettled

NUMBER = "+14155552671"
MANY = 12


@pytest.fixture
def started(serve: Callable[..., Server], receiver: Receiver) -> tuple[Server, str]:
    """A server that hands over to the receiver, and the key of an account with twenty credits."""
    server = serve(DONEOTP_SMS=f"webhook:{receiver.url}")
    return server, server.open_account(20).keys["sk_live"]


def send(server: Server, key: str, number: str = NUMBER) -> Answer:
    return server.post("/v1/verify/send", {"phone_number": number}, key=key)


def send_many(server: Server, key: str) -> list[int]:
    return [a.status for a in at_once([partial(send, server, key, phones.number(place)) for place in range(MANY)])]


def types_of(server: Server, key: str) -> list[str]:
    events = log_of(server, key)
    assert_sound(events)
    return [event["type"] for event in events if event["type"] not in ("AccountOpened", "KeyIssued", "CreditAdded")]


def settled(server: Server, key: str) -> list[str]:
    """The events once the fate of every message is known."""
    wait_for(lambda: unsettled(log_of(server, key)) == 0)
    return types_of(server, key)


def test_a_message_that_the_receiver_takes_is_sent_and_signed(started, receiver):
    server, key = started
    assert send(server, key).status == 200
    assert settled(server, key) == ["CodeRequested", "CreditDebited", "CodeSent"]
    (got,) = receiver.got
    assert (got["to"], got["message_id"], got["signature"][:3]) == (NUMBER, got["id"], "v1,")
    code = got["text"][:6]
    assert server.post("/v1/verify/check", {"phone_number": NUMBER, "code": code}, key=key).status == 200


def test_a_message_that_the_receiver_refuses_is_paid_back_once(started, receiver):
    server, key = started
    receiver.way = 400
    assert send(server, key).status == 200
    assert settled(server, key) == ["CodeRequested", "CreditDebited", "SendFailed", "CreditRefunded"]
    assert (len(receiver.got), server.get("/v1/balance", key=key).body["available"]) == (1, 20)
    receiver.way = 200
    assert send(server, key).status == 200, "nothing reached the phone, so there is no cooldown"


def test_a_receiver_that_hangs_gets_a_message_twice_under_one_id_and_without_a_receipt_it_is_paid_back(
    started, receiver
):
    server, key = started
    receiver.way = "hang"
    # Every send is answered while the receiver has answered none.
    assert send_many(server, key) == [200] * MANY
    assert not receiver.released.is_set()
    wait_for(lambda: types_of(server, key).count("SendUnconfirmed") == MANY)
    assert server.get("/v1/balance", key=key).body["available"] == 20 - MANY
    assert sweep(server.books) == MANY
    assert settled(server, key).count("CreditRefunded") == MANY
    assert server.get("/v1/balance", key=key).body["available"] == 20
    ids = [got["id"] for got in receiver.got]
    assert (len(ids), len(set(ids))) == (2 * MANY, MANY)


def test_sigterm_waits_for_what_was_accepted(started, receiver, serve):
    server, key = started
    receiver.way = "hang"
    assert send_many(server, key) == [200] * MANY
    wait_for(lambda: len(receiver.got) == MANY)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(0.3)
    receiver.released.set()
    assert server.wait_end() == 0
    again = serve(home=server.home, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
    events = types_of(again, key)
    assert (events.count("CodeRequested"), events.count("CodeSent"), len(events)) == (MANY, MANY, 3 * MANY)


def test_what_a_killed_server_had_in_hand_is_paid_back_once(started, receiver, serve):
    server, key = started
    receiver.way = "hang"
    assert send_many(server, key) == [200] * MANY
    wait_for(lambda: len(receiver.got) == MANY)
    server.kill()
    again = serve(home=server.home, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
    assert unsettled(log_of(again, key)) == MANY
    assert again.get("/v1/balance", key=key).body["available"] == 20 - MANY
    assert sweep(again.books, sweepers=4) == MANY
    assert sweep(again.books) == 0
    events = types_of(again, key)
    assert (events.count("SendFailed"), events.count("CreditRefunded"), len(events)) == (MANY, MANY, 4 * MANY)
    assert again.get("/v1/balance", key=key).body["available"] == 20
    assert send(again, key, phones.number(0)).status == 200, "nothing reached the phone, so there is no cooldown"
