"""One guess: what is compared, what is recorded, and what is refused without a comparison."""

from itertools import count

import pytest

from domain import refusals
from domain.events import AttemptFailed, Verified
from domain.policy import Policy
from domain.refusals import (
    AlreadyVerified,
    AttemptsExhausted,
    CodeExpired,
    InvalidCodeFormat,
    NumberLocked,
    VerificationNotFound,
)
from domain.verification import Attempt, Caller
from tests.support.given import (
    CODE,
    MASK,
    cancelled,
    check,
    failed,
    given,
    moment,
    requested,
    verified,
)

CALLER = Caller(key_id="key_1", client_ip="192.0.2.0", idempotency="a.b")


def test_the_right_code_verifies_and_earns_a_token():
    given(requested()).when(check(at=10, caller=CALLER)).records(
        Verified(
            at=moment(10),
            verification_id="ver_1",
            phone=MASK,
            token_id="tok_1",
            token_expires_at=moment(610),
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
        )
    )


def test_a_token_lives_as_long_as_the_policy_says():
    policy = Policy(token_lifetime_seconds=60)
    given(requested()).when(check(policy=policy)).records(verified(life=60))


def test_a_wrong_code_is_a_fact_and_takes_one_try():
    given(requested(), *failed(times=2)).when(check("000000", at=10, caller=CALLER)).records(
        AttemptFailed(
            at=moment(10),
            verification_id="ver_1",
            attempts_left=2,
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
        )
    )


def test_the_comparison_is_made_once_for_the_verification_under_way():
    compared: list[Attempt] = []
    state = given(requested(digits=4)).when(check("1234", right="1234", compared=compared))
    assert state.result == verified()
    assert compared == [
        Attempt(
            id="ver_1",
            seed="seed of ver_1",
            digits=4,
            phone=MASK,
            sends=1,
            resend_at=moment(30),
            expires_at=moment(300),
            attempts_left=5,
            outcome="open",
        )
    ]


@pytest.mark.parametrize("of", [None, "ver_1"], ids=count(1))
def test_the_verification_may_be_named(of):
    given(requested()).when(check(of=of)).records(verified())


def test_the_fifth_wrong_code_is_the_last_that_is_compared():
    compared: list[Attempt] = []
    given(requested(), *failed(times=4)).when(check("000000", at=10)).records(failed(at=10, left=1)[0])
    given(requested(), *failed(times=5)).when(check(CODE, compared=compared)).refuses(AttemptsExhausted)
    assert compared == []


def test_five_wrong_codes_are_counted_across_resends():
    first = [requested(), *failed(times=3)]
    second = [requested(at=30, send=2, since=0, attempts=2), *failed(times=2, at=31, left=2)]
    given(*first, *second).when(check(at=40)).refuses(AttemptsExhausted)


def test_an_exhausted_verification_says_so_even_when_it_is_past_its_life():
    given(requested(), *failed(times=5)).when(check(at=5_000)).refuses(AttemptsExhausted)


def test_a_code_is_good_until_the_last_moment_of_its_life_and_not_after():
    given(requested()).when(check(at=299.999)).records(verified(at=299.999))
    given(requested()).when(check(at=300)).refuses(CodeExpired)


def test_a_resend_does_not_lengthen_the_life_of_the_code():
    given(requested(), requested(at=290, send=2, since=0)).when(check(at=300)).refuses(CodeExpired)


def test_a_right_code_counts_once():
    given(requested(), verified()).when(check(at=11)).refuses(AlreadyVerified)
    given(requested(), verified()).when(check("000000", at=5_000)).refuses(AlreadyVerified)


def test_a_cancelled_verification_compares_nothing():
    given(requested(), cancelled()).when(check(at=6)).refuses(refusals.VerificationCancelled)


def test_a_number_without_a_verification_has_none():
    given().when(check()).refuses(VerificationNotFound)
    given().when(check(of="ver_9")).refuses(VerificationNotFound)


@pytest.mark.parametrize("end", [[], [verified(at=2)], [cancelled(at=2)], failed(times=5)])
def test_the_code_of_an_earlier_verification_of_this_number_is_expired(end):
    given(requested(), *end, requested(at=300, of="ver_2")).when(check(at=301, of="ver_1")).refuses(CodeExpired)


def test_the_code_of_an_earlier_verification_takes_no_try_of_the_later_one():
    compared: list[Attempt] = []
    given(requested(), requested(at=300, of="ver_2")).when(
        check("000000", at=301, of="ver_1", compared=compared)
    ).refuses(CodeExpired)
    assert compared == []


@pytest.mark.parametrize("code", ["", "49381", "4938124"], ids=count(1))
def test_a_code_of_another_length_is_no_guess(code):
    compared: list[Attempt] = []
    for scenario in (given(), given(requested()), given(requested(), verified())):
        scenario.when(check(code, compared=compared)).refuses(InvalidCodeFormat)
    assert compared == []


def test_the_length_is_that_of_the_verification_and_else_that_of_the_policy():
    eight = Policy(code_digits=8)
    given(requested(digits=8)).when(check("12345678", right="12345678")).records(verified())
    given(requested(digits=8)).when(check("123456")).refuses(InvalidCodeFormat)
    given(requested(digits=6)).when(check(policy=eight)).records(verified())
    given().when(check("12345678", policy=eight)).refuses(VerificationNotFound)
    given().when(check("123456", policy=eight)).refuses(InvalidCodeFormat)


def test_a_locked_number_compares_nothing():
    compared: list[Attempt] = []
    ones = [
        event
        for n in range(4)
        for event in (requested(at=n, of=f"ver_{n}"), *failed(times=5 if n < 3 else 4, at=n, of=f"ver_{n}"))
    ]
    given(*ones).when(check("000000", at=5)).records(failed(at=5, of="ver_3", left=1)[0])
    tighter = Policy(failures_per_number_max=19)
    given(*ones).when(check(at=5, policy=tighter, compared=compared)).refuses(NumberLocked, retry_after_seconds=86_395)
    assert compared == []


def test_the_twentieth_wrong_code_is_compared_and_the_next_is_not():
    three = Policy(attempts_per_verification_max=3)
    before = [event for n in range(6) for event in failed(times=3, at=n, of=f"ver_{n}", left=3)]
    now = [requested(at=9, of="ver_7", attempts=3), *failed(times=1, at=9, of="ver_7", left=3)]
    given(*before, *now).when(check("000000", at=9, policy=three)).records(failed(at=9, of="ver_7", left=2)[0])
    given(*before, *now, *failed(times=1, at=9, of="ver_7", left=2)).when(check(at=9, policy=three)).refuses(
        NumberLocked, retry_after_seconds=86_391
    )


def test_a_lock_that_has_passed_is_no_hindrance():
    given(*failed(times=20, at=0), requested(at=86_400)).when(check(at=86_400)).records(verified(at=86_400))
