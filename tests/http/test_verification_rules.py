"""The life of a verification as a client sees it: resends, wrong codes, locks, expiry, cancelling. On the test clock."""

import pytest

from tests.http.customer import VERIFICATION_ID, Customer, inbox, mask, number, refusal, wrong
from tests.support.server import Answer

DAY_SECONDS = 86_400
SPELLINGS = {
    "+447400123456": (
        "+447400123456",
        "+44 (0)7400 123456",
        "+4407400123456",
        "+44 7400-123-456",
        "+44 (0) 7400.123.456",
        "+44/7400/123456",
    ),
    "+905321232719": ("+905321232719", "+90 532 123 27 19", "+90 (0)532 123-27-19", "+90.532.123.2719"),
    "+14155552671": ("+14155552671", "+1 (415) 555-2671", "+1-415-555-2671", "+1.415.555.2671", "+ 1 415 5552671"),
    "+390612345678": ("+390612345678", "+39 06 1234 5678"),
}
MASKS = {
    "+447400123456": "+44740****3456",
    "+905321232719": "+90532****2719",
    "+14155552671": "+1415****2671",
    "+390612345678": "+39061****5678",
}
NO_NUMBERS = (
    "14155557310",
    "4155557310",
    "0014155557310",
    "+1415555731",
    "+141555573101",
    "+14155557310\n",
    " +14155557310",
    "+1415555CALL",
    "+14155557310;ext=5",
    "+14155557310 x5",
    "tel:+14155557310",
    "++14155557310",
    "+1415555７３１０",  # noqa: RUF001
    "＋14155557310",  # noqa: RUF001
    "+١٤١٥٥٥٥٧٣١٠",
    "+1415\u200b5557310",
    "+14155557310\x00",
    "+99912345678",
    "+11111111111",
    "+",
    "",
    "+" + "1" * 500,
)


def waits(answer: Answer) -> int:
    """Seconds that a refusal asks to wait."""
    return int(answer.body["retry_after"])


@pytest.mark.parametrize("e164", SPELLINGS)
def test_all_spellings_of_a_number_are_one_number(customer: Customer, e164: str) -> None:
    first, *others = SPELLINGS[e164]
    verification_id, code = customer.test.sent(first)
    again = [customer.test.send(spelling) for spelling in others]
    assert [refusal(answer) for answer in again] == [(429, "resend_cooldown")] * len(others)
    assert customer.test.verification(verification_id).body["phone_number"] == MASKS[e164]
    checked = customer.test.check(others[-1], code)
    redeemed = customer.test.redeem(checked.body["token"], phone_number=others[0])
    assert redeemed.body == {"valid": True, "phone_number": MASKS[e164], "verification_id": verification_id}


@pytest.mark.parametrize("spelling", NO_NUMBERS, ids=lambda spelling: ascii(spelling)[:24])
def test_what_is_no_number_is_refused_everywhere(customer: Customer, spelling: str) -> None:
    token = customer.test.verified(number())
    answers = [
        customer.test.send(spelling),
        customer.test.check(spelling, "123456"),
        customer.test.redeem(token, phone_number=spelling),
    ]
    assert [refusal(answer) for answer in answers] == [(400, "invalid_phone_number")] * 3
    assert customer.test.redeem(token).status == 200


@pytest.mark.parametrize(
    ("e164", "shown"), [*MASKS.items(), ("+6568812345", "+656****2345"), ("+29022222", "+290****22")]
)
def test_a_number_is_masked_wherever_it_is_shown(customer: Customer, e164: str, shown: str) -> None:
    verification_id, code = customer.test.sent(e164)
    token = customer.test.check(e164, code).body["token"]
    redeemed = customer.test.redeem(token).body["phone_number"]
    detail = customer.test.verification(verification_id).body["phone_number"]
    (listed,) = (row["phone_number"] for row in customer.test.get("/v1/verifications").body["verifications"])
    recorded = {event["data"].get("phone", shown) for event in customer.test.log()}
    assert ({redeemed, detail, listed} | recorded, e164[1:] in customer.test.get("/v1/events").text) == ({shown}, False)


def test_a_resend_repeats_the_code_of_the_same_verification_after_30_60_and_120_seconds(customer: Customer) -> None:
    it, phone = customer.test, number()
    verification_id, code = it.sent(phone)
    for send, (cooldown, next_cooldown) in enumerate([(30, 60), (60, 120), (120, 120)], start=2):
        early = it.send(phone)
        assert (refusal(early), cooldown - 5 <= waits(early) <= cooldown) == ((429, "resend_cooldown"), True)
        it.advance(seconds=cooldown - 5)
        assert (refusal(it.send(phone)), waits(it.send(phone)) <= 5) == ((429, "resend_cooldown"), True)
        it.advance(seconds=5)
        answer = it.send(phone)
        left = answer.body.pop("expires_in")
        assert answer.body == {"status": "pending", "verification_id": verification_id, "resend_in": next_cooldown}
        assert 300 - 220 <= left <= 300 - cooldown
        assert [message["code"] for message in inbox(it.server, phone)] == [code] * send
    assert {message["verification_id"] for message in inbox(it.server, phone)} == {verification_id}


def test_a_verification_has_at_most_four_messages(customer: Customer) -> None:
    it, phone = customer.test, number()
    verification_id, code = it.sent(phone)
    for cooldown in (30, 60, 120):
        it.advance(seconds=cooldown)
        assert it.send(phone).status == 200
    fifth = it.send(phone)
    assert (refusal(fifth), 300 - 220 <= waits(fifth) <= 300 - 210) == ((429, "number_send_limit"), True)
    it.advance(seconds=waits(fifth) - 5)
    assert refusal(it.send(phone)) == (429, "number_send_limit")
    assert it.check(phone, code).body["verification_id"] == verification_id
    assert [len(list(inbox(it.server, phone))), it.types().count("CodeRequested")] == [4, 4]


def test_a_code_lives_for_five_minutes_and_a_new_one_begins_after_it(customer: Customer) -> None:
    it, phone = customer.test, number()
    verification_id, code = it.sent(phone)
    it.advance(seconds=295)
    assert it.verification(verification_id).body["status"] == "pending"
    it.advance(seconds=5)
    assert refusal(it.check(phone, code)) == (404, "code_expired")
    assert refusal(it.check(phone, wrong(code), verification_id=verification_id)) == (404, "code_expired")
    assert it.verification(verification_id).body["status"] == "expired"
    next_id, next_code = it.sent(phone)
    assert next_id != verification_id
    assert refusal(it.check(phone, next_code, verification_id=verification_id)) == (404, "code_expired")
    assert it.check(phone, next_code, verification_id=next_id).status == 200


def test_a_number_that_was_never_sent_to_has_no_verification(customer: Customer) -> None:
    assert refusal(customer.test.check(number(), "123456")) == (404, "verification_not_found")


def test_a_code_counts_once(customer: Customer) -> None:
    phone = number()
    _, code = customer.test.sent(phone)
    answers = [customer.test.check(phone, guess) for guess in (code, code, wrong(code))]
    assert [answers[0].status, *map(refusal, answers[1:])] == [200, *[(404, "already_verified")] * 2]
    assert customer.test.types().count("Verified") == 1


def test_the_fifth_wrong_code_ends_a_verification(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.test.sent(phone)
    guesses = [customer.test.check(phone, wrong(code)) for _ in range(5)]
    after = [customer.test.check(phone, guess) for guess in (wrong(code), code)]
    assert [refusal(answer) for answer in guesses + after] == [
        *[(400, "wrong_code", {"attempts_left": left}) for left in (4, 3, 2, 1, 0)],
        *[(400, "attempts_exhausted")] * 2,
    ]
    assert customer.test.types().count("AttemptFailed") == 5
    detail = customer.test.verification(verification_id).body
    assert (detail["status"], detail["attempts_left"]) == ("failed", 0)


def test_wrong_codes_are_counted_across_resends(customer: Customer) -> None:
    it, phone = customer.test, number()
    verification_id, code = it.sent(phone)
    left = []
    for cooldown in (30, 60):
        left += [it.check(phone, wrong(code)).body["attempts_left"] for _ in range(2)]
        it.advance(seconds=cooldown)
        assert it.send(phone).body["verification_id"] == verification_id
    left.append(it.check(phone, wrong(code)).body["attempts_left"])
    assert (left, refusal(it.check(phone, code))) == ([4, 3, 2, 1, 0], (400, "attempts_exhausted"))
    assert it.send(phone).body["verification_id"] != verification_id


def test_twenty_wrong_codes_in_a_day_lock_the_number_until_the_day_is_over(customer: Customer) -> None:
    it, phone = customer.test, number()
    for _ in range(4):
        _, code = it.sent(phone)
        it.guess(phone, code, times=5)
    shut = it.send(phone)
    assert (refusal(shut), DAY_SECONDS - 60 <= waits(shut) <= DAY_SECONDS) == ((429, "number_locked"), True)
    assert it.types().count("CodeRequested") == 4
    assert it.send(number()).status == 200, "other numbers are free"
    it.advance(seconds=waits(shut) - 30)
    assert refusal(it.send(phone)) == (429, "number_locked")
    it.advance(seconds=30)
    _, code = it.sent(phone)
    assert it.check(phone, code).status == 200


def test_the_lock_is_the_accounts_own(customer: Customer) -> None:
    phone = number()
    for _ in range(4):
        _, code = customer.test.sent(phone)
        customer.test.guess(phone, code, times=5)
    assert refusal(customer.test.send(phone)) == (429, "number_locked")
    assert customer.live.send(phone).status == 200


def test_a_new_code_does_not_reset_the_count_and_success_does(customer: Customer) -> None:
    it, phone = customer.test, number()
    for _ in range(3):
        _, code = it.sent(phone)
        it.guess(phone, code, times=5)
    _, code = it.sent(phone)
    it.guess(phone, code, times=4)
    assert it.check(phone, code).status == 200
    for _ in range(4):
        _, code = it.sent(phone)
        it.guess(phone, code, times=5)
    assert refusal(it.send(phone)) == (429, "number_locked")


def test_a_cancelled_verification_is_over(customer: Customer) -> None:
    it, phone = customer.test, number()
    verification_id, code = it.sent(phone)
    cancelled = [it.cancel(verification_id) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in cancelled] == [
        (200, {"verification_id": verification_id, "status": "cancelled"})
    ] * 2
    assert refusal(it.check(phone, code)) == (404, "verification_cancelled")
    assert it.verification(verification_id).body["status"] == "cancelled"
    assert it.types().count("VerificationCancelled") == 1
    next_id, next_code = it.sent(phone)
    assert next_id == VERIFICATION_ID
    assert it.check(phone, next_code).status == 200


def test_what_is_over_or_unknown_cannot_be_cancelled(customer: Customer) -> None:
    it = customer.test
    verified, expired, failed = number(), number(), number()
    ids = [it.sent(phone) for phone in (verified, expired, failed)]
    assert it.check(verified, ids[0][1]).status == 200
    it.guess(failed, ids[2][1], times=5)
    it.advance(seconds=300)
    answers = [it.cancel(verification_id) for verification_id, _ in ids]
    unknown = [it.cancel("ver_" + "x" * 34), it.cancel("nothing"), it.cancel("ver_%00")]
    assert [refusal(answer) for answer in answers + unknown] == [
        *[(409, "state_conflict")] * 3,
        *[(404, "verification_not_found")] * 3,
    ]


def test_a_message_that_nobody_took_may_be_asked_for_again_at_once(customer: Customer) -> None:
    """The provider of test keys is down for this number."""
    phone = "+15005550004"
    first = customer.test.send(phone)
    verification_id = first.body["verification_id"]
    assert first.status == 200
    assert customer.test.settled()[-1]["type"] == "SendFailed"
    again = customer.test.send(phone)
    assert (again.status, again.body["verification_id"]) == (200, verification_id)
    assert mask(phone) == customer.test.verification(verification_id).body["phone_number"]
