"""What a message costs the air: encoding and segments (3GPP TS 23.038, GSM 7-bit default alphabet, and UCS-2)."""

import re
from functools import lru_cache
from typing import Final, Literal

import msgspec

from domain.shipped import ENGLISH, SHIPPED

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
_IS_BASIC: Final = re.compile(f"[{re.escape(''.join(sorted(_BASIC)))}]*")


class Encoded(msgspec.Struct, frozen=True):
    """How a text travels: `units` are septets or UTF-16 code units."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    segments: int


def measure(text: str) -> Encoded:
    """Encoding and segments of `text`. A character of two units is never split between segments."""
    if _IS_BASIC.fullmatch(text):  # by far the most
        return Encoded("GSM-7", len(text), 1 if len(text) <= 160 else -(-len(text) // 153))
    if all(character in _BASIC or character in _EXTENDED for character in text):
        widths = [2 if character in _EXTENDED else 1 for character in text]
        return Encoded("GSM-7", sum(widths), _segments(widths, single=160, part=153))
    widths = [2 if ord(character) > 0xFFFF else 1 for character in text]
    return Encoded("UCS-2", sum(widths), _segments(widths, single=70, part=67))


def _segments(widths: list[int], *, single: int, part: int) -> int:
    if sum(widths) <= single:
        return 1
    count, used = 1, 0
    for width in widths:
        if used + width > part:
            count, used = count + 1, 0
        used += width
    return count


def compose(
    code: str, *, minutes: int, template: str = SHIPPED[ENGLISH], web_origin: str = "", app_hash: str = ""
) -> str:
    """The text of a message: no link, nothing that a caller chose but the last lines that browsers and phones read.

    `@host #code` is the last line of the WICG origin-bound one-time code format; Android's SMS Retriever wants its hash
    at the very end.
    """
    text = template.replace("{code}", code).replace("{minutes}", str(minutes))
    if web_origin:
        text += f"\n\n@{web_origin} #{code}"
    if app_hash:
        text += f"\n{app_hash}"
    return text


@lru_cache(maxsize=8_192)
def segments(template: str, *, digits: int, minutes: int, web_origin: str, app_hash: str) -> int:
    """Segments of a message with any code of so many digits: they are all of one width."""
    zeros = "0" * digits
    return measure(
        compose(zeros, minutes=minutes, template=template, web_origin=web_origin, app_hash=app_hash)
    ).segments
