"""Keys derived from one root: each for one purpose, none of them in the database."""

import re
from itertools import count
from typing import Any

import pytest
from hypothesis import given, strategies

from application.keyring import NONCE_BYTES, STREAM_LENGTH, Keyring, stream_in
from tests.application.world import ACCOUNT, NUMBER, OTHER_NUMBER, ROOT, TEST_LOG

KEYS = Keyring(ROOT)
OTHER = Keyring(b"another root secret, 32 bytes...")


def code(keys: Keyring = KEYS, **change: str) -> str:
    wanted = {"log": ACCOUNT, "e164": NUMBER, "verification_id": "ver_1", "seed": "5eed"} | change
    return keys.code(
        log=wanted["log"],
        e164=wanted["e164"],
        verification_id=wanted["verification_id"],
        seed=wanted["seed"],
        digits=10,
    )


def test_a_number_has_one_stream_in_a_log_and_another_in_every_other():
    streams = {
        keys.stream_of(log, number)
        for keys in (KEYS, OTHER)
        for log in (ACCOUNT, TEST_LOG, "acct_b")
        for number in (NUMBER, OTHER_NUMBER)
    }
    assert (len(streams), {len(stream) for stream in streams}) == (12, {STREAM_LENGTH})
    assert KEYS.stream_of(ACCOUNT, NUMBER) == Keyring(ROOT).stream_of(ACCOUNT, NUMBER)


def test_a_code_depends_on_log_number_verification_seed_and_root():
    codes = [
        code(),
        code(log=TEST_LOG),
        code(e164=OTHER_NUMBER),
        code(verification_id="ver_2"),
        code(seed="5eee"),
        code(OTHER),
    ]
    assert len(set(codes)) == 6
    assert code(Keyring(ROOT)) == code()


def test_purposes_do_not_share_a_key():
    derived = [KEYS._derive(purpose) for purpose in ("code", "idempotency", "token", "index/acct_a", "sms-webhook")]
    assert len({*derived, ROOT}) == 6
    assert {len(key) for key in derived} == {32}
    assert KEYS.webhook_secret() == derived[4]
    assert KEYS.token_key.private_bytes_raw() == derived[2]


def test_challenges_are_sealed_with_a_key_of_their_own_for_every_root():
    assert KEYS.challenge_key() == KEYS.challenge_key()
    assert KEYS.challenge_key() not in {OTHER.challenge_key(), KEYS.webhook_secret()}


def test_the_transparency_log_has_one_name_a_root_and_a_key_of_its_own_for_every_number():
    keys = [keyring.log_key(number).private_bytes_raw() for keyring in (KEYS, OTHER) for number in (1, 2)]
    assert len({*keys, ROOT, KEYS.token_key.private_bytes_raw()}) == 6
    assert Keyring(ROOT).log_key(1).private_bytes_raw() == keys[0]
    assert (Keyring(ROOT).log_origin, OTHER.log_origin == KEYS.log_origin) == (KEYS.log_origin, False)
    assert re.fullmatch("doneotp\\.local/[0-9a-f]{16}", KEYS.log_origin)


def test_a_fingerprint_tells_roots_apart_and_is_no_part_of_a_key():
    used = ("fingerprint", "log-origin", "log/1", "code", "idempotency", "token", "sms-webhook")
    fingerprint, *others = (KEYS._derive(purpose)[:16] for purpose in used)
    assert (Keyring(ROOT).fingerprint(), OTHER.fingerprint() == KEYS.fingerprint()) == (fingerprint, False)
    assert fingerprint not in others


def test_derived_keys_are_those_that_were_derived_before():
    """Were they others, every code under way would be wrong and every number would have lost its history."""
    assert (KEYS.stream_of(ACCOUNT, NUMBER), code()) == ("bGE1btJrB0kAScNeQaUg7w", "1186273209")
    assert KEYS.idempotency(ACCOUNT, "K", request=b"R") == "u6gd6EGhv6sQ4l7X3KOhoA.gEMFejAfF7aLDTX05M43fQ"


def test_an_idempotency_hash_tells_key_log_and_request_apart():
    one = KEYS.idempotency(ACCOUNT, "K", request=b"R")
    name, _, fingerprint = one.partition(".")
    assert KEYS.idempotency(ACCOUNT, "K", request=b"R") == one
    assert [
        [name == other_name, fingerprint == other_fingerprint]
        for other_name, _, other_fingerprint in (
            KEYS.idempotency(log, key, request=request).partition(".")
            for log, key, request in ((ACCOUNT, "K", b"S"), (ACCOUNT, "L", b"R"), (TEST_LOG, "K", b"R"))
        )
    ] == [[True, False], [False, False], [False, False]]
    assert OTHER.idempotency(ACCOUNT, "K", request=b"R").split(".")[0] != name
    assert "." not in name + fingerprint


@given(strategies.binary(min_size=NONCE_BYTES, max_size=NONCE_BYTES), strategies.text(max_size=20))
def test_a_verification_id_carries_its_stream(nonce, number):
    stream = KEYS.stream_of(ACCOUNT, number)
    found = KEYS.verification_id(stream, nonce)
    assert (stream_in(found), len(found)) == (stream, 4 + STREAM_LENGTH + 12)
    assert (KEYS.made(found), OTHER.made(found)) == (True, False)


GOOD = KEYS.verification_id("s" * STREAM_LENGTH, bytes(NONCE_BYTES))


@pytest.mark.parametrize(
    "text",
    [
        *("", "ver_", GOOD[4:], GOOD[:-1], GOOD + "A", "x" + GOOD, "ver_" + GOOD, GOOD.replace("ver_", "VER_")),
        *(GOOD[:-1] + "~", GOOD[:-1] + "é", GOOD[:-1] + "\n", GOOD[:-1] + "/", "a" * (STREAM_LENGTH + 12)),
    ],
    ids=count(1),
)
def test_what_is_not_a_verification_id_carries_no_stream(text):
    assert (stream_in(text), KEYS.made(text)) == (None, False)


@pytest.mark.parametrize("place", range(len("ver_"), len(GOOD)))
def test_a_verification_id_that_was_made_up_is_known_for_it(place):
    other = GOOD[:place] + ("A" if GOOD[place] != "A" else "B") + GOOD[place + 1 :]
    assert (stream_in(other) is not None, KEYS.made(other)) == (True, False)


def test_a_verification_id_keeps_40_random_bits():
    ids = {KEYS.verification_id("s" * STREAM_LENGTH, (1 << bit).to_bytes(NONCE_BYTES)) for bit in range(40)}
    assert len(ids) == 40


def test_a_reference_for_receipts_names_a_message_to_the_provider_that_it_was_made_for():
    keyring = Keyring(b"k" * 32)
    message: Any = {"log": "acct_a", "verification_id": "ver_abc", "send": 2}
    reference = keyring.receipt_reference("twilio", **message)
    assert keyring.read_receipt_reference("twilio", reference) == ("acct_a", "ver_abc", 2)
    assert keyring.read_receipt_reference("vonage", reference) is None
    assert Keyring(b"o" * 32).read_receipt_reference("twilio", reference) is None
    for forged in ("", ".", reference[:-1], reference.replace(".2.", ".1."), reference + "A", "ä" + reference):
        assert keyring.read_receipt_reference("twilio", forged) is None


def test_second_factors_have_a_key_of_their_own_that_stays():
    one, again, other = Keyring(b"a" * 32), Keyring(b"a" * 32), Keyring(b"b" * 32)
    assert (one.operators_key() == again.operators_key(), len(one.operators_key())) == (True, 32)
    assert len({one.operators_key(), other.operators_key(), one.challenge_key()}) == 3
