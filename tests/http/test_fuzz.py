"""Thousands of requests that nobody should send: none is answered with a 5xx, and the ledger is in order afterwards.

`--fuzz-requests N` sends more of them; the seed is fixed, so that what was found is found again.
"""

import re
import socket
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.http.customer import Customer, Side, number
from tests.http.mutations import Mutator, Request
from tests.support.books import assert_sound
from tests.support.server import Server

SEED = 20_261_124
BURST = 20
_HEAD = re.compile(rb"HTTP/1\.1 ([0-9]{3}) [A-Za-z ]*\r\n((?:[a-z-]+: [^\r\n]*\r\n)*)\r\n")


class Strange(AssertionError):
    """An answer that must not be."""


def take(buffer: bytes, method: str) -> tuple[int, bool, bytes] | None:
    """Status, whether the server closes, and the rest, once an answer is whole; raises Strange on what is no answer."""
    head = _HEAD.match(buffer)
    if head is None:
        if b"\r\n\r\n" in buffer:
            raise Strange(buffer[:300])
        return None
    status = int(head[1])
    headers = dict(line.split(b": ", 1) for line in head[2].split(b"\r\n") if line)
    if status == 100:
        return take(buffer[head.end() :], method)
    has_body = method != "HEAD" and status != 204
    size = int(headers.get(b"content-length", b"0")) if has_body else 0
    if len(buffer) < head.end() + size:
        return None
    judge(status, headers, buffer[: head.end() + size])
    return status, headers.get(b"connection") == b"close", buffer[head.end() + size :]


def judge(status: int, headers: dict[bytes, bytes], answer: bytes) -> None:
    """Raise Strange unless the answer may be."""
    if status >= 500:
        raise Strange(answer[:600])
    if headers.get(b"connection") != b"close" and b"x-request-id" not in headers:
        raise Strange(answer[:600])
    if b"x-injected" in headers:
        raise Strange(answer[:600])


class Connection:
    """A kept-alive connection that is opened anew when the server has closed it."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.base_url)
        self._address = (address.hostname or "", address.port or 0)
        self._socket: socket.socket | None = None

    def ask(self, requests: list[Request]) -> Counter[int]:
        """Send all at once; one answer each, unless the server closes after the last that it answered."""
        connection = self._open()
        statuses: Counter[int] = Counter()
        connection.sendall(b"".join(request.data for request in requests))
        buffer = b""
        for request in requests:
            while (taken := take(buffer, request.method)) is None:
                part = connection.recv(262_144)
                if not part:
                    raise Strange(b"closed without an answer to " + request.data[:200])
                buffer += part
            status, closes, buffer = taken
            statuses[status] += 1
            if closes:
                self.close()
                break
        return statuses

    def shout(self, request: Request) -> Counter[int]:
        """Send something on a connection of its own, end it there, and judge whatever comes back."""
        self.close()
        connection = self._open()
        statuses: Counter[int] = Counter()
        buffer = b""
        try:
            connection.sendall(request.data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(262_144):
                buffer += part
        except (ConnectionResetError, BrokenPipeError):
            pass
        for status in re.findall(rb"^HTTP/1\.1 ([0-9]{3}) ", buffer, re.MULTILINE):
            judge(int(status), {b"connection": b"close"}, buffer)
            statuses[int(status)] += 1
        self.close()
        return statuses

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _open(self) -> socket.socket:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=20)
        return self._socket


def bombard(server: Server, mutator: Mutator, *, count: int) -> Counter[int]:
    """Send `count` requests of all kinds; returns how often each status came."""
    statuses: Counter[int] = Counter()
    connection = Connection(server)
    sent = 0
    while sent < count:
        burst = [mutator.framed() for _ in range(BURST)]
        statuses += connection.ask(burst)
        for _ in range(5):
            statuses += connection.ask([mutator.lost()])
            statuses += connection.shout(mutator.broken())
        sent += BURST + 10
    connection.close()
    return statuses


def in_order(it: Side) -> None:
    """The log is sound, and the balance is what its events add up to."""
    log = it.settled()
    assert_sound(log)
    signs = {"CreditAdded": 1, "CreditRefunded": 1, "CreditDebited": -1}
    assert it.balance()["available"] == sum(
        signs[event["type"]] * event["data"]["credits"] for event in log if event["type"] in signs
    )


def exists(it: Side) -> dict[str, Any]:
    """Numbers, verifications and tokens to be spoiled."""
    numbers = [number() for _ in range(8)]
    return {
        "numbers": [*numbers, *(f"+1 ({phone[2:5]}) {phone[5:8]}-{phone[8:]}" for phone in numbers), "+442079460000"],
        "tokens": [it.verified(number()) for _ in range(4)],
        "ids": [it.sent(phone)[0] for phone in numbers[:4]],
    }


def failures(server: Server) -> list[str]:
    return [line for line in (server.home / "logs" / "server.log").read_text().splitlines() if '"failure"' in line]


def test_no_request_is_answered_with_a_5xx_and_the_ledger_stays_in_order(
    pytestconfig: pytest.Config, server: Server, customer_with: Callable[[int], Customer]
) -> None:
    count = int(pytestconfig.getoption("--fuzz-requests"))
    customer = customer_with(300)
    before = failures(server)
    workers = [
        Mutator(
            SEED + worker,
            keys=[*customer.keys.values(), "sk_live_nonsense"],
            **exists([customer.test, customer.live][worker]),
        )
        for worker in range(2)
    ]
    with ThreadPoolExecutor(len(workers)) as pool:
        counts = list(pool.map(lambda mutator: bombard(server, mutator, count=count // len(workers)), workers))
    statuses = sum(counts, Counter())
    assert [server.get(path).status for path in ("/healthz", "/readyz")] == [200, 200]
    assert failures(server) == before
    for it in (customer.live, customer.test):
        in_order(it)
    # What was sent reached every layer, from the parser to the ledger's own refusals.
    assert {200, 204, 400, 401, 403, 404, 405, 413, 422, 429} <= set(statuses), statuses


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 500 Internal Server Error\r\nx-request-id: req_1\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx-request-id: req_1\r\nx-injected: 1\r\ncontent-length: 0\r\n\r\n",
        b"garbage\r\n\r\n",
    ],
)
def test_an_answer_that_must_not_be_is_noticed(answer: bytes) -> None:
    with pytest.raises(Strange):
        take(answer, "GET")
