"""Counts over a sliding window, against a list of all that was ever counted."""

from hypothesis import given
from hypothesis import strategies as st

from domain.meter import Meter

WINDOW, GRACE = 10, 2


def sums(meter: Meter, minute: int) -> tuple[int, int, int]:
    meter.roll(minute, window=WINDOW, grace=GRACE)
    return meter.bad_old, meter.bad_young, meter.good


def test_what_is_younger_than_the_grace_is_young_and_what_leaves_the_window_is_forgotten():
    meter = Meter()
    meter.add(100, bad=2)
    meter.add(101, bad=1, good=3)
    assert [sums(meter, minute) for minute in (101, 102, 103, 104, 109, 110, 111)] == [
        *((0, 3, 3), (0, 3, 3), (2, 1, 3), (3, 0, 3), (3, 0, 3), (1, 0, 3), (0, 0, 0)),
    ]


def test_sums_move_along_until_the_next_minute():
    meter = Meter()
    meter.add(100, bad=1)
    assert sums(meter, 110) == (0, 0, 0)
    for minute in (99, 104, 109, 110):
        meter.add(minute, bad=1, good=1)
    assert sums(meter, 110) == (1, 2, 3)
    meter.add(111, bad=1)
    assert sums(meter, 111) == (1, 3, 3)


def test_no_count_falls_below_zero():
    meter = Meter()
    meter.add(100, bad=1)
    meter.add(100, bad=-5)
    meter.add(99, bad=-5)
    assert (sums(meter, 100), meter.minutes()) == ((0, 0, 0), [(99, 0), (100, 0)])


def test_what_was_cleared_stays_so_whatever_is_still_heard_of_it():
    meter = Meter()
    meter.add(100, bad=1)
    meter.clear(101)
    meter.add(100, bad=1, good=1)
    assert (sums(meter, 100), meter.minutes()) == ((0, 0, 0), [])
    meter.add(101, bad=1)
    assert sums(meter, 101) == (0, 1, 0)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-15, 0), st.integers(0, 3), st.integers(0, 3))))
def test_the_sums_are_those_of_everything_counted(steps: list[tuple[int, int, int, int]]) -> None:
    meter, counted, now = Meter(), list[tuple[int, int, int]](), 1_000
    for passed, back, bad, good in steps:
        now += passed
        meter.add(now + back, bad=bad, good=good)
        counted.append((now + back, bad, good))
        alive = [each for each in counted if each[0] > now - WINDOW]
        assert sums(meter, now) == (
            sum(bad for at, bad, _ in alive if at < now - GRACE),
            sum(bad for at, bad, _ in alive if at >= now - GRACE),
            sum(good for _, _, good in alive),
        )
