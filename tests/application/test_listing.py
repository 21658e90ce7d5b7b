"""From what an operator types to entries, and from a caller to what lists are asked for. No entry gives a secret away."""

from ipaddress import ip_address, ip_network

import pytest

from application import listing
from application.keyring import Keyring
from application.listing import INSTALLATION
from domain import lists, phone
from domain.lists import NOTHING, Lists
from domain.refusals import InvalidRequest
from tests.application.world import ACCOUNT, NUMBER, ROOT

KEYRING = Keyring(ROOT)


def entries(kind, *values, account=ACCOUNT):
    return listing.entries(KEYRING, account, kind, list(values))


@pytest.mark.parametrize(
    ("spelled", "key", "shown"),
    [
        ("192.0.2.0/24", "4/24 192.0.2.0/24", "192.0.2.0/24"),
        ("10.0.0.0/8", "4/8 10.0.0.0/8", "10.0.0.0/8"),
        ("2001:db8::/32", "6/32 2001:db8::/32", "2001:db8::/32"),
        ("::ffff:192.0.2.0/120", "4/24 192.0.2.0/24", "192.0.2.0/24"),
    ],
)
def test_a_network_as_wide_as_a_mask_is_in_the_clear(spelled, key, shown):
    assert entries("ip", spelled) == {key: shown}


@pytest.mark.parametrize(
    ("spelled", "head", "shown"),
    [
        ("192.0.2.7", "4/32 ", "192.0.2.0/24"),
        ("192.0.2.128/25", "4/25 ", "192.0.2.0/24"),
        ("2001:db8:1:2::/64", "6/64 ", "2001:db8:1::/48"),
        ("::ffff:192.0.2.7", "4/32 ", "192.0.2.0/24"),
    ],
)
def test_a_narrower_network_is_a_keyed_hash_with_its_mask_beside_it(spelled, head, shown):
    ((key, beside),) = entries("ip", spelled).items()
    assert (key[: len(head)], len(key) - len(head), beside) == (head, 22, shown)
    assert entries("ip", spelled, account="acct_b").keys() != {key}


def test_spellings_of_one_address_are_one_entry():
    assert entries("ip", "192.0.2.7") == entries("ip", " ::ffff:192.0.2.7/128 ")


def test_a_number_is_a_keyed_hash_with_its_mask_beside_it():
    assert entries("number", "+1 (415) 555-2671") == {KEYRING.stream_of(ACCOUNT, NUMBER): "+1415****2671"}


def test_what_is_no_secret_is_in_the_clear():
    found = [
        entries("prefix", "+1415"),
        entries("country", "tr"),
        entries("type", "voip"),
        entries("origin", "https://shop.example:8443"),
    ]
    assert found == [
        {"1415": "1415"},
        {"TR": "TR"},
        {"voip": "voip"},
        {"https://shop.example:8443": "https://shop.example:8443"},
    ]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("ip", "192.0.2.1/24"),
        ("ip", "localhost"),
        ("number", "+1415"),
        ("prefix", "x"),
        ("country", "Turkey"),
        ("type", "fax"),
        ("origin", "shop.example"),
        ("origin", "https://shop.example/path"),
        ("origin", "https://Shop.example"),
        ("origin", "ftp://shop.example"),
    ],
)
def test_what_cannot_be_an_entry_is_refused(kind, value):
    with pytest.raises(InvalidRequest):
        entries(kind, value)


def held(side="blocked", **kinds):
    lists_ = NOTHING
    for kind, values in kinds.items():
        effect = "block" if side == "blocked" else "allow"
        lists_ = lists.changed(lists_, effect=effect, kind=kind, entries=entries(kind, *values))
    return lists_


@pytest.mark.parametrize(
    ("address", "listed", "is_in"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.8", "192.0.2.7", False),
        ("192.0.2.7", "192.0.2.0/28", True),
        ("192.0.2.17", "192.0.2.0/28", False),
        ("192.0.2.7", "192.0.0.0/16", True),
        ("2001:db8::1", "2001:db8::/64", True),
        ("2001:db8:0:1::1", "2001:db8::/64", False),
        ("2001:db8::1", "192.0.2.7", False),
    ],
)
@pytest.mark.parametrize("side", ["blocked", "allowed"])
def test_an_address_is_looked_up_by_every_length_on_the_list(side, address, listed, is_in):
    both = held(side, ip=[listed])
    found = list(listing.networks(KEYRING, ACCOUNT, ip_address(address), both))
    buckets = getattr(both, side)
    assert any(key in buckets.get(bucket, ()) for bucket, key in found) == is_in
    assert is_in == (ip_address(address) in ip_network(listed)) or ":" in address


def test_what_is_no_address_is_in_no_network():
    assert list(listing.networks(KEYRING, ACCOUNT, None, held(ip=["192.0.2.7"]))) == []


def test_a_number_gets_the_installations_key_only_where_that_lists_numbers():
    number = phone.parse(NUMBER)
    with_numbers = Lists(blocked={"number": {"key": "shown"}})
    own, all_ = KEYRING.stream_of(ACCOUNT, NUMBER), KEYRING.stream_of(INSTALLATION, NUMBER)
    assert listing.listed(KEYRING, ACCOUNT, number, installation=NOTHING).keys == (own, "")
    assert listing.listed(KEYRING, ACCOUNT, number, installation=with_numbers).keys == (own, all_)
    exclusive = Lists(allowed=with_numbers.blocked)
    assert listing.listed(KEYRING, ACCOUNT, number, installation=exclusive).keys == (own, all_)
