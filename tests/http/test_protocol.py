"""What a stranger may make a connection keep, and for how long; and that what is no request gets a proper answer."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from litestar.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from interfaces.http.edge import Edge
from interfaces.http.metrics import Metrics
from interfaces.http.protocol import HEAD_BYTES_MAX, Protocol

GOOD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def mirror(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body and answers with what it got, headers first."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return
        body, more = body + message["body"], message["more_body"]
    names = sorted(name.decode() for name, _ in scope["headers"])
    content = json.dumps({"headers": names, "body_bytes": len(body)}).encode()
    length = (b"content-length", str(len(content)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": content, "more_body": False})


class Patient(Protocol):
    """Waits long enough for what these tests say slowly."""


class Impatient(Protocol):
    """Does not wait long."""

    receive_seconds_max = 0.4


class Connection:
    """A client that says any bytes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def say(self, *parts: bytes, pause_seconds: float = 0.0) -> None:
        for part in parts:
            self._socket.sendall(part)
            time.sleep(pause_seconds)

    def hear(self) -> bytes:
        """All that comes until the server closes."""
        heard = b""
        try:
            while part := self._socket.recv(65_536):
                heard += part
        except ConnectionResetError:
            pass
        return heard

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[], Connection]]:
    """Connects to a server of this protocol, or of the one that is the test's parameter."""
    protocol: type[HttpToolsProtocol] = getattr(request, "param", Patient)
    edge = Edge(mirror, Metrics(dict), process="test", on_failure=lambda error, request_id: None)
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(edge, http=protocol, ws="none", lifespan="off", log_config=None, proxy_headers=False)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    opened: list[Connection] = []

    def connection() -> Connection:
        opened.append(Connection(listener.getsockname()[1]))
        return opened[-1]

    yield connection
    for one in opened:
        one.close()
    server.should_exit = True
    thread.join()
    listener.close()


def problem(heard: bytes) -> tuple[int, dict[str, Any]]:
    """Status and body of the one answer heard, after what every answer owes."""
    head, _, body = heard.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    content = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert headers["connection"] == "close"
    assert headers["content-length"] == str(len(body))
    assert re.fullmatch(r"req_test[0-9a-f]+", headers["x-request-id"])
    assert content.pop("request_id") == headers["x-request-id"]
    return int(head[9:12]), content


def refused(detail: str) -> tuple[int, dict[str, Any]]:
    return 400, {
        "type": "/errors/invalid_request",
        "title": "Request is not valid",
        "status": 400,
        "detail": detail,
        "code": "invalid_request",
    }


@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nIdempotency-Key: \x7f\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ids=lambda said: ascii(said[:30]),
)
def test_what_is_no_request_is_answered_like_everything_else(connect: Callable[[], Connection], said: bytes) -> None:
    connection = connect()
    connection.say(said)
    assert problem(connection.hear()) == refused("This is not a request in HTTP/1.1.")


def endless(*, opening: bytes, piece: bytes) -> list[bytes]:
    """What grows beyond the limit piece by piece, and stops short of what a test could not afford."""
    return [opening, *([piece] * (4 * HEAD_BYTES_MAX // len(piece)))]


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
GROWING = {
    "one header": endless(opening=HEAD + b"x-a: ", piece=b"a" * 4_096),
    "many headers": endless(opening=HEAD, piece=b"x-a: b\r\n" * 512),
    "one name": endless(opening=HEAD, piece=b"a" * 4_096),
    "the path": endless(opening=b"GET /", piece=b"a" * 4_096),
    "one trailer": endless(opening=CHUNKED + b"0\r\nx-a: ", piece=b"a" * 4_096),
    "many trailers": endless(opening=CHUNKED + b"0\r\n", piece=b"x-a: b\r\n" * 512),
    "a chunk extension": endless(opening=CHUNKED + b"1;a=", piece=b"a" * 4_096),
}


def say_until_refused(connection: Connection, parts: list[bytes]) -> int:
    """Bytes that were said until the server closed."""
    said = 0
    try:
        for part in parts:
            connection.say(part, pause_seconds=0.005)
            said += len(part)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return said


@pytest.mark.parametrize("growing", GROWING)
def test_what_a_server_must_keep_is_bounded(connect: Callable[[], Connection], growing: str) -> None:
    connection = connect()
    said = say_until_refused(connection, GROWING[growing])
    assert said < sum(map(len, GROWING[growing])), "the server kept listening"


@pytest.mark.parametrize("connect", [HttpToolsProtocol], indirect=True)
@pytest.mark.parametrize("growing", ["one header", "many headers", "many trailers"])
def test_without_our_limits_it_is_not(connect: Callable[[], Connection], growing: str) -> None:
    connection = connect()
    assert say_until_refused(connection, GROWING[growing]) == sum(map(len, GROWING[growing]))


def test_a_head_that_is_too_large_is_told_so_and_one_that_just_fits_is_read(connect: Callable[[], Connection]) -> None:
    def head(size: int) -> bytes:
        return LAST[:-4] + b"\r\nx-a: " + b"a" * (size - 4 - len("/hostxconnectionclosex-a") - 2 * 4) + b"\r\n\r\n"

    fits, over = connect(), connect()
    fits.say(head(HEAD_BYTES_MAX - 16))
    over.say(head(HEAD_BYTES_MAX + 16))
    assert fits.hear().startswith(b"HTTP/1.1 200 OK\r\n")
    assert problem(over.hear()) == refused("The head of a request has at most 32 KiB.")


def test_a_long_body_is_no_head(connect: Callable[[], Connection]) -> None:
    connection = connect()
    pieces = [b"4000\r\n" + b"a" * 0x4000 + b"\r\n"] * 20
    connection.say(CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close"), *pieces, b"0\r\n\r\n")
    assert b'"body_bytes": 327680' in connection.hear()


def test_a_trailer_does_not_pass_for_a_header(connect: Callable[[], Connection]) -> None:
    connection = connect()
    head = CHUNKED.replace(b"Host: x", b"Host: x\r\nConnection: close")
    connection.say(head + b"1\r\na\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\nAuthorization: Bearer x\r\n\r\n")
    heard = connection.hear()
    assert b'{"headers": ["connection", "host", "transfer-encoding"], "body_bytes": 1}' in heard


def test_a_request_that_comes_in_single_bytes_is_read(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.say(*(LAST[at : at + 1] for at in range(len(LAST))))
    assert connection.hear().startswith(b"HTTP/1.1 200 OK\r\n")


def test_requests_follow_each_other_on_one_connection(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.say(GOOD * 50 + LAST)
    assert len(re.findall(rb"HTTP/1.1 200 OK", connection.hear())) == 51


@pytest.mark.parametrize("connect", [Impatient], indirect=True)
@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"GET / HT",
        HEAD,
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123",
        CHUNKED,
        CHUNKED + b"5\r\nab",
    ],
    ids=ascii,
)
def test_a_request_that_does_not_come_to_an_end_is_not_waited_for(
    connect: Callable[[], Connection], said: bytes
) -> None:
    connection = connect()
    connection.say(said)
    assert connection.hear() == b""


@pytest.mark.parametrize("connect", [Impatient], indirect=True)
def test_dripping_does_not_help(connect: Callable[[], Connection]) -> None:
    connection = connect()
    dripped = say_until_refused(connection, [HEAD, *[b"x-a: b\r\n"] * 1_000])
    assert dripped < 8_000


@pytest.mark.parametrize("connect", [Impatient], indirect=True)
def test_a_connection_that_rests_between_requests_is_kept(connect: Callable[[], Connection]) -> None:
    connection = connect()
    connection.say(GOOD, GOOD, LAST, pause_seconds=0.6)
    assert len(re.findall(rb"HTTP/1.1 200 OK", connection.hear())) == 3
