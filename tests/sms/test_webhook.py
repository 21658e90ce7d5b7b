"""The webhook provider against a real server that does everything a receiver can do wrong."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import hmac
import json
import os
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from application.ports import Accepted, Message, ProviderFailed
from interfaces.sms.webhook import WebhookProvider, sign, spell_secret
from interfaces.sms.webhook_address import checked_url, read_secret

SECRET = bytes(range(32))
Play = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(status: str, body: bytes = b"", *, headers: str = "", length: int | None = None) -> Play:
    async def play(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body) if length is None else length}\r\n{headers}\r\n"
        writer.write(head.encode() + body)

    return play


def raw(content: bytes) -> Play:
    async def play(writer: asyncio.StreamWriter) -> None:
        writer.write(content)
        await writer.drain()
        writer.close()

    return play


def reset(content: bytes = b"") -> Play:
    async def play(writer: asyncio.StreamWriter) -> None:
        if content:
            writer.write(content)
            await writer.drain()
            await asyncio.sleep(0.05)
        # With no time to linger, closing sends RST instead of FIN.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return play


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)


async def flood(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b" " * 65_536)
            await writer.drain()


OK = answer("200 OK", b'{"message_id": "SM-7f"}')


class Receiver:
    """Answers request after request as it is told; the last way of answering stays."""

    def __init__(self, *plays: Play) -> None:
        self.plays = list(plays)
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                raw_headers = dict(line.split(": ", 1) for line in head[1:] if line)
                body = await reader.readexactly(int(headers["content-length"]))
                self.requests.append((head[0], {name.lower(): value for name, value in raw_headers.items()}, body))
                play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
                await play(writer)
        writer.close()

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.requests]


@contextlib.asynccontextmanager
async def receiving(*plays: Play) -> AsyncIterator[tuple[Receiver, WebhookProvider]]:
    receiver = Receiver(*plays)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{receiver.port}/messages?tenant=7"
    provider = WebhookProvider(url, secret=SECRET, try_seconds_max=0.4, retry_pause_seconds=0.01)
    before = asyncio.all_tasks()
    try:
        yield receiver, provider
    finally:
        await provider.close()
        server.close()
        for task in asyncio.all_tasks() - before:
            task.cancel()
        await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)


async def outcome(provider: WebhookProvider, message: Message) -> str:
    """The message id it was accepted under, or why it was not."""
    try:
        return (await provider.send(message)).message_id
    except ProviderFailed as failed:
        return failed.reason


def sent(message: Message, *plays: Play) -> tuple[str, list[str]]:
    """What came of a message, and the ids under which the receiver saw it."""

    async def act() -> tuple[str, list[str]]:
        async with receiving(*plays) as (receiver, provider):
            return await outcome(provider, message), receiver.ids

    return asyncio.run(act())


def test_a_message_is_one_signed_json_post(message) -> None:
    async def act() -> tuple[Accepted, list[tuple[str, dict[str, str], bytes]], int]:
        async with receiving(OK) as (receiver, provider):
            return await provider.send(one), receiver.requests, receiver.port

    one = message()
    accepted, requests, port = asyncio.run(act())
    assert accepted == Accepted("SM-7f")
    [(line, headers, body)] = requests
    timestamp, signature = headers.pop("webhook-timestamp"), headers.pop("webhook-signature")
    assert line == "POST /messages?tenant=7 HTTP/1.1"
    assert json.loads(body) == {"to": one.to, "text": one.text, "message_id": one.message_id}
    assert headers == {
        "host": f"127.0.0.1:{port}",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "doneotp",
        "webhook-id": one.message_id,
    }
    assert abs(time.time() - int(timestamp)) < 300
    # Standard Webhooks 1.0, as a receiver's library does it: the secret is the base64 after whsec_.
    key = base64.b64decode(spell_secret(SECRET).removeprefix("whsec_"))
    signed = hmac.new(key, f"{one.message_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    assert signature == "v1," + base64.b64encode(signed).decode()


def test_the_signature_of_the_published_example_is_the_published_one() -> None:
    secret = read_secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(
        secret, message_id="msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp=1614265330, body=b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_is_read_as_it_is_spelt_and_any_other_text_is_itself() -> None:
    assert [read_secret(spell_secret(SECRET)), read_secret("thirty-two characters of nothing")] == [
        SECRET,
        b"thirty-two characters of nothing",
    ]
    with pytest.raises(ValueError, match="must be base64"):
        read_secret("whsec_not base64")


def test_messages_share_connections_and_every_one_is_posted_once(message) -> None:
    async def act() -> tuple[set[str], int, list[str]]:
        async with receiving(OK) as (receiver, provider):
            first = {await outcome(provider, message()) for _ in range(3)}
            connections = receiver.connections
            many = await asyncio.gather(*(outcome(provider, message()) for _ in range(40)))
            return first | set(many), connections, sorted(receiver.ids)

    assert asyncio.run(act()) == ({"SM-7f"}, 1, [f"msg_{number:024x}" for number in range(1, 44)])


@pytest.mark.parametrize(
    "first",
    [
        answer("500 Oh"),
        answer("503 Later", headers="retry-after: 3600\r\n"),
        answer("429 Slow down"),
        hang,
        reset(),
        raw(b""),
        reset(b"HTTP/1.1 200"),
    ],
    ids=["500", "503", "429", "hang", "reset", "closed", "reset in the head"],
)
def test_what_may_pass_is_tried_once_more_under_the_same_id(message, first: Play) -> None:
    one = message()
    assert sent(one, first, OK) == ("SM-7f", [one.message_id] * 2)


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer("500 Oh"), "http_5xx"),
        (answer("429 Slow down"), "http_429"),
        (hang, "timeout"),
        (reset(), "connection_lost"),
    ],
    ids=["500", "429", "hang", "reset"],
)
def test_what_does_not_pass_fails_after_two_tries(message, play: Play, reason: str) -> None:
    one = message()
    assert sent(one, play) == (reason, [one.message_id] * 2)


@pytest.mark.parametrize(
    ("play", "reason"),
    [
        (answer("400 No"), "http_4xx"),
        (answer("401 Who"), "http_4xx"),
        (answer("404 Where"), "http_4xx"),
        (answer("302 Over there", headers="location: /messages\r\n"), "redirected"),
        (answer("307 Over there", headers="location: http://127.0.0.1:1/\r\n"), "redirected"),
        (answer("304 As before"), "redirected"),
        (raw(b"220 mail.example.com ESMTP\r\n"), "invalid_answer"),
        (answer("200 OK", headers="x: " + "y" * 20_000 + "\r\n"), "invalid_answer"),
        (answer("200 OK", headers="x: y\r\n" * 1_000), "invalid_answer"),
    ],
    ids=["400", "401", "404", "302", "307", "304", "no http", "long header", "many headers"],
)
def test_a_definite_refusal_is_not_repeated(message, play: Play, reason: str) -> None:
    one = message()
    assert sent(one, play) == (reason, [one.message_id])


@pytest.mark.parametrize(
    "play",
    [
        answer("204 Taken"),
        answer("202 Taken", b"thank you"),
        answer("200 OK", b"\xff\xfe\x00"),
        answer("200 OK", b"[" * 60_000),
        answer("200 OK", b'{"other": ' + b"[" * 60_000),
        answer("200 OK", b'{"message_id": 7}'),
        answer("200 OK", b'{"message_id": ""}'),
        answer("200 OK", b'{"message_id": "two words"}'),
        answer("200 OK", b'{"message_id": "' + b"x" * 65 + b'"}'),
        answer("200 OK", b'{"message_id": "SM-7f"}' + b" " * 70_000),
        answer("200 OK", b"{", length=100),
        reset(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
        drip,
        flood,
    ],
    ids=[
        "no body",
        "prose",
        "no text",
        "nested",
        "nested inside",
        "number",
        "empty",
        "spaces",
        "long",
        "long body",
        "cut",
        "reset in the body",
        "drip",
        "flood",
    ],
)
def test_once_the_receiver_said_yes_its_body_can_only_name_the_message(message, play: Play) -> None:
    one = message()
    assert sent(one, play, answer("500 must not be asked again")) == (one.message_id, [one.message_id])


@pytest.mark.parametrize(
    "leak",
    ["14155552671", "x-4155552671", "1-415-555-2671", "sms:415:555:2671", "493812", "otp-493812-1", "a4b9c3d8e1f2"],
)
def test_a_name_that_repeats_the_number_or_the_code_is_not_kept(message, leak: str) -> None:
    one = message(to="+14155552671", code="493812")
    assert sent(one, answer("200 OK", json.dumps({"message_id": leak}).encode())) == (one.message_id, [one.message_id])


@pytest.mark.parametrize("spaces", [0, 10_000_000], ids=["small", "bomb"])
def test_a_packed_answer_stays_packed(message, spaces: int) -> None:
    packed = gzip.compress(b'{"message_id": "SM-7f"}' + b" " * spaces)
    one = message()
    assert sent(one, answer("200 OK", packed, headers="content-encoding: gzip\r\n")) == (
        one.message_id,
        [one.message_id],
    )


def test_cookies_are_not_kept(message) -> None:
    async def act() -> list[str | None]:
        async with receiving(answer("200 OK", headers="set-cookie: a=b\r\n")) as (receiver, provider):
            for _ in range(2):
                await outcome(provider, message())
            return [headers.get("cookie") for _, headers, _ in receiver.requests]

    assert asyncio.run(act()) == [None, None]


def test_a_proxy_in_the_environment_is_not_used(message, monkeypatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert os.environ["http_proxy"]
    assert sent(message(), OK)[0] == "SM-7f"


def test_where_nobody_listens_the_connection_fails_and_tls_to_a_plain_server_too(message) -> None:
    async def act() -> list[str]:
        async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"no tls here\r\n")
            writer.close()

        server = await asyncio.start_server(plain, "127.0.0.1", 0)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            urls = [
                f"http://127.0.0.1:{free.getsockname()[1]}/",
                f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/",
            ]
            reasons = []
            for url in urls:
                provider = WebhookProvider(url, secret=SECRET, retry_pause_seconds=0)
                reasons.append(await outcome(provider, message()))
                await provider.close()
        server.close()
        return reasons

    assert asyncio.run(act()) == ["connect_failed", "tls_failed"]


def test_after_closing_nothing_is_sent(message) -> None:
    async def act() -> tuple[str, list[str], list[str]]:
        async with receiving(hang) as (receiver, provider):
            under_way = asyncio.create_task(outcome(provider, message()))
            while not receiver.requests:  # noqa: ASYNC110 - the server is not ours to notify from
                await asyncio.sleep(0.01)
            await provider.close()
            await provider.close()
            return await under_way, [await outcome(provider, message())], receiver.ids

    assert asyncio.run(act()) == ("closed", ["closed"], ["msg_000000000000000000000001"])


def test_no_failure_says_anything_of_the_message(message) -> None:
    async def act() -> ProviderFailed:
        async with receiving(answer("400 No", b"+14155552671 493812")) as (_, provider):
            with pytest.raises(ProviderFailed) as failed:
                await provider.send(message())
            return failed.value

    failed = asyncio.run(act())
    assert (str(failed), failed.reason, failed.__cause__, failed.__context__) == ("http_4xx", "http_4xx", None, None)


@pytest.mark.parametrize(
    "url", ["http://a", "https://sms.example.com/x?y=1", "http://[::1]:8080/", "https://u:p@host/"]
)
def test_an_address_that_can_be_posted_to_is_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sms.example.com",
        "ftp://sms.example.com",
        "http://",
        "http:///x",
        "https://host:0/",
        "https://host:99999/",
        "https://host:x/",
        "https://[::1/",
        "https://ho st/",
        "https://höst/",
        "https://host/#part",
        "https://host/\r\nx: y",
        "javascript:alert(1)",
    ],
)
def test_an_address_that_cannot_be_posted_to_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="address of a webhook") as refused:
        WebhookProvider(url, secret=SECRET)
    assert str(refused.value) == (
        "The address of a webhook must be http:// or https:// with a host, in ASCII and without a fragment, "
        "such as webhook:https://sms.example.com/messages"
    )
