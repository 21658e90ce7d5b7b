"""Words that people choose and the ledger keeps for ever: names, references, reasons. None may hold a number or an address."""

import re
import unicodedata
from typing import Final

from domain.refusals import InvalidRequest

_CLEAR_NUMBER: Final = re.compile(r"\+[ ()./-]?[0-9](?:[ ()./-]{0,2}[0-9]){6,}|\+[0-9][0-9 ()./-]{5,}")
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9A-Fa-f]{0,4}(:[0-9A-Fa-f]{0,4}){2,7}")
_TIME: Final = re.compile(r"(?<![0-9A-Fa-f:])[0-9]{2}:[0-9]{2}:[0-9]{2}(?![0-9A-Fa-f:])")
"""A time of day, which is spelled as part of an address could be."""


def is_personal(text: str) -> bool:
    """Whether some phone number, as one with a plus sign, or some IP address is spelled out in `text`."""
    spelled = _TIME.sub("", plain(text))
    return _CLEAR_NUMBER.search(spelled) is not None or _ADDRESS.search(spelled) is not None


def plain(text: str) -> str:
    """The text with the digits and signs of every script in ASCII."""
    if text.isascii():
        return text
    compatible = unicodedata.normalize("NFKC", text)
    return "".join(str(unicodedata.decimal(one)) if one.isdecimal() else one for one in compatible)


def require_words(text: str, *, field: str, least: int = 1, most: int) -> None:
    """Raise InvalidRequest, naming the field and not the text, for what an event must not hold."""
    if not least <= len(text) <= most or not text.isprintable():
        length = f"{least} to {most}" if least else f"at most {most}"
        raise InvalidRequest(f"{field} must be {length} printable characters.")
    if is_personal(text):
        raise InvalidRequest(f"{field} must not hold a phone number or an address: it is kept for ever.")
