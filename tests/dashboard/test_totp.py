"""The second factor: codes of now, for one operator, under one key."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from interfaces.dashboard.totp import SECONDS, Totp

NOW = datetime(2026, 11, 24, 12, 0, 10, tzinfo=UTC)
STEP = int(NOW.timestamp()) // SECONDS


@pytest.fixture
def totp() -> Totp:
    return Totp(b"k" * 32)


def code(totp: Totp, sealed: bytes, *, at: datetime = NOW) -> str:
    secret = totp.secret(sealed, "ada")
    assert secret is not None
    return str(pyotp.TOTP(secret).at(at))


@pytest.mark.parametrize(("steps", "found"), [(-2, None), (-1, STEP - 1), (0, STEP), (1, STEP + 1), (2, None)])
def test_the_code_of_now_and_of_the_step_beside_it_counts(totp: Totp, steps: int, found: int | None) -> None:
    sealed = totp.new("ada")
    shown = code(totp, sealed, at=NOW + timedelta(seconds=SECONDS * steps))
    assert totp.step(sealed, "ada", shown, now=NOW) == found


def test_spaces_are_how_authenticators_show_it(totp: Totp) -> None:
    sealed = totp.new("ada")
    shown = code(totp, sealed)
    assert totp.step(sealed, "ada", f" {shown[:3]} {shown[3:]} ", now=NOW) == STEP


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "١٢٣٤٥٦", "12345\x00", "+12345"])
def test_what_is_not_six_digits_is_no_code(totp: Totp, typed: str) -> None:
    assert totp.step(totp.new("ada"), "ada", typed, now=NOW) is None


def test_a_secret_moved_to_another_operator_or_another_key_opens_nothing(totp: Totp) -> None:
    sealed = totp.new("ada")
    shown = code(totp, sealed)
    assert totp.step(sealed, "bob", shown, now=NOW) is None
    assert Totp(b"K" * 32).step(sealed, "ada", shown, now=NOW) is None
    assert [totp.secret(damaged, "ada") for damaged in (b"", sealed[:11], sealed[:-1], sealed + b"0")] == [None] * 4


def test_what_is_stored_does_not_hold_the_secret(totp: Totp) -> None:
    sealed = totp.new("ada")
    secret = totp.secret(sealed, "ada")
    assert secret is not None
    assert secret.encode() not in sealed
    assert pyotp.TOTP(secret).byte_secret() not in sealed
    assert totp.new("ada") != sealed
