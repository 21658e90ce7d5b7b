"""A log replayed under other thresholds: what would have been stopped, what that saves, and whom it costs."""

from datetime import datetime

import msgspec

from application.guard_replay import Simulated, simulate, standing
from domain.policy import Policy
from tests.application.test_guard import number
from tests.application.world import ACCOUNT, Process, process
from tests.support.clock import NOON

STRICT = Policy(guard_prefix_unverified_max=4)
"""Ten messages hold a prefix."""


def replayed(home: Process, policy: Policy = STRICT, *, since: datetime = NOON) -> Simulated:
    records = home.recorder.select_log(ACCOUNT, after=0, limit=10_000)
    return simulate(records, keyring=home.keyring, policy=policy, since=since)


def figures(found: Simulated) -> dict[str, int]:
    return {
        name: value for name, value in msgspec.structs.asdict(found).items() if name != "tripped" and value is not None
    }


def send(home: Process, index: int) -> tuple[str, str]:
    outgoing = home.do(home.send(number(index)))
    return outgoing.answer.verification_id, outgoing.code


def verify(home: Process, index: int, code: str) -> None:
    home.do(home.check(code, number(index)))


def test_under_the_thresholds_it_had_an_attack_goes_on_and_under_stricter_ones_it_stops():
    home = process()
    for index in range(15):
        send(home, index)
    assert figures(replayed(home)) == {
        "messages": 15,
        "stopped": 5,
        "challenged": 5,
        "credits_saved": 5,
        "users": 0,
        "users_lost": 0,
    }
    assert figures(replayed(home, Policy()))["stopped"] == 0


def test_who_verified_a_message_that_would_have_been_stopped_is_a_user_lost():
    home = process()
    sent = [send(home, index)[1] for index in range(12)]
    home.ask(home.check("000000", number(11)))
    verify(home, 11, sent[11])
    verify(home, 0, sent[0])
    found = figures(replayed(home))
    assert (found["stopped"], found["users"], found["users_lost"]) == (2, 2, 1)


def test_who_came_back_and_verified_after_all_is_not_lost():
    home = process()
    sent = [send(home, index)[1] for index in range(11)]
    verify(home, 10, sent[10])
    home.clock.advance(seconds=7_200)
    verify(home, 10, send(home, 10)[1])
    found = figures(replayed(home))
    assert (found["stopped"], found["users"], found["users_lost"]) == (1, 1, 0)


def test_a_code_that_went_out_before_the_resend_was_stopped_still_verifies():
    home = process()
    send(home, 0)
    home.clock.advance(seconds=31)
    for index in range(1, 10):
        send(home, index)
    verify(home, 0, send(home, 0)[1])
    found = figures(replayed(home))
    assert (found["stopped"], found["users_lost"]) == (1, 0)


def test_who_verified_before_is_never_stopped():
    home = process()
    verify(home, 0, send(home, 0)[1])
    home.clock.advance(seconds=7_200)
    for index in range(1, 12):
        send(home, index)
    send(home, 0)
    found = figures(replayed(home, msgspec.structs.replace(STRICT, guard_conversion_percent_min=95)))
    assert (found["messages"], found["stopped"]) == (13, 1)


def test_what_came_before_the_period_is_counted_and_in_no_figure():
    home = process()
    for index in range(6):
        send(home, index)
    home.clock.advance(seconds=600)
    later = home.clock.now()
    send(home, 6)
    assert figures(replayed(home, since=later)) == {
        "messages": 1,
        "stopped": 1,
        "challenged": 0,
        "credits_saved": 1,
        "users": 0,
        "users_lost": 0,
    }
    assert [reason.scope for reason in replayed(home, since=later).tripped] == ["prefix"]
    home.clock.advance(seconds=1)
    verify(home, 7, send(home, 7)[1])
    home.clock.advance(seconds=10)
    assert figures(replayed(home, since=home.clock.now()))["messages"] == 0
    assert replayed(home, since=home.clock.now()).tripped == []


def test_what_stands_now_is_what_the_latest_events_say():
    home = process()
    for index in range(10):
        send(home, index)
    verify(home, 50, send(home, 50)[1])
    records = home.recorder.select_log(ACCOUNT, after=0, limit=10_000)
    found = standing(records, keyring=home.keyring, policy=STRICT, now=home.clock.now())
    assert [(reason.scope, reason.of, reason.stage, reason.bad) for reason in found] == [
        ("prefix", "+1415****", "challenge", 10)
    ]
