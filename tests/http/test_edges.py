"""Paths, methods and bodies that nobody should send, and what the server says to them."""

import http.client
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from interfaces.http.app import BODY_BYTES_MAX, CALLS
from interfaces.http.calls import Call
from tests.http.customer import Customer, number, refusal
from tests.support.server import Server

OPEN_PATHS = ("/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/.well-known/jwks.json", "/inbox", "/")


@contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    address = urlsplit(server.base_url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=10) as connection:
        yield connection


def exchange(server: Server, request: bytes) -> bytes:
    """All that the server says to `request` until it closes."""
    with connected(server) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


class Seen(NamedTuple):
    """An answer without what differs from one to the next."""

    status: int
    headers: dict[str, str]
    text: str


def ask(server: Server, method: str, path: str, *, key: str = "") -> Seen:
    address = urlsplit(server.base_url)
    with closing(http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {key}"} if key else {})
        answer = connection.getresponse()
        varying = {"x-request-id", "date"} | ({"content-length"} if path == "/metrics" else set())
        headers = {name.lower(): value for name, value in answer.getheaders() if name.lower() not in varying}
        return Seen(answer.status, headers, answer.read().decode())


def post(customer: Customer, *, path: str = "/v1/verify/send", more: str = "", body: bytes = b"") -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {customer.test.key}\r\n"
    )
    return exchange(customer.server, (head + more + "\r\n").encode() + body)


@pytest.mark.parametrize(
    "path", ["/nothing", "/v1", "/v1/verify", "/v2/verify/send", "/assets/../pyproject.toml", "/v1/%00"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found(customer: Customer, method: str, path: str) -> None:
    assert refusal(customer.live.ask(method, path)) == (404, "not_found")


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
def test_another_method_is_refused_with_the_ones_that_are_allowed(customer: Customer, call: Call) -> None:
    path = call.path.replace("{verification_id:str}", "ver_x")
    allowed = {"GET", "HEAD", "OPTIONS"} if call.method == "GET" else {"POST", "OPTIONS"}
    for other in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"} - allowed:
        answer = ask(customer.server, other, path, key=customer.live.key)
        assert (answer.status, set(answer.headers["allow"].split(", "))) == (405, allowed)
        assert ("method_not_allowed" in answer.text) == (other != "HEAD")


@pytest.mark.parametrize("path", OPEN_PATHS)
def test_head_is_get_without_the_content(server: Server, path: str) -> None:
    got, asked = ask(server, "GET", path), ask(server, "HEAD", path)
    assert (asked, got.text != "") == (got._replace(text=""), path != "/")


def test_options_names_the_methods(customer: Customer) -> None:
    answers = [customer.live.ask("OPTIONS", path, key="") for path in ("/v1/verify/send", "/v1/balance")]
    assert [(answer.status, set(answer.headers["allow"].split(", "))) for answer in answers] == [
        (204, {"POST", "OPTIONS"}),
        (204, {"GET", "HEAD", "OPTIONS"}),
    ]


@pytest.mark.parametrize(
    ("seconds", "status"), [(60, 200), (60.0, 200), (1.5, 400), (0, 400), (-60, 400), (31_622_401, 400), ("60", 400)]
)
def test_whole_seconds_are_whole_however_json_spells_them(customer: Customer, seconds: object, status: int) -> None:
    answer = customer.test.ask("POST", "/v1/test/clock/advance", {"seconds": seconds})
    advanced = [event["data"]["seconds"] for event in customer.test.log() if event["type"] == "ClockAdvanced"]
    assert (answer.status, advanced) == (status, [60] if status == 200 else [])


def test_a_body_of_sixteen_kibibytes_is_read_and_one_byte_more_is_not(customer: Customer) -> None:
    body = f'{{"phone_number":"{number()}"}}'.encode()
    fits, over = body.ljust(BODY_BYTES_MAX), body.ljust(BODY_BYTES_MAX + 1)
    assert BODY_BYTES_MAX == 16 * 1024
    assert refusal(customer.test.ask("POST", "/v1/verify/send", over)) == (413, "payload_too_large")
    assert customer.test.ask("POST", "/v1/verify/send", fits).status == 200


def test_a_body_in_chunks_has_the_same_limit(customer: Customer) -> None:
    body = f'{{"phone_number":"{number()}"}}'.encode()
    chunked = "Transfer-Encoding: chunked\r\n"

    def chunks(content: bytes, size: int) -> bytes:
        parts = [content[at : at + size] for at in range(0, len(content), size)]
        return b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"

    over = post(customer, more=chunked, body=chunks(body.ljust(BODY_BYTES_MAX + 1), 4_096))
    fits = post(customer, more=chunked, body=chunks(body.ljust(BODY_BYTES_MAX), 7))
    assert [answer.split(b"\r\n")[0] for answer in (over, fits)] == [
        b"HTTP/1.1 413 Request Entity Too Large",
        b"HTTP/1.1 200 OK",
    ]


def test_a_body_that_only_announces_its_size_is_refused_before_it_comes(customer: Customer) -> None:
    answer = post(customer, more="Content-Length: 99999999999\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_is_expected_as_announced(customer: Customer) -> None:
    body = f'{{"phone_number":"{number()}"}}'.encode()
    answer = post(customer, more=f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n", body=body)
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_a_length_that_is_told_in_two_ways_is_no_request(customer: Customer) -> None:
    answer = post(customer, more="Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", body=b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure_of_ours(customer: Customer) -> None:
    def failures() -> int:
        log = customer.server.home / "logs" / "server.log"
        return sum('"failure"' in line for line in log.read_text().splitlines())

    before = failures()
    for _ in range(5):
        with connected(customer.server) as connection:
            head = f"POST /v1/verify/send HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {customer.test.key}\r\n"
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
            # An answer to the next request shows that this one was begun.
            assert customer.test.get("/v1/balance").status == 200
    assert customer.test.get("/v1/balance").status == 200
    assert (failures(), customer.test.types()) == (before, [])


def test_requests_on_one_connection_are_answered_in_their_order(customer: Customer) -> None:
    one = f"GET /v1/balance HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {customer.test.key}\r\n"
    sent = f"{one}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\n\r\n{one}Connection: close\r\n\r\n".encode()
    answer = exchange(customer.server, sent)
    assert re.findall(rb"HTTP/1.1 ([0-9]{3})", answer) == [b"200", b"404", b"200"]


@pytest.mark.parametrize(
    ("host", "type_"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000/errors/not_found"),
        ("[::1]:8000", "http://[::1]:8000/errors/not_found"),
        ("api.example.com", "http://api.example.com/errors/not_found"),
        ('"><script>', "/errors/invalid_request"),
        ("evil.example/path?x=", "/errors/invalid_request"),
        ("[", "/errors/not_found"),
    ],
)
def test_links_in_errors_lead_to_where_the_caller_reached_us(server: Server, host: str, type_: str) -> None:
    assert server.get("/nothing", headers={"Host": host}).body["type"] == type_
