"""Why a message costs the segments it costs: which characters are dear, and where a phone would cut it."""

import unicodedata
from collections import Counter
from typing import Final, Literal

import msgspec

from domain.text import Encoded, measure

_PART_UNITS: Final = {"GSM-7": 153, "UCS-2": 67}
_CHEAP: Final = "?"


class Dear(msgspec.Struct, frozen=True):
    """A character that costs more than one unit of the GSM 7-bit alphabet, and how often it is there."""

    character: str
    count: int
    name: str
    """`U+015E LATIN CAPITAL LETTER S WITH CEDILLA`"""


class Explanation(msgspec.Struct, frozen=True):
    """What the size of a text comes from."""

    encoded: Encoded
    effect: Literal["", "forces UCS-2", "counts twice"]
    """What the dear characters do."""
    dear: tuple[Dear, ...]
    """In the order in which they come."""
    segments_without: int
    """Segments if each of them were a plain character."""
    cuts: tuple[int, ...]
    """Where, in characters, the second segment and each further one begins."""


def explain(text: str) -> Explanation:
    """The size of `text`, and why."""
    encoded = measure(text)
    alone = {character: measure(character) for character in set(text)}
    if encoded.encoding == "UCS-2":
        costly = {character for character, one in alone.items() if one.encoding == "UCS-2"}
    else:
        costly = {character for character, one in alone.items() if one.units > 1}
    counts = Counter(character for character in text if character in costly)
    effect: Literal["", "forces UCS-2", "counts twice"] = ""
    if counts:
        effect = "forces UCS-2" if encoded.encoding == "UCS-2" else "counts twice"
    return Explanation(
        encoded,
        effect,
        tuple(Dear(character, count, named(character)) for character, count in counts.items()),
        measure("".join(_CHEAP if character in costly else character for character in text)).segments,
        _cuts(text, encoded),
    )


def named(character: str) -> str:
    """Its code point and its name in Unicode."""
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".rstrip()


def _cuts(text: str, encoded: Encoded) -> tuple[int, ...]:
    if encoded.segments == 1:
        return ()
    part = _PART_UNITS[encoded.encoding]
    cuts, used = [], 0
    for place, character in enumerate(text):
        width = (1 + (ord(character) > 0xFFFF)) if encoded.encoding == "UCS-2" else measure(character).units
        if used + width > part:
            cuts.append(place)
            used = 0
        used += width
    return tuple(cuts)
