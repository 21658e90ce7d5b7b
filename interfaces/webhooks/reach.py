"""Which addresses a customer's URL may lead us to: public ones of the internet, and nothing that only looks like one.

Trusted is no name and no spelling: what counts is the number that a connection is about to be made to. Sources: the IANA
special-purpose registries (as Python's `ipaddress` has them), RFC 6052 and 8215 (NAT64), 3056 and 7526 (6to4), 4380
(Teredo), 5214 (ISATAP), 4291 (mapped, compatible, site-local); 168.63.129.16 is the host of an Azure machine.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

PORT_MIN: Final = 1_024
"""Below it only HTTPS's own port is a receiver of webhooks; the others are mail, shells and the like."""
HTTPS_PORT: Final = 443
_DENIED: Final = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "::/96",
        "::ffff:0:0/96",
        "::ffff:0:0:0/96",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2001::/23",
        "2002::/16",
        "3fff::/20",
        "5f00::/16",
        "fec0::/10",
    )
)
_UNICAST: Final = ip_network("2000::/3")
"""All of IPv6 that is given out to anybody."""
_ISATAP: Final = (0x00005EFE, 0x02005EFE)
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


class Unreachable(Exception):
    """An address that no customer may send us to. The reason names no address."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_public(text: str) -> bool:
    """Whether an IP address is one of the internet's, for anybody to answer on."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_loopback:
        return False
    if any(address.version == network.version and address in network for network in _DENIED):
        return False
    return isinstance(address, IPv4Address) or _is_public_v6(address)


def _is_public_v6(address: IPv6Address) -> bool:
    is_isatap = (int(address) >> 32 & 0xFFFFFFFF) in _ISATAP
    return address in _UNICAST and address.scope_id is None and not is_isatap


class Reach:
    """Where we may go. With `allows_local`, for development, also http and https to this machine by its plain names."""

    def __init__(self, *, allows_local: bool) -> None:
        self._allows_local = allows_local

    def require_target(self, scheme: str, host: str, port: int) -> None:
        """Raise Unreachable for a scheme or a port that is none of a webhook's."""
        if self._allows_local and host in _LOCAL_NAMES:
            return
        if scheme != "https":
            raise Unreachable("not_https")
        if port != HTTPS_PORT and port < PORT_MIN:
            raise Unreachable("port_denied")

    def require_address(self, host: str, address: str) -> None:
        """Raise Unreachable unless a connection for `host` may be made to `address`."""
        if host not in _LOCAL_NAMES or not self.is_local(address):
            require_public(address)

    def require_peer(self, address: str) -> None:
        """The same of a connection whose host was looked at before."""
        if not self.is_local(address):
            require_public(address)

    def is_local(self, address: str) -> bool:
        """Whether an address is this machine, and we may go there."""
        return self._allows_local and ip_address(address).is_loopback


def require_public(address: str) -> None:
    """Raise Unreachable for an address that is not public."""
    if not is_public(address):
        raise Unreachable("address_denied")
