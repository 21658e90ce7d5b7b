"""The fraud guard from outside: what it refuses, whom it tells why, and what its commands say of it."""

import json
from itertools import count
from typing import Any

import pytest

from interfaces.guard.pow import solve
from interfaces.http import widget
from tests.http.customer import Customer, refusal
from tests.http.test_keys import soon
from tests.support.server import Ended, run

HELD = 187
"""Messages to one prefix that may be on their way unverified: two and a half times guard_prefix_unverified_max."""


def number(index: int) -> str:
    """Numbers of one prefix."""
    return f"+1415555{index:04}"


@pytest.fixture
def attacked(customer: Customer) -> Customer:
    """An account whose live key was used to send to a whole prefix, up to the limit."""
    assert {customer.live.send(number(index)).status for index in range(HELD)} == {200}
    return customer


def ran(customer: Customer, *words: str) -> Ended:
    server = customer.server
    more = {name: server.environment[name] for name in server.environment if name == "DONEOTP_DATABASE_URL"}
    return run(*words, "--json", home=server.home, **more)


def command(customer: Customer, *words: str) -> Any:
    """What a command answers as JSON."""
    done = ran(customer, *words)
    assert (done.status, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_an_attack_on_a_prefix_is_refused_and_neither_debited_nor_recorded(attacked: Customer) -> None:
    before = len(attacked.live.settled())
    refused = attacked.live.send(number(HELD))
    assert refusal(refused)[:2] == (403, "destination_blocked")
    assert (attacked.live.balance()["debited"], len(attacked.live.log())) == (HELD, before)


def test_a_secret_key_is_told_why_and_a_public_key_nothing(attacked: Customer) -> None:
    told = {"scope", "of", "window_seconds", "unverified", "young", "verified", "limit", "held_limit"}
    common = {"type", "title", "status", "detail", "code", "request_id"}
    secret = attacked.live.send(number(HELD)).body
    assert set(secret) == common | told
    assert (secret["scope"], secret["of"], secret["unverified"], secret["held_limit"]) == (
        *("prefix", "+1415****", HELD, HELD),
    )
    public = attacked.live.send(number(HELD), key=attacked.live.public).body
    assert (set(public), public["code"]) == (common, "destination_blocked")


def test_another_prefix_and_another_account_are_open(attacked: Customer, customer_with: Any) -> None:
    assert attacked.live.send("+14155562671").status == 200
    assert customer_with(10).live.send(number(HELD)).status == 200


def test_a_number_that_was_verified_once_gets_its_code_all_the_same(customer: Customer) -> None:
    customer.live.verified(number(5_000))
    sent = [customer.live.send(number(index)).status for index in range(HELD + 5)]
    assert sent.count(403) > 0
    assert customer.live.send(number(5_000)).status == 200


def test_verifying_what_was_sent_opens_what_was_held(attacked: Customer) -> None:
    for index in range(60):
        code = attacked.server.code_for(number(index))
        assert attacked.live.check(number(index), code).status == 200
    assert attacked.live.send(number(HELD)).status == 200


def test_an_account_may_let_the_guard_count_only(attacked: Customer) -> None:
    attacked.server.books.administration.change_policy(attacked.account_id, changes={"guard": 1}, by="test")
    soon(lambda: attacked.live.send(number(HELD)), status=200)
    metrics = attacked.server.get("/metrics").text
    figures = dict(line.split(" ") for line in metrics.splitlines() if line.startswith("doneotp_guard"))
    assert float(figures["doneotp_guard_blocked_total"]) > 0
    assert set(figures) == {
        "doneotp_guard_things",
        "doneotp_guard_trips_total",
        "doneotp_guard_blocked_total",
        "doneotp_guard_challenged_total",
    }


def test_the_commands_show_what_is_held_and_what_other_thresholds_would_have_done(attacked: Customer) -> None:
    shown = command(attacked, "guard", "show", attacked.account_id)
    held = next(scope for scope in shown["scopes"] if scope["scope"] == "prefix")
    assert (shown["guard"], held["of"], held["stage"], held["bad"], held["until"]) == (
        *("on", "+1415****", "block", HELD, None),
    )
    stricter = "guard_prefix_unverified_max=10"
    simulated = command(attacked, "guard", "simulate", attacked.account_id, stricter)
    assert {name: simulated[name] for name in ("messages", "stopped", "credits_saved", "users", "users_lost")} == {
        "messages": HELD,
        "stopped": HELD - 25,
        "credits_saved": HELD - 25,
        "users": 0,
        "users_lost": 0,
    }
    nothing = command(attacked, "guard", "simulate", attacked.account_id, "--to", "2020-01-01T00:00:00Z")
    assert nothing["messages"] == 0
    empty = command(attacked, "guard", "show", attacked.account_id, "--test")
    assert empty["scopes"] == []


@pytest.mark.parametrize(
    "words", [("guard_prefix_unverified_max=many",), ("colour=1",), ("--from", "yesterday")], ids=str
)
def test_what_cannot_be_simulated_is_refused_in_words(customer: Customer, words: tuple[str, ...]) -> None:
    done = ran(customer, "guard", "simulate", customer.account_id, *words)
    assert (done.status, json.loads(done.stdout)["error"]["code"]) == (1, "invalid_request")


@pytest.fixture
def suspicious(customer: Customer) -> Customer:
    """An account of which a prefix is at the point where public keys are asked for a challenge."""
    assert {customer.live.send(number(index)).status for index in range(HELD // 2 + 1)} == {200}
    return customer


def test_a_public_key_solves_a_challenge_and_gets_its_message(suspicious: Customer) -> None:
    live = suspicious.live
    refused = live.send(number(500), key=live.public)
    assert refusal(refused)[:2] == (403, "challenge_required")
    challenge = refused.body["challenge"]
    assert (challenge["kind"], challenge["bits"], challenge["script"]) == ("pow", 16, widget.CHALLENGE_ADDRESS)
    assert live.server.get(challenge["script"]).status == 200
    response = solve(challenge["token"], challenge["bits"])
    elsewhere = live.send(number(501), key=live.public, challenge_response=response)
    assert refusal(elsewhere)[1] == "challenge_required"
    assert live.send(number(500), key=live.public, challenge_response=response).status == 200
    assert live.server.code_for(number(500))


def test_a_secret_key_is_not_asked_unless_the_account_wants_it(suspicious: Customer) -> None:
    assert suspicious.live.send(number(500)).status == 200
    suspicious.server.books.administration.change_policy(
        suspicious.account_id, changes={"guard_challenge_secret_keys": 1}, by="test"
    )
    others = count(501)
    refused = soon(lambda: suspicious.live.send(number(next(others))), status=403)
    assert refusal(refused)[1] == "destination_blocked"


def test_an_answer_to_a_challenge_counts_for_public_keys_and_is_short(customer: Customer) -> None:
    ignored = customer.live.send(number(1), challenge_response="x")
    long = customer.live.send(number(2), key=customer.live.public, challenge_response="x" * 4_097)
    needless = customer.live.send(number(2), key=customer.live.public, challenge_response="x")
    assert [ignored.status, refusal(long)[1], needless.status] == [200, "invalid_request", 200]
