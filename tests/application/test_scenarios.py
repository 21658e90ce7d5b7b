"""The table of numbers that fix an outcome: that they can be used, and that it says what happens."""

from application.scenarios import SCENARIOS, carrier_outcome_for, is_scenario, refusal_for
from domain import phone as phones


def test_every_scenario_number_is_valid_in_its_canonical_spelling_and_there_once() -> None:
    assert [phones.parse(each.number).e164 for each in SCENARIOS] == [each.number for each in SCENARIOS]
    assert len({each.number for each in SCENARIOS}) == len({each.outcome for each in SCENARIOS}) == len(SCENARIOS)


def test_the_table_names_every_outcome_with_the_code_it_is_refused_with() -> None:
    assert {each.outcome: each.code for each in SCENARIOS} == {
        "delivered": None,
        "slow": None,
        "undelivered": None,
        "provider_down": None,
        "duplicate_receipts": None,
        "contradicting_receipts": None,
        "number_refused": None,
        "blocklisted": "number_blocklisted",
        "country_not_enabled": "country_not_enabled",
        "no_credit": "insufficient_credit",
        "rate_limited": "api_rate_limited",
        "locked": "number_locked",
        "destination_blocked": "destination_blocked",
    }


def test_a_scenario_number_is_told_from_every_other() -> None:
    assert {is_scenario(each.number) for each in SCENARIOS} == {True}
    assert not is_scenario("+14155552671")


def test_a_number_is_refused_or_has_a_carrier_outcome_as_the_table_says() -> None:
    found = {}
    for each in SCENARIOS:
        refusal = refusal_for(each.number)
        found[each.number] = (None if refusal is None else refusal.code, carrier_outcome_for(each.number))
    assert found == {each.number: (each.code, each.outcome if each.code is None else None) for each in SCENARIOS}


def test_refusals_that_waiting_helps_against_say_for_how_long() -> None:
    waits = {each.code: refusal.retry_after_seconds for each in SCENARIOS if (refusal := refusal_for(each.number))}
    assert waits == {
        "number_blocklisted": None,
        "country_not_enabled": None,
        "insufficient_credit": None,
        "api_rate_limited": 1,
        "number_locked": 3_600,
        "destination_blocked": None,
    }


def test_a_refusal_is_a_new_one_every_time() -> None:
    number = next(each.number for each in SCENARIOS if each.outcome == "blocklisted")
    assert refusal_for(number) is not refusal_for(number)


def test_every_other_number_just_works() -> None:
    assert [(refusal_for(number), carrier_outcome_for(number)) for number in ("+14155552671", "+15005550099")] == [
        (None, None)
    ] * 2
