"""A rule tried on what was sent: exact where the ledger says enough, and untold where it does not."""

from datetime import datetime

import pytest

from application import list_trial, listing
from application.list_trial import Tried
from domain.lists import NOTHING, Effect, Kind, Lists
from domain.refusals import InvalidRequest
from tests.application.world import ACCOUNT, NUMBER, OTHER_NUMBER, Process, process
from tests.support.clock import NOON


@pytest.fixture
def home() -> Process:
    """Two messages to a number that verified with the second, one to another that never did."""
    home = process()
    home.do(home.send())
    home.clock.advance(seconds=400)
    code = home.do(home.send()).code
    home.do(home.check(code))
    home.do(home.send(OTHER_NUMBER))
    return home


def tried(
    home: Process, effect: Effect, kind: Kind, *values: str, lists: Lists = NOTHING, since: datetime = NOON
) -> Tried:
    entries = listing.entries(home.keyring, ACCOUNT, kind, list(values))
    return list_trial.tried(
        home.recorder.select_log(ACCOUNT, after=0, limit=1_000),
        rule=list_trial.alone(lists, effect=effect, kind=kind, entries=entries),
        both=(lists, NOTHING),
        since=since,
    )


AMERICAN = Tried(messages=3, refused=2, credits=2, numbers=1, verified=1)
TURKISH = Tried(messages=3, refused=1, credits=1, numbers=1)


def test_a_block_refuses_what_it_names_and_no_more(home: Process):
    assert tried(home, "block", "number", NUMBER) == AMERICAN
    assert tried(home, "block", "country", "US") == AMERICAN
    assert tried(home, "block", "prefix", "+1415") == AMERICAN
    assert tried(home, "block", "country", "DE") == Tried(messages=3)


def test_an_allow_refuses_what_neither_it_nor_the_lists_name(home: Process):
    assert tried(home, "allow", "country", "US") == TURKISH
    assert tried(home, "allow", "number", NUMBER) == TURKISH
    known = Lists(allowed={"prefix": {"9053": "9053"}, "country": {"TR": "TR", "US": "US"}})
    assert tried(home, "allow", "number", NUMBER, lists=known) == Tried(messages=3)


def test_what_the_lists_refuse_anyway_is_not_laid_to_the_rule(home: Process):
    assert tried(home, "block", "number", NUMBER, lists=Lists(blocked={"country": {"US": "US"}})) == Tried(messages=3)


def test_digits_that_a_mask_hides_leave_a_rule_untold(home: Process):
    assert tried(home, "block", "prefix", "+1415555") == Tried(messages=3, untold=2, untold_verified=1)
    assert tried(home, "block", "prefix", "+1415555", "+9053") == Tried(
        messages=3, refused=1, credits=1, numbers=1, untold=2, untold_verified=1
    )


def test_only_the_period_counts(home: Process):
    later = home.clock.now()
    assert tried(home, "block", "number", NUMBER, since=later).refused == 1


@pytest.mark.parametrize("kind", ["ip", "type", "origin"])
def test_a_rule_of_which_events_say_nothing_is_refused(kind: Kind):
    with pytest.raises(InvalidRequest, match="Events"):
        list_trial.require_tellable(kind)


@pytest.mark.parametrize("kind", ["number", "prefix", "country"])
def test_the_others_are_told(kind: Kind):
    list_trial.require_tellable(kind)
