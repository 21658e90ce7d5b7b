"""The numbers that fix an outcome for test keys: one table, which the API also publishes.

They are numbers of the US personal range that nobody is reached by; every other number just works.
"""

from typing import Final, Literal, cast, get_args

import msgspec

from domain.refusals import (
    ApiRateLimited,
    CountryNotEnabled,
    DestinationBlocked,
    InsufficientCredit,
    NumberBlocklisted,
    NumberLocked,
    Refusal,
)

CarrierOutcome = Literal[
    "delivered",
    "slow",
    "undelivered",
    "provider_down",
    "duplicate_receipts",
    "contradicting_receipts",
    "number_refused",
]
RefusedOutcome = Literal[
    "blocklisted", "country_not_enabled", "no_credit", "rate_limited", "locked", "destination_blocked"
]
_LOCKED_SECONDS: Final = 3_600


class Scenario(msgspec.Struct, frozen=True):
    """A number, what becomes of a send to it, and the `code` of the refusal where it is refused."""

    number: str
    outcome: CarrierOutcome | RefusedOutcome
    code: str | None
    meaning: str


SCENARIOS: Final = (
    Scenario("+15005550001", "delivered", None, "Accepted at once, then reported delivered."),
    Scenario("+15005550002", "slow", None, "Accepted by the provider after 3 seconds."),
    Scenario("+15005550003", "undelivered", None, "Accepted at once, then reported undelivered; no phone shows it."),
    Scenario("+15005550004", "provider_down", None, "No provider accepts it; send may be repeated at once."),
    Scenario(
        "+15005550005",
        "duplicate_receipts",
        None,
        "Accepted at once, then reported delivered three times: once counts.",
    ),
    Scenario(
        "+15005550006",
        "contradicting_receipts",
        None,
        "Accepted at once, then reported undelivered, then delivered: the first counts.",
    ),
    Scenario("+15005550007", "number_refused", None, "The provider refuses the number; send may be repeated at once."),
    Scenario("+15005550011", "blocklisted", "number_blocklisted", "Refused: the account has blocked the number."),
    Scenario("+15005550012", "country_not_enabled", "country_not_enabled", "Refused: the country is not enabled."),
    Scenario("+15005550013", "no_credit", "insufficient_credit", "Refused: the account cannot pay for the message."),
    Scenario("+15005550014", "rate_limited", "api_rate_limited", "Refused: too many requests; Retry-After 1 s."),
    Scenario("+15005550015", "locked", "number_locked", "Refused: too many wrong codes; Retry-After 1 hour."),
    Scenario("+15005550016", "destination_blocked", "destination_blocked", "Refused: traffic there looks fraudulent."),
)

_OUTCOMES: Final = {scenario.number: scenario.outcome for scenario in SCENARIOS}
_BY_CARRIER: Final[frozenset[str]] = frozenset(get_args(CarrierOutcome))


def is_scenario(e164: str) -> bool:
    """Whether this number fixes an outcome for test keys."""
    return e164 in _OUTCOMES


def refusal_for(e164: str) -> Refusal | None:
    """What `send` to this number is refused with, made anew each time; None where it is not refused."""
    match _OUTCOMES.get(e164):
        case "blocklisted":
            return NumberBlocklisted()
        case "country_not_enabled":
            return CountryNotEnabled()
        case "no_credit":
            return InsufficientCredit(available=0, price=1)
        case "rate_limited":
            return ApiRateLimited(retry_after_seconds=1)
        case "locked":
            return NumberLocked(retry_after_seconds=_LOCKED_SECONDS)
        case "destination_blocked":
            return DestinationBlocked()
        case _:
            return None


def carrier_outcome_for(e164: str) -> CarrierOutcome | None:
    """What the carrier does with a message to this number; None for numbers that just work."""
    outcome = _OUTCOMES.get(e164)
    return cast("CarrierOutcome", outcome) if outcome in _BY_CARRIER else None
