"""Lists: which addresses, numbers, prefixes, countries, kinds of numbers and web origins an account allows or blocks.

Deny wins: what a block names is refused whatever an allow says. An allow of addresses, numbers, prefixes or countries is
exclusive: what it does not name is refused. The installation has lists of the same form; its blocks hold for every account,
its allows for those that have none of their own.

A full number, and a network narrower than a mask, are here as keyed hashes only, with the mask beside them for people.
"""

from collections.abc import Iterable
from typing import Final, Literal

import msgspec
import phonenumbers

from domain.phone import KINDS, PhoneNumber
from domain.refusals import (
    CountryNotEnabled,
    DestinationUnsupported,
    InvalidRequest,
    IpBlocklisted,
    IpNotAllowlisted,
    NumberBlocklisted,
    NumberNotAllowlisted,
)

Kind = Literal["ip", "number", "prefix", "country", "origin", "type"]
Effect = Literal["allow", "block", "remove"]
ENTRIES_MAX: Final = 2_000
"""Entries that the lists of one account hold together."""
ENTRIES_PER_CHANGE_MAX: Final = 500
PREFIX_NATIONAL_DIGITS_MAX: Final = 6
TYPES: Final = frozenset({*KINDS.values(), "satellite"})
UNSUPPORTED: Final = frozenset({"premium_rate", "shared_cost", "voip", "satellite", "pager", "uan", "voicemail"})
"""Kinds of numbers that cost much, reach no phone, or are had for nothing: refused unless a list allows them."""
_PREFIX_DIGITS_MAX: Final = 3 + PREFIX_NATIONAL_DIGITS_MAX

Buckets = dict[str, dict[str, str]]
"""By kind, and by length where the kind is `ip` (`ip4/32`): what is looked up, and how it is shown."""


class Lists(msgspec.Struct, frozen=True, kw_only=True):
    """The lists of an account, or of the installation."""

    allowed: Buckets = {}
    blocked: Buckets = {}

    def count(self) -> int:
        """Entries of all lists together."""
        return sum(map(len, self.allowed.values())) + sum(map(len, self.blocked.values()))


NOTHING: Final = Lists()


class Untold(Exception):
    """What is known of a number does not decide a rule."""


class Listed(msgspec.Struct, frozen=True):
    """A number as lists know it: `keys` are its keyed hashes in the account's and the installation's, in that order."""

    phone: PhoneNumber
    keys: tuple[str, str]


def bucket_of(kind: str, key: str) -> str:
    """Where an entry is kept. The key of a network begins with its version and length: `4/24 192.0.2.0/24`."""
    return f"ip{key.partition(' ')[0]}" if kind == "ip" else kind


def changed(lists: Lists, *, effect: str, kind: str, entries: dict[str, str]) -> Lists:
    """The lists after a change; `remove` takes an entry from both sides."""
    allowed, blocked = lists.allowed, lists.blocked
    if effect == "allow":
        allowed = _with(allowed, kind, entries)
    elif effect == "block":
        blocked = _with(blocked, kind, entries)
    else:
        allowed, blocked = _without(allowed, kind, entries), _without(blocked, kind, entries)
    return Lists(allowed=allowed, blocked=blocked)


def _with(buckets: Buckets, kind: str, entries: dict[str, str]) -> Buckets:
    after = dict(buckets)
    for key, shown in entries.items():
        bucket = bucket_of(kind, key)
        after[bucket] = {**after.get(bucket, {}), key: shown}
    return after


def _without(buckets: Buckets, kind: str, entries: dict[str, str]) -> Buckets:
    gone = {(bucket_of(kind, key), key) for key in entries}
    after = {
        bucket: {key: shown for key, shown in held.items() if (bucket, key) not in gone}
        for bucket, held in buckets.items()
    }
    return {bucket: held for bucket, held in after.items() if held}


# What an operator types.


def prefix(text: str) -> str:
    """The digits of a prefix, without the plus sign; raises InvalidRequest for one that could be a number."""
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _PREFIX_DIGITS_MAX and digits[0] != "0"):
        raise InvalidRequest("A prefix is a plus sign and the first digits of numbers, country code included.")
    calling_code = next(
        (digits[:n] for n in (1, 2, 3) if int(digits[:n]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), ""
    )
    if calling_code and len(digits) - len(calling_code) > PREFIX_NATIONAL_DIGITS_MAX:
        raise InvalidRequest(f"A prefix has at most {PREFIX_NATIONAL_DIGITS_MAX} digits after the country code.")
    national = digits[len(calling_code) :] if calling_code else ""
    if national and phonenumbers.is_valid_number(
        phonenumbers.PhoneNumber(country_code=int(calling_code), national_number=int(national))
    ):
        raise InvalidRequest("That is a whole number: put it on the list of numbers.")
    return digits


def country(text: str) -> str:
    """An ISO 3166 code of a country that has numbers, `001` for international networks; raises InvalidRequest."""
    code = text.upper()
    if code not in phonenumbers.SUPPORTED_REGIONS and code != "001":
        raise InvalidRequest("A country is its two-letter code, such as TR; 001 is international networks.")
    return code


def type_(text: str) -> str:
    """A kind of numbers; raises InvalidRequest, naming them all."""
    if text not in TYPES:
        raise InvalidRequest(f"A type is one of {', '.join(sorted(TYPES))}.")
    return text


# The rules. `both` are the account's lists and the installation's.

Both = tuple[Lists, Lists]
Networks = Iterable[tuple[str, str]]
"""The networks that an address is in, as far as a list names networks of that length: bucket and key."""


def require_address(both: Both, networks: tuple[Networks, Networks], *, is_exclusive: bool) -> None:
    """`networks` are the address's in the keys of either list; raises IpBlocklisted or IpNotAllowlisted."""
    for lists, inside in zip(both, networks, strict=True):
        if any(key in lists.blocked.get(bucket, ()) for bucket, key in inside):
            raise IpBlocklisted
    if not is_exclusive:
        return
    for lists, inside in zip(both, networks, strict=True):
        if has_addresses(lists.allowed):
            if not any(key in lists.allowed.get(bucket, ()) for bucket, key in inside):
                raise IpNotAllowlisted
            return


def require_number(both: Both, listed: Listed) -> None:
    """Raises NumberBlocklisted or NumberNotAllowlisted."""
    for lists, key in zip(both, listed.keys, strict=True):
        if lists.blocked and _names(lists.blocked, listed, key):
            raise NumberBlocklisted
    for lists, key in zip(both, listed.keys, strict=True):
        if "number" in lists.allowed or "prefix" in lists.allowed:
            if not _names(lists.allowed, listed, key):
                raise NumberNotAllowlisted
            return


def require_number_shown(both: Both, shown: Listed) -> None:
    """The same for a number of which the ledger keeps hash and mask alone: `e164` is what the mask shows before the asterisks.

    A key that is empty is not known. Raises Untold where digits that are hidden, or that key, decide.
    """
    is_untold = False
    for lists, key in zip(both, shown.keys, strict=True):
        if _names(lists.blocked, shown, key):
            raise NumberBlocklisted
        is_untold = is_untold or _may_name(lists.blocked, shown, key)
    for lists, key in zip(both, shown.keys, strict=True):
        if "number" in lists.allowed or "prefix" in lists.allowed:
            if not _names(lists.allowed, shown, key):
                if is_untold or _may_name(lists.allowed, shown, key):
                    raise Untold
                raise NumberNotAllowlisted
            break
    if is_untold:
        raise Untold


def require_country(both: Both, listed: Listed) -> None:
    """Raises CountryNotEnabled."""
    country = listed.phone.country
    if any(country in lists.blocked.get("country", ()) for lists in both):
        raise CountryNotEnabled
    enabled = next((lists.allowed["country"] for lists in both if "country" in lists.allowed), None)
    if enabled is not None and country not in enabled:
        raise CountryNotEnabled


def require_type(both: Both, listed: Listed) -> None:
    """Raises DestinationUnsupported."""
    kind = listed.phone.kind
    if any(kind in lists.blocked.get("type", ()) for lists in both):
        raise DestinationUnsupported
    if kind in UNSUPPORTED and not any(kind in lists.allowed.get("type", ()) for lists in both):
        raise DestinationUnsupported


def origins(both: Both, own: tuple[str, ...]) -> tuple[str, ...]:
    """Where a public key may be used: its own origins or, if it has none, those of its account or installation."""
    return own or next((tuple(lists.allowed["origin"]) for lists in both if "origin" in lists.allowed), ())


def blocks_origin(both: Both, origin: str) -> bool:
    """Whether no public key may be used on this page, whatever its origins are."""
    return any(origin in lists.blocked.get("origin", ()) for lists in both)


def has_addresses(buckets: Buckets) -> bool:
    """Whether one of them names networks."""
    return any(bucket.startswith("ip") for bucket in buckets)


def _names(buckets: Buckets, listed: Listed, key: str) -> bool:
    if key in buckets.get("number", ()):
        return True
    prefixes = buckets.get("prefix")
    if not prefixes:
        return False
    digits = listed.phone.e164[1 : _PREFIX_DIGITS_MAX + 1]
    return any(digits[:length] in prefixes for length in range(1, len(digits) + 1))


def _may_name(buckets: Buckets, shown: Listed, key: str) -> bool:
    if not key and "number" in buckets:
        return True
    lead = shown.phone.e164[1:]
    return any(len(prefix) > len(lead) and prefix.startswith(lead) for prefix in buckets.get("prefix", ()))
