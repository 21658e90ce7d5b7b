"""Keyed hashes: HMAC-SHA-256 (RFC 2104, FIPS 180-4)."""

import hashlib
from functools import lru_cache
from typing import Any, Final

_BLOCK_BYTES: Final = 64
_KEYS_KEPT_MAX: Final = 20_000
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


def digest(key: bytes, message: bytes) -> bytes:
    """The 32 bytes of HMAC-SHA-256 under a key of at most 64 bytes.

    The same as `hmac.digest`, which lets go of the interpreter's lock for every call: with another thread at work, getting
    it back costs many times the hash.
    """
    inner, outer = _halves(key)
    first, second = inner.copy(), outer.copy()
    first.update(message)
    second.update(first.digest())
    found: bytes = second.digest()
    return found


@lru_cache(maxsize=_KEYS_KEPT_MAX)
def _halves(key: bytes) -> tuple[Any, Any]:
    """The two hashes of RFC 2104, as far as the key alone determines them."""
    assert len(key) <= _BLOCK_BYTES, "keys are derived, and short"
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return hashlib.sha256(block.translate(_INNER)), hashlib.sha256(block.translate(_OUTER))
