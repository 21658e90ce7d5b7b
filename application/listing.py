"""From what an operator types to the entries of a list, and from a caller to what a list is asked for.

A full number, and a network narrower than its mask, become a keyed hash here and are forgotten.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from application.keyring import Keyring
from domain import lists, phone
from domain.lists import Buckets, Kind, Listed, Lists, Networks
from domain.origins import origin
from domain.phone import PhoneNumber
from domain.refusals import InvalidPhoneNumber, InvalidRequest

Address = IPv4Address | IPv6Address
INSTALLATION: Final = "acct_thisinstallation"
"""The log that holds the installation's lists. It has no keys, so nobody calls with it."""
MASK_BITS: Final = {4: 24, 6: 48}
_MAPPED_BITS: Final = 96


def entries(keyring: Keyring, account: str, kind: Kind, values: list[str]) -> dict[str, str]:
    """What is looked up, and how it is shown; raises InvalidRequest, which repeats no number."""
    return dict(_entry(keyring, account, kind, value.strip()) for value in values)


def _entry(keyring: Keyring, account: str, kind: Kind, value: str) -> tuple[str, str]:
    match kind:
        case "ip":
            network = _network(value)
            return _network_key(keyring, account, network), str(_masked(network))
        case "number":
            try:
                number = phone.parse(value)
            except InvalidPhoneNumber:
                raise InvalidRequest("A number is spelled in E.164 form: +, country code, number.") from None
            return keyring.stream_of(account, number.e164), number.mask
        case _:
            plain = _PLAIN[kind](value)
            return plain, plain


def listed(keyring: Keyring, account: str, number: PhoneNumber, *, installation: Lists) -> Listed:
    """A number as both lists know it. The installation's key is made only where it lists numbers."""
    asked = "number" in installation.blocked or "number" in installation.allowed
    return Listed(
        number,
        (keyring.stream_of(account, number.e164), keyring.stream_of(INSTALLATION, number.e164) if asked else ""),
    )


def networks(keyring: Keyring, account: str, address: Address | None, held: Lists) -> Networks:
    """The networks of an address, of the lengths that are on these lists; none of what is no address."""
    if address is None:
        return []
    found: list[tuple[str, str]] = []
    for buckets in (held.blocked, held.allowed):
        found += _inside(keyring, account, address, buckets)
    return found


def _inside(keyring: Keyring, account: str, address: Address, buckets: Buckets) -> Networks:
    family = f"ip{address.version}/"
    for bucket in buckets:
        if bucket.startswith(family):
            network = ip_network((address, int(bucket.removeprefix(family))), strict=False)
            yield bucket, _network_key(keyring, account, network)


def _network(text: str) -> IPv4Network | IPv6Network:
    """A network, that of an IPv4-mapped one for what it maps."""
    try:
        network = ip_network(text)
    except ValueError:
        raise InvalidRequest(
            "An ip is an address or a network as CIDR, such as 192.0.2.0/24 or 2001:db8::/32."
        ) from None
    if isinstance(network, IPv6Network):
        mapped = network.network_address.ipv4_mapped
        if mapped is not None and network.prefixlen >= _MAPPED_BITS:
            return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))
    return network


def _masked(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    bits = MASK_BITS[network.version]
    return network if network.prefixlen <= bits else network.supernet(new_prefix=bits)


def _network_key(keyring: Keyring, account: str, network: IPv4Network | IPv6Network) -> str:
    head = f"{network.version}/{network.prefixlen}"
    if network.prefixlen <= MASK_BITS[network.version]:
        return f"{head} {network}"
    return f"{head} {keyring.listed(account, str(network))}"


_PLAIN: Final[dict[str, Callable[[str], str]]] = {
    "prefix": lists.prefix,
    "country": lists.country,
    "type": lists.type_,
    "origin": origin,
}
