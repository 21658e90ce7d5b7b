"""Twilio: what is posted, what its answers mean, and which callbacks are its own.

The last test is judged by Twilio's published description of its API, served by Prism: it needs `prism` (npm
`@stoplight/prism-cli`) and that description, and is skipped where JUDGE_PRISM and JUDGE_TWILIO_OPENAPI name neither.
"""

import asyncio
import base64
import os
import subprocess
import time
from http.client import HTTPConnection
from urllib.parse import parse_qsl

import pytest

from application.ports import Accepted, ProviderFailed
from interfaces.sms.line import Line
from interfaces.sms.twilio import TwilioProvider, is_signed, receipt, signature
from tests.support.carrier import carrying

ACCOUNT = "AC" + "0" * 32
SID = "SM" + "0123456789abcdef" * 2
CREATED = b'{"sid": "%s", "num_segments": "2", "status": "queued", "price": null}' % SID.encode()


def provider(url: str, *, sender: str = "+15005550006", callback: str = "") -> TwilioProvider:
    return TwilioProvider(
        account_sid=ACCOUNT,
        auth_token="token",
        sender=sender,
        callback=lambda message: callback,
        url=url,
        line=Line(seconds_max=0.5),
    )


def outcome(made: TwilioProvider, one) -> Accepted | tuple[str, str]:
    async def act() -> Accepted | tuple[str, str]:
        try:
            return await made.send(one)
        except ProviderFailed as failed:
            return failed.reason, failed.kind
        finally:
            await made.close()

    return asyncio.run(act())


def test_a_message_is_one_form_with_the_accounts_credentials(message) -> None:
    one = message()
    with carrying((201, CREATED)) as carrier:
        callback = "https://otp.example/v1/receipts/twilio?r=x.y"
        assert outcome(provider(carrier.url, callback=callback), one) == Accepted(SID, 2)
    (asked,) = carrier.asked
    assert asked.path == f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert asked.headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:token".encode()).decode()
    assert dict(parse_qsl(asked.body.decode())) == {
        "To": one.to,
        "From": "+15005550006",
        "Body": one.text,
        "StatusCallback": callback,
    }


def test_a_messaging_service_is_named_as_one(message) -> None:
    with carrying((201, CREATED)) as carrier:
        outcome(provider(carrier.url, sender="MG" + "1" * 32), message())
    fields = dict(parse_qsl(carrier.asked[0].body.decode()))
    assert (fields["MessagingServiceSid"], "From" in fields, "StatusCallback" in fields) == (
        "MG" + "1" * 32,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("status", "body", "means"),
    [
        (400, b'{"code": 21211, "message": "The To number is not valid"}', ("invalid_number", "rejected")),
        (400, b'{"code": 20003}', ("http_4xx", "refused")),
        (401, b"", ("http_4xx", "refused")),
        (404, b"<html>", ("http_4xx", "refused")),
        (429, b'{"code": 20429}', ("http_429", "refused")),
        (500, b"", ("http_5xx", "unknown")),
        (502, b"", ("http_5xx", "unknown")),
        (503, b"", ("http_5xx", "refused")),
        (302, b"", ("redirected", "refused")),
        (0, b"", ("timeout", "unknown")),
    ],
)
def test_what_is_no_yes_is_known_by_what_it_means(message, status: int, body: bytes, means: tuple[str, str]) -> None:
    with carrying((status, body)) as carrier:
        assert outcome(provider(carrier.url), message()) == means
    assert len(carrier.asked) == 1


@pytest.mark.parametrize(
    "body", [b"", b"[" * 60_000, b"\xff", b'{"sid": 7}', b'{"sid": "+14155552671"}', CREATED[:20], b" " * 70_000]
)
def test_once_it_is_created_its_body_can_only_name_the_message(message, body: bytes) -> None:
    one = message()
    with carrying((201, body)) as carrier:
        assert outcome(provider(carrier.url), one) == Accepted(one.message_id)


def test_nobody_there_is_nothing_handed_over(message) -> None:
    with carrying((201, CREATED)) as carrier:
        url = carrier.url
    assert outcome(provider(url), message()) == ("connect_failed", "unconnected")


def test_the_signature_of_the_published_example_is_the_published_one() -> None:
    """https://www.twilio.com/docs/usage/security: the account's token is 12345."""
    fields = [
        ("CallSid", "CA1234567890ABCDE"),
        ("Caller", "+14158675309"),
        ("Digits", "1234"),
        ("From", "+14158675309"),
        ("To", "+18005551212"),
    ]
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, fields) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_signed("12345", url, fields[::-1], "RSOYDt4T1cUTdK1PDd93/VVr8B8=")
    for other in ("", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "ä"):
        assert not is_signed("12345", url, fields, other)
    assert not is_signed("12345", url, [*fields, ("To", "+1")], "RSOYDt4T1cUTdK1PDd93/VVr8B8=")


@pytest.mark.parametrize(
    ("status", "delivered"),
    [("queued", None), ("sent", None), ("delivered", True), ("undelivered", False), ("failed", False)],
)
def test_a_callback_says_what_became_of_the_message(status, delivered) -> None:
    found = receipt({"MessageSid": SID, "MessageStatus": status, "ErrorCode": "30003"}, "ref")
    assert found is not None
    assert (found.delivered, found.message_id, found.reference, found.reason) == (delivered, SID, "ref", "error_30003")


def test_a_callback_about_something_else_says_nothing() -> None:
    for fields in ({}, {"MessageSid": SID}, {"MessageSid": "+14155552671", "MessageStatus": "sent"}):
        assert receipt(fields, "ref") is None


@pytest.mark.skipif(
    not (os.environ.get("JUDGE_PRISM") and os.environ.get("JUDGE_TWILIO_OPENAPI")),
    reason="JUDGE_PRISM and JUDGE_TWILIO_OPENAPI name no prism and no description to judge by",
)
def test_the_published_description_takes_what_is_posted(message) -> None:
    command = [os.environ["JUDGE_PRISM"], "mock", "--port", "0", "--errors", os.environ["JUDGE_TWILIO_OPENAPI"]]
    port = 4_000 + os.getpid() % 1_000
    command[3] = str(port)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as prism:
        try:
            _wait_for(port)
            found = outcome(
                TwilioProvider(
                    account_sid=ACCOUNT,
                    auth_token="token",
                    sender="+15005550006",
                    callback=lambda one: "https://otp.example/v1/receipts/twilio?r=x",
                    url=f"http://127.0.0.1:{port}",
                ),
                message(),
            )
            assert isinstance(found, Accepted), found
            bad = TwilioProvider(
                account_sid="no account",
                auth_token="",
                sender="x",
                callback=lambda one: "",
                url=f"http://127.0.0.1:{port}",
            )
            assert outcome(bad, message()) == ("http_4xx", "refused"), "the judge refuses what it has to"
        finally:
            prism.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.connect()
            connection.close()
        except OSError:
            assert time.monotonic() < until, "prism does not start"
            time.sleep(0.1)
        else:
            return
