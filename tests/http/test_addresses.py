"""Where a request comes from: a forwarded address is believed as far as our own proxies wrote it, and no further."""

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest

from interfaces.http import addresses
from tests.http.customer import Customer, number
from tests.support.server import Server

PROXIES = tuple(map(ip_network, ("10.0.0.0/8", "192.0.2.7/32", "fd00::/8")))


def came_from(*forwarded: str, connection: str | None = "10.0.0.1", trusted: Any = PROXIES) -> str:
    """The address that counts for a connection with these X-Forwarded-For headers."""
    headers = [(b"host", b"x"), *((b"x-forwarded-for", value.encode("latin-1")) for value in forwarded)]
    scope = {"client": None if connection is None else (connection, 1234), "headers": headers}
    return addresses.caller(scope, trusted)


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        (["203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9"], "203.0.113.9"),
        (["6.6.6.6", "203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, 10.1.1.1"], "203.0.113.9"),
        (["6.6.6.6, 203.0.113.9, 10.1.1.1, 192.0.2.7"], "203.0.113.9"),
        (["203.0.113.9, 192.0.2.8"], "192.0.2.8"),
        (["203.0.113.9:4711"], "203.0.113.9"),
        (["[2001:db8::9]:4711"], "2001:db8::9"),
        (["[2001:db8::9]"], "2001:db8::9"),
        (["2001:db8::9"], "2001:db8::9"),
        (["2001:DB8:0::9, fd00::1"], "2001:db8::9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["203.0.113.9, ::ffff:10.1.1.1"], "203.0.113.9"),
        ([" 203.0.113.9 ,\t10.1.1.1 "], "203.0.113.9"),
        (["10.2.2.2, 10.1.1.1"], "10.2.2.2"),
    ],
)
def test_the_nearest_address_that_is_no_proxy_counts(forwarded: list[str], address: str) -> None:
    assert came_from(*forwarded) == address


@pytest.mark.parametrize(
    "forwarded",
    [
        "",
        ",",
        "unknown",
        "_hidden",
        "203.0.113.9,",
        "1.2.3",
        "1.2.3.4.5",
        "0x7f.1",
        "127.1",
        "١.٢.٣.٤",  # noqa: RUF001 - other digits are the point
        "[::1",
        "fe80::1%eth0",
    ],
    ids=ascii,
)
def test_what_a_proxy_wrote_that_is_no_address_ends_the_belief(forwarded: str) -> None:
    """The proxy that is known to have connected counts: the rest may be anybody's words."""
    text = forwarded.encode().decode("latin-1")
    assert came_from(f"6.6.6.6, {text}") == "10.0.0.1"
    assert came_from(f"6.6.6.6, {text}, 10.1.1.1") == "10.1.1.1"


def test_nothing_that_a_stranger_says_of_himself_is_believed() -> None:
    assert came_from("6.6.6.6", connection="203.0.113.9") == "203.0.113.9"
    assert came_from("6.6.6.6", trusted=()) == "10.0.0.1"
    assert came_from(connection="203.0.113.9") == "203.0.113.9"
    assert came_from("6.6.6.6", connection=None) == ""
    assert came_from("6.6.6.6", connection="fd00::1", trusted=(ip_network("10.0.0.0/8"),)) == "fd00::1"


def test_a_proxy_that_reaches_us_over_a_mapped_address_is_the_same_proxy() -> None:
    assert came_from("203.0.113.9", connection="::ffff:10.0.0.1") == "203.0.113.9"


def test_a_chain_without_end_is_not_followed() -> None:
    chain = ", ".join(["6.6.6.6"] + ["10.1.1.1"] * 10_000)
    assert came_from(chain) == "10.1.1.1"


@pytest.mark.parametrize(
    ("address", "mask"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("::ffff:203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::1", "::/48"),
        (" 203.0.113.9 ", "203.0.113.0/24"),
        ("fe80::1%eth0", ""),
        ("localhost", ""),
        ("203.0.113.9/32", ""),
        ("3405803785", ""),
        ("", ""),
    ],
)
def test_an_address_is_kept_as_its_network(address: str, mask: str) -> None:
    assert addresses.mask(address) == mask


def test_behind_a_trusted_proxy_the_users_address_is_in_the_event(serve: Callable[..., Server]) -> None:
    server = serve(DONEOTP_TRUSTED_PROXIES="127.0.0.0/8, 10.0.0.0/8")
    customer = Customer(server, server.open_account())
    forwarded = ["6.6.6.6, 198.51.100.77", "6.6.6.6, 198.51.100.78, 10.9.9.9", "garbage", "2001:db8:7::1"]
    for value in forwarded:
        assert customer.test.send(number(), headers={"X-Forwarded-For": value}).status == 200
    requested = [event["data"] for event in customer.test.settled() if event["type"] == "CodeRequested"]
    assert [data["client_ip"] for data in requested] == [
        "198.51.100.0/24",
        "198.51.100.0/24",
        "127.0.0.0/24",
        "2001:db8:7::/48",
    ]


def test_without_a_trusted_proxy_the_header_says_nothing(customer: Customer) -> None:
    for name in ("X-Forwarded-For", "Forwarded", "X-Real-IP"):
        assert customer.test.send(number(), headers={name: "198.51.100.77"}).status == 200
    addresses_kept = [
        event["data"].get("client_ip") for event in customer.test.log() if event["type"] == "CodeRequested"
    ]
    assert addresses_kept == ["127.0.0.0/24"] * 3
