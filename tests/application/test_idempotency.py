"""A repeated Idempotency-Key: the same answer, and nothing happens twice."""

from typing import Any

import pytest

from application.accounts import ReadBalance, ReadInstallation
from application.verifications import GiveUp, Outgoing, RecordUnconfirmed
from domain.refusals import IdempotencyKeyReused, StateConflict, WrongCode
from tests.application.world import ACCOUNT, OTHER_NUMBER, TEST_LOG, Process, events, kinds, memory, names, process

DAY = 86_400


def wrong(code: str) -> str:
    return "0" * 6 if code != "0" * 6 else "1" * 6


def test_a_repeated_send_answers_the_same_and_sends_nothing():
    home = process()
    first: Outgoing = home.do(home.send(key="K"))
    home.clock.advance(seconds=200)
    again: Outgoing = home.do(home.send(key="K"))
    assert again.answer == first.answer
    assert (first.is_new, again.is_new, again.code) == (True, False, "")
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]


def test_a_repeated_resend_answers_as_the_resend_did():
    home = process()
    home.do(home.send())
    home.clock.advance(seconds=30)
    second: Outgoing = home.do(home.send(key="K"))
    home.clock.advance(seconds=60)
    assert home.do(home.send(key="K")).answer == second.answer
    assert (second.answer.resend_in, second.answer.expires_in) == (60, 270)


def test_a_repeated_check_takes_no_second_try():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    for _ in range(7):
        with pytest.raises(WrongCode) as refused:
            home.do(home.check(wrong(outgoing.code), key="K"))
        assert refused.value.extras == {"attempts_left": 4}
    assert names(home.recorder).count("AttemptFailed") == 1


def test_a_repeated_right_code_earns_the_very_same_token():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    first = home.do(home.check(outgoing.code, key="K"))
    home.clock.advance(seconds=7)
    fresh = home.other()
    assert [home.do(home.check(outgoing.code, key="K")), fresh.do(fresh.check(outgoing.code, key="K"))] == [first] * 2
    assert names(home.recorder).count("Verified") == 1


def test_a_repeated_redemption_is_the_first_one():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    first = home.do(home.redeem(token, key="K"))
    assert home.do(home.redeem(token, key="K")) == first
    assert kinds(home.ask(home.redeem(token, key="other"))) == ["TokenAlreadyRedeemed"]
    assert first.phone_number == "+1415****2671"


def test_a_repeated_cancellation_is_the_first_one():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    first = home.do(home.cancel(of, key="K"))
    home.do(home.send())
    assert home.do(home.cancel(of, key="K")) == first
    with pytest.raises(StateConflict):
        home.do(home.cancel(of))
    assert names(home.recorder).count("VerificationCancelled") == 1


def test_a_key_belongs_to_the_request_it_was_first_used_with():
    home = process()
    outgoing: Outgoing = home.do(home.send(key="K"))
    before = names(home.recorder)
    for command in (
        home.send(key="K", body="another"),
        home.send(OTHER_NUMBER, key="K"),
        home.check(outgoing.code, key="K"),
        home.cancel(outgoing.answer.verification_id, key="K"),
    ):
        with pytest.raises(IdempotencyKeyReused):
            home.do(command)
    assert names(home.recorder) == before


@pytest.mark.parametrize("first", ["send", "check", "wrong", "redeem", "cancel"])
@pytest.mark.parametrize("second", ["send", "check", "redeem", "cancel"])
def test_the_same_hash_on_another_kind_of_call_is_another_request(first, second):
    """Even if two calls had the same content: what carries the key tells which call it was."""
    home = process()
    outgoing: Outgoing = home.do(home.send())
    token = home.do(home.check(outgoing.code)).token
    live: Outgoing = home.do(home.send())
    of = live.answer.verification_id
    home.clock.advance(seconds=30)
    calls: dict[str, Any] = {
        "send": home.send(),
        "check": home.check(live.code),
        "wrong": home.check(wrong(live.code)),
        "redeem": home.redeem(token),
        "cancel": home.cancel(of),
    }
    same = home.caller("K", "the same")
    commands: dict[str, Any] = {
        name: type(call)(**{field: getattr(call, field) for field in call.__slots__} | {"caller": same})
        for name, call in calls.items()
    }
    home.ask(commands[first])
    [answer] = home.ask(commands[second])
    alike = first == second or {first, second} == {"check", "wrong"}
    assert isinstance(answer, IdempotencyKeyReused) != alike


def test_a_key_is_forgotten_after_24_hours():
    home = process()
    home.do(home.send(key="K"))
    home.clock.advance(seconds=DAY - 0.001)
    assert home.do(home.send(key="K")).is_new is False
    home.clock.advance(seconds=0.001)
    assert home.do(home.send(key="K")).is_new is True
    assert names(home.recorder).count("CodeRequested") == 2
    assert home.do(home.send(key="K")).is_new is False


def test_the_newest_use_of_a_key_counts():
    home = process()
    first: Outgoing = home.do(home.send(key="K"))
    home.clock.advance(seconds=DAY)
    second: Outgoing = home.do(home.send(OTHER_NUMBER, key="K"))
    assert home.do(home.send(OTHER_NUMBER, key="K")).answer == second.answer != first.answer
    with pytest.raises(IdempotencyKeyReused):
        home.do(home.send(key="K"))


def test_two_equal_requests_in_one_batch_are_one():
    home = process()
    first, again, other = home.ask(home.send(key="K"), home.send(key="K"), home.send(key="K", body="another"))
    assert (first.answer, first.is_new, again.is_new) == (again.answer, True, False)
    assert isinstance(other, IdempotencyKeyReused)
    assert names(home.recorder)[2:] == ["CodeRequested", "CreditDebited"]


def test_a_key_used_a_day_ago_and_again_in_this_batch_is_the_one_in_this_batch():
    home = process()
    home.do(home.send(key="K"))
    home.clock.advance(seconds=DAY)
    first, again = home.ask(home.send(OTHER_NUMBER, key="K"), home.send(OTHER_NUMBER, key="K"))
    assert (first.answer, first.is_new, again.is_new) == (again.answer, True, False)


def test_what_was_refused_left_nothing_to_repeat():
    home = process(credits=0)
    assert kinds(home.ask(home.send(key="K"), home.send(key="K"))) == ["InsufficientCredit"] * 2
    home.do(home.credit(1))
    assert home.do(home.send(key="K")).is_new is True


def test_a_wrong_code_was_not_refused_but_counted_and_is_repeated():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    answers = home.ask(*[home.check(wrong(outgoing.code), key="K")] * 3, home.check(wrong(outgoing.code), key="L"))
    assert [answer.extras["attempts_left"] for answer in answers] == [4, 4, 4, 3]


def test_keys_of_live_and_test_are_different_keys():
    home = process()
    live: Outgoing = home.do(home.send(key="K"))
    test: Outgoing = home.do(home.send(key="K", log=TEST_LOG))
    assert (live.is_new, test.is_new) == (True, True)
    assert live.answer.verification_id != test.answer.verification_id


def test_another_process_knows_the_key_though_it_never_saw_the_number():
    home = process()
    first: Outgoing = home.do(home.send(key="K"))
    fresh = home.other()
    assert fresh.do(fresh.send(key="K")).answer == first.answer


def test_a_key_that_another_process_uses_at_the_same_time_is_used_once():
    home = process()
    other = home.other()
    other.balance()
    theirs: list[Outgoing] = []
    memory(home).steal("append", by=lambda: theirs.append(other.do(other.send(key="K"))))
    ours: Outgoing = home.do(home.send(key="K"))
    assert (ours.answer, ours.is_new) == (theirs[0].answer, False)
    assert home.balance()["debited"] == 1


def test_what_is_stored_of_a_key_tells_neither_key_nor_request():
    home = process()
    home.do(home.send(key="my-secret-key", body="+14155552671"))
    stored = [event.idempotency for event in events(home.recorder) if getattr(event, "idempotency", "")]
    assert [len(part) for part in stored[0].split(".")] == [22, 22]
    assert all(secret not in str(stored) for secret in ("my-secret-key", "4155552671"))


@pytest.mark.parametrize("days", [0, 1, 400])
def test_a_payments_reference_counts_once_however_late_it_comes_again(days):
    home = process(credits=0)
    key = home.keyring.idempotency(ACCOUNT, "credit R1", request=b"5")
    home.do(home.credit(5, idempotency=key))
    home.clock.advance(seconds=days * DAY)
    fresh = home.other()
    answers = [home.do(home.credit(5, idempotency=key)), fresh.do(fresh.credit(5, idempotency=key))]
    assert [answer.credits for answer in answers] == [5, 5]
    assert home.balance()["added"] == 5


@pytest.mark.parametrize("seconds", [30, 2 * DAY])
def test_a_step_of_the_test_clock_is_taken_once(seconds):
    home = process()
    answers = [home.do(home.advance(seconds, key="K")) for _ in range(3)]
    assert [answer.seconds for answer in answers] == [seconds] * 3
    assert home.account(log=TEST_LOG).clock_advanced_seconds == seconds


def test_a_key_that_carries_something_else_is_not_a_payment():
    home = process()
    home.do(home.send(key="K"))
    with pytest.raises(IdempotencyKeyReused):
        home.do(home.credit(5, idempotency=home.send(key="K").idempotency))


def test_reads_and_handoffs_never_carry_a_key():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    event = events(home.recorder)[0]
    for command in (
        ReadBalance(ACCOUNT),
        ReadInstallation(),
        home.took(outgoing),
        home.refused(outgoing),
        home.delivery(outgoing, delivered=True),
        RecordUnconfirmed(ACCOUNT, home.stream(), outgoing.answer.verification_id, 1, "timeout", "first"),
        GiveUp(ACCOUNT, home.stream(), outgoing.answer.verification_id, 1),
    ):
        assert command.idempotency == ""
        with pytest.raises(AssertionError):
            command.replay(event)


def test_a_key_is_looked_up_once_for_all_that_wait_in_a_batch():
    home = process()
    before = memory(home).points.count("idempotent")
    home.ask(*[home.send(f"+1415555{n:04}", key=f"K{n}") for n in range(2_600, 2_650)])
    assert memory(home).points.count("idempotent") - before == 1
    home.ask(*[Process.send(home, f"+1415555{n:04}") for n in range(2_700, 2_705)])
    assert memory(home).points.count("idempotent") - before == 1
