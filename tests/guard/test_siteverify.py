"""Turnstile and hCaptcha against a counterpart on this machine: the form of the question, and every kind of answer.

The services themselves were not asked.
"""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import pytest

from interfaces.guard.challenge import Bound
from interfaces.guard.siteverify import ANSWER_BYTES_MAX, CALLS_MAX, PAGES, SiteVerify

BOUND = Bound("key_1", "acct_a", "stream")


class Counterpart(ThreadingHTTPServer):
    """Answers as it is told to."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = 200, b'{"success": true, "hostname": "shop.example"}'
        self.headers: dict[str, str] = {}
        self.asked: list[dict[str, list[str]]] = []
        self.hang = threading.Event()
        self.hangs = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/siteverify"

    def handle_error(self, *_: object) -> None:
        """Nothing: who asked has gone."""


class _Handler(BaseHTTPRequestHandler):
    server: Counterpart

    def do_POST(self) -> None:
        form = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.asked.append(parse_qs(form))
        if self.server.hangs:
            self.server.hang.wait(30)
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def service() -> Iterator[Counterpart]:
    counterpart = Counterpart()
    threading.Thread(target=counterpart.serve_forever, daemon=True).start()
    yield counterpart
    counterpart.hang.set()
    counterpart.shutdown()
    counterpart.server_close()


def ask(address: str, *, times: int = 1, seconds_max: float = 5.0) -> list[bool]:
    async def all_at_once() -> list[bool]:
        site = SiteVerify(
            "turnstile", site_key="site", secret="hush", script="/c.js", address=address, seconds_max=seconds_max
        )
        async with contextlib.aclosing(_Closing(site)):
            return await asyncio.gather(*(site.accepts("token", BOUND) for _ in range(times)))

    return asyncio.run(all_at_once())


class _Closing:
    def __init__(self, site: SiteVerify) -> None:
        self.aclose = site.close


def test_a_plain_yes_is_accepted_and_nothing_of_the_visitor_is_told(service: Counterpart) -> None:
    assert ask(service.address) == [True]
    assert service.asked == [{"secret": ["hush"], "response": ["token"]}]


@pytest.mark.parametrize(
    "answer",
    [
        b'{"success": false, "error-codes": ["timeout-or-duplicate"]}',
        b'{"success": "true"}',
        b'{"success": 1}',
        b'{"success": null}',
        b"{}",
        b"[]",
        b"true",
        b"",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"success": true' + b" " * ANSWER_BYTES_MAX + b"}",
    ],
    ids=range(11),
)
def test_whatever_is_not_a_plain_yes_is_a_no(service: Counterpart, answer: bytes) -> None:
    service.answer = answer
    assert ask(service.address) == [False]


@pytest.mark.parametrize("status", [201, 302, 400, 404, 429, 500, 503])
def test_another_status_is_a_no_and_nobody_is_followed(service: Counterpart, status: int) -> None:
    service.status = status
    service.headers = {"location": service.address}
    assert (ask(service.address), len(service.asked)) == ([False], 1)


def test_an_answer_that_does_not_come_is_a_no_in_time(service: Counterpart) -> None:
    service.hangs = True
    assert ask(service.address, seconds_max=0.3) == [False]


def test_a_service_that_is_not_there_is_a_no() -> None:
    assert ask("http://127.0.0.1:9/siteverify") == [False]


def test_more_calls_at_once_than_there_may_be_are_refused_unasked(service: Counterpart) -> None:
    service.hangs = True
    threading.Timer(1.0, service.hang.set).start()
    answers = ask(service.address, times=CALLS_MAX + 5)
    assert (answers.count(True), answers.count(False), len(service.asked)) == (CALLS_MAX, 5, CALLS_MAX)


@pytest.mark.parametrize("name", ["turnstile", "hcaptcha"])
def test_the_page_is_told_whose_challenge_it_is(name: str) -> None:
    site = SiteVerify(name, site_key="site", secret="hush", script="/c.js")  # type: ignore[arg-type]
    assert site.make(BOUND, bits=16) == {
        "kind": name,
        "site_key": "site",
        "api": PAGES[name],  # type: ignore[index]
        "script": "/c.js",
    }
