"""Explaining is a read: it says what the rules say, and leaves no event."""

import pytest

from application.explaining import ExplainSend
from domain.lists import Lists
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
