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


BOUNDS: Final[dict[str, tuple[int, int]]] = {
    "code_digits": (4, 10),
    "code_lifetime_seconds": (60, 1_800),
    "sends_per_verification_max": (1, 4),
    "attempts_per_verification_max": (1, 5),
    "failures_per_number_max": (1, 20),
    "token_lifetime_seconds": (60, 3_600),
}
"""What `policy set` accepts, inclusive. Limits that protect numbers can be tightened, never loosened."""


def cooldown_seconds(send: int) -> int:
    """Seconds to wait after message number `send` (from 1) of a verification."""
    return RESEND_COOLDOWNS_SECONDS[min(send, len(RESEND_COOLDOWNS_SECONDS)) - 1]
