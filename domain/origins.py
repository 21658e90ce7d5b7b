"""Web origins, as browsers send them (RFC 6454, section 6.2), so that they can be compared letter for letter."""

import re
from typing import Final

from domain.refusals import InvalidRequest

ORIGINS_MAX: Final = 50
"""Origins of one key."""
_LENGTH_MAX: Final = 300
_PORT_MAX: Final = 65_535
_HOST: Final = r"[a-z0-9_][a-z0-9_.-]*|\[[0-9a-f:.]+\]"
_ORIGIN: Final = re.compile(rf"(?P<page>(?P<scheme>https?)://(?:{_HOST}))(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


def origin(text: str) -> str:
    """An origin without the port that its scheme has anyway, which browsers leave out; raises InvalidRequest."""
    found = _ORIGIN.fullmatch(text) if len(text) <= _LENGTH_MAX else None
    if found is None or int(found["port"] or 0) > _PORT_MAX:
        raise InvalidRequest(
            "An origin is http:// or https://, a host in lower case and a port if need be, without a path,"
            " such as https://shop.example."
        )
    return found["page"] if found["port"] == _DEFAULT_PORTS[found["scheme"]] else text


def of_key(texts: tuple[str, ...]) -> tuple[str, ...]:
    """The origins of a key, each once; raises InvalidRequest."""
    found = tuple(dict.fromkeys(origin(text) for text in texts))
    if len(found) > ORIGINS_MAX:
        raise InvalidRequest(f"A key has at most {ORIGINS_MAX} origins.")
    return found
