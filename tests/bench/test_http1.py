"""The load generator's reading of HTTP/1.1."""

import asyncio
import itertools
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfaces.bench.http1 import Connection, request, split

ANSWER = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nx-y: z\r\n\r\n{"status":"ok"}'
EMPTY = b"HTTP/1.1 404 Not Found\r\nContent-Length:  0\r\n\r\n"


class Recorder(Connection):
    """Keeps what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[tuple[int, bytes]] = []
        self.failures: list[str] = []

    def answered(self, status: int, body: bytes, seconds: float) -> None:
        assert seconds >= 0
        self.answers.append((status, body))

    def failed(self, code: str) -> None:
        self.failures.append(code)


class Wire:
    """The part of a transport that a connection uses."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def wire():
    return Wire()


@pytest.fixture
def connection(wire):
    recorder = Recorder()
    recorder.connection_made(cast("asyncio.Transport", wire))
    return recorder


def test_an_answer_is_split_from_what_follows_it():
    assert split(ANSWER + EMPTY) == (200, b'{"status":"ok"}', EMPTY)
    assert split(EMPTY) == (404, b"", b"")


@pytest.mark.parametrize("length", range(len(ANSWER)))
def test_an_answer_cut_short_anywhere_is_not_an_answer_yet(length):
    assert split(ANSWER[:length]) is None


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
        b"x" * 20_000,
    ],
)
def test_what_has_no_length_is_refused(nonsense):
    with pytest.raises(ValueError, match=r"answer|invalid literal"):
        split(nonsense)


@given(cuts=st.lists(st.integers(0, len(ANSWER)), max_size=12))
def test_an_answer_is_the_same_however_the_network_cuts_it(cuts):
    connection = Recorder()
    connection.connection_made(cast("asyncio.Transport", Wire()))
    connection.ask(b"")
    edges = [0, *sorted(cuts), len(ANSWER)]
    for begin, end in itertools.pairwise(edges):
        connection.data_received(ANSWER[begin:end])
    assert (connection.answers, connection.failures) == ([(200, b'{"status":"ok"}')], [])


def test_a_connection_serves_one_request_after_the_other(connection, wire):
    for _ in range(3):
        connection.ask(b"ask")
        connection.data_received(ANSWER)
    assert (wire.written, connection.answers) == ([b"ask"] * 3, [(200, b'{"status":"ok"}')] * 3)


@pytest.mark.parametrize(
    ("received", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", "malformed_answer"),
        (ANSWER + b"HTTP", "unasked_answer"),
    ],
)
def test_nonsense_ends_a_connection_once(connection, wire, received, failure):
    connection.ask(b"ask")
    connection.data_received(received)
    connection.connection_lost(None)
    assert (connection.failures, wire.closed) == ([failure], True)


def test_a_lost_connection_is_a_failure_and_a_closed_one_is_not(connection, wire):
    connection.connection_lost(None)
    other = Recorder()
    other.connection_made(cast("asyncio.Transport", wire))
    other.close()
    other.connection_lost(None)
    assert (connection.failures, other.failures) == (["connection_lost"], [])


def test_a_request_has_its_key_and_the_length_of_its_body():
    assert request("POST", "/v1/x", key="sk_live_x", body=b"{}") == (
        b"POST /v1/x HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer sk_live_x\r\n"
        b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
    )
    assert request("GET", "/inbox") == b"GET /inbox HTTP/1.1\r\nhost: localhost\r\n\r\n"
