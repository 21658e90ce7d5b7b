"""`explain` beside a running server: by a verification's id, and for a number on standard input."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.http.customer import Customer, mask, number
from tests.http.test_explain import RULES
from tests.http.test_lists import change
from tests.support.server import ROOT, Ended, Server


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


def explain(customer: Customer, *words: str, typed: str = "") -> Ended:
    done = subprocess.run(
        [sys.executable, "-m", "interfaces.cli", "explain", customer.account_id, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=customer.server.environment,
        input=typed,
        timeout=120,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def explained(customer: Customer, *words: str, typed: str = "") -> Any:
    ended = explain(customer, *words, "--json", typed=typed)
    assert (ended.status, ended.stderr) == (0, "")
    assert [step["rule"] for step in json.loads(ended.stdout)["rules"]] == RULES
    return json.loads(ended.stdout)


def told(found: Any) -> dict[str, str]:
    return {step["rule"]: step["code"] or step["outcome"] for step in found["rules"]}


def test_the_number_of_a_verification_is_judged_as_a_send_would_be_and_what_is_hidden_is_said_to_be_untold(
    customer: Customer,
) -> None:
    phone = number()
    verification_id, _ = customer.live.sent(phone)
    before = customer.live.settled()
    found = explained(customer, verification_id)
    turn = RULES.index("resend_cooldown")
    assert told(found) == {
        **dict.fromkeys(RULES[:turn], "passed"),
        "number_type": "untold",
        "resend_cooldown": "resend_cooldown",
        **dict.fromkeys(RULES[turn + 1 :], "not_reached"),
    }
    assert (found["outcome"], found["code"], found["phone_number"]) == ("refused", "resend_cooldown", mask(phone))
    change(customer, "block", "number", phone)
    assert explained(customer, verification_id)["code"] == "number_blocklisted"
    assert [event["type"] for event in customer.live.log()[len(before) :]] == ["ListChanged"]


def test_a_number_is_read_from_standard_input_and_never_repeated(customer: Customer) -> None:
    phone = number()
    before = customer.live.log()
    assert told(explained(customer, "--number", typed=phone + "\n")) == {
        **dict.fromkeys(RULES, "passed"),
        "rates": "untold",
    }
    text = explain(customer, "--number", typed=phone).stdout
    assert text.startswith(f"{mask(phone)}  US\nwould be sent, unless rates says otherwise")
    assert phone not in text
    assert explained(customer, "--number", typed="+19005550100")["code"] == "destination_unsupported"
    assert customer.live.log() == before


def test_one_of_a_test_key_is_judged_in_its_log_and_one_that_fixes_an_outcome_is_on_no_list(customer: Customer) -> None:
    change(customer, "block", "country", "US")
    scripted, _ = customer.test.sent("+15005550001")
    customer.test.advance(seconds=300)
    found = explained(customer, scripted)
    assert (found["log"], told(found)) == (f"{customer.account_id}-test", dict.fromkeys(RULES, "passed"))
    assert explained(customer, "--number", "--test", typed=number())["code"] == "country_not_enabled"


@pytest.mark.parametrize(
    ("words", "typed", "code"),
    [
        (("ver_x",), "", "verification_not_found"),
        (("ver_" + "A" * 34,), "", "verification_not_found"),
        ((), "", "invalid_request"),
        (("ver_x", "--number"), "", "invalid_request"),
        (("--number",), "12\n", "invalid_phone_number"),
    ],
)
def test_what_cannot_be_asked_is_refused(customer: Customer, words: tuple[str, ...], typed: str, code: str) -> None:
    ended = explain(customer, *words, "--json", typed=typed)
    assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, code)
