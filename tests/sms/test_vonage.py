"""Vonage: what is posted, what its answers mean, and which receipts are its own."""

import asyncio
import hashlib
import hmac
import json

import pytest

from application.ports import Accepted, ProviderFailed
from application.receipts import Receipt
from interfaces.sms.line import Line
from interfaces.sms.vonage import SIGNED_SECONDS_MAX, VonageProvider, is_signed, receipt, signature
from tests.support.carrier import carrying

ID = "0A0000000123ABCD1"


def answer(*parts: dict[str, str]) -> bytes:
    return json.dumps({"message-count": str(len(parts)), "messages": list(parts)}).encode()


def part(status: str = "0", **more: str) -> dict[str, str]:
    return {"to": "447700900000", "message-id": ID, "status": status, "message-price": "0.03330000"} | more


def outcome(url: str, one) -> Accepted | tuple[str, str]:
    async def act() -> Accepted | tuple[str, str]:
        provider = VonageProvider(
            api_key="key",
            api_secret="secret",
            sender="Acme",
            reference=lambda message: "acct.ver.1.seal",
            url=url,
            line=Line(seconds_max=0.5),
        )
        try:
            return await provider.send(one)
        except ProviderFailed as failed:
            return failed.reason, failed.kind
        finally:
            await provider.close()

    return asyncio.run(act())


def test_a_message_is_one_post_with_a_reference_for_its_receipt(message) -> None:
    one = message()
    with carrying((200, answer(part()))) as carrier:
        assert outcome(carrier.url, one) == Accepted(ID, 1, 33_300, "EUR")
    (asked,) = carrier.asked
    assert (asked.path, json.loads(asked.body)) == (
        "/sms/json",
        {
            "api_key": "key",
            "api_secret": "secret",
            "from": "Acme",
            "to": one.to[1:],
            "text": one.text,
            "type": "text",
            "client-ref": "acct.ver.1.seal",
        },
    )


def test_segments_and_their_prices_add_up_and_other_letters_are_named(message) -> None:
    with carrying((200, answer(part(), part(**{"message-id": "2"})))) as carrier:
        assert outcome(carrier.url, message(text="я" * 71)) == Accepted(ID, 2, 66_600, "EUR")
    assert json.loads(carrier.asked[0].body)["type"] == "unicode"


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (200, answer(part("1")), ("refused", "refused")),
        (200, answer(part("4")), ("refused", "refused")),
        (200, answer(part("9")), ("refused", "refused")),
        (200, answer(part("6")), ("invalid_number", "rejected")),
        (200, answer(part("5")), ("internal_error", "unknown")),
        (200, answer(), ("invalid_answer", "unknown")),
        (200, b"", ("invalid_answer", "unknown")),
        (200, b'{"messages": [' + b"[" * 50_000, ("invalid_answer", "unknown")),
        (200, b" " * 70_000, ("invalid_answer", "unknown")),
        (401, b"", ("http_4xx", "refused")),
        (429, b"", ("http_429", "refused")),
        (500, b"", ("http_5xx", "unknown")),
        (0, b"", ("timeout", "unknown")),
    ],
)
def test_what_is_no_yes_is_known_by_what_it_means(message, status: int, body: bytes, means: tuple[str, str]) -> None:
    with carrying((status, body)) as carrier:
        assert outcome(carrier.url, message()) == means
    assert len(carrier.asked) == 1


@pytest.mark.parametrize("price", ["", "free", "-1", "NaN", "Infinity", "1e999999", "9" * 400])
def test_what_is_no_price_is_none(message, price: str) -> None:
    with carrying((200, answer(part(**{"message-price": price})))) as carrier:
        assert outcome(carrier.url, message()) == Accepted(ID, 1)


def test_a_name_that_repeats_the_number_is_not_kept(message) -> None:
    one = message()
    with carrying((200, answer(part(**{"message-id": one.to[1:]})))) as carrier:
        assert outcome(carrier.url, one) == Accepted(one.message_id, 1, 33_300, "EUR")


def test_a_receipt_is_signed_over_all_its_fields_and_for_some_days() -> None:
    fields = {"messageId": ID, "status": "delivered", "client-ref": "a&b=c", "timestamp": "1700000000"}
    text = f"&client-ref=a_b_c&messageId={ID}&status=delivered&timestamp=1700000000"
    assert signature("s3cret", fields) == hmac.new(b"s3cret", text.encode(), hashlib.sha256).hexdigest().upper()
    signed = fields | {"sig": signature("s3cret", fields)}
    assert is_signed("s3cret", signed, now_seconds=1_700_000_001)
    assert is_signed("s3cret", signed | {"sig": signed["sig"].lower()}, now_seconds=1_700_000_001)
    for other in (signed | {"status": "failed"}, fields, fields | {"sig": "ä"}, signed | {"more": "x"}):
        assert not is_signed("s3cret", other, now_seconds=1_700_000_001)
    assert not is_signed("another", signed, now_seconds=1_700_000_001)
    assert not is_signed("s3cret", signed, now_seconds=1_700_000_001 + SIGNED_SECONDS_MAX)
    timeless = {name: value for name, value in fields.items() if name != "timestamp"}
    assert not is_signed("s3cret", timeless | {"sig": signature("s3cret", timeless)}, now_seconds=1_700_000_001)


@pytest.mark.parametrize(
    ("status", "delivered", "reason"),
    [("delivered", True, ""), ("buffered", None, ""), ("failed", False, "error_6"), ("expired", False, "error_6")],
)
def test_a_receipt_says_what_became_of_the_message(status, delivered, reason) -> None:
    fields = {"messageId": ID, "status": status, "client-ref": "ref", "err-code": "6", "msisdn": "447700900000"}
    assert receipt(fields) == Receipt("vonage", "ref", ID, delivered, reason)


def test_a_receipt_about_something_else_says_nothing() -> None:
    for fields in ({}, {"messageId": ID}, {"messageId": "+1 415", "status": "delivered"}):
        assert receipt(fields) is None
