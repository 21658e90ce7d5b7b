"""Webhooks of a running server: what a customer's receiver gets of what happens, and what it can verify by itself."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import WebhookVerificationError

from interfaces.webhooks import reads, signing
from tests.races.scenes import sent_code
from tests.support.customer_hook import hooked
from tests.support.server import Server, run, wait_for

NUMBER = "+14155550111"


def flow(server: Server, key: str, number: str = NUMBER) -> None:
    code = sent_code(server, key, number)
    assert server.post("/v1/verify/check", {"phone_number": number, "code": code}, key=key).status == 200


def test_what_happens_to_a_verification_arrives_in_order_signed_and_masked(server):
    account = server.open_account()
    with hooked() as hook:
        endpoint = server.books.webhooks.add(account.account_id, url=hook.url, types=("verification.*",), by="test")
        flow(server, account.keys["sk_live"])
        wait_for(lambda: len(hook.got) >= 3)
        log = server.get("/v1/events", key=account.keys["sk_live"]).body["events"]
        facts = [event for event in log if event["type"] in ("CodeRequested", "CodeSent", "Verified")]
        (signer,) = signing.spelled(server.books.webhooks.signers(account.account_id, endpoint, now=endpoint.added_at))
        documents = [got.verified_with(signer["secret"]) for got in hook.got]
    assert [got.id for got in hook.got] == [event["event_id"] for event in facts]
    assert [document["type"] for document in documents] == [
        "verification.code_requested",
        "verification.code_sent",
        "verification.verified",
    ]
    verified = facts[2]
    assert documents[2] == {
        "type": "verification.verified",
        "timestamp": verified["at"],
        "data": {
            "account_id": account.account_id,
            "mode": "live",
            "position": verified["position"],
            **{name: value for name, value in verified["data"].items() if name not in ("at", "idempotency")},
        },
    }
    assert not any(NUMBER.encode() in got.body for got in hook.got)
    with pytest.raises(WebhookVerificationError):
        hook.got[0]._replace(body=hook.got[0].body + b" ").verified_with(signer["secret"])


def test_the_ed25519_signature_needs_the_public_key_only(server):
    account = server.open_account()
    with hooked() as hook:
        endpoint = server.books.webhooks.add(account.account_id, url=hook.url, types=("account.*",), by="test")
        wait_for(lambda: hook.got)
    (got,) = hook.got
    assert got.document["type"] == "account.webhook_endpoint_added"
    signers = server.books.webhooks.signers(account.account_id, endpoint, now=endpoint.added_at)
    raw = base64.b64decode(signing.spell_public(signers.keys[0]).removeprefix("whpk_"))
    signature = next(part for part in got.headers["webhook-signature"].split() if part.startswith("v1a,"))
    signed = f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    Ed25519PublicKey.from_public_bytes(raw).verify(base64.b64decode(signature.removeprefix("v1a,")), signed)


def test_both_secrets_verify_while_one_is_rotated_out_and_then_the_new_one_alone(server):
    account = server.open_account()
    office = server.books.webhooks
    with hooked() as hook:
        endpoint = office.add(account.account_id, url=hook.url, types=("account.credit_added",), by="test")
        old = signing.spelled(office.signers(account.account_id, endpoint, now=endpoint.added_at))[0]["secret"]
        say = {"endpoint_id": endpoint.id, "by": "test"}
        rotated = office.rotate(account.account_id, overlap=timedelta(hours=1), **say)
        new = signing.spelled(office.signers(account.account_id, rotated, now=endpoint.added_at))[0]["secret"]
        server.books.administration.add_credit(account.account_id, credits=1, reference="one", by="test")
        wait_for(lambda: len(hook.got) == 1)
        assert hook.got[0].verified_with(old) == hook.got[0].verified_with(new)
        office.rotate(account.account_id, overlap=timedelta(0), **say)
        server.books.administration.add_credit(account.account_id, credits=1, reference="two", by="test")
        wait_for(lambda: len(hook.got) == 2)
    for secret in (old, new):
        with pytest.raises(WebhookVerificationError):
            hook.got[1].verified_with(secret)


def test_a_past_event_is_delivered_again_byte_for_byte(server):
    account = server.open_account()
    with hooked() as hook:
        server.books.webhooks.add(account.account_id, url=hook.url, types=("verification.verified",), by="test")
        flow(server, account.keys["sk_live"])
        wait_for(lambda: len(hook.got) == 1)
        execute = server.books.recorder.execute
        wait_for(lambda: reads.deliveries(execute, account.account_id)[0].status == "delivered")
        database = server.environment["DONEOTP_DATABASE_URL"]
        done = run("webhooks", "replay", hook.got[0].id, home=server.home, DONEOTP_DATABASE_URL=database)
        assert (done.status, done.stdout) == (0, "1 deliveries are waiting again\n"), done
        wait_for(lambda: len(hook.got) == 2)
        first, again = hook.got
        assert (again.id, again.body) == (first.id, first.body)
        wait_for(lambda: len(reads.deliveries(execute, account.account_id)[0].attempts) == 2)


def test_a_test_log_has_endpoints_of_its_own(server):
    account = server.open_account()
    with hooked() as live, hooked() as test:
        server.books.webhooks.add(account.account_id, url=live.url, types=("verification.*",), by="test")
        server.books.webhooks.add(account.account_id + "-test", url=test.url, types=("verification.*",), by="test")
        flow(server, account.keys["sk_test"])
        wait_for(lambda: len(test.got) >= 3)
    assert (live.got, {got.document["data"]["mode"] for got in test.got}) == ([], {"test"})
