"""What is posted: bytes that are written down here, so that no later version makes others of the same fact."""

import json

from domain.codec import encode
from domain.events import TOPICS, AccountOpened, KeyIssued
from domain.webhook_body import body
from tests.support.clock import NOON
from tests.support.given import requested, verified


def posted(event, *, log="acct_a", position=7):
    return body(log, position=position, topic=TOPICS[type(event)], stored=encode(event))


def test_a_verified_number_is_these_bytes():
    assert posted(verified()) == (
        b'{"type":"verification.verified","timestamp":"2026-11-01T12:00:10Z","data":{"account_id":"acct_a","mode":"live",'
        b'"position":7,"verification_id":"ver_1","phone":"+1415****2671","token_id":"tok_1",'
        b'"token_expires_at":"2026-11-01T12:10:10Z"}}'
    )


def test_what_a_code_or_a_key_is_made_or_known_by_is_not_posted():
    key = KeyIssued(at=NOON, issued_key_id="key_1", kind="sk_live", hash="c" * 64)
    asked = json.loads(posted(requested()))["data"]
    assert requested().seed
    assert {"seed", "idempotency", "hash", "at"} & {*asked, *json.loads(posted(key))["data"]} == set()
    assert asked["country"] == "US"


def test_a_test_log_says_so_and_nothing_of_a_place_is_overwritten_by_another_value():
    opened = AccountOpened(at=NOON, account_id="acct_a", name="Acme", mode="test")
    assert json.loads(posted(opened, log="acct_a-test", position=1)) == {
        "type": "account.opened",
        "timestamp": "2026-11-01T12:00:00Z",
        "data": {"account_id": "acct_a", "mode": "test", "position": 1, "name": "Acme"},
    }
