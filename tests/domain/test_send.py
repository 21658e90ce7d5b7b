"""Asking for a code: a new verification, or the same code once more, and when neither."""

from datetime import timedelta

import pytest

from domain.events import CodeRequested
from domain.phone import PhoneNumber
from domain.policy import Policy
from domain.refusals import NumberLocked, NumberSendLimit, ResendCooldown
from tests.support.given import (
    MASK,
    NUMBER,
    cancelled,
    failed,
    given,
    moment,
    request,
    requested,
    send_failed,
    sent,
    verified,
)

SHORT = Policy(sends_per_verification_max=2, attempts_per_verification_max=3, failures_per_number_max=4)


def test_the_first_request_starts_a_verification_and_keeps_all_that_came_with_it():
    given().when(
        request(
            at=7,
            of="ver_1",
            price=3,
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
            locale="de",
            web_origin="example.com",
            app_hash="FA+9qCX9VSu",
            metadata={"order": 7},
        )
    ).records(
        CodeRequested(
            at=moment(7),
            verification_id="ver_1",
            phone=MASK,
            country="US",
            send=1,
            seed="seed of ver_1",
            digits=6,
            expires_at=moment(307),
            resend_in=30,
            attempts_left=5,
            price_credits=3,
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
            locale="de",
            web_origin="example.com",
            app_hash="FA+9qCX9VSu",
            metadata={"order": 7},
        )
    )


def test_a_new_verification_follows_the_policy():
    policy = Policy(code_digits=8, code_lifetime_seconds=600, attempts_per_verification_max=3)
    given().when(request(at=0, of="ver_1", policy=policy)).records(requested(digits=8, life=600, attempts=3))


def test_a_resend_repeats_verification_seed_length_and_end():
    policy = Policy(code_digits=8, code_lifetime_seconds=1_800, attempts_per_verification_max=1)
    given(requested(), sent()).when(request(at=30, policy=policy)).records(requested(at=30, send=2, since=0))


def test_a_resend_does_not_give_back_wrong_codes():
    given(requested(), *failed(times=3)).when(request(at=30)).records(requested(at=30, send=2, since=0, attempts=2))


def test_a_resend_says_the_country_of_the_number_as_it_is_known_now():
    moved = PhoneNumber(e164=NUMBER.e164, country="CA", mask="of another spelling", kind="mobile")
    outcome = given(requested()).when(request(at=30, phone=moved))
    assert isinstance(outcome.result, CodeRequested)
    assert (outcome.result.country, outcome.result.phone) == ("CA", MASK)


@pytest.mark.parametrize(
    ("before", "last", "wait"),
    [
        ([requested()], 0, 30),
        ([requested(), requested(at=30, send=2, since=0)], 30, 60),
        ([requested(), requested(at=30, send=2, since=0), requested(at=90, send=3, since=0)], 90, 120),
    ],
)
def test_messages_are_30_then_60_then_120_seconds_apart(before, last, wait):
    number = len(before) + 1
    given(*before).when(request(at=last + wait - 1)).refuses(ResendCooldown, retry_after_seconds=1)
    given(*before).when(request(at=last + wait)).records(requested(at=last + wait, send=number, since=0))


@pytest.mark.parametrize(("at", "seconds"), [(0, 30), (0.1, 30), (0.5, 30), (1, 29), (29, 1), (29.999, 1)])
def test_a_cooldown_is_told_in_whole_seconds_after_which_it_is_over(at, seconds):
    given(requested()).when(request(at=at)).refuses(ResendCooldown, retry_after_seconds=seconds)


def test_a_verification_has_at_most_four_messages():
    four = [requested(life=1_800)]
    four += [requested(at=t, send=n, since=0, life=1_800) for n, t in ((2, 30), (3, 90), (4, 210))]
    given(*four).when(request(at=900)).refuses(NumberSendLimit, retry_after_seconds=900)
    given(*four).when(request(at=1_800)).records(requested(of="ver_2", at=1_800))


def test_a_tighter_policy_holds_for_the_verification_under_way():
    two = [requested(), requested(at=30, send=2, since=0)]
    given(*two).when(request(at=200, policy=SHORT)).refuses(NumberSendLimit, retry_after_seconds=100)


def test_after_its_end_a_verification_is_followed_by_a_new_one():
    given(requested()).when(request(at=299.5)).records(requested(at=299.5, send=2, since=0))
    given(requested()).when(request(at=300)).records(requested(at=300, of="ver_2"))


@pytest.mark.parametrize("end", [[verified(at=2)], [cancelled(at=2)], failed(times=5)])
def test_a_verification_that_is_over_is_followed_by_a_new_one_at_once(end):
    given(requested(), *end).when(request(at=3)).records(requested(at=3, of="ver_2"))


def test_a_message_that_failed_may_be_asked_for_again_at_once_and_counts_as_one():
    given(requested(), send_failed(at=2)).when(request(at=2)).records(requested(at=2, send=2, since=0))


def test_the_failure_of_an_earlier_message_does_not_shorten_the_wait_after_a_later_one():
    two = [requested(), requested(at=30, send=2, since=0)]
    given(*two, send_failed(at=31, send=1)).when(request(at=31)).refuses(ResendCooldown, retry_after_seconds=59)


def test_the_failure_of_an_earlier_verification_does_not_shorten_the_wait():
    given(requested(), requested(at=300, of="ver_2"), send_failed(at=301)).when(request(at=301)).refuses(
        ResendCooldown, retry_after_seconds=29
    )


def test_twenty_wrong_codes_in_24_hours_lock_the_number():
    one_a_minute = failed(times=19, at=0, every=60)
    given(*one_a_minute).when(request(at=3_000)).records(requested(at=3_000, of="ver_2"))
    twenty = failed(times=20, at=0, every=60)
    given(*twenty).when(request(at=3_000)).refuses(NumberLocked, retry_after_seconds=83_400)
    given(*twenty).when(request(at=86_399)).refuses(NumberLocked, retry_after_seconds=1)
    given(*twenty).when(request(at=86_400)).records(requested(at=86_400, of="ver_2"))


def test_a_new_code_does_not_reset_the_count():
    events = [
        event
        for n in range(4)
        for event in (requested(at=n * 300, of=f"ver_{n}"), *failed(times=5, at=n * 300 + 1, of=f"ver_{n}"))
    ]
    given(*events).when(request(at=1_200)).refuses(NumberLocked, retry_after_seconds=85_201)


def test_success_resets_the_count():
    given(*failed(times=20), requested(at=86_500), verified(at=86_501)).when(request(at=86_502)).records(
        requested(at=86_502, of="ver_2")
    )
    given(*failed(times=19), requested(at=10), verified(at=11), *failed(times=19, at=12)).when(request(at=13)).records(
        requested(at=13, of="ver_2")
    )


def test_cancelling_does_not_reset_the_count():
    given(*failed(times=19), requested(at=2), *failed(at=3), cancelled(at=4)).when(request(at=5)).refuses(
        NumberLocked, retry_after_seconds=86_396
    )


def test_a_lock_lasts_until_enough_wrong_codes_are_a_day_old():
    hourly = failed(times=6, at=0, every=3_600)
    given(*hourly).when(request(at=18_001, policy=SHORT)).refuses(
        NumberLocked, retry_after_seconds=86_400 + 2 * 3_600 - 18_001
    )
    given(*hourly).when(request(at=86_400 + 2 * 3_600, policy=SHORT)).records(
        requested(at=86_400 + 2 * 3_600, of="ver_2", attempts=3)
    )


def test_a_locked_number_says_so_before_anything_else():
    given(requested(), *failed(times=20)).when(request(at=2)).refuses(NumberLocked, retry_after_seconds=86_399)


def test_a_verification_ends_when_its_own_life_is_over_and_not_when_its_last_message_is_old():
    late = requested(at=299, send=2, since=0)
    given(requested(), late).when(request(at=300)).records(requested(at=300, of="ver_2"))
    assert late.expires_at - late.at == timedelta(seconds=1)


def test_a_number_gets_ten_messages_in_24_hours_however_many_verifications_they_belong_to():
    ten = [requested(at=n * 600, of=f"ver_{n}", life=300) for n in range(10)]
    day = 86_400
    given(*ten).when(request(at=6_000)).refuses(NumberSendLimit, retry_after_seconds=day - 6_000)
    assert given(*ten).when(request(at=day)).refusal is None
    assert given(*ten[:9]).when(request(at=6_000)).refusal is None


def test_a_message_that_no_provider_took_does_not_count():
    ten = [requested(at=n * 600, of=f"ver_{n}", life=300) for n in range(10)]
    assert given(*ten, send_failed(at=5_401, of="ver_9")).when(request(at=6_000)).refusal is None
    state = given(*ten, send_failed(at=5_401, of="ver_9")).state
    assert len(state.requests) == 9
