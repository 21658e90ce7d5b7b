"""One-time codes: derived from a key outside the database, so that nothing stored gives one away.

RFC 4226 (HOTP), section 5.3: dynamic truncation of an HMAC. Here the HMAC is SHA-256 over what the code is for.
"""

from collections.abc import Iterable

from domain.keyed import digest


def truncate(hashed: bytes, *, digits: int) -> str:
    """RFC 4226 section 5.3: `digits` decimal digits out of an HMAC of at least 20 bytes.

    The truncated value has 31 bits, so ten digits hold at most 2,147,483,648 different codes.
    """
    offset = hashed[-1] & 0x0F
    value = int.from_bytes(hashed[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(value % 10**digits).zfill(digits)


def derive(key: bytes, *, bound_to: Iterable[str], digits: int) -> str:
    """The code for what `bound_to` names: log, number, verification id and seed. Each part is length-delimited."""
    message = b"".join(len(part).to_bytes(4, "big") + part for part in map(str.encode, bound_to))
    return truncate(digest(key, message), digits=digits)
