"""`verifications show` beside a running server: the story of live and of test verifications."""

import json
from typing import Any

import pytest

from tests.http.customer import Customer, mask, number, wrong
from tests.support.server import Ended, Server, run


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


def show(customer: Customer, verification_id: str, *words: str) -> Ended:
    more = {name: value for name, value in customer.server.environment.items() if name == "DONEOTP_DATABASE_URL"}
    account = customer.account_id
    return run("verifications", "show", account, verification_id, *words, home=customer.server.home, **more)


def shown(customer: Customer, verification_id: str) -> Any:
    ended = show(customer, verification_id, "--json")
    assert (ended.status, ended.stderr) == (0, "")
    return json.loads(ended.stdout)


def test_a_live_one_is_told_with_its_credits_and_the_limit_that_ended_it(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.live.sent(phone)
    customer.live.guess(phone, wrong(code), times=5)
    found = shown(customer, verification_id)
    events = customer.live.get("/v1/events?limit=1000").body["events"]
    told = [(moment["type"], moment["position"], moment["event_id"]) for moment in found["moments"]]
    assert sorted(told) == sorted(
        (event["type"], event["position"], event["event_id"])
        for event in events
        if event["data"].get("verification_id") == verification_id
    )
    assert {kind for kind, _, _ in told} == {"CodeRequested", "CreditDebited", "CodeSent", "AttemptFailed"}
    assert found["moments"][-1]["limit"] == "5 wrong codes end a verification."
    assert found["outcome"] == (
        "Failed: the codes that were tried were wrong, and no try is left. 1 message, 5 wrong codes, 1 credit."
    )
    text = show(customer, verification_id).stdout
    assert text.startswith(f"{verification_id}  {mask(phone)}  US\nFailed: ")
    assert (phone in text, code in text) == (False, False)


def test_one_of_a_test_key_is_told_by_the_clock_of_its_log(customer: Customer) -> None:
    verification_id, _ = customer.test.sent(number())
    customer.test.advance(seconds=300)
    found = shown(customer, verification_id)
    assert found["outcome"] == "Expired: nobody entered the code in time. 1 message, 0 wrong codes, 0 credits."
    assert [moment["type"] for moment in found["moments"]] == ["CodeRequested", "CodeSent", "Expired"]


def test_each_has_its_own_debit_and_no_other(customer: Customer) -> None:
    first, _ = customer.live.sent(number())
    second, _ = customer.live.sent(number())
    for of in (first, second):
        debits = [one for one in shown(customer, of)["moments"] if one["type"] == "CreditDebited"]
        assert len(debits) == 1


@pytest.mark.parametrize("verification_id", ["ver_x", "", "ver_" + "A" * 34])
def test_what_is_not_there_is_refused(customer: Customer, verification_id: str) -> None:
    ended = show(customer, verification_id, "--json")
    assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, "verification_not_found")
