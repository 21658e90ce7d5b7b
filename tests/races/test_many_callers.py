"""Real parallel callers against the real server: each race has one outcome, whoever wins it."""

from collections import Counter

from tests.races.scenes import cancel, check, redeem, send, sent_code, told, wrong
from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once


def kinds(racing, key):
    """How many events of each type a log has."""
    return Counter(event["type"] for event in log_of(racing, key))


def balance(racing, key):
    body = racing.get("/v1/balance", key=key).body
    return {name: body[name] for name in ("available", "debited", "refunded", "added")}


def test_of_a_hundred_wrong_guesses_at_once_exactly_five_are_compared(racing, key):
    right = sent_code(racing, key)
    answers = at_once([check(racing, key, code) for code in wrong(right, 100)])
    assert told(answers) == {(400, "wrong_code"): 5, (400, "attempts_exhausted"): 95}
    assert sorted(a.body["attempts_left"] for a in answers if a.body["code"] == "wrong_code") == [0, 1, 2, 3, 4]
    assert told([check(racing, key, right)()]) == {(400, "attempts_exhausted"): 1}
    assert kinds(racing, key)["AttemptFailed"] == 5


def test_sixty_four_right_codes_at_once_earn_one_token_and_sixty_four_redemptions_use_it_once(racing, key):
    code = sent_code(racing, key)
    answers = at_once([check(racing, key, code)] * 64)
    assert told(answers) == {(200, None): 1, (404, "already_verified"): 63}
    (token,) = [answer.body["token"] for answer in answers if answer.status == 200]
    assert told(at_once([redeem(racing, key, token)] * 64)) == {(200, None): 1, (400, "token_already_redeemed"): 63}


def test_sixty_four_sends_on_ten_credits_are_exactly_ten(racing, key):
    answers = at_once([send(racing, key, f"+1415555{number:04}") for number in range(64)])
    assert told(answers) == {(200, None): 10, (402, "insufficient_credit"): 54}
    assert balance(racing, key) == {"available": 0, "debited": 10, "refunded": 0, "added": 10}


def test_sixty_four_equal_requests_with_one_idempotency_key_have_one_effect_and_one_answer(racing, key):
    answers = at_once([send(racing, key, **{"Idempotency-Key": "once"})] * 64)
    assert {(answer.status, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert balance(racing, key)["debited"] == 1


def test_one_idempotency_key_on_two_requests_at_once_belongs_to_one_of_them(racing, key):
    numbers = ["+14155550001", "+14155550002"]
    answers = at_once([send(racing, key, number, **{"Idempotency-Key": "two"}) for number in numbers * 16])
    assert told(answers) == {(200, None): 16, (422, "idempotency_key_reused"): 16}
    assert balance(racing, key)["debited"] == 1


def test_sixty_four_sends_to_one_number_are_one_message(racing, key):
    answers = at_once([send(racing, key)] * 64)
    assert told(answers) == {(200, None): 1, (429, "resend_cooldown"): 63}
    assert balance(racing, key)["debited"] == 1


def test_sends_wrong_codes_a_right_one_and_a_cancellation_at_once_end_in_one_state(racing, key):
    right = sent_code(racing, key)
    verification_id = racing.get("/v1/verifications", key=key).body["verifications"][0]["verification_id"]
    calls = {
        "wrong": [check(racing, key, code) for code in wrong(right, 4)],
        "right": [check(racing, key, right)] * 8,
        "cancel": [cancel(racing, key, verification_id)] * 8,
        "send": [send(racing, key, f"+1415555{number:04}") for number in range(12)],
    }
    answers = iter(at_once([call for some in calls.values() for call in some]))
    outcomes = {name: told([next(answers) for _ in some]) for name, some in calls.items()}
    events = kinds(racing, key)
    assert events["Verified"] + events["VerificationCancelled"] == 1
    assert outcomes["right"][200, None] == events["Verified"]
    assert outcomes["wrong"][400, "wrong_code"] == events["AttemptFailed"]
    # Either the first cancellation came in time, and then to repeat it is no fault, or all came too late.
    assert outcomes["cancel"] == ({(200, None): 8} if events["VerificationCancelled"] else {(409, "state_conflict"): 8})
    assert outcomes["send"] == {(200, None): 9, (402, "insufficient_credit"): 3}


def test_twenty_wrong_codes_lock_a_number_however_many_guess_and_send_again(racing):
    key = racing.open_account(100).keys["sk_live"]
    right = sent_code(racing, key)
    # Five end a verification; then the next send begins another, whose guesses count on.
    attacks = [*[check(racing, key, code) for code in wrong(right, 24)], *[send(racing, key)] * 4]
    rounds = 0
    while (429, "number_locked") not in told(at_once(attacks)):
        rounds += 1
        assert rounds < 50, "the lock never comes"
    events = log_of(racing, key)
    assert_sound(events)
    assert kinds(racing, key)["AttemptFailed"] == 20
    assert told(at_once([check(racing, key, right), send(racing, key)] * 8)).keys() <= {
        (429, "number_locked"),
        (400, "attempts_exhausted"),
    }
    assert kinds(racing, key)["AttemptFailed"] == 20


def test_a_resend_brings_no_new_guesses(racing):
    key = racing.open_account().keys["sk_test"]
    right = sent_code(racing, key)
    first = at_once([check(racing, key, code) for code in wrong(right, 3)])
    racing.post("/v1/test/clock/advance", {"seconds": 31}, key=key)
    again = at_once([*[send(racing, key)] * 16, *[check(racing, key, code) for code in wrong(right, 40)]])
    assert told(first) == {(400, "wrong_code"): 3}
    # Two guesses were left. Only a send that came after them began anew, and brought five of its own.
    verifications = racing.get("/v1/verifications", key=key).body["verifications"]
    failed = [5 - verification["attempts_left"] for verification in verifications]
    assert failed.pop() == 5
    assert told(again)[400, "wrong_code"] == 2 + sum(failed)
    assert told(again)[200, None] == sum(verification["sends"] for verification in verifications) - 1
    assert_sound(log_of(racing, key))
