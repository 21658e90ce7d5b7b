"""Two carriers through the whole server: failover, receipts that are signed, early, twice or forged, and what is paid back."""

import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from interfaces.sms import twilio
from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once
from tests.support.carrier import Carrier, carrying
from tests.support.server import Answer, Server, wait_for
from tests.support.sweeping import sweep

NUMBER = "+14155552671"
PUBLIC = "https://otp.example"
SID = "SM" + "0123456789abcdef" * 2
CREATED = (201, b'{"sid": "%s", "num_segments": "1"}' % SID.encode())
TAKEN = (200, b'{"messages": [{"status": "0", "message-id": "0A01", "message-price": "0.0333"}]}')


@pytest.fixture
def carriers() -> Iterator[tuple[Carrier, Carrier]]:
    with carrying(CREATED) as first, carrying(TAKEN) as second:
        yield first, second


@pytest.fixture
def started(serve: Callable[..., Server], carriers: tuple[Carrier, Carrier]) -> tuple[Server, str]:
    first, second = carriers
    server = serve(
        DONEOTP_SMS="twilio,vonage",
        DONEOTP_PUBLIC_URL=PUBLIC,
        DONEOTP_TWILIO_ACCOUNT_SID="AC" + "0" * 32,
        DONEOTP_TWILIO_AUTH_TOKEN="token",
        DONEOTP_TWILIO_FROM="+15005550006",
        DONEOTP_TWILIO_URL=first.url,
        DONEOTP_VONAGE_API_KEY="key",
        DONEOTP_VONAGE_API_SECRET="secret",
        DONEOTP_VONAGE_FROM="Acme",
        DONEOTP_VONAGE_URL=second.url,
    )
    return server, server.open_account(20).keys["sk_live"]


def send(server: Server, key: str) -> None:
    assert server.post("/v1/verify/send", {"phone_number": NUMBER}, key=key).status == 200


def types_of(server: Server, key: str) -> list[str]:
    events = log_of(server, key)
    assert_sound(events)
    kept = ("AccountOpened", "KeyIssued", "CreditAdded", "CodeRequested", "CreditDebited")
    return [event["type"] for event in events if event["type"] not in kept]


def until(server: Server, key: str, *expected: str) -> None:
    wait_for(lambda: types_of(server, key) == list(expected))


def callback_of(carrier: Carrier) -> str:
    return dict(parse_qsl(carrier.asked[-1].body.decode()))["StatusCallback"]


def report(server: Server, address: str, status: str, *, token: str = "token", sid: str = SID) -> Answer:
    fields = [("MessageSid", sid), ("MessageStatus", status), ("To", NUMBER)]
    parts = urlsplit(address)
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-twilio-signature": twilio.signature(token, address, fields),
    }
    return server.post(f"{parts.path}?{parts.query}", urlencode(fields).encode(), headers=headers)


def test_a_message_is_taken_by_the_first_and_reported_delivered(started, carriers):
    server, key = started
    send(server, key)
    until(server, key, "CodeSent")
    address = callback_of(carriers[0])
    assert address.startswith(f"{PUBLIC}/v1/receipts/twilio?r=acct_")
    for status in ("queued", "sent", "delivered", "delivered", "undelivered"):
        assert report(server, address, status).status == 200
    until(server, key, "CodeSent", "DeliveryReported")
    assert (carriers[1].asked, server.get("/v1/balance", key=key).body["available"]) == ([], 19)


def test_an_undelivered_message_is_paid_back_once_however_many_say_so(started, carriers):
    server, key = started
    send(server, key)
    until(server, key, "CodeSent")
    address = callback_of(carriers[0])
    answers = at_once([lambda: report(server, address, "undelivered")] * 12)
    assert {answer.status for answer in answers} == {200}
    until(server, key, "CodeSent", "DeliveryReported", "CreditRefunded")
    assert server.get("/v1/balance", key=key).body["available"] == 20


@pytest.mark.parametrize("way", [(429, b""), (401, b""), (503, b""), (500, b"")])
def test_what_the_first_does_not_take_the_second_gets_with_the_same_code(started, carriers, way):
    server, key = started
    carriers[0].answers = [way]
    send(server, key)
    until(server, key, "CodeSent")
    first, second = (carrier.asked for carrier in carriers)
    assert (len(first), len(second)) == (1, 1)
    assert dict(parse_qsl(first[0].body.decode()))["Body"] == json.loads(second[0].body)["text"]
    data = next(event["data"] for event in log_of(server, key) if event["type"] == "CodeSent")
    reason = {429: "http_429", 401: "http_4xx"}.get(way[0], "http_5xx")
    assert (data["provider"], data["message_id"], data["tried"], data["cost_micros"], data["cost_currency"]) == (
        "vonage",
        "0A01",
        [f"twilio:{reason}"],
        33_300,
        "EUR",
    )


def test_a_receipt_says_that_a_silent_carrier_had_taken_the_message(started, carriers):
    server, key = started
    carriers[0].answers, carriers[1].answers = [(500, b"")], [(429, b"")]
    send(server, key)
    until(server, key, "SendUnconfirmed")
    assert server.get("/v1/balance", key=key).body["available"] == 19
    assert report(server, callback_of(carriers[0]), "delivered").status == 200
    until(server, key, "SendUnconfirmed", "CodeSent", "DeliveryReported")
    assert sweep(server.books) == 0


def test_without_a_receipt_what_nobody_confirmed_is_paid_back_once(started, carriers):
    server, key = started
    carriers[0].answers, carriers[1].answers = [(500, b"")], [(500, b"")]
    send(server, key)
    until(server, key, "SendUnconfirmed")
    assert [len(carrier.asked) for carrier in carriers] == [1, 1]
    assert (sweep(server.books, sweepers=4), sweep(server.books)) == (1, 0)
    until(server, key, "SendUnconfirmed", "SendFailed", "CreditRefunded")
    assert report(server, callback_of(carriers[0]), "undelivered").status == 200
    until(server, key, "SendUnconfirmed", "SendFailed", "CreditRefunded")


def test_a_report_that_its_carrier_did_not_sign_changes_nothing(started, carriers):
    server, key = started
    send(server, key)
    until(server, key, "CodeSent")
    address = callback_of(carriers[0])
    told = [
        report(server, address, "undelivered", token="guess").status,
        report(server, f"{PUBLIC}/v1/receipts/twilio?r=acct_a.b.1.c", "undelivered").status,
        server.post("/v1/receipts/vonage", {"status": "failed"}).status,
        server.post("/v1/receipts/sinch", {}).status,
        server.post("/v1/receipts/twilio", b"\xff" * 100).status,
    ]
    assert told == [401, 200, 401, 404, 400]
    assert types_of(server, key) == ["CodeSent"]
