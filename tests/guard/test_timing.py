"""Numbers that are absent, expired and locked take as long as each other; one that takes twice the work is found out."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from interfaces.bench import timing
from interfaces.bench.timing import STATES, Pair, Questions
from tests.support.server import Server

ROUNDS = 400


@pytest.fixture
def questions(server: Server) -> Iterator[Questions]:
    account = server.open_account()
    server.books.administration.change_policy(
        account.account_id, changes={"public_requests_per_second_max": 0}, by="test"
    )
    asked = Questions(urlsplit(server.base_url).port or 0, account)
    timing.interleaved(asked.classes(), rounds=timing.WARM_ROUNDS)
    yield asked
    asked.close()


def test_the_time_of_an_answer_does_not_tell_absent_expired_and_locked_apart(questions: Questions) -> None:
    assert questions.states() == STATES
    classes = questions.classes()
    assert {name: ask()["code"] for name, ask in classes.items()} == dict.fromkeys(classes, "verification_not_found")
    pairs = timing.compared(timing.interleaved(classes, rounds=ROUNDS))
    assert timing.holds(pairs), pairs
    assert questions.states() == STATES


def test_twice_the_work_is_told_apart(questions: Questions) -> None:
    """The control: the same questions, and one of them is asked twice."""
    classes = questions.classes()
    expired = classes["expired"]
    pairs = timing.compared(timing.interleaved({**classes, "expired": lambda: (expired(), expired())}, rounds=ROUNDS))
    assert not timing.holds(pairs), pairs
    assert timing.holds([pair for pair in pairs if "expired" not in {pair.first, pair.second}]), pairs


def test_t_is_welchs() -> None:
    """By hand: means 2 and 4, variances 1 and 4, three of each: -2 / sqrt(5/3)."""
    assert timing.welch([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(-1.549193)
    assert timing.welch([1.0, 1.0], [1.0, 1.0]) == 0.0
    assert timing.welch([1.0, 1.0], [2.0, 2.0]) == float("-inf")


@pytest.mark.parametrize(("t", "control", "verdict"), [(4.5, 0.0, "alike"), (-4.6, 1.0, "apart"), (6.0, -6.5, "alike")])
def test_a_machine_that_tells_a_class_from_itself_proves_nothing(t: float, control: float, verdict: str) -> None:
    pairs = [
        Pair(first="absent", second="absent_again", t=control, slower_micros=0.0),
        Pair(first="absent", second="locked", t=t, slower_micros=0.0),
    ]
    assert timing.holds(pairs) == (verdict == "alike")
