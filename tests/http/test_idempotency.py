"""Idempotency-Key: the same key and body get the same answer and change nothing more, on every POST."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from tests.http.customer import Customer, Side, inbox, number, refusal, same, wrong
from tests.support.server import Answer

Ask = Callable[[dict[str, str]], Answer]
DAY_SECONDS = 86_400


def send(it: Side) -> Ask:
    phone = number()
    return lambda headers: it.send(phone, headers=headers)


def check_right(it: Side) -> Ask:
    phone = number()
    _, code = it.sent(phone)
    return lambda headers: it.check(phone, code, headers=headers)


def check_wrong(it: Side) -> Ask:
    phone = number()
    _, code = it.sent(phone)
    return lambda headers: it.check(phone, wrong(code), headers=headers)


def redeem(it: Side) -> Ask:
    token = it.verified(number())
    return lambda headers: it.redeem(token, headers=headers)


def cancel(it: Side) -> Ask:
    verification_id, _ = it.sent(number())
    return lambda headers: it.cancel(verification_id, headers=headers)


def advance(it: Side) -> Ask:
    return lambda headers: it.ask("POST", "/v1/test/clock/advance", {"seconds": 7}, headers=headers)


POSTS = (send, check_right, check_wrong, redeem, cancel, advance)
RECORDS: dict[Callable[[Side], Ask], str] = {
    send: "CodeRequested",
    check_right: "Verified",
    check_wrong: "AttemptFailed",
    redeem: "TokenRedeemed",
    cancel: "VerificationCancelled",
    advance: "ClockAdvanced",
}


def named() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.__name__)
def test_the_same_key_and_body_get_the_same_answer_and_change_nothing(
    customer: Customer, post: Callable[[Side], Ask]
) -> None:
    ask, headers = post(customer.test), named()
    first = ask(headers)
    before = customer.test.settled()
    again = [ask(headers) for _ in range(3)]
    assert all(same(first, answer) for answer in again)
    assert customer.test.settled() == before
    assert [event["type"] for event in before].count(RECORDS[post]) == 1


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.__name__)
def test_equal_requests_at_once_have_one_effect(customer: Customer, post: Callable[[Side], Ask]) -> None:
    ask, headers = post(customer.test), named()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: ask(headers), range(16)))
    assert all(same(answers[0], answer) for answer in answers)
    assert [event["type"] for event in customer.test.settled()].count(RECORDS[post]) == 1


def test_a_repeated_send_is_one_message_and_one_debit(customer: Customer) -> None:
    phone, headers = number(), named()
    answers = {customer.live.send(phone, headers=headers).text for _ in range(5)}
    customer.live.settled()
    assert (len(answers), len(list(inbox(customer.server, phone)))) == (1, 1)
    assert customer.live.balance() == {"available": 999, "debited": 1, "refunded": 0, "added": 1_000}


def test_a_repeated_wrong_code_is_one_attempt(customer: Customer) -> None:
    it, phone, headers = customer.test, number(), named()
    verification_id, code = it.sent(phone)
    for _ in range(7):
        answer = it.check(phone, wrong(code), headers=headers)
        assert refusal(answer) == (400, "wrong_code", {"attempts_left": 4})
    assert it.verification(verification_id).body["attempts_left"] == 4
    assert it.check(phone, code).status == 200


def test_a_repeated_check_gets_the_same_token_even_when_it_was_redeemed(customer: Customer) -> None:
    it, phone, headers = customer.test, number(), named()
    _, code = it.sent(phone)
    token = it.check(phone, code, headers=headers).body["token"]
    assert it.redeem(token).status == 200
    assert it.check(phone, code, headers=headers).body["token"] == token
    assert refusal(it.redeem(token)) == (400, "token_already_redeemed")


@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.__name__)
def test_the_same_key_with_another_request_is_refused_and_changes_nothing(
    customer: Customer, post: Callable[[Side], Ask]
) -> None:
    it, headers = customer.test, named()
    verification_id, code = it.sent(other := number())
    assert post(it)(headers).status in (200, 400)
    before = it.settled()
    others = [
        it.send(number(), headers=headers),
        it.check(other, code, headers=headers),
        it.check(other, wrong(code), headers=headers),
        it.redeem("tok_x", headers=headers),
        it.cancel(verification_id, headers=headers),
        it.ask("POST", "/v1/test/clock/advance", {"seconds": 8}, headers=headers),
        it.ask("POST", "/v1/verify/send", b"{", headers=headers),
    ]
    assert [refusal(answer) for answer in others] == [(422, "idempotency_key_reused")] * len(others)
    assert it.settled() == before


def test_the_body_counts_byte_by_byte(customer: Customer) -> None:
    it, phone, headers = customer.test, number(), named()
    body = f'{{"phone_number":"{phone}"}}'.encode()
    first = it.ask("POST", "/v1/verify/send", body, headers=headers)
    spaced = it.ask("POST", "/v1/verify/send", body.replace(b":", b": "), headers=headers)
    again = it.ask("POST", "/v1/verify/send", body, headers=headers)
    assert [first.status, refusal(spaced), again.text] == [200, (422, "idempotency_key_reused"), first.text]


def test_the_two_logs_and_other_accounts_have_keys_of_their_own(
    customer: Customer, customer_with: Callable[[int], Customer]
) -> None:
    phone, headers = number(), named()
    sides = [customer.live, customer.test, customer_with(1).live]
    answers = [it.send(phone, headers=headers) for it in sides]
    assert ([answer.status for answer in answers], len({answer.text for answer in answers})) == ([200] * 3, 3)


def test_a_key_may_be_used_again_after_a_day(customer: Customer) -> None:
    it, headers = customer.test, named()
    phone, other = number(), number()
    first = it.send(phone, headers=headers)
    it.advance(seconds=DAY_SECONDS - 10)
    assert it.send(phone, headers=headers).text == first.text
    assert refusal(it.send(other, headers=headers)) == (422, "idempotency_key_reused")
    it.advance(seconds=10)
    assert it.send(other, headers=headers).status == 200
    assert refusal(it.send(phone, headers=headers)) == (422, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ключ".encode().decode("latin-1"), "a\tb"], ids=ascii)
@pytest.mark.parametrize("post", POSTS, ids=lambda post: post.__name__)
def test_a_key_is_1_to_255_visible_characters(customer: Customer, post: Callable[[Side], Ask], key: str) -> None:
    ask = post(customer.test)
    before = customer.test.settled()
    assert refusal(ask({"Idempotency-Key": key})) == (400, "invalid_idempotency_key")
    assert customer.test.settled() == before


def test_the_longest_key_and_every_visible_character_work(customer: Customer) -> None:
    keys = ["x" * 255, "".join(map(chr, range(0x21, 0x7F)))]
    answers = []
    for key in keys:
        phone = number()
        answers.append({customer.test.send(phone, headers={"Idempotency-Key": key}).text for _ in range(2)})
    assert [len(texts) for texts in answers] == [1, 1]


def test_what_was_refused_may_be_asked_again_with_the_same_key(customer_with: Callable[[int], Customer]) -> None:
    """A refusal records nothing, so there is nothing to repeat: once its reason is gone, the request is good."""
    poor, phone, headers = customer_with(0), number(), named()
    assert refusal(poor.live.send(phone, headers=headers))[:2] == (402, "insufficient_credit")
    poor.server.books.administration.add_credit(poor.account_id, credits=1, reference=uuid4().hex, by="test")
    answers = {poor.live.send(phone, headers=headers).text for _ in range(3)}
    assert (len(answers), poor.live.balance()["debited"]) == (1, 1)
