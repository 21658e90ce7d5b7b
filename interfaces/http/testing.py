"""For test keys and for development: the test clock, the scenario numbers, the inbox."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from application.accounts import Administer
from application.scenarios import SCENARIOS, Scenario
from domain import account as accounts
from domain.events import ClockAdvanced
from domain.refusals import InvalidRequest
from interfaces.http import bodies
from interfaces.http.calls import Call, Context
from interfaces.http.problems import HttpRefusal


class TestClock(msgspec.Struct, frozen=True, kw_only=True):
    """The time as test keys of this account see it now."""

    now: datetime


class Scenarios(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers that fix an outcome for test keys; every other number just works."""

    scenarios: tuple[Scenario, ...]


async def advance_clock(context: Context) -> TestClock:
    """Move the clock of this account's test keys forward."""
    identity = context.identity
    if identity.mode != "test":
        raise HttpRefusal("key_scope_forbidden", "Only the clock of test keys can be moved: use a test key.")
    seconds = int(context.body.seconds)
    advanced = await context.desk.writer.ask(
        Administer(
            identity.log,
            lambda account, now: accounts.advance_clock(
                account, seconds=seconds, key_id=identity.key.id, now=now, idempotency=context.idempotency
            ),
            idempotency=context.idempotency,
        )
    )
    assert isinstance(advanced, ClockAdvanced), "what the rule records"
    return TestClock(now=advanced.at + timedelta(seconds=advanced.seconds))


async def scenarios(_: Context) -> Scenarios:
    """The table of scenario numbers."""
    return Scenarios(scenarios=SCENARIOS)


def wait_seconds(text: str | None) -> float:
    """How long to wait for a message, 0 to 30 s; raises InvalidRequest."""
    if text is None:
        return 0.0
    if not (text.isascii() and text.isdigit() and int(text[:4]) <= 30):
        raise InvalidRequest("wait must be a whole number of seconds from 0 to 30.")
    return float(text)


_CODES: Final = (
    "invalid_request",
    "missing_api_key",
    "invalid_api_key",
    "revoked_api_key",
    "key_scope_forbidden",
    "internal_error",
    "service_unavailable",
    "overloaded",
)
CALLS: Final = (
    Call(
        "POST",
        "/v1/test/clock/advance",
        "Move the clock of test keys forward",
        "sk",
        (*_CODES, "malformed_json", "invalid_idempotency_key", "payload_too_large", "idempotency_key_reused"),
        TestClock,
        advance_clock,
        bodies.AdvanceClockRequest,
    ),
    Call(
        "GET",
        "/v1/test/scenarios",
        "Numbers that fix an outcome for test keys",
        "none",
        ("internal_error",),
        Scenarios,
        scenarios,
    ),
)
