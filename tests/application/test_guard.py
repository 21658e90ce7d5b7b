"""The fraud guard in a process: what it counts is what is committed, whoever wrote it, and send obeys."""

from typing import Any

import msgspec
import pytest

from application import guard as guards
from application import ledger as ledgers
from application.guard import place_of, place_to
from domain.events import CodeRequested
from domain.guard import Place
from domain.policy import Policy
from domain.refusals import ChallengeRequired, DestinationBlocked
from tests.application.world import ACCOUNT, NUMBER, TEST_LOG, Process, events, kinds, memory, process

POLICY = Policy(guard_prefix_unverified_max=4, guard_lead_unverified_max=40)
"""Ten messages hold a prefix, and five ask for a challenge."""


def number(index: int) -> str:
    """Numbers of one prefix."""
    return f"+1415555{index:04}"


def home(**more: Any) -> Process:
    return process(guarded=True, **more)


def send(home: Process, *indexes: int, **more: Any) -> list[str]:
    return kinds(home.ask(*(home.send(number(index), **{"policy": POLICY} | more) for index in indexes)))


def refusal(home: Process, index: int, **more: Any) -> Any:
    (found,) = home.ask(home.send(number(index), **{"policy": POLICY} | more))
    return found


def test_what_nobody_verifies_is_refused_after_so_many_and_leaves_no_event():
    at_home = home()
    answers = [send(at_home, index)[0] for index in range(13)]
    assert answers == ["Outgoing"] * 10 + ["DestinationBlocked"] * 3
    assert len([event for event in events(at_home.recorder) if isinstance(event, CodeRequested)]) == 10
    assert at_home.balance()["debited"] == 10


def test_messages_of_one_batch_know_of_each_other():
    assert send(home(), *range(13)) == ["Outgoing"] * 10 + ["DestinationBlocked"] * 3


def test_verified_messages_keep_a_prefix_open():
    at_home = home()
    for index in range(30):
        outgoing = at_home.do(at_home.send(number(index), policy=POLICY))
        at_home.do(at_home.check(outgoing.code, number(index)))
    assert send(at_home, 99) == ["Outgoing"]


def test_a_secret_key_hears_why_and_a_public_one_does_not():
    at_home = home()
    send(at_home, *range(10))
    assert refusal(at_home, 10).extras == {
        "scope": "prefix",
        "of": "+1415****",
        "window_seconds": 3_600,
        "unverified": 10,
        "young": 10,
        "verified": 0,
        "limit": 4,
        "held_limit": 10,
    }
    refused = refusal(at_home, 10, is_public=True)
    assert (type(refused), refused.extras) == (DestinationBlocked, {})


def test_a_public_key_is_asked_for_a_challenge_first_and_a_secret_one_is_not():
    at_home = home()
    send(at_home, *range(5))
    assert type(refusal(at_home, 5, is_public=True)) is ChallengeRequired
    assert send(at_home, 5, is_public=True, has_solved=True) == ["Outgoing"]
    assert send(at_home, 6) == ["Outgoing"]
    strict = msgspec.structs.replace(POLICY, guard_challenge_secret_keys=1)
    assert send(at_home, 7, policy=strict) == ["DestinationBlocked"]


def test_a_solved_challenge_opens_nothing_that_is_shut():
    at_home = home()
    send(at_home, *range(10))
    assert send(at_home, 10, is_public=True, has_solved=True) == ["DestinationBlocked"]


def test_a_number_that_was_ever_verified_is_never_refused():
    at_home = home()
    outgoing = at_home.do(at_home.send(number(77)))
    at_home.do(at_home.check(outgoing.code, number(77)))
    strict = msgspec.structs.replace(POLICY, guard_conversion_percent_min=95)
    send(at_home, *range(12), policy=strict)
    at_home.clock.advance(seconds=600)
    assert send(at_home, 20, 77, policy=strict) == ["DestinationBlocked", "Outgoing"]
    at_home.clock.advance(seconds=86_400 * 300)
    send(at_home, *range(30, 50), policy=strict)
    assert send(at_home, 50, 77, policy=strict) == ["DestinationBlocked", "Outgoing"]


def test_what_is_shut_is_told_once_and_counted():
    at_home = home()
    send(at_home, *range(10))
    at_home.clock.advance(seconds=600)
    assert (send(at_home, 10, 11), at_home.tripped) == (["DestinationBlocked"] * 2, [(ACCOUNT, "prefix")])
    assert (at_home.guard.trips, at_home.guard.blocked, at_home.guard.challenged) == (1, 2, 5)


@pytest.mark.parametrize("setting", [0, 1])
def test_a_guard_that_is_off_or_only_counts_refuses_nothing(setting):
    at_home = home()
    policy = msgspec.structs.replace(POLICY, guard=setting)
    assert send(at_home, *range(20), policy=policy) == ["Outgoing"] * 20
    assert at_home.guard.blocked == (10 if setting else 0)


def test_a_process_without_a_guard_refuses_nothing():
    assert send(process(), *range(20)) == ["Outgoing"] * 20


def test_test_keys_are_guarded_where_the_account_wants_it():
    at_home = home()
    assert send(at_home, *range(12), log=TEST_LOG) == ["Outgoing"] * 12
    policy = msgspec.structs.replace(POLICY, guard_test_keys=1)
    assert send(at_home, 13, log=TEST_LOG, policy=policy) == ["DestinationBlocked"]


def test_another_process_counts_what_this_one_wrote_and_goes_on_from_there():
    here = home()
    there = here.other()
    there.ledger.guard = there.guard
    assert send(there, 0) == ["Outgoing"]
    assert send(here, *range(1, 9)) == ["Outgoing"] * 8
    assert send(there, *range(9, 12)) == ["Outgoing", "DestinationBlocked", "DestinationBlocked"]


def test_a_process_that_starts_later_has_the_same_counts():
    at_home = home()
    send(at_home, *range(10))
    at_home.clock.advance(seconds=600)
    assert send(at_home, 10) == ["DestinationBlocked"]
    fresh = at_home.other()
    fresh.ledger.guard = fresh.guard
    assert (send(fresh, 11), fresh.guard.trips) == (["DestinationBlocked"], 1)


def test_what_was_shut_before_a_process_started_is_shut_in_it_and_told_no_more():
    at_home = home()
    outgoing = at_home.do(at_home.send(number(77), policy=POLICY))
    at_home.do(at_home.check(outgoing.code, number(77)))
    send(at_home, *range(9))
    at_home.clock.advance(seconds=600)
    assert send(at_home, 77) == ["Outgoing"]
    fresh = at_home.other()
    fresh.ledger.guard = fresh.guard
    assert (send(fresh, 11), fresh.guard.trips, at_home.guard.trips) == (["DestinationBlocked"], 0, 1)


def test_only_the_latest_events_are_read_when_a_process_starts(monkeypatch):
    at_home = home()
    send(at_home, *range(10))
    monkeypatch.setattr(ledgers, "EVENTS_READ_MAX", 8)
    fresh = at_home.other()
    fresh.ledger.guard = fresh.guard
    assert send(fresh, *range(10, 18)) == ["Outgoing"] * 6 + ["DestinationBlocked"] * 2


def test_a_conflict_with_another_process_counts_nothing_twice():
    here = home()
    there = here.other()
    send(here, 0)
    memory(here).steal("append", lambda: there.do(there.send(number(1))))
    assert send(here, *range(2, 10)) == ["Outgoing"] * 8
    assert send(here, 10) == ["DestinationBlocked"]


def test_a_log_that_was_forgotten_meanwhile_is_read_again():
    at_home = home()
    there = at_home.other()
    send(at_home, 0)
    at_home.ledger.forget(ACCOUNT)
    for index in range(1, 10):
        there.do(there.send(number(index)))
    assert send(at_home, 10) == ["DestinationBlocked"]


def test_a_hole_in_what_is_followed_drops_the_counts_rather_than_miscount():
    at_home = home()
    send(at_home, *range(10))
    last = events(at_home.recorder)[-1]
    at_home.guard.follow(ACCOUNT, 500, last)
    at_home.guard.follow(ACCOUNT, 500, last)
    assert at_home.guard.things == 0
    assert send(at_home, 10) == ["DestinationBlocked"]
    at_home.guard.follow(ACCOUNT, 1, last)
    assert at_home.guard.is_at(ACCOUNT, at_home.balance()["position"])


def test_what_is_remembered_over_all_logs_is_bounded():
    at_home = home()
    at_home.guard = at_home.ledger.guard = guards.Guard(at_home.keyring, on_trip=lambda *_: None, things_max=10)
    policy = msgspec.structs.replace(POLICY, guard_test_keys=1)
    send(at_home, *range(5), policy=policy)
    assert at_home.guard.things == 7
    send(at_home, *range(5), policy=policy, log=TEST_LOG)
    assert (at_home.guard.things, at_home.guard.is_at(ACCOUNT, at_home.balance()["position"])) == (7, False)


def test_an_event_tells_its_prefix_to_the_holder_of_the_key_alone():
    at_home = home()
    send(at_home, 1, 2)
    at_home.do(at_home.send("+14155562671"))
    found = [event for event in events(at_home.recorder) if isinstance(event, CodeRequested)]
    tags = [event.prefix_tag for event in found]
    assert (len(set(tags)), {len(tag) for tag in tags}) == (3, {11})
    places = [place_of(at_home.keyring, event) for event in found]
    assert (places[0] == places[1], places[0] == places[2]) == (True, False)
    assert places[0] == place_to(at_home.keyring, ACCOUNT, at_home.send(number(3)).phone)


def test_an_event_from_before_there_were_tags_counts_by_its_mask():
    at_home = home()
    send(at_home, 1)
    (event,) = [event for event in events(at_home.recorder) if isinstance(event, CodeRequested)]
    older = msgspec.structs.replace(event, prefix_tag="")
    assert place_of(at_home.keyring, older) == Place("+1415", "+1415", "US")


def test_a_place_that_nobody_counts_is_open():
    at_home = home()
    at_home.ledger.watch = lambda *_: None  # type: ignore[method-assign]
    assert send(at_home, *range(12)) == ["Outgoing"] * 12
    assert number(0) != NUMBER


def test_a_guard_that_is_switched_off_keeps_no_counts_and_begins_anew_when_it_is_on():
    at_home = home()
    send(at_home, *range(9))
    send(at_home, 9, policy=msgspec.structs.replace(POLICY, guard=0))
    assert at_home.guard.things == 0
    assert send(at_home, 10) == ["DestinationBlocked"]
