"""Wordings of an account's own: what may be in a text that is sent in somebody's name, and what it costs.

A text is fixed but for `{code}` and `{minutes}`: nothing that a user typed gets into a message. It has no link and no number
but the code, because such messages are what phishers send and what networks block.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

import msgspec

from domain.costly import explain, named
from domain.text import Encoded, compose, measure
from domain.words import is_personal, plain

CODE: Final = "{code}"
MINUTES: Final = "{minutes}"
TEXT_LENGTH_MAX: Final = 320
SEGMENTS_MAX: Final = 2
BRAND_LENGTH_MAX: Final = 40
CODE_DIGITS_MAX: Final = 10
MINUTES_MAX: Final = 30
TYPICAL_HOST: Final = "www.example.com"
TYPICAL_APP_HASH: Final = "FA+9qCX9VSu"
_LINK: Final = re.compile(r"://|\bwww\.|[^\W_]\.[^\W\d_]{2,}", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[0-9](?:[ ()./-]{0,2}[0-9]){3,}")
_TOUCHED: Final = re.compile(r"[^\W_]\{code\}|\{code\}[^\W_]")
_LINE_SIGNS: Final = "@#"
_TWO_SEPTETS: Final = "^{}\\[~]|€"
_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of how some languages are spelled."""
_UNSAFE_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a message of a text costs, also with the lines for browsers and phones."""

    encoding: str
    units: int
    segments: int
    segments_with_web_origin: int
    segments_with_app_hash: int


def cost(template: str, *, digits: int = 6, minutes: int = 5) -> Cost:
    """Segments of a template."""
    code = "0" * digits
    encoded = measure(compose(code, minutes=minutes, template=template))
    return Cost(
        encoding=encoded.encoding,
        units=encoded.units,
        segments=encoded.segments,
        segments_with_web_origin=measure(
            compose(code, minutes=minutes, template=template, web_origin=TYPICAL_HOST)
        ).segments,
        segments_with_app_hash=measure(
            compose(code, minutes=minutes, template=template, app_hash=TYPICAL_APP_HASH)
        ).segments,
    )


def faults(template: str) -> list[str]:
    """Each reason for not sending such a text, in words; none when it may be sent."""
    return [*_faults_of_form(template), *_faults_of_words(template), *_faults_of_size(template)]


def advice(template: str) -> list[str]:
    """What a text costs more than it must, in words."""
    explained = explain(longest(template))
    if explained.segments_without == explained.encoded.segments or not explained.dear:
        return []
    dear = ", ".join(f"{each.character} ({each.name})" for each in explained.dear[:5])
    return [
        f"{explained.encoded.segments} segments in {explained.encoded.encoding}; {explained.segments_without} without {dear}."
    ]


def brand_faults(brand: str) -> list[str]:
    """Each reason why a name cannot stand before the text of a message."""
    found = [f"A name has at most {BRAND_LENGTH_MAX} characters."] if len(brand) > BRAND_LENGTH_MAX else []
    if any(sign in brand for sign in "{}"):
        found.append("A name is fixed: it has no braces.")
    return found + list(_faults_of_words(brand))


def longest(template: str) -> str:
    """The longest message of a template."""
    return compose("0" * CODE_DIGITS_MAX, minutes=MINUTES_MAX, template=template)


def _faults_of_form(template: str) -> Iterator[str]:
    if template.count(CODE) != 1:
        yield "A text has {code} exactly once."
    if template.count(MINUTES) > 1:
        yield "A text has {minutes} at most once."
    if any(sign in template.replace(CODE, "").replace(MINUTES, "") for sign in "{}"):
        yield "A text has no braces but those of {code} and {minutes}: nothing else is filled in."
    if _TOUCHED.search(template):
        yield "{code} must not touch a letter or a digit: phones would not find the code."


def _faults_of_words(text: str) -> Iterator[str]:
    spelled = plain(text)
    if not text.strip():
        yield "There is no text."
    elif text != text.strip():
        yield "A text neither begins nor ends with a space."
    if _LINK.search(spelled):
        yield "A text has no link and no domain; after a full stop comes a space."
    if _NUMBER.search(spelled):
        yield "A text has no four digits in a row: they would be taken for the code or for a phone number."
    if is_personal(text):
        yield "A text has nothing that is spelled as an address of a machine could be."
    if any(sign in spelled for sign in _LINE_SIGNS):
        yield "A text has no @ and no #: browsers read them as the line `@host #code`."
    for character in sorted(set(text)):
        if _is_unsafe(character):
            yield f"{named(character)} is not shown, or not everywhere alike."
        elif character in _TWO_SEPTETS and character not in "{}":
            yield f"{named(character)} counts twice and is lost in some networks."


def _faults_of_size(template: str) -> Iterator[str]:
    if len(template) > TEXT_LENGTH_MAX:
        yield f"A text has at most {TEXT_LENGTH_MAX} characters."
        return
    encoded: Encoded = measure(longest(template))
    if encoded.segments > SEGMENTS_MAX:
        yield (
            f"With the longest code a message would take {encoded.segments} segments in {encoded.encoding}; "
            f"at most {SEGMENTS_MAX} are sent."
        )


def _is_unsafe(character: str) -> bool:
    if character == " " or character in _JOINERS:
        return False
    return ord(character) > 0xFFFF or unicodedata.category(character) in _UNSAFE_CATEGORIES
