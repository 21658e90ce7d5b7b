"""Phone numbers to verify: valid, distinct, and spread over 48,000 prefixes, so that no guard of a prefix wakes.

Only the in-memory inbox ever gets a message for one of them.
"""

from typing import Final

AREA_CODES: Final = (
    *(201, 202, 203, 205, 206, 207, 208, 209, 210, 212, 213, 214, 215, 216, 217, 218, 219, 224, 225, 228),
    *(301, 302, 303, 304, 307, 308, 309, 310, 312, 313, 314, 315, 316, 317, 318, 319, 320, 321, 323, 325),
    *(401, 402, 404, 405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 419, 423, 424, 425, 430, 432),
)
"""Area codes of the United States in which libphonenumber takes every number for valid."""
_LOCAL_COUNT: Final = 8_000_000
_STRIDE: Final = 3_141_593
"""Coprime to _LOCAL_COUNT: neighbours are far apart, and none comes twice."""
NUMBERS_MAX: Final = len(AREA_CODES) * _LOCAL_COUNT


def number(index: int) -> str:
    """The E.164 number `index` of 480 million; another index is another number."""
    turn, area = divmod(index, len(AREA_CODES))
    return f"+1{AREA_CODES[area]}{2_000_000 + turn * _STRIDE % _LOCAL_COUNT}"


def mask(number: str) -> str:
    """How such a number is masked by the service."""
    return f"{number[:5]}****{number[-4:]}"
