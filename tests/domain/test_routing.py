"""Which providers are asked for a destination, and when one is left alone."""

from datetime import timedelta

import pytest

from domain.routing import (
    OPEN_SECONDS,
    OPEN_SECONDS_MAX,
    POOR_SECONDS,
    PROBE_SECONDS_MAX,
    RECENT_MAX,
    RECENT_MIN,
    REPORTS_MIN,
    ROUTES_MAX,
    Circuit,
    Routes,
    checked_routes,
)
from tests.support.given import moment

KNOWN = ("twilio", "vonage", "aws")


def routes(**table: list[str]) -> Routes:
    return checked_routes({"+" + name[1:] if name[0] == "p" else name: to for name, to in table.items()}, known=KNOWN)


def after(*outcomes: bool, at: float = 0) -> Circuit:
    circuit = Circuit()
    for well in outcomes:
        circuit = circuit.ended(well=well, now=moment(at))
    return circuit


def test_the_longest_prefix_that_fits_decides_then_the_country_then_the_order_of_all():
    made = routes(p1415=["vonage"], p14155=["aws"], US=["aws", "vonage"], TR=["vonage", "aws"])
    assert [made.order(*destination) for destination in (("+14155552671", "US"), ("+14165552671", "US"))] == [
        ("aws",),
        ("aws", "vonage"),
    ]
    assert made.order("+14159552671", "US") == ("vonage",)
    assert made.order("+905321232719", "TR") == ("vonage", "aws")
    assert made.order("+447400123456", "GB") == KNOWN


def test_the_order_of_all_others_can_be_given():
    assert checked_routes({"*": ["aws"]}, known=KNOWN).order("+447400123456", "GB") == ("aws",)


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"us": ["aws"]}, "destinations by"),
        ({"+0": ["aws"]}, "destinations by"),
        ({"US": []}, "1 to 8 different"),
        ({"US": ["aws", "aws"]}, "1 to 8 different"),
        ({"US": ["sinch"]}, "'sinch', which DONEOTP_SMS does not"),
        ({f"+{n}": ["aws"] for n in range(1, ROUTES_MAX + 2)}, "at most 2000"),
    ],
)
def test_routes_that_cannot_be_meant_are_refused(table, problem):
    with pytest.raises(ValueError, match=problem):
        checked_routes(table, known=KNOWN)


def test_a_circuit_opens_when_half_of_enough_handoffs_went_badly():
    few = after(*[False] * (RECENT_MIN - 1))
    assert (few.state(moment(0)), few.allows(moment(0))) == ("closed", True)
    opened = few.ended(well=False, now=moment(0))
    assert [opened.state(moment(at)) for at in (0, OPEN_SECONDS - 0.1, OPEN_SECONDS)] == ["open", "open", "half_open"]
    assert [opened.allows(moment(at)) for at in (0, OPEN_SECONDS - 0.1, OPEN_SECONDS)] == [False, False, True]
    assert after(*[True, True, False] * 20).state(moment(0)) == "closed"
    assert after(*[True] * 50, *[False] * (RECENT_MAX // 2)).state(moment(0)) == "open"


def test_what_a_circuit_remembers_is_bounded():
    assert len(after(*[True] * 500).recent) == RECENT_MAX
    circuit = Circuit()
    for _ in range(500):
        circuit = circuit.reported(delivered=True, now=moment(0))
        assert len(circuit.reports) < REPORTS_MIN


def test_one_message_at_a_time_tries_an_open_circuit():
    opened = after(*[False] * RECENT_MIN)
    trying = opened.tried(moment(OPEN_SECONDS))
    assert not trying.allows(moment(OPEN_SECONDS + 1))
    assert trying.allows(moment(OPEN_SECONDS + PROBE_SECONDS_MAX + 1)), "the one that tried may never have come back"
    assert trying.ended(well=True, now=moment(9)) == Circuit(openings=1)
    assert Circuit().tried(moment(0)) == Circuit()


def test_a_circuit_stays_open_longer_each_time_up_to_a_limit_and_forgets_after_a_good_run():
    circuit, lasted = after(*[False] * RECENT_MIN), []
    for _ in range(8):
        assert circuit.open_until is not None
        now = circuit.open_until
        circuit = circuit.tried(now).ended(well=False, now=now)
        assert circuit.open_until is not None
        lasted.append((circuit.open_until - now) // timedelta(seconds=1))
    assert lasted == [10, 20, 40, 80, *[OPEN_SECONDS_MAX] * 4]
    closed = circuit.ended(well=True, now=moment(9_999))
    assert (closed.state(moment(9_999)), closed.openings) == ("closed", 9)
    assert closed.ended(well=False, now=moment(9_999)).openings == 9
    assert closed.ended(well=True, now=moment(9_999)).openings == 0


def test_who_delivers_little_comes_last_for_some_minutes():
    def judged(delivered: int) -> Circuit:
        circuit = Circuit()
        for n in range(REPORTS_MIN):
            circuit = circuit.reported(delivered=n < delivered, now=moment(0))
        return circuit

    poor = judged(REPORTS_MIN // 2 - 1)
    assert [poor.is_poor(moment(at)) for at in (0, POOR_SECONDS - 1, POOR_SECONDS)] == [True, True, False]
    assert not judged(REPORTS_MIN // 2).is_poor(moment(0))
    assert not Circuit().is_poor(moment(0))
