"""Passwords: the parameters of RFC 9106, the same work for nobody, and few at a time."""

import asyncio
import threading

import pytest
from argon2 import PasswordHasher, Type, extract_parameters

from domain.refusals import InvalidRequest, ServiceUnavailable
from interfaces.dashboard import passwords
from interfaces.dashboard.passwords import LENGTH_MAX, LENGTH_MIN, WAITING_MAX, Passwords

RIGHT = "correct horse battery staple"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def test_a_hash_has_the_second_recommended_parameters_of_rfc_9106() -> None:
    found = extract_parameters(passwords.hashed(RIGHT))
    assert (found.type, found.memory_cost, found.time_cost, found.parallelism) == (Type.ID, 65_536, 3, 4)
    assert (found.salt_len, found.hash_len) == (16, 32)


def test_nobodys_hash_asks_for_the_same_work_and_fits_no_password() -> None:
    nobodys = extract_parameters(passwords._NOBODYS)
    assert nobodys == extract_parameters(passwords.hashed(RIGHT))
    assert [passwords.fits("", text) for text in ("", RIGHT)] == [False, False]


def test_only_the_password_fits() -> None:
    kept = passwords.hashed(RIGHT)
    assert [passwords.fits(kept, text) for text in (RIGHT, RIGHT[:-1], RIGHT.upper(), "", f"{RIGHT} ")] == [
        True,
        False,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize("length", [0, LENGTH_MIN - 1, LENGTH_MAX + 1])
def test_what_is_too_short_or_too_long_is_refused(length: int) -> None:
    with pytest.raises(InvalidRequest):
        passwords.hashed("p" * length)


def test_a_damaged_hash_fits_nothing() -> None:
    assert not passwords.fits("$argon2id$", RIGHT)


def test_of_a_flood_eight_wait_and_the_rest_is_told_so_at_once() -> None:
    asyncio.run(_flood())


async def _flood() -> None:
    held = threading.Event()
    passwords._THREAD.submit(held.wait, 30)  # the thread is busy until we say so
    try:
        checker, kept = Passwords(), CHEAP.hash(RIGHT)
        asked = [asyncio.create_task(checker.fits(kept, RIGHT)) for _ in range(WAITING_MAX * 5)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        refused = [one for one in asked if one.done()]
        assert len(refused) == WAITING_MAX * 4
        assert {type(one.exception()) for one in refused} == {ServiceUnavailable}
    finally:
        held.set()
    assert [await one for one in asked if one not in refused] == [True] * WAITING_MAX
    assert await checker.fits(kept, RIGHT)
