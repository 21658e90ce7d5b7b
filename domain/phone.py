"""Phone numbers: strict ASCII in, one canonical E.164 spelling out, and the mask that may be written down.

`phonenumbers` (libphonenumber) decides what a valid number is; the gate before it keeps out what libphonenumber would
be kind to: full-width and Arabic digits, letters on keypads, extensions.
"""

import re
from functools import lru_cache
from typing import Final

import msgspec
import phonenumbers

from domain.refusals import InvalidPhoneNumber

SPELLING: Final = r"\+[0-9 ()./-]{6,31}"
"""What passes the gate."""
_CACHE_MAX: Final = 16_384
"""Parsed numbers kept in memory, so that `check` does not pay again for what `send` parsed."""
KINDS: Final = {
    phonenumbers.PhoneNumberType.FIXED_LINE: "fixed_line",
    phonenumbers.PhoneNumberType.MOBILE: "mobile",
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed_line_or_mobile",
    phonenumbers.PhoneNumberType.TOLL_FREE: "toll_free",
    phonenumbers.PhoneNumberType.PREMIUM_RATE: "premium_rate",
    phonenumbers.PhoneNumberType.SHARED_COST: "shared_cost",
    phonenumbers.PhoneNumberType.VOIP: "voip",
    phonenumbers.PhoneNumberType.PERSONAL_NUMBER: "personal_number",
    phonenumbers.PhoneNumberType.PAGER: "pager",
    phonenumbers.PhoneNumberType.UAN: "uan",
    phonenumbers.PhoneNumberType.VOICEMAIL: "voicemail",
}
"""What libphonenumber calls the kinds of numbers; satellite networks it does not tell apart, their calling codes do."""
_SATELLITE_CODES: Final = frozenset({870, 881, 882, 883})
"""Inmarsat, the global mobile satellite system and the international networks (ITU-T E.164, list of assigned codes)."""


class PhoneNumber(msgspec.Struct, frozen=True):
    """A valid number. `e164` is the clear number: it never leaves memory. `kind` is one of KINDS, or `satellite`."""

    e164: str
    country: str
    mask: str
    kind: str


def parse(spelling: str) -> PhoneNumber:
    """The number that `spelling` names, whatever its punctuation or trunk zero; raises InvalidPhoneNumber."""
    # The error is raised outside the cache, which must not keep exceptions and their frames alive.
    number = _parse(spelling)
    if number is None:
        raise InvalidPhoneNumber
    return number


@lru_cache(maxsize=_CACHE_MAX)
def _parse(spelling: str) -> PhoneNumber | None:
    if re.fullmatch(SPELLING, spelling) is None:
        return None
    try:
        parsed = phonenumbers.parse(spelling)
        kind = KINDS.get(phonenumbers.number_type(parsed))
        if kind is None:  # libphonenumber knows the kind of every valid number, and of no other
            return None
        e164 = _spelled(parsed)
        # One number must have one spelling: what does not come back as itself is refused, not guessed.
        if e164 != spelling and _spelled(phonenumbers.parse(e164)) != e164:
            return None
    except phonenumbers.NumberParseException:
        return None
    calling_code = str(parsed.country_code)
    return PhoneNumber(
        e164=e164,
        country=phonenumbers.region_code_for_number(parsed) or "001",
        mask=_mask(calling_code, e164[1 + len(calling_code) :]),
        kind="satellite" if parsed.country_code in _SATELLITE_CODES else kind,
    )


def _spelled(parsed: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def _mask(calling_code: str, national: str) -> str:
    """Country code, next three digits, `****`, last four; on short numbers fewer, so that three stay hidden."""
    tail = max(0, min(4, len(national) - 3))
    lead = max(0, min(3, len(national) - tail - 3))
    return f"+{calling_code}{national[:lead]}****{national[len(national) - tail :]}"
