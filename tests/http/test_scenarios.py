"""The numbers that fix an outcome for test keys: the published table is what happens."""

import time
from typing import Any

import pytest

from application.scenarios import SCENARIOS, Scenario
from tests.http.customer import Customer, refusal
from tests.http.test_problems import CONTRACT

ENDS = {
    "delivered": ["CodeRequested", "CodeSent", "DeliveryReported"],
    "slow": ["CodeRequested", "CodeSent"],
    "undelivered": ["CodeRequested", "CodeSent", "DeliveryReported"],
    "provider_down": ["CodeRequested", "SendFailed"],
    "duplicate_receipts": ["CodeRequested", "CodeSent", "DeliveryReported"],
    "contradicting_receipts": ["CodeRequested", "CodeSent", "DeliveryReported"],
    "number_refused": ["CodeRequested", "SendFailed"],
}
REPORTED = {"duplicate_receipts": "delivered", "contradicting_receipts": "undelivered"}
IN_INBOX = {"delivered", "slow", "duplicate_receipts", "contradicting_receipts"}


def until(customer: Customer, types: list[str]) -> list[dict[str, Any]]:
    """The log's last events, once they are of these types."""
    end = time.monotonic() + 10
    while customer.test.types() != types:
        assert time.monotonic() < end, customer.test.types()
        time.sleep(0.05)
    return customer.test.log()[-len(types) :]


def test_anyone_may_read_the_table(customer: Customer) -> None:
    answer = customer.test.get("/v1/test/scenarios", key="")
    assert answer.body == {
        "scenarios": [
            {"number": one.number, "outcome": one.outcome, "code": one.code, "meaning": one.meaning}
            for one in SCENARIOS
        ]
    }


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.code], ids=lambda one: one.outcome)
def test_a_refused_number_is_refused_with_test_keys(customer: Customer, scenario: Scenario) -> None:
    answer = customer.test.send(scenario.number)
    status = next(status for status, codes in CONTRACT.items() if scenario.code in codes.split())
    assert refusal(answer)[:2] == (status, scenario.code)
    assert customer.test.types() == []


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if not one.code], ids=lambda one: one.outcome)
def test_a_number_that_is_sent_to_ends_as_it_says(customer: Customer, scenario: Scenario) -> None:
    begun = time.monotonic()
    sent = customer.test.send(scenario.number)
    assert (sent.status, time.monotonic() - begun < 2) == (200, True)
    events = until(customer, ENDS[scenario.outcome])
    assert [event["data"].get("outcome", "") for event in events][-1] == (
        REPORTED.get(scenario.outcome, scenario.outcome) if events[-1]["type"] == "DeliveryReported" else ""
    )
    found = customer.server.get(f"/inbox/latest?to=%2B{scenario.number[1:]}")
    in_inbox = found.status == 200 and found.body["verification_id"] == sent.body["verification_id"]
    assert in_inbox == (scenario.outcome in IN_INBOX)
    if in_inbox:
        assert customer.test.check(scenario.number, found.body["code"]).status == 200


def test_a_live_key_knows_no_scenarios(customer: Customer) -> None:
    refused = next(one.number for one in SCENARIOS if one.code)
    answer = customer.live.send(refused)
    assert answer.status == 200
