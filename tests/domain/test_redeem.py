"""A token is redeemed once; a verification may be withdrawn while it is under way."""

import pytest

from domain.events import TokenRedeemed, VerificationCancelled
from domain.refusals import InvalidToken, StateConflict, TokenAlreadyRedeemed, TokenExpired
from domain.verification import TOKENS_KEPT_MAX, Caller
from tests.support.given import (
    MASK,
    cancel,
    cancelled,
    failed,
    given,
    moment,
    redeem,
    redeemed,
    requested,
    verified,
)

CALLER = Caller(key_id="key_1", client_ip="192.0.2.0", idempotency="a.b")


def test_a_token_is_redeemed():
    given(requested(), verified()).when(redeem(at=20, caller=CALLER)).records(
        TokenRedeemed(
            at=moment(20),
            verification_id="ver_1",
            phone=MASK,
            token_id="tok_1",
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
        )
    )


def test_a_token_is_redeemed_once():
    given(requested(), verified(), redeemed()).when(redeem(at=21)).refuses(TokenAlreadyRedeemed)


def test_a_redeemed_token_says_so_after_its_life_too():
    given(requested(), verified(), redeemed()).when(redeem(at=5_000)).refuses(TokenAlreadyRedeemed)


def test_a_token_is_good_until_the_last_moment_of_its_life_and_not_after():
    given(requested(), verified(at=10)).when(redeem(at=609.999)).records(redeemed(at=609.999))
    given(requested(), verified(at=10)).when(redeem(at=610)).refuses(TokenExpired)


def test_a_token_that_was_never_earned_here_is_invalid():
    given().when(redeem()).refuses(InvalidToken)
    given(requested(), verified()).when(redeem("tok_9")).refuses(InvalidToken)


def test_each_verification_earns_a_token_of_its_own():
    two = [requested(), verified(), requested(at=20, of="ver_2"), verified(at=30, of="ver_2", token="tok_2")]
    given(*two).when(redeem(at=40)).records(redeemed(at=40))
    given(*two, redeemed(at=40)).when(redeem("tok_2", at=41)).records(redeemed(at=41, of="ver_2", token="tok_2"))
    given(*two, redeemed(at=40)).when(redeem("tok_1", at=41)).refuses(TokenAlreadyRedeemed)


def test_an_expired_token_is_forgotten_when_another_is_earned_and_not_before():
    again = [requested(at=600, of="ver_2"), verified(at=610, of="ver_2", token="tok_2")]
    state = given(requested(), verified(at=10), *again).state
    assert [token.id for token in state.tokens] == ["tok_2"]
    earlier = given(requested(), verified(at=11), *again).state
    assert [token.id for token in earlier.tokens] == ["tok_1", "tok_2"]


def test_no_more_than_so_many_tokens_are_remembered():
    many = [verified(at=n, token=f"tok_{n}") for n in range(TOKENS_KEPT_MAX + 2)]
    state = given(*many).state
    assert [token.id for token in state.tokens] == [f"tok_{n}" for n in range(2, TOKENS_KEPT_MAX + 2)]


def test_a_verification_under_way_is_withdrawn():
    given(requested(), *failed(times=4)).when(cancel(at=5, caller=CALLER)).records(
        VerificationCancelled(
            at=moment(5),
            verification_id="ver_1",
            key_id="key_1",
            client_ip="192.0.2.0",
            idempotency="a.b",
        )
    )


def test_withdrawing_twice_is_withdrawing_once():
    given(requested(), cancelled()).when(cancel(at=6)).records(None)
    given(requested(), cancelled()).when(cancel(at=6_000)).records(None)


@pytest.mark.parametrize("over", [[verified(at=2)], failed(times=5)])
def test_a_verification_that_is_over_is_not_withdrawn(over):
    given(requested(), *over).when(cancel(at=3)).refuses(StateConflict)


def test_a_verification_past_its_life_is_not_withdrawn():
    given(requested()).when(cancel(at=299)).records(cancelled(at=299))
    given(requested()).when(cancel(at=300)).refuses(StateConflict)


def test_only_the_latest_verification_is_withdrawn():
    given().when(cancel()).refuses(StateConflict)
    given(requested(), requested(at=300, of="ver_2")).when(cancel("ver_1", at=301)).refuses(StateConflict)
