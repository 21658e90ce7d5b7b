"""The line that browsers fill a code in from: `@host #code`, the last line of a message.

After "Origin-bound one-time codes delivered via SMS" (https://wicg.github.io/sms-one-time-codes/, section 3.2): tokens end
at ASCII whitespace, exactly one space is between them, and what follows them in the line is ignored.
"""

import re
from typing import Final, Literal

import msgspec

Fault = Literal["", "none", "not_last", "not_first", "malformed", "host", "code"]
"""Why a line does not work: there is none; lines or words stand where only it may; it is spelled otherwise; its host is
no domain; its code is another one."""

_WORD: Final = r"[^\t\n\f\r ]+"
_LINE: Final = re.compile(rf"@({_WORD}) #({_WORD})(?: %({_WORD}))?")
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\Z", re.IGNORECASE | re.ASCII)


class Autofill(msgspec.Struct, frozen=True, kw_only=True):
    """What a browser reads in a message. Empty texts where there is nothing to read."""

    fault: Fault = ""
    host: str = ""
    embedded_host: str = ""
    """The site of a frame that the code is for."""


def read(text: str, *, code: str) -> Autofill:
    """The line of a message that carries `code`."""
    *before, last = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    line = _LINE.match(last)
    if line is None:
        return Autofill(fault=_fault(before, last))
    host, found, embedded = line[1], line[2], line[3] or ""
    if not all(_HOST.match(each) for each in (host, embedded) if each):
        return Autofill(fault="host", host=host, embedded_host=embedded)
    return Autofill(fault="" if found == code else "code", host=host, embedded_host=embedded)


def _fault(before: list[str], last: str) -> Fault:
    if last.startswith("@"):
        return "malformed"
    if _LINE.search(last):
        return "not_first"
    return "not_last" if any(_LINE.match(line) for line in before) else "none"
