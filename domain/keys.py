"""API keys and identifiers: their spelling, nothing else.

A key is `<kind>_<account><secret><checksum>`: 16 characters that name the account, 26 random ones (130 bits), 7 of a
CRC-32 that catches a mistyped key before anything is looked up. Only its SHA-256 is ever stored.
"""

import base64
import hashlib
import zlib
from typing import Final, Literal

KeyKind = Literal["sk_live", "pk_live", "sk_test", "pk_test"]
KEY_KINDS: Final[tuple[KeyKind, ...]] = ("sk_live", "pk_live", "sk_test", "pk_test")
ACCOUNT_BYTES: Final = 10
SECRET_BYTES: Final = 17
_ACCOUNT_LENGTH: Final = 16
_SECRET_LENGTH: Final = 26
_CHECKSUM_LENGTH: Final = 7
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_ALPHABET: Final = frozenset(_LETTERS)
_TEST_SUFFIX: Final = "-test"


def text(random: bytes, *, length: int) -> str:
    """`random` in the lower-case base32 alphabet of RFC 4648, cut to `length` characters (5 bits each)."""
    return base64.b32encode(random).decode().lower()[:length]


def account_id(random: bytes) -> str:
    """`acct_` and 80 random bits."""
    return "acct_" + text(random, length=_ACCOUNT_LENGTH)


def spell(kind: KeyKind, *, account: str, random: bytes) -> str:
    """A new key of `kind` for `account` out of 17 random bytes, of which 130 bits are used."""
    body = account.removeprefix("acct_") + text(random, length=_SECRET_LENGTH)
    return f"{kind}_{body}{_checksum(kind, body)}"


def read(key: str) -> tuple[KeyKind, str] | None:
    """Kind and account id that a key names; None when it cannot be one of ours."""
    for kind in KEY_KINDS:
        if key.startswith(kind + "_"):
            rest = key[len(kind) + 1 :]
            body, checksum = rest[:-_CHECKSUM_LENGTH], rest[-_CHECKSUM_LENGTH:]
            if len(body) != _ACCOUNT_LENGTH + _SECRET_LENGTH or not _ALPHABET.issuperset(body):
                return None
            return (kind, "acct_" + body[:_ACCOUNT_LENGTH]) if checksum == _checksum(kind, body) else None
    return None


def key_hash(key: str) -> str:
    """What is stored of a key: SHA-256, hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def log_of(account: str, *, mode: Literal["live", "test"]) -> str:
    """The log that keys of `mode` write to."""
    return account if mode == "live" else account + _TEST_SUFFIX


def account_of(log: str) -> str:
    """The account that a log belongs to."""
    return log.removesuffix(_TEST_SUFFIX)


def _checksum(kind: str, body: str) -> str:
    crc = zlib.crc32(f"{kind}_{body}".encode())
    return "".join(_LETTERS[crc >> shift & 31] for shift in range(0, 5 * _CHECKSUM_LENGTH, 5))
