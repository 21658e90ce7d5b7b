"""The three pumping attackers, shortly: what is lost and who is refused. And what is lost without the guard."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.bench import pumping, scratch
from interfaces.bench.pumping import ATTACKS, LOST_MAX, Toll, Town
from interfaces.bench.scratch import Served


@pytest.fixture(scope="module")
def attacked() -> Iterator[tuple[Served, Path]]:
    with tempfile.TemporaryDirectory(prefix="doneotp-test-") as name:
        Path(name).chmod(0o711)  # started by root, the database runs as another user
        with scratch.service(Path(name) / "home", workers=1) as server:
            yield server, Path(name) / "home"


def test_no_attack_gets_more_than_it_may_and_no_honest_user_is_refused(attacked: tuple[Served, Path]) -> None:
    server, home = attacked
    town = Town(warm_minutes=22, minutes=2, attack_per_second=5.0)
    tolls = pumping.pump(server, home, town, guard=2, say=lambda _: None)
    assert [(toll.attack, toll.attempts, toll.honest) for toll in tolls] == [(name, 600, 1_440) for name in ATTACKS]
    assert [(toll.honest_refused, toll.other_answers) for toll in tolls] == [(0, 0)] * 3
    assert all(toll.holds and 0 < toll.lost <= LOST_MAX for toll in tolls)
    assert all(toll.honest_verified > 1_000 for toll in tolls)


def test_without_the_guard_everything_is_lost(attacked: tuple[Served, Path]) -> None:
    server, home = attacked
    town = Town(warm_minutes=1, minutes=1, attack_per_second=5.0)
    (toll,) = pumping.pump(server, home, town, guard=0, say=lambda _: None, attacks=("spread",))
    assert (toll.attempts, toll.lost, toll.holds) == (300, 300, False)


@pytest.mark.parametrize("lost", [LOST_MAX, LOST_MAX + 1])
def test_what_is_promised_is_compared(lost: int) -> None:
    toll = Toll(
        attack="spread",
        attempts=9_000,
        lost=lost,
        honest=1_000,
        honest_verified=850,
        honest_refused=1,
        honest_refused_share=0.001,
        other_answers=0,
    )
    assert toll.holds == (lost == LOST_MAX)
