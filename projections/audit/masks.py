"""Whether a payload holds what must be masked: a phone number in full, or the address of one machine.

A masked number is `+90532****2719`, a masked address the network: /24 of IPv4, /48 of IPv6, or a wider one. Two things are
no personal data and spelled as an address can be: the web sites of a customer (`origins`, `web_origin`, `url`), times of day.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_network
from typing import Any, Final

_NUMBER: Final = re.compile(r"\+[ ()./-]?[1-9](?:[ ()./-]{0,2}[0-9]){6,}", re.ASCII)
_ADDRESS: Final = re.compile(
    r"(?<![\w.:])(?:(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:[0-9]{0,3}\.[0-9.]{5,11})?)"
    r"(?:/[0-9]{1,3})?(?![\w:]|\.[0-9])",
    re.ASCII,
)
_SUSPECT: Final = re.compile(
    r"\+[ ()./-]?[1-9](?:[ ()./-]{0,2}[0-9]){6}"
    r"|\.[0-9]{1,3}\.[0-9]{1,3}\.(?!0/24(?![0-9]))[0-9]"
    r"|:(?<!T[0-9][0-9]:)[0-9A-Fa-f]{0,4}:",
    re.ASCII,
)
"""What every number and address has in it, times of an event and masked IPv4 addresses have not. A mask leaves six
digits at most before its asterisks."""
_SUSPECT_BODY: Final = re.compile(rb"\\|" + _SUSPECT.pattern.encode())
_TIME: Final = re.compile(r"(?<![0-9A-Fa-f:])[0-9]{2}:[0-9]{2}:[0-9]{2}(?![0-9A-Fa-f:])", re.ASCII)
_SITES: Final = frozenset({"origins", "web_origin", "url"})
_NETWORK_BITS_MAX: Final = {4: 24, 6: 48}


def suspicious(body: bytes) -> bool:
    """False when no string of this body can hold a number or an address: quick, and true for some that do not."""
    return _SUSPECT_BODY.search(body) is not None or not body.isascii()


def unmasked(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """`numbers-masked` or `addresses-masked` with the name of the field, for each that holds what it must not."""
    for field, value in data.items():
        texts = [text for text in map(_plain, (field, *_strings(value))) if _SUSPECT.search(text)]
        if any(_NUMBER.search(text) for text in texts):
            yield "numbers-masked", field
        if field not in _SITES and any(_has_address(text) for text in texts):
            yield "addresses-masked", field


@lru_cache(maxsize=4_096)
def _has_address(text: str) -> bool:
    return any(not _is_masked(found[0]) for found in _ADDRESS.finditer(_TIME.sub("", text)))


def _is_masked(text: str) -> bool:
    """True for a network that is wide enough, and for what is no address at all."""
    try:
        network = ip_network(text)
    except ValueError:
        return "/" not in text or _is_masked_loosely(text)
    return network.prefixlen <= _NETWORK_BITS_MAX[network.version]


def _is_masked_loosely(text: str) -> bool:
    """`192.0.2.7/24` is an address with a mask beside it: nothing is hidden."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return _is_masked(text.partition("/")[0])
    return False


def _plain(text: str) -> str:
    """The text with the digits and signs of every script in ASCII."""
    if text.isascii():
        return text
    compatible = unicodedata.normalize("NFKC", text)
    return "".join([str(unicodedata.decimal(one)) if one.isdecimal() else one for one in compatible])


def _strings(value: Any) -> Iterator[str]:
    """All strings in a value, names included, however deep."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
        elif isinstance(value, list):
            waiting += value
