"""Which pages may read an answer: CORS (Fetch standard, section 3.2), decided by the origins of the public key alone.

A preflight cannot see the key, so it tells everyone the same: which origins exist is nobody's to learn. An answer names an
origin only if it is, letter for letter, one of the key's. Cookies play no part, so no answer allows credentials.
"""

from collections.abc import Sequence
from typing import Any, Final

Headers = Sequence[tuple[bytes, bytes]]
VARY: Final[Headers] = ((b"vary", b"Origin"),)
"""On every answer of a call that a page may make, so that no cache serves one page what was allowed to another."""
PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
    "Access-Control-Max-Age": "600",
    "Allow": "OPTIONS, POST",
}
_EXPOSED: Final = (b"access-control-expose-headers", b"Retry-After, X-Request-Id")


def allowed(origins: tuple[str, ...], origin: str, *, needs_origins: bool) -> bool:
    """Whether a public key with `origins` may be used by who says `origin`, which is empty where no page asks.

    A key without origins is for every page in development. In production it is for apps, and for no page.
    """
    if origins:
        return origin in origins
    return not (origin and needs_origins)


def note(scope: Any, origins: tuple[str, ...], origin: str) -> None:
    """Let the page that asks read the answer, whatever it will be."""
    if origin:
        named = origin.encode("latin-1") if origins else b"*"
        scope["state"]["origin_headers"] = (*VARY, (b"access-control-allow-origin", named), _EXPOSED)
