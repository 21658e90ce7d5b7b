"""Caps on spending: whatever the order of debits and refunds, no 24 hours ever hold more than the cap."""

from datetime import timedelta

import pytest
from hypothesis import given as whenever
from hypothesis import strategies

from domain import account as accounts
from domain.account import Account
from domain.policy import Policy
from domain.refusals import SpendCapReached
from domain.spending import HOURS_MAX, NONE, Spent, plus
from tests.support.clock import NOON
from tests.support.given import debited, moment, requested

HOUR = 3_600.0
DAY = timedelta(hours=24)
CAP = 5


@whenever(
    strategies.lists(
        strategies.tuples(strategies.floats(0, 9 * HOUR), strategies.integers(1, CAP), strategies.booleans()),
        max_size=60,
    )
)
def test_no_24_hours_hold_more_than_the_cap(steps):
    spent, now, made = NONE, 0.0, []
    for wait, credits, is_refund in steps:
        now += wait
        if is_refund:
            spent = plus(spent, -credits, at=moment(now))
        elif spent.day(moment(now)) + credits <= CAP:
            spent = plus(spent, credits, at=moment(now))
            made.append((moment(now), credits))
    refunds = any(is_refund for _, _, is_refund in steps)
    for end, _ in made:
        within = sum(credits for at, credits in made if end - DAY < at <= end)
        assert refunds or within <= CAP
    assert len(spent.hours) <= HOURS_MAX


def test_a_refund_makes_room_in_its_own_hour_and_never_more_than_was_spent_in_it():
    spent = plus(plus(NONE, 3, at=moment(0)), -2, at=moment(60))
    assert (spent.day(moment(60)), spent.of_month(moment(60))) == (1, 1)
    later = plus(spent, -5, at=moment(2 * HOUR))
    assert (later.day(moment(2 * HOUR)), later.of_month(moment(2 * HOUR))) == (1, 0)
    assert plus(spent, -5, at=moment(61)).day(moment(61)) == 0


def test_a_month_begins_at_nothing_and_a_late_clock_counts_in_the_latest_hour():
    november = plus(NONE, 3, at=NOON)
    december = NOON + timedelta(days=31)
    assert (november.of_month(december), plus(november, 2, at=december).of_month(december)) == (0, 2)
    assert plus(november, 2, at=moment(-2 * HOUR)).hours == ((november.hours[0][0], 5),)
    assert plus(NONE, -1, at=NOON) == Spent((), plus(NONE, 1, at=NOON).month, 0)


@pytest.mark.parametrize(
    ("policy", "is_public", "period"),
    [
        (Policy(), False, None),
        (Policy(spend_per_day_max=3), False, None),
        (Policy(spend_per_day_max=2), False, "day"),
        (Policy(spend_per_month_max=2), False, "month"),
        (Policy(public_spend_per_day_max=2), True, "day"),
        (Policy(public_spend_per_day_max=2), False, None),
        (Policy(public_spend_per_day_max=0), True, None),
    ],
)
def test_a_message_that_would_pass_a_cap_is_refused(policy, is_public, period):
    debit = debited(2)
    account = accounts.evolve(Account(), type(debit)(**{**_fields(debit), "key_id": ""}))
    account = accounts.evolve(account, type(debit)(**{**_fields(debit), "credits": 0, "key_id": "other"}))
    of_key = {"": plus(NONE, 2, at=NOON)}
    account = Account(added=9, spent=account.spent, spent_by_key={**account.spent_by_key, **of_key})
    found = None
    try:
        accounts.require_within_caps(account, requested(), policy=policy, is_public=is_public, now=NOON)
    except SpendCapReached as refusal:
        found = refusal.extras["period"]
    assert found == period


def test_what_is_free_passes_every_cap():
    accounts.require_within_caps(
        Account(spent=plus(NONE, 9, at=NOON)),
        requested(price=0),
        policy=Policy(spend_per_day_max=1),
        is_public=True,
        now=NOON,
    )


def test_a_public_keys_debits_are_counted_for_it_and_for_the_account():
    debit = debited(2)
    account = accounts.evolve(Account(), type(debit)(**{**_fields(debit), "key_id": "key_p"}))
    assert (account.debited, account.spent.day(NOON), account.spent_by_key["key_p"].day(NOON)) == (2, 2, 2)


def _fields(event):
    return {name: getattr(event, name) for name in event.__struct_fields__}
