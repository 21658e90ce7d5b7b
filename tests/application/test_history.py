"""Verifications as a support desk sees them."""

from datetime import timedelta
from typing import Any

import pytest

from application.history import Detail, Step, details
from application.verifications import Outgoing, RecordUnconfirmed
from tests.application.world import ACCOUNT, OTHER_NUMBER, Process, memory, process
from tests.support.clock import NOON

MASK = "+1415****2671"


def wrong(code: str) -> str:
    return "0" * 6 if code != "0" * 6 else "1" * 6


def history(home: Process) -> dict[str, Detail]:
    """All verifications of a log, as of now."""
    return details(memory(home).log(ACCOUNT), now=home.clock.now())


def seen(home: Process, outgoing: Outgoing) -> dict[str, Any]:
    """The parts of a verification that change."""
    found = history(home)[outgoing.answer.verification_id]
    return {name: getattr(found, name) for name in ("status", "sends", "attempts_left", "credits", "redeemed_at")}


def test_a_whole_life():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    home.do(home.took(outgoing))
    home.do(home.delivery(outgoing, delivered=True))
    home.ask(home.check(wrong(outgoing.code)))
    home.clock.advance(seconds=5)
    token = home.do(home.check(outgoing.code)).token
    home.clock.advance(seconds=5)
    home.do(home.redeem(token))
    later = NOON + timedelta(seconds=5)
    assert history(home) == {
        of: Detail(
            verification_id=of,
            status="verified",
            phone_number=MASK,
            country="US",
            created_at=NOON,
            expires_at=NOON + timedelta(seconds=300),
            sends=1,
            attempts_left=4,
            credits=1,
            redeemed_at=NOON + timedelta(seconds=10),
            timeline=[
                Step(at=NOON, type="CodeRequested", position=3, send=1),
                Step(at=NOON, type="CodeSent", position=5, send=1, provider="inbox"),
                Step(at=NOON, type="DeliveryReported", position=6, send=1, provider="inbox", outcome="delivered"),
                Step(at=NOON, type="AttemptFailed", position=7, attempts_left=4),
                Step(at=later, type="Verified", position=8),
                Step(at=later + timedelta(seconds=5), type="TokenRedeemed", position=9),
            ],
        )
    }


def test_a_verification_is_pending_until_its_life_is_over():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    pending = {"sends": 1, "attempts_left": 5, "credits": 1, "redeemed_at": None}
    home.clock.advance(seconds=299)
    assert seen(home, outgoing) == {"status": "pending", **pending}
    home.clock.advance(seconds=1)
    assert seen(home, outgoing) == {"status": "expired", **pending}


def test_a_verification_without_tries_has_failed_for_good():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.ask(*[home.check(wrong(outgoing.code))] * 5)
    failed = {"status": "failed", "sends": 1, "attempts_left": 0, "credits": 1, "redeemed_at": None}
    assert seen(home, outgoing) == failed
    home.clock.advance(seconds=900)
    assert seen(home, outgoing) == failed


def test_a_cancelled_verification_stays_cancelled():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.cancel(outgoing.answer.verification_id))
    home.clock.advance(seconds=900)
    assert seen(home, outgoing) == {
        "status": "cancelled",
        "sends": 1,
        "attempts_left": 5,
        "credits": 1,
        "redeemed_at": None,
    }


@pytest.mark.parametrize("fate", ["refused", "undelivered"])
def test_a_message_that_was_paid_back_is_off_the_bill_of_its_verification(fate):
    home = process()
    first: Outgoing = home.do(home.send())
    if fate == "refused":
        home.do(home.refused(first))
    else:
        home.do(home.took(first))
        home.do(home.delivery(first, delivered=False))
    home.clock.advance(seconds=30)
    second: Outgoing = home.do(home.send())
    assert second.send == 2
    found = history(home)[first.answer.verification_id]
    assert (found.sends, found.credits) == (2, 1)
    step = next(step for step in found.timeline if step.reason)
    assert (step.type, step.reason, step.outcome) == (
        ("SendFailed", "unreachable", "") if fate == "refused" else ("DeliveryReported", "handset off", "undelivered")
    )
    assert sum(detail.credits for detail in history(home).values()) == 100 - home.balance()["available"]


def test_verifications_of_one_number_and_of_others_are_kept_apart():
    home = process()
    first: Outgoing = home.do(home.send())
    home.do(home.send(OTHER_NUMBER))
    home.clock.advance(seconds=300)
    second: Outgoing = home.do(home.send())
    home.do(home.refused(first))
    home.do(home.check(second.code))
    found = history(home)
    assert [(detail.status, detail.credits, detail.phone_number) for detail in found.values()] == [
        ("expired", 0, MASK),
        ("expired", 1, "+90532****2719"),
        ("verified", 1, MASK),
    ]


def test_what_happened_to_a_verification_that_began_before_the_records_is_left_out():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    home.do(home.took(outgoing))
    assert details(memory(home).log(ACCOUNT)[4:], now=NOON) == {}
    assert details([], now=NOON) == {}


def test_a_message_that_nobody_confirmed_is_in_the_timeline_and_still_paid_for():
    home = process()
    outgoing: Outgoing = home.do(home.send())
    of = outgoing.answer.verification_id
    home.do(RecordUnconfirmed(ACCOUNT, home.stream(), of, 1, "timeout", "first"))
    told = history(home)[of]
    step = Step(at=NOON, type="SendUnconfirmed", position=5, send=1, provider="first", reason="timeout")
    assert (told.timeline[-1], told.credits) == (step, 1)
