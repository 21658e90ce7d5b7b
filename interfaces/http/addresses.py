"""Where a request comes from: the connection's address, or what a trusted proxy says; masked before it is kept."""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

_HOPS_MAX: Final = 32


def parse(text: str) -> IPv4Address | IPv6Address | None:
    """The address that `text` spells; an IPv4-mapped IPv6 address is the IPv4 one. None when it is not an address."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or (None if address.scope_id else address)
    return address


@lru_cache(maxsize=4_096)
def mask(text: str) -> str:
    """The network of an address: /24 of IPv4, /48 of IPv6. Empty when it is not an address."""
    address = parse(text)
    if address is None:
        return ""
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


def caller(scope: Any, trusted: Sequence[IPv4Network | IPv6Network]) -> str:
    """The nearest address that is not one of our proxies; a header is believed only as far as proxies wrote it."""
    connection = scope.get("client")
    nearest: str = connection[0] if connection else ""
    if not trusted or not _is_trusted(nearest, trusted):
        return nearest
    forwarded = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    for hop in reversed(forwarded.decode("latin-1").split(",")[-_HOPS_MAX:]):
        address = parse(_without_port(hop))
        if address is None:
            return nearest
        nearest = str(address)
        if not _is_trusted(nearest, trusted):
            return nearest
    return nearest


def is_https(scope: Any, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    """Whether the caller came by https: to us, or as the nearest proxy says that we trust."""
    if scope["scheme"] == "https":
        return True
    connection = scope.get("client")
    if not connection or not _is_trusted(connection[0], trusted):
        return False
    said = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-proto")
    return said.rpartition(b",")[2].strip().lower() == b"https"


def _without_port(hop: str) -> str:
    hop = hop.strip()
    if hop.startswith("["):
        inside, closed, _ = hop[1:].partition("]")
        return inside if closed else hop
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def _is_trusted(text: str, trusted: Sequence[IPv4Network | IPv6Network]) -> bool:
    address = parse(text)
    return address is not None and any(address in network for network in trusted)
