"""Limits that an account may tune, and how far."""

import pytest

from domain.policy import BOUNDS, Policy, cooldown_seconds


def test_a_new_account_has_these_limits():
    assert Policy() == Policy(
        code_digits=6,
        code_lifetime_seconds=300,
        sends_per_verification_max=4,
        attempts_per_verification_max=5,
        failures_per_number_max=20,
        failures_window_seconds=86_400,
        token_lifetime_seconds=600,
        sends_per_number_max=10,
        spend_per_day_max=0,
        spend_per_month_max=0,
        public_spend_per_day_max=1_000,
        sends_per_address_max=100,
        sends_per_prefix_max=5_000,
        sends_per_country_max=0,
        requests_per_second_max=0,
        public_requests_per_second_max=50,
        guard=2,
        guard_test_keys=0,
        guard_window_seconds=3_600,
        guard_grace_seconds=120,
        guard_prefix_unverified_max=75,
        guard_lead_unverified_max=48,
        guard_country_unverified_max=52,
        guard_account_unverified_max=56,
        guard_trial_verified=20,
        guard_failed_checks_max=500,
        guard_conversion_percent_min=40,
        guard_new_prefix_percent_min=66,
        guard_success_percent_min=20,
        guard_block_seconds=14_400,
        guard_probe_sends=5,
        guard_challenge_secret_keys=0,
        guard_challenge_bits=16,
    )


def test_these_settings_have_these_bounds():
    assert BOUNDS == {
        "code_digits": (4, 10),
        "code_lifetime_seconds": (60, 1_800),
        "sends_per_verification_max": (1, 4),
        "attempts_per_verification_max": (1, 5),
        "failures_per_number_max": (1, 20),
        "token_lifetime_seconds": (60, 3_600),
        "sends_per_number_max": (1, 10),
        "spend_per_day_max": (0, 10**15),
        "spend_per_month_max": (0, 10**15),
        "public_spend_per_day_max": (0, 10**15),
        "sends_per_address_max": (0, 1_000_000),
        "sends_per_prefix_max": (0, 1_000_000),
        "sends_per_country_max": (0, 1_000_000_000),
        "requests_per_second_max": (0, 1_000_000),
        "public_requests_per_second_max": (0, 1_000_000),
        "guard": (0, 2),
        "guard_test_keys": (0, 1),
        "guard_window_seconds": (600, 86_400),
        "guard_grace_seconds": (60, 1_800),
        "guard_prefix_unverified_max": (3, 100_000),
        "guard_lead_unverified_max": (3, 1_000_000),
        "guard_country_unverified_max": (3, 1_000_000),
        "guard_account_unverified_max": (3, 1_000_000),
        "guard_trial_verified": (0, 1_000_000),
        "guard_failed_checks_max": (10, 1_000_000),
        "guard_conversion_percent_min": (1, 95),
        "guard_new_prefix_percent_min": (1, 95),
        "guard_success_percent_min": (1, 95),
        "guard_block_seconds": (600, 86_400),
        "guard_probe_sends": (1, 100),
        "guard_challenge_secret_keys": (0, 1),
        "guard_challenge_bits": (8, 24),
    }


def test_every_setting_is_of_the_policy_and_its_default_within_bounds():
    assert {name: low <= getattr(Policy(), name) <= high for name, (low, high) in BOUNDS.items()} == dict.fromkeys(
        BOUNDS, True
    )


@pytest.mark.parametrize(
    "name", ["sends_per_verification_max", "attempts_per_verification_max", "failures_per_number_max"]
)
def test_what_protects_a_number_can_be_tightened_and_never_loosened(name):
    assert BOUNDS[name][1] == getattr(Policy(), name)


def test_messages_go_out_30_60_and_120_seconds_apart():
    assert [cooldown_seconds(send) for send in (1, 2, 3, 4, 5)] == [30, 60, 120, 120, 120]
