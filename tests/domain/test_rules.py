"""The rules of a send: one list, asked in order, for who sends and for who asks why."""

from collections.abc import Sequence
from typing import Any

import pytest

from domain import phone, rules
from domain import verification as verifications
from domain.account import Account
from domain.lists import NOTHING, Listed, Lists
from domain.policy import Policy
from domain.refusals import ApiRateLimited, CountryNotEnabled, NumberLocked
from domain.rules import NOT_COUNTED, Asked, Counted, Destination, Rule, Step
from domain.spending import NONE, plus
from domain.verification import NewCode, Verification
from tests.support.given import NUMBER, failed, given, moment, no_guard, requested

TURKISH = Listed(phone.parse("+905321232719"), ("hash", "hash of all"))
ACCOUNT = Account(added=3)
NOTHING_HAPPENED = Verification()
DAILY = given(*(requested(at=float(-n), of=f"ver_{n}") for n in range(1_000, 0, -100))).state
CAPPED = Account(added=3, policy=Policy(spend_per_day_max=2), spent=plus(NONE, 2, at=moment(0)))


def asked(
    verification: Verification = NOTHING_HAPPENED,
    *,
    account: Account = ACCOUNT,
    at: float = 400,
    counted: Counted = NOT_COUNTED,
) -> Asked:
    command = NewCode(phone=NUMBER, verification_id="ver_2", seed="seed", card=account.rate_card(moment(at)))
    event = verifications.request(verification, command, policy=account.policy, now=moment(at))
    return Asked(
        holder=account,
        account=account,
        verification=verification,
        requested=event,
        now=moment(at),
        counted=counted,
        require_guard=no_guard,
    )


def told(steps: Sequence[Step]) -> dict[str, str]:
    return {step.rule: step.code or step.outcome for step in steps}


def test_early_rules_look_at_lists_in_the_order_number_country_type():
    free = Destination(TURKISH, (NOTHING, NOTHING))
    assert rules.path(rules.EARLY, free) == [
        Step(
            rule="number_lists",
            outcome="passed",
            looked_at="numbers and prefixes on lists: 0 blocked, 0 allowed",
        ),
        Step(rule="country", outcome="passed", looked_at="TR; countries on lists: 0 blocked, 0 allowed"),
        Step(rule="number_type", outcome="passed", looked_at="mobile; types on lists: 0 blocked, 0 allowed"),
    ]
    rules.require(rules.EARLY, free)


def test_after_a_refusal_no_rule_is_asked():
    lists = Lists(blocked={"country": {"TR": "TR"}, "type": {"mobile": "mobile"}})
    shut = Destination(TURKISH, (lists, NOTHING))
    assert told(rules.path(rules.EARLY, shut)) == {
        "number_lists": "passed",
        "country": "country_not_enabled",
        "number_type": "not_reached",
    }
    with pytest.raises(CountryNotEnabled):
        rules.require(rules.EARLY, shut)
    assert {step.outcome for step in rules.path(rules.LATE, asked(), is_over=True)} == {"not_reached"}


def test_late_rules_all_pass_for_a_new_number_of_an_account_with_credit():
    assert {(step.outcome, step.code) for step in rules.path(rules.LATE, asked())} == {("passed", "")}
    assert [step.looked_at != "" for step in rules.path(rules.LATE, asked())] == [True] * len(rules.LATE)


@pytest.mark.parametrize(
    ("subject", "rule", "code"),
    [
        (asked(account=Account(added=3, suspended="fraud")), "account_standing", "account_suspended"),
        (asked(given(requested(), *failed(times=20)).state), "number_lock", "number_locked"),
        (asked(given(requested(send=4)).state, at=200), "messages_of_verification", "number_send_limit"),
        (asked(given(requested()).state, at=10), "resend_cooldown", "resend_cooldown"),
        (asked(DAILY), "number_sends", "number_send_limit"),
        (asked(counted=Counted(ApiRateLimited())), "rates", "api_rate_limited"),
        (asked(account=CAPPED), "spend_caps", "spend_cap_reached"),
        (asked(account=Account()), "credit", "insufficient_credit"),
    ],
)
def test_each_late_rule_refuses_in_its_turn(subject: Asked, rule: str, code: str):
    steps = told(rules.path(rules.LATE, subject))
    names = [one.name for one in rules.LATE]
    turn = names.index(rule)
    assert steps == {
        **dict.fromkeys(names[:turn], "passed"),
        rule: code,
        **dict.fromkeys(names[turn + 1 :], "not_reached"),
    }


def test_who_sends_is_refused_by_the_rule_that_explains_it():
    """The two ways into the list of rules agree, whatever the list is."""

    def refuse(_: Any) -> None:
        raise NumberLocked

    some: list[Rule[Any]] = [Rule("first", lambda _: None, str), Rule("second", refuse, str)]
    assert told(rules.path(some, None)) == {"first": "passed", "second": NumberLocked.code}
    with pytest.raises(NumberLocked):
        rules.require(some, None)
