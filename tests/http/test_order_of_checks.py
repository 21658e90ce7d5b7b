"""The order in which send looks at a request: of two things that are wrong, the one that is looked at first is answered.

key, key scope and origin, idempotent replay, body, lock and cooldown, credit. And nothing refused leaves a trace.
"""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.http.customer import Customer, number, refusal, wrong
from tests.http.test_keys import soon


def public_key(customer: Customer) -> tuple[str, str]:
    """A public key for one origin, and its id."""
    key_id, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="pk_live", name="", origins=("https://shop.example",), by="test"
    )
    return key_id, key


AT_HOME = {"Origin": "https://shop.example"}
ABROAD = {"Origin": "https://evil.example"}


def test_the_key_comes_before_its_origin(customer: Customer) -> None:
    key_id, key = public_key(customer)
    assert refusal(customer.live.send(number(), key=key, headers=ABROAD)) == (403, "origin_not_allowed")
    customer.server.books.administration.revoke_key(customer.account_id, key_id=key_id, by="test")
    refused = soon(lambda: customer.live.send(number(), key=key, headers=ABROAD), status=401)
    assert refusal(refused) == (401, "revoked_api_key")


def test_the_origin_comes_before_the_replay(customer: Customer) -> None:
    _, key = public_key(customer)
    phone, name = number(), {"Idempotency-Key": uuid4().hex}
    first = customer.live.send(phone, key=key, headers=AT_HOME | name)
    abroad = customer.live.send(phone, key=key, headers=ABROAD | name)
    assert [first.status, refusal(abroad)] == [200, (403, "origin_not_allowed")]
    assert customer.live.send(phone, key=key, headers=AT_HOME | name).text == first.text


@pytest.mark.parametrize(
    "body", [b"{", b"{}", b'{"phone_number":"nonsense"}', b'{"phone_number":"+14155552671","locale":"!"}'], ids=repr
)
def test_the_replay_comes_before_the_body(customer: Customer, body: bytes) -> None:
    name = {"Idempotency-Key": uuid4().hex}
    assert customer.live.send(number(), headers=name).status == 200
    refused = customer.live.ask("POST", "/v1/verify/send", body, headers=name)
    assert refusal(refused) == (422, "idempotency_key_reused")


def test_the_body_comes_before_the_cooldown(customer: Customer) -> None:
    phone = number()
    customer.live.sent(phone)
    refused = [customer.live.send(phone, locale="!"), customer.live.send(phone)]
    assert [refusal(answer) for answer in refused] == [(400, "invalid_request"), (429, "resend_cooldown")]


def test_the_body_comes_before_the_lock(customer: Customer) -> None:
    phone = locked(customer)
    refused = [customer.live.send(phone, client_ip="nowhere"), customer.live.send(phone)]
    assert [refusal(answer) for answer in refused] == [(400, "invalid_request"), (429, "number_locked")]


def test_the_lock_comes_before_the_cooldown(customer: Customer) -> None:
    """The number that is locked here had a message a moment ago."""
    assert refusal(customer.live.send(locked(customer))) == (429, "number_locked")


def test_lock_and_cooldown_come_before_credit(customer_with: Callable[[int], Customer]) -> None:
    poor = customer_with(2)
    cooling, shut = number(), locked(poor)
    poor.live.sent(cooling)
    refused = [poor.live.send(phone) for phone in (cooling, shut, number())]
    assert [refusal(answer)[:2] for answer in refused] == [
        (429, "resend_cooldown"),
        (429, "number_locked"),
        (402, "insufficient_credit"),
    ]
    assert poor.live.balance() == {"available": 0, "debited": 2, "refunded": 0, "added": 2}


def locked(customer: Customer) -> str:
    """A number of which one wrong code is enough, as the account wishes."""
    customer.server.books.administration.change_policy(
        customer.account_id, changes={"failures_per_number_max": 1}, by="test"
    )
    phone = number()
    _, code = customer.live.sent(phone)
    customer.live.check(phone, wrong(code))
    soon(lambda: customer.live.send(phone), status=429)
    return phone
