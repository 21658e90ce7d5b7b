"""The stream of the inbox: it resumes, stays alive, has its limits, and holds nobody up who stops the server."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from urllib.parse import urlsplit

import pytest

from interfaces.http import inbox
from tests.browser.phone import Phone, entry, served
from tests.http.customer import Customer, number
from tests.support.server import Server, wait_for

SECONDS_MAX = 20.0


@contextmanager
def streamed(url: str, *, last: str = "") -> Iterator[HTTPResponse]:
    address = urlsplit(url)
    connection = HTTPConnection(address.hostname or "", address.port, timeout=SECONDS_MAX)
    with closing(connection):
        headers = {"Last-Event-ID": last} if last else {}
        connection.request("GET", f"{address.path}?{address.query}", headers=headers)
        with connection.getresponse() as answer:
            yield answer


def event(answer: HTTPResponse) -> tuple[str, str]:
    """Id and data of the next event."""
    fields: dict[str, str] = {}
    while line := answer.readline().decode().rstrip("\n") or not fields.get("data"):
        name, _, value = str(line).partition(": ")
        fields[name] = value
    return fields["id"], json.loads(fields["data"])


def test_a_reader_that_comes_again_gets_what_came_since(customer: Customer) -> None:
    begin = customer.server.get("/inbox/messages?after=x&limit=1").body["cursor"]
    while (page := customer.server.get(f"/inbox/messages?after={begin}").body)["messages"]:
        begin = page["cursor"]
    address = f"{customer.server.base_url}/inbox/events?after={begin}"
    first, second = number(), number()
    with streamed(address) as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        customer.test.sent(first)
        last, html = event(answer)
    assert (first in html, second in html) == (True, False)
    customer.test.sent(second)
    with streamed(address, last=last) as answer:
        _, html = event(answer)
    assert (first in html, second in html) == (False, True)


def test_a_quiet_stream_beats_so_that_both_ends_know_of_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "_HEARTBEAT_SECONDS", 0.01)
    with served() as phone, streamed(f"{phone.url}/events") as answer:
        assert [answer.readline() for _ in range(5)] == [
            b"retry: 1000\n",
            b"\n",
            b": still here\n",
            b"\n",
            b": still here\n",
        ]


def test_a_stream_ends_after_a_while_and_a_new_one_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "STREAM_SECONDS_MAX", 0.05)
    monkeypatch.setattr(inbox, "_HEARTBEAT_SECONDS", 0.02)
    with served(streams_max=1) as phone:
        for _ in range(3):
            with streamed(f"{phone.url}/events") as answer:
                assert answer.read().startswith(b"retry: 1000\n\n")


def test_a_stream_too_many_is_refused_until_one_ends() -> None:
    def status() -> int:
        with streamed(f"{phone.url}/events") as answer:
            return answer.status

    with served(streams_max=1) as phone:
        with streamed(f"{phone.url}/events") as answer:
            answer.readline()
            refused = status()
        wait_for(lambda: status() == 200)
    assert refused >= 500  # this small server has no page for it; the real one says 503


def test_a_burst_arrives_complete_and_in_order() -> None:
    with served() as phone, streamed(f"{phone.url}/events?after=") as answer:
        answer.readline()
        phone.put(*(entry(f"message {place}", code=f"{place:06}") for place in range(1_000)))
        seen: list[str] = []
        while len(seen) < 1_000:
            _, html = event(answer)
            seen += reversed([part.partition('"')[0] for part in html.split('data-code="')[1:]])
    assert seen == [f"{place:06}" for place in range(1_000)]


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_ends_open_streams_in_order_and_is_not_held_up(serve: Callable[..., Server], workers: int) -> None:
    server = serve(workers=workers)
    customer = Customer(server, server.open_account())
    with streamed(f"{server.base_url}/inbox/events") as answer:
        phone = number()
        customer.test.sent(phone)
        while phone not in event(answer)[1]:
            pass
        server.stop()
        # Cut off by force, the answer would lack its end and reading would raise IncompleteRead.
        assert answer.read() in (b"", b": still here\n\n")


def test_a_stream_that_does_not_end_would_be_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control of the test before."""

    class Deaf(Phone):
        def hang_up(self) -> None:
            self.server.config.timeout_graceful_shutdown = 1
            self.server.should_exit = True

    monkeypatch.setattr("tests.browser.phone.Phone", Deaf)
    monkeypatch.setattr("tests.http.test_inbox_stream.SECONDS_MAX", 3.0)
    with served() as phone, streamed(f"{phone.url}/events") as answer:
        answer.readline()
        phone.hang_up()
        with pytest.raises((IncompleteRead, OSError)):
            answer.read()
