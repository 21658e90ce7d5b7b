"""The page on testing against the numbers that fix an outcome."""

from application.scenarios import SCENARIOS
from interfaces.sms.scenario import REPORT_SECONDS, SLOW_SECONDS
from tests.docs.pages import TESTING, rows


def test_every_scenario_number_is_there_with_what_it_does() -> None:
    assert list(rows(TESTING, "Numbers that fix an outcome")) == [
        [f"`{one.number}`", f"`{one.outcome}`", f"`{one.code}`" if one.code else "200", one.meaning]
        for one in SCENARIOS
    ]


def test_the_page_says_how_long_things_take() -> None:
    text = TESTING.read_text()
    assert f"{SLOW_SECONDS:.0f} seconds" in text
    assert f"{REPORT_SECONDS} seconds" in text
