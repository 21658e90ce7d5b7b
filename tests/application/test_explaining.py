"""Explaining is a read: it says what the rules say, and leaves no event."""

from dataclasses import replace

import pytest

from application.explaining import ExplainSend, from_beside, shown
from domain.events import CodeRequested
from domain.lists import NOTHING, Lists
from domain.rules import Step
from tests.application.world import events, process


def told(steps: list[Step]) -> dict[str, str]:
    return {step.rule: step.code or step.outcome for step in steps}


def test_nothing_is_recorded():
    home = process()
    before = len(events(home.recorder))
    assert set(told(home.do(ExplainSend(home.send()))).values()) == {"passed"}
    home.do(home.send())
    found = told(home.do(ExplainSend(home.send())))
    assert (found["number_lock"], found["resend_cooldown"], found["credit"]) == (
        "passed",
        "resend_cooldown",
        "not_reached",
    )
    assert len(events(home.recorder)) == before + 2


def test_an_early_refusal_ends_the_path():
    home = process()
    shut = Lists(blocked={"country": {"US": "US"}})
    found = told(home.do(ExplainSend(home.send(lists=shut))))
    assert (found["number_lists"], found["country"], found["credit"]) == (
        "passed",
        "country_not_enabled",
        "not_reached",
    )


def test_a_question_never_carries_a_key():
    home = process()
    home.do(home.send())
    question = ExplainSend(home.send(key="K"))
    assert question.idempotency == ""
    with pytest.raises(AssertionError):
        question.replay(events(home.recorder)[0])


def test_a_recorded_number_is_asked_about_by_hash_and_mask_and_what_they_do_not_tell_is_untold():
    home = process()
    home.do(home.send())
    home.clock.advance(seconds=400)
    recorded = next(event for event in events(home.recorder) if isinstance(event, CodeRequested))
    stream = home.stream()

    def asked(blocked: dict[str, dict[str, str]]) -> dict[str, str]:
        destination = shown(recorded, stream=stream, both=(Lists(blocked=blocked), NOTHING))
        send = replace(home.send(), destination=destination, phone=destination.listed.phone)
        return told(home.do(ExplainSend(send, recorded)))

    free = asked({})
    assert (free.pop("number_type"), set(free.values())) == ("untold", {"passed"})
    assert asked({"number": {stream: "+1415****2671"}})["number_lists"] == "number_blocklisted"
    assert asked({"prefix": {"1415555": "1415555"}})["number_lists"] == "untold"


def test_who_asks_from_beside_is_not_told_the_counts():
    steps = [Step(rule="rates", outcome="passed"), Step(rule="credit", outcome="passed")]
    assert told(from_beside(steps)) == {"rates": "untold", "credit": "passed"}
    assert told(from_beside([Step(rule="rates", outcome="not_reached")])) == {"rates": "not_reached"}
