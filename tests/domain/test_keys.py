"""API keys and identifiers: how they are spelled, and that a mistyped one is caught."""

import hashlib
from itertools import count

import pytest
from hypothesis import given, strategies

from domain.keys import (
    ACCOUNT_BYTES,
    KEY_KINDS,
    SECRET_BYTES,
    account_id,
    account_of,
    key_hash,
    log_of,
    read,
    spell,
    text,
)

ACCOUNT = account_id(bytes(range(10)))
KEY = spell("sk_live", account=ACCOUNT, random=bytes(range(17)))
SIGNS = "abcdefghijklmnopqrstuvwxyz234567ABCXYZ01890_-= é"


def test_a_key_is_spelled_as_documented():
    assert ACCOUNT == "acct_aaaqeayeaudaocaj"
    assert KEY == "sk_live_aaaqeayeaudaocajaaaqeayeaudaocajbifqydiob4ip5zafb"
    assert len(KEY.removeprefix("sk_live_")) == 16 + 26 + 7


@given(
    kind=strategies.sampled_from(KEY_KINDS),
    account=strategies.binary(min_size=ACCOUNT_BYTES, max_size=ACCOUNT_BYTES),
    random=strategies.binary(min_size=SECRET_BYTES, max_size=SECRET_BYTES),
)
def test_what_is_spelled_reads_back_as_its_kind_and_account(kind, account, random):
    assert read(spell(kind, account=account_id(account), random=random)) == (kind, account_id(account))


def test_any_one_changed_character_is_caught():
    changed = {KEY[:place] + sign + KEY[place + 1 :] for place in range(len(KEY)) for sign in SIGNS} - {KEY}
    assert len(changed) > 2_000
    assert {key for key in changed if read(key) is not None} == set()


def test_any_missing_added_or_swapped_character_is_caught():
    missing = {KEY[:place] + KEY[place + 1 :] for place in range(len(KEY))}
    added = {KEY[:place] + sign + KEY[place:] for place in range(len(KEY) + 1) for sign in SIGNS}
    swapped = {KEY[:n] + KEY[n + 1] + KEY[n] + KEY[n + 2 :] for n in range(len(KEY) - 1)} - {KEY}
    assert {key for key in missing | added | swapped if read(key) is not None} == set()


def test_a_key_does_not_become_one_of_another_kind_by_its_prefix():
    assert [read(KEY.replace("sk_live", kind)) for kind in KEY_KINDS] == [("sk_live", ACCOUNT), None, None, None]


def test_what_has_a_right_checksum_and_a_wrong_length_is_no_key():
    assert read(spell("sk_live", account=ACCOUNT + "a", random=bytes(17))) is None
    assert read(spell("sk_live", account=ACCOUNT[:-1], random=bytes(17))) is None


def test_what_has_a_right_checksum_and_a_foreign_character_is_no_key():
    assert read(spell("sk_live", account=ACCOUNT[:-1] + "A", random=bytes(17))) is None
    assert read(spell("sk_live", account=ACCOUNT[:-1] + "ä", random=bytes(17))) is None


@pytest.mark.parametrize(
    "key", ["", "sk_live_", "sk_live", "hello", "Bearer " + KEY, KEY.upper(), "sk_" + KEY], ids=count(1)
)
def test_what_is_not_a_key_reads_as_nothing(key):
    assert read(key) is None


def test_a_key_keeps_130_random_bits():
    whole = 2**136 - 1
    base = spell("sk_live", account=ACCOUNT, random=bytes(17))
    telling = [bit for bit in range(136) if spell("sk_live", account=ACCOUNT, random=(1 << bit).to_bytes(17)) != base]
    assert telling == list(range(6, 136))
    assert spell("sk_live", account=ACCOUNT, random=whole.to_bytes(17))[24:50] == "7" * 26


def test_an_account_id_keeps_80_random_bits():
    ids = {account_id((1 << bit).to_bytes(10)) for bit in range(80)}
    assert len(ids) == 80
    assert {len(found) for found in ids} == {21}


def test_text_is_lower_case_base32_cut_to_length():
    assert text(b"foobar", length=10) == "mzxw6ytboi"
    assert text(b"foobar", length=4) == "mzxw"


def test_what_is_stored_of_a_key_is_its_sha_256():
    assert key_hash("sk_live_a") == hashlib.sha256(b"sk_live_a").hexdigest()


def test_an_account_has_a_live_and_a_test_log_which_lead_back_to_it():
    logs = [log_of(ACCOUNT, mode="live"), log_of(ACCOUNT, mode="test")]
    assert logs == [ACCOUNT, ACCOUNT + "-test"]
    assert [account_of(log) for log in logs] == [ACCOUNT, ACCOUNT]
