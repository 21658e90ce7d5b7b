"""Who may do what: secret and public keys, origins, live and test, revoked keys, suspended and empty accounts."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from uuid import uuid4

import pytest

from interfaces.http.app import CALLS
from interfaces.http.calls import Call
from tests.http.customer import VERIFICATION_ID, Customer, Side, number, refusal, wrong
from tests.support.server import Answer, Ended, run

KNOWN_SECONDS_MAX = 1.0


def operate(customer: Customer, *words: str) -> Ended:
    """The command line, in a process of its own, on the same ledger."""
    ours = {name: value for name, value in customer.server.environment.items() if name == "DONEOTP_DATABASE_URL"}
    done = run(*words, home=customer.server.home, **ours)
    assert done.status == 0, done
    return done


def soon(ask: Callable[[], Answer], *, status: int) -> Answer:
    """The first answer with that status, which must come within a second."""
    until = time.monotonic() + KNOWN_SECONDS_MAX
    while (answer := ask()).status != status:
        assert time.monotonic() < until, answer
        time.sleep(0.02)
    return answer


@pytest.mark.parametrize("call", [call for call in CALLS if call.keys == "sk"], ids=lambda call: call.path)
@pytest.mark.parametrize("side", ["live", "test"])
def test_a_public_key_may_not_do_what_belongs_on_a_server(customer: Customer, call: Call, side: str) -> None:
    path = call.path.replace("{verification_id:str}", "ver_x")
    answer = customer.live.ask(call.method, path, {}, key=customer.keys[f"pk_{side}"])
    assert refusal(answer) == (403, "key_scope_forbidden")


@pytest.mark.parametrize("side", ["live", "test"])
def test_a_public_key_sends_and_checks_what_it_names(customer: Customer, side: str) -> None:
    it, phone = getattr(customer, side), number()
    verification_id, code = it.sent(phone, key=it.public)
    unnamed = it.check(phone, code, key=it.public)
    named = it.check(phone, code, key=it.public, verification_id=verification_id)
    assert [refusal(unnamed), named.status] == [(400, "invalid_request"), 200]


def test_a_public_key_speaks_for_the_address_it_comes_from(customer: Customer) -> None:
    phone = number()
    refused = customer.test.send(phone, key=customer.test.public, client_ip="203.0.113.9")
    assert (refusal(refused), customer.test.types()) == ((400, "invalid_request"), [])


def test_a_verification_of_another_number_is_not_found(customer: Customer) -> None:
    phone, other = number(), number()
    _, code = customer.test.sent(phone)
    verification_id, _ = customer.test.sent(other)
    answers = [
        customer.test.check(phone, code, key=key, verification_id=named)
        for key in (customer.test.key, customer.test.public)
        for named in (verification_id, "ver_x", "", verification_id.replace("ver_", "VER_"))
    ]
    assert [refusal(answer) for answer in answers] == [(404, "verification_not_found")] * len(answers)
    assert customer.test.check(phone, code).status == 200


def test_a_public_key_with_origins_is_for_their_pages_alone(customer: Customer) -> None:
    _, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="pk_test", name="", origins=("https://shop.example",), by="test"
    )
    answers = {
        origin: customer.test.send(number(), key=key, headers={"Origin": origin} if origin else {})
        for origin in ("https://shop.example", "https://evil.example", "https://shop.example.evil", "null", "")
    }
    assert {origin: answer.status for origin, answer in answers.items()} == {
        "https://shop.example": 200,
        "https://evil.example": 403,
        "https://shop.example.evil": 403,
        "null": 403,
        "": 403,
    }
    assert {refusal(answer) for answer in answers.values() if answer.status != 200} == {(403, "origin_not_allowed")}


def test_the_first_public_key_may_be_used_from_everywhere(customer: Customer) -> None:
    headers = {"Origin": "https://anywhere.example"}
    assert customer.test.send(number(), key=customer.test.public, headers=headers).status == 200


def test_live_and_test_know_nothing_of_each_other(customer: Customer) -> None:
    phone = number()
    live_id, live_code = customer.live.sent(phone)
    test_id, test_code = customer.test.sent(phone)
    assert [
        refusal(customer.test.check(phone, test_code, verification_id=live_id)),
        refusal(customer.live.check(phone, live_code, verification_id=test_id)),
        refusal(customer.test.verification(live_id)),
        refusal(customer.live.verification(test_id)),
        refusal(customer.test.cancel(live_id)),
        refusal(customer.live.cancel(test_id)),
    ] == [(404, "verification_not_found")] * 6
    live_token = customer.live.check(phone, live_code).body["token"]
    test_token = customer.test.check(phone, test_code).body["token"]
    assert [refusal(customer.test.redeem(live_token)), refusal(customer.live.redeem(test_token))] == [
        (400, "invalid_token")
    ] * 2
    assert [customer.live.redeem(live_token).status, customer.test.redeem(test_token).status] == [200, 200]


def test_what_test_keys_do_costs_nothing_and_is_in_a_log_of_its_own(customer: Customer) -> None:
    customer.test.redeem(customer.test.verified(number()))
    assert customer.live.types() == []
    assert customer.live.balance() == {"available": 1_000, "debited": 0, "refunded": 0, "added": 1_000}
    assert customer.test.balance() == {"available": 0, "debited": 0, "refunded": 0, "added": 0}
    assert customer.test.types() == ["CodeRequested", "CodeSent", "Verified", "TokenRedeemed"]


def test_accounts_know_nothing_of_each_other(customer: Customer, customer_with: Callable[[int], Customer]) -> None:
    other, phone = customer_with(10), number()
    token = customer.live.verified(phone)
    verification_id = customer.live.redeem(token).body["verification_id"]
    assert [
        refusal(other.live.redeem(token)),
        refusal(other.live.verification(verification_id)),
        refusal(other.live.cancel(verification_id)),
        refusal(other.live.check(phone, "123456")),
        refusal(other.live.check(phone, "123456", verification_id=verification_id)),
    ] == [(400, "invalid_token"), *[(404, "verification_not_found")] * 4]
    assert (other.live.get("/v1/verifications").body["verifications"], other.live.types()) == ([], [])


def test_a_key_that_another_process_issues_is_good_at_once(customer: Customer) -> None:
    assert customer.live.get("/v1/balance").status == 200
    for _ in range(5):
        _, key = customer.server.books.administration.issue_key(
            customer.account_id, kind="sk_live", name="", origins=(), by="test"
        )
        assert customer.live.get("/v1/balance", key=key).status == 200


def test_a_key_that_another_process_revokes_is_refused_within_a_second(customer: Customer) -> None:
    _, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="sk_live", name="laptop", origins=(), by="test"
    )
    assert customer.live.get("/v1/balance", key=key).status == 200
    known = [event["data"] for event in customer.live.log() if event["type"] == "KeyIssued"]
    (key_id,) = [issued["issued_key_id"] for issued in known if issued.get("name") == "laptop"]
    operate(customer, "keys", "revoke", customer.account_id, key_id)
    refused = soon(lambda: customer.live.get("/v1/balance", key=key), status=401)
    assert refusal(refused) == (401, "revoked_api_key")
    assert customer.live.get("/v1/balance").status == 200


def test_a_key_that_another_process_restricts_is_for_its_pages_alone_within_a_second(customer: Customer) -> None:
    account, (shop, other) = customer.account_id, ("https://shop.example", "https://other.example")
    key_id, key = customer.server.books.administration.issue_key(
        account, kind="pk_test", name="web", origins=(), by="test"
    )

    def asked(origin: str) -> Answer:
        return customer.test.send(number(), key=key, headers={"Origin": origin})

    assert [asked(origin).status for origin in (shop, other)] == [200, 200]
    operate(customer, "keys", "restrict", account, key_id, "--origin", shop)
    assert refusal(soon(lambda: asked(other), status=403)) == (403, "origin_not_allowed")
    assert asked(shop).status == 200
    operate(customer, "keys", "restrict", account, key_id, "--name", "till", "--origin", other)
    assert refusal(soon(lambda: asked(shop), status=403)) == (403, "origin_not_allowed")
    assert asked(other).status == 200
    (again,) = operate(customer, "keys", "restrict", account, key_id, "--name", "till").stdout.splitlines()
    assert again == f"{key_id} was so already"
    assert [
        {name: event["data"].get(name) for name in ("restricted_key_id", "name", "origins")}
        for event in customer.live.log()
        if event["type"] == "KeyRestricted"
    ] == [
        {"restricted_key_id": key_id, "name": "web", "origins": [shop]},
        {"restricted_key_id": key_id, "name": "till", "origins": [other]},
    ]


def test_an_origin_that_is_none_is_refused_at_issue_and_later(customer: Customer) -> None:
    account = customer.account_id
    key_id, _ = customer.server.books.administration.issue_key(account, kind="pk_test", name="", origins=(), by="test")
    ours = {name: value for name, value in customer.server.environment.items() if name == "DONEOTP_DATABASE_URL"}
    for words in (("issue", account, "--kind", "pk_test"), ("restrict", account, key_id)):
        ended = run("keys", *words, "--origin", "javascript:1", "--json", home=customer.server.home, **ours)
        assert (ended.status, "An origin is http:// or https://" in ended.stdout + ended.stderr) == (1, True)


def test_the_last_recorded_use_of_a_key_is_its_newest_event(customer: Customer) -> None:
    customer.live.verified(number())
    customer.test.sent(number(), key=customer.test.public)

    def newest(side: Side) -> dict[str, str]:
        return {event["data"]["key_id"]: event["at"] for event in side.log() if event["data"].get("key_id")}

    expected = {
        key_id: datetime.fromisoformat(at) for key_id, at in (newest(customer.live) | newest(customer.test)).items()
    }
    listed = json.loads(operate(customer, "keys", "list", customer.account_id, "--json").stdout)
    found = {row["key_id"]: row["last_recorded_use_at"] for row in listed["keys"]}
    assert (len(expected), len(found), listed["uses_are_known"]) == (2, 4, True)
    assert {key: datetime.fromisoformat(at) for key, at in found.items() if at} == expected
    said = operate(customer, "keys", "list", customer.account_id).stdout
    assert (said.count("last recorded use 2"), said.count("no recorded use")) == (2, 2)


def test_a_suspended_account_is_refused_what_it_asks_and_may_still_read(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.live.sent(phone)
    token = customer.live.verified(number())
    repeated = [
        partial(it.send, number(), headers={"Idempotency-Key": uuid4().hex}) for it in (customer.live, customer.test)
    ]
    answers = [ask() for ask in repeated]
    before = customer.live.types()
    operate(customer, "accounts", "suspend", customer.account_id, "--reason", "unpaid")
    soon(lambda: customer.live.send(number()), status=403)
    refused = [
        customer.live.send(number()),
        customer.test.send(number()),
        customer.live.send(number(), key=customer.live.public),
        customer.live.check(phone, code),
        customer.live.check(phone, wrong(code)),
        customer.live.redeem(token),
        customer.live.cancel(verification_id),
    ]
    read = [customer.live.get(path) for path in ("/v1/balance", "/v1/events", "/v1/verifications")]
    assert [refusal(answer) for answer in refused] == [(403, "account_suspended")] * len(refused)
    assert [answer.status for answer in read] == [200] * len(read)
    assert [ask().body for ask in repeated] == [answer.body for answer in answers]
    operate(customer, "accounts", "resume", customer.account_id)
    assert soon(lambda: customer.live.check(phone, code), status=200).body["verification_id"] == verification_id
    assert [kind for kind in customer.live.types() if not kind.startswith("Account")] == [*before, "Verified"]


def test_an_account_without_credit_sends_nothing(customer_with: Callable[[int], Customer]) -> None:
    poor = customer_with(1)
    assert poor.live.send(number()).body["verification_id"] == VERIFICATION_ID
    refused = poor.live.send(number())
    assert refusal(refused) == (402, "insufficient_credit", {"available": 0, "price": 1})
    assert poor.live.types().count("CodeRequested") == 1
    assert poor.live.balance() == {"available": 0, "debited": 1, "refunded": 0, "added": 1}
    assert poor.test.send(number()).status == 200
