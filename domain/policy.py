"""Lifetimes and limits of an account: versioned values, changed by PolicyChanged events only."""

from typing import Final

import msgspec

RESEND_COOLDOWNS_SECONDS: Final = (30, 60, 120)
"""Wait after the first, second and third message of a verification."""


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What an account may tune, with the defaults that a new account has."""

    code_digits: int = 6
    code_lifetime_seconds: int = 300
    sends_per_verification_max: int = 4
    attempts_per_verification_max: int = 5
    failures_per_number_max: int = 20
    failures_window_seconds: int = 86_400
    token_lifetime_seconds: int = 600

    # Messages to a number in 24 hours, and credits in 24 hours or a month; a cap of 0 is none. Counted in the ledger.
    sends_per_number_max: int = 10
    spend_per_day_max: int = 0
    spend_per_month_max: int = 0
    public_spend_per_day_max: int = 1_000

    # Counted beside the ledger, by the hour or second; 0 is no limit.
    sends_per_address_max: int = 100
    sends_per_prefix_max: int = 5_000
    sends_per_country_max: int = 0
    requests_per_second_max: int = 0
    public_requests_per_second_max: int = 50

    # The fraud guard, see domain/guard.py. It is 0 off, 1 counting only, 2 on.
    guard: int = 2
    guard_test_keys: int = 0
    guard_window_seconds: int = 3_600
    guard_grace_seconds: int = 120
    guard_prefix_unverified_max: int = 75
    guard_lead_unverified_max: int = 48
    guard_country_unverified_max: int = 52
    guard_account_unverified_max: int = 56
    guard_trial_verified: int = 20
    guard_failed_checks_max: int = 500
    guard_conversion_percent_min: int = 40
    guard_new_prefix_percent_min: int = 66
    guard_success_percent_min: int = 20
    guard_block_seconds: int = 14_400
    guard_probe_sends: int = 5
    guard_challenge_secret_keys: int = 0
    guard_challenge_bits: int = 16


BOUNDS: Final[dict[str, tuple[int, int]]] = {
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
"""What `policy set` accepts, inclusive. Limits that protect numbers can be tightened, never loosened."""


def cooldown_seconds(send: int) -> int:
    """Seconds to wait after message number `send` (from 1) of a verification."""
    return RESEND_COOLDOWNS_SECONDS[min(send, len(RESEND_COOLDOWNS_SECONDS)) - 1]
