"""The handoff through the whole server, against a receiver that behaves well, badly, or not at all."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.books import assert_sound, log_of
from tests.support.server import Server

NUMBER = "+14155552671"


class Receiver(ThreadingHTTPServer):
    """Takes messages in the way it is told to: a status, or `hang`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.way: int | str = 200
        self.got: list[dict[str, Any]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/sms"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.got.append(
            {**body, "id": self.headers["webhook-id"], "signature": self.headers["webhook-signature"]}
        )
        if self.server.way == "hang":
            self.server.released.wait(20)
        self.send_response(200 if isinstance(self.server.way, str) else self.server.way)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, daemon=True)
    thread.start()
    yield receiver
    receiver.released.set()
    receiver.shutdown()
    receiver.server_close()


def start(serve: Any, receiver: Receiver, **more: str) -> tuple[Server, str]:
    server = serve(DONEOTP_SMS=f"webhook:{receiver.url}", **more)
    return server, server.open_account(5).keys["sk_live"]


def send(server: Server, key: str) -> int:
    return server.post("/v1/verify/send", {"phone_number": NUMBER}, key=key).status


def types_of(server: Server, key: str) -> list[str]:
    events = log_of(server, key)
    assert_sound(events)
    return [event["type"] for event in events if event["type"] not in ("AccountOpened", "KeyIssued", "CreditAdded")]


def settled(server: Server, key: str) -> list[str]:
    """The events once the message's fate is known."""
    until = time.monotonic() + 30
    while not {"CodeSent", "SendFailed"} & set(types_of(server, key)):
        assert time.monotonic() < until, "nothing became of the message"
        time.sleep(0.05)
    return types_of(server, key)


def test_a_message_that_the_receiver_takes_is_sent_and_signed(serve, receiver):
    server, key = start(serve, receiver)
    assert send(server, key) == 200
    assert settled(server, key) == ["CodeRequested", "CreditDebited", "CodeSent"]
    (got,) = receiver.got
    assert (got["to"], got["message_id"], got["signature"][:3]) == (NUMBER, got["id"], "v1,")
    code = got["text"][:6]
    assert server.post("/v1/verify/check", {"phone_number": NUMBER, "code": code}, key=key).status == 200


def test_a_message_that_the_receiver_refuses_is_paid_back_once(serve, receiver):
    server, key = start(serve, receiver)
    receiver.way = 400
    assert send(server, key) == 200
    assert settled(server, key) == ["CodeRequested", "CreditDebited", "SendFailed", "CreditRefunded"]
    assert (len(receiver.got), server.get("/v1/balance", key=key).body["available"]) == (1, 5)
    receiver.way = 200
    assert send(server, key) == 200, "nothing reached the phone, so there is no cooldown"


def test_a_receiver_that_hangs_gets_the_message_twice_under_one_id_and_then_it_is_paid_back(serve, receiver):
    server, key = start(serve, receiver)
    receiver.way = "hang"
    begun = time.monotonic()
    assert send(server, key) == 200
    assert time.monotonic() - begun < 5, "send does not wait for the receiver"
    assert settled(server, key)[-2:] == ["SendFailed", "CreditRefunded"]
    assert len(receiver.got) == 2
    assert len({got["id"] for got in receiver.got}) == 1


def test_sigterm_waits_for_what_was_accepted(serve, receiver):
    server, key = start(serve, receiver)
    receiver.way = "hang"
    assert send(server, key) == 200
    until = time.monotonic() + 10
    while not receiver.got:
        assert time.monotonic() < until, "the message was not handed over"
        time.sleep(0.01)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(0.3)
    receiver.released.set()
    assert server.wait_end() == 0
    again = serve(home=server.home, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
    assert types_of(again, key) == ["CodeRequested", "CreditDebited", "CodeSent"]
