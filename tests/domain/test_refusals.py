"""Refusals: their public codes, and what they say."""

import inspect

import pytest

from domain import refusals
from domain.refusals import InvalidRequest, Refusal

ALL = [
    refusal
    for _, refusal in inspect.getmembers(refusals, inspect.isclass)
    if issubclass(refusal, Refusal) and refusal is not Refusal
]
# CONTRACT: the error codes of the HTTP API that rules can give; the rest belong to HTTP itself.
CODES = {
    "invalid_request invalid_phone_number invalid_code_format wrong_code attempts_exhausted invalid_token token_expired",
    "token_already_redeemed token_phone_mismatch insufficient_credit account_suspended verification_not_found",
    "code_expired already_verified verification_cancelled state_conflict resend_cooldown number_locked",
    "number_send_limit idempotency_key_reused overloaded service_unavailable",
    "spend_cap_reached ip_send_limit prefix_send_limit auth_failures_limited",
    "ip_blocklisted ip_not_allowlisted number_not_allowlisted destination_unsupported",
    "number_blocklisted country_not_enabled destination_blocked challenge_required api_rate_limited",
}


def test_every_refusal_has_a_code_of_its_own_and_it_is_a_published_one():
    codes = [refusal.code for refusal in ALL]
    assert sorted(codes) == sorted(" ".join(CODES).split())


@pytest.mark.parametrize("refusal", ALL)
def test_a_refusal_says_its_own_sentence_unless_it_is_given_another(refusal):
    assert refusal().detail == str(refusal()) == inspect.cleandoc(refusal.__doc__)
    assert str(refusal()).endswith(".")
    assert refusal("Another sentence.").detail == "Another sentence."


def test_a_refusal_carries_what_helps_beside_its_code():
    refusal = InvalidRequest("No.", retry_after_seconds=3, attempts_left=2)
    assert (refusal.detail, refusal.retry_after_seconds, refusal.extras) == ("No.", 3, {"attempts_left": 2})
    assert (InvalidRequest().retry_after_seconds, InvalidRequest().extras) == (None, {})
