"""Proof of work: what is accepted, for whom, how long, and how often."""

import asyncio
from hashlib import sha256
from typing import Any

import pytest

from interfaces.guard.challenge import Bound
from interfaces.guard.pow import LIFE_SECONDS, ProofOfWork, solve, zero_bits
from tests.support.clock import SeededEntropy, SettableClock

BOUND = Bound("key_1", "acct_a", "stream")
BITS = 8


class Desk:
    def __init__(self, **more: Any) -> None:
        self.clock = SettableClock()
        self.work = ProofOfWork(b"k" * 32, clock=self.clock, entropy=SeededEntropy(), script="/c.js", **more)

    def solved(self, bound: Bound = BOUND) -> str:
        challenge = self.work.make(bound, bits=BITS)
        return solve(challenge["token"], challenge["bits"])

    def accepts(self, response: str, bound: Bound = BOUND) -> bool:
        return asyncio.run(self.work.accepts(response, bound))


def test_a_challenge_says_what_to_do() -> None:
    challenge = Desk().work.make(BOUND, bits=BITS)
    token = challenge.pop("token")
    assert (token.count("."), challenge) == (
        3,
        {"kind": "pow", "bits": 8, "expires_in": LIFE_SECONDS, "script": "/c.js"},
    )


def test_the_work_is_what_the_module_says() -> None:
    assert (
        zero_bits("abc", 7)
        == 256 - int(sha256(sha256(b"abc").digest() + (7).to_bytes(8, "big")).hexdigest(), 16).bit_length()
    )
    number = int(solve("abc", 12).rpartition(".")[2])
    assert zero_bits("abc", number) >= 12
    assert all(zero_bits("abc", lower) < 12 for lower in range(number))


def test_a_solution_counts_once() -> None:
    desk = Desk()
    response = desk.solved()
    assert [desk.accepts(response) for _ in range(3)] == [True, False, False]


def test_another_number_for_the_same_challenge_counts_no_second_time() -> None:
    desk = Desk()
    token, _, first = desk.solved().rpartition(".")
    assert desk.accepts(f"{token}.{first}")
    other = next(n for n in range(int(first) + 1, 10**6) if zero_bits(token, n) >= BITS)
    assert not desk.accepts(f"{token}.{other}")


@pytest.mark.parametrize("other", [BOUND._replace(key_id="k"), BOUND._replace(log="b"), BOUND._replace(stream="s")])
def test_a_solution_is_for_one_key_and_one_number(other: Bound) -> None:
    desk = Desk()
    response = desk.solved()
    assert (desk.accepts(response, other), desk.accepts(response)) == (False, True)


def test_a_solution_expires() -> None:
    desk = Desk()
    early, late = desk.solved(), desk.solved()
    desk.clock.advance(seconds=LIFE_SECONDS - 1)
    assert desk.accepts(early)
    desk.clock.advance(seconds=1)
    assert not desk.accepts(late)


def test_too_little_work_is_not_accepted() -> None:
    desk = Desk()
    token = desk.work.make(BOUND, bits=BITS)["token"]
    assert not desk.accepts(f"{token}.{next(n for n in range(1000) if zero_bits(token, n) < BITS)}")


def test_nobody_lowers_the_bits_or_puts_off_the_end() -> None:
    desk = Desk()
    expires_at, _, nonce, seal = desk.work.make(BOUND, bits=20)["token"].split(".")
    for forged in (f"{expires_at}.0.{nonce}.{seal}", f"{int(expires_at) + 9}.20.{nonce}.{seal}"):
        assert not desk.accepts(f"{forged}.1")
    other = ProofOfWork(b"x" * 32, clock=desk.clock, entropy=SeededEntropy(), script="")
    assert not desk.accepts(solve(other.make(BOUND, bits=1)["token"], 1))


@pytest.mark.parametrize("text", ["", ".", "....", "a" * 4_096, "1" * 10 + ".8." + "a" * 16 + "." + "b" * 22, "\0"])
def test_what_is_no_solution_is_none(text: str) -> None:
    assert not Desk().accepts(text)


def test_what_is_remembered_is_bounded_and_forgotten_when_it_expires() -> None:
    desk = Desk(used_max=3)
    assert [desk.accepts(desk.solved()) for _ in range(4)] == [True, True, True, False]
    desk.clock.advance(seconds=LIFE_SECONDS)
    assert [desk.accepts(desk.solved()) for _ in range(4)] == [True, True, True, False]
