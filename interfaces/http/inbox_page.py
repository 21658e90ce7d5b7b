"""The inbox as a person sees it: each message with what it cost, why, and whether a browser fills its code in.

One rendering for the page, with or without JavaScript, and for what is added to it later. Everything of a message is
escaped by the templates.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from domain import autofill
from domain.autofill import Autofill
from domain.costly import Explanation, explain
from interfaces.http.public import WEB
from interfaces.sms.inbox import InboxMessage

_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "inbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_UNITS: Final = {"GSM-7": "septets", "UCS-2": "UTF-16 units"}
_SINGLE: Final = {"GSM-7": 160, "UCS-2": 70}
_PART: Final = {"GSM-7": 153, "UCS-2": 67}
_FAULTS: Final = {
    "none": "None: without web_origin in the request there is no line for browsers to read.",
    "not_last": "Not read: the line @host #code must be the last one, and something follows it.",
    "not_first": "Not read: nothing may stand before @host in the last line.",
    "malformed": "Not read: the last line begins with @ but is not @host #code with exactly one space between them.",
    "host": "Not read: a host is a domain name, without scheme, port or path.",
    "code": "Misleading: the line carries another code than the message.",
}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the text: plain, or of characters that are dear."""

    text: str
    is_dear: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A message and what is said about it."""

    message: InboxMessage
    pieces: tuple[Piece, ...]
    parts: tuple[str, ...]
    """The text as it is cut into segments, each with its invisible characters spelled out."""
    size: str
    explained: Explanation
    reason: str
    price: str
    autofill: Autofill
    autofill_said: str
    words: str
    """What a search looks into."""


def page(entries: Sequence[InboxMessage], *, cursor: str, wanted: str, shown_max: int) -> str:
    """The whole page with the newest messages first; where `wanted` is not empty, only those in which it occurs."""
    shown = [one for one in map(show, reversed(entries)) if wanted.lower() in one.words][:shown_max]
    return _TEMPLATES.get_template("inbox.html").render(
        shown=shown, cursor=cursor, wanted=wanted, is_empty=not entries, here=len(entries)
    )


def messages(entries: Sequence[InboxMessage]) -> str:
    """The list's items alone, newest first."""
    return _TEMPLATES.get_template("messages.html").render(shown=[show(entry) for entry in reversed(entries)])


def show(message: InboxMessage) -> Shown:
    """A message as it is shown."""
    text, explained = message.text, explain(message.text)
    read = autofill.read(text, code=message.code)
    dear = {one.character for one in explained.dear}
    return Shown(
        message,
        tuple(Piece("".join(run), is_dear) for is_dear, run in groupby(text, key=dear.__contains__)),
        tuple(_spelled(part) for part in _parts(text, explained.cuts)),
        _size(explained),
        explained,
        _reason(explained),
        _price(message),
        read,
        _FAULTS.get(read.fault) or _filled(read),
        f"{message.to} {message.code} {text} {message.verification_id} {message.mode}".lower(),
    )


def _parts(text: str, cuts: tuple[int, ...]) -> Iterator[str]:
    for begin, end in zip((0, *cuts), (*cuts, len(text)), strict=True):
        yield text[begin:end]


def _spelled(text: str) -> str:
    return "".join(one if one.isprintable() else json.dumps(one)[1:-1] for one in text)


def _size(explained: Explanation) -> str:
    encoded = explained.encoded
    room = _SINGLE[encoded.encoding] if encoded.segments == 1 else _PART[encoded.encoding] * encoded.segments
    return f"{encoded.encoding}, {encoded.units} of {room} {_UNITS[encoded.encoding]}, {_count(encoded.segments, 'segment')}"


def _reason(explained: Explanation) -> str:
    """Why the message is as large as it is, in a sentence or two; empty where there is nothing to say."""
    segments, without = explained.encoded.segments, explained.segments_without
    saved = f" Without: {_count(without, 'segment')}." if without < segments else " That costs no further segment."
    if explained.effect == "forces UCS-2":
        return f"Not in the GSM 7-bit alphabet, so the whole message travels as UCS-2, 70 characters instead of 160.{saved}"
    if explained.effect == "counts twice":
        return f"In the extension of the GSM 7-bit alphabet: each counts twice.{saved}"
    return (
        "" if segments == 1 else f"Simply long: a message of {segments} segments loses 7 septets of each to its header."
    )


def _price(message: InboxMessage) -> str:
    if message.mode == "test":
        return "Free: a test key"
    return _count(message.price_credits, "credit")


def _filled(read: Autofill) -> str:
    where = f"a frame of {read.embedded_host} on {read.host}" if read.embedded_host else read.host
    return f"Valid: browsers offer the code on {where}."


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
