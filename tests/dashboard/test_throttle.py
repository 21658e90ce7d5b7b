"""How often sign-in may be tried: what is held back, and who is not held back with it."""

import pytest

from interfaces.dashboard.throttle import (
    ADDRESS_MAX,
    KEYS_MAX,
    NAME_AND_ADDRESS_MAX,
    NAME_MAX,
    WINDOW_SECONDS,
    Throttle,
)

HERE = "192.0.2.0/24"
ELSEWHERE = "198.51.100.0/24"


class Seconds:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def throttle(seconds: Seconds) -> Throttle:
    return Throttle(seconds)


def waits(throttle: Throttle, name: str, address: str, *, tries: int) -> list[bool]:
    return [throttle.wait_seconds(name, address) > 0 for _ in range(tries)]


def test_a_name_is_heard_five_times_from_one_address_and_after_the_window_again(
    throttle: Throttle, seconds: Seconds
) -> None:
    first = waits(throttle, "ada", HERE, tries=NAME_AND_ADDRESS_MAX + 1)
    assert first == [False] * NAME_AND_ADDRESS_MAX + [True]
    assert 0 < throttle.wait_seconds("ada", HERE) <= WINDOW_SECONDS + 1
    seconds.now += WINDOW_SECONDS
    assert throttle.wait_seconds("ada", HERE) == 0


def test_an_address_is_heard_thirty_times_whatever_names_it_tries(throttle: Throttle) -> None:
    tries = [throttle.wait_seconds(f"name-{number}", HERE) > 0 for number in range(ADDRESS_MAX + 1)]
    assert tries == [False] * ADDRESS_MAX + [True]
    assert throttle.wait_seconds("name-0", ELSEWHERE) == 0


def test_whoever_guesses_at_a_name_from_everywhere_does_not_keep_its_owner_out(throttle: Throttle) -> None:
    for number in range(NAME_MAX + 10):
        throttle.wait_seconds("ada", f"10.0.{number}.0/24")
    assert throttle.wait_seconds("ada", HERE) == 0
    assert throttle.wait_seconds("ada", HERE) > 0, "a second guess from one address is over the ceiling"


def test_a_good_sign_in_takes_back_what_was_mistyped(throttle: Throttle) -> None:
    waits(throttle, "ada", HERE, tries=NAME_AND_ADDRESS_MAX)
    throttle.forget("ada", HERE)
    assert waits(throttle, "ada", HERE, tries=NAME_AND_ADDRESS_MAX) == [False] * NAME_AND_ADDRESS_MAX


def test_it_keeps_no_more_than_so_many_counts(throttle: Throttle) -> None:
    for number in range(KEYS_MAX):
        throttle.wait_seconds(f"name-{number}", f"address-{number}")
    assert len(throttle._tries) == KEYS_MAX
