"""Proof of work: the server signs a challenge and keeps nothing; the page finds a number; nobody uses it twice here.

The work is SHA-256(SHA-256(challenge) ‖ number as 8 bytes, big-endian) with so many leading zero bits. It makes
each message cost its sender a fraction of a second, which a visitor does not notice and who pumps pays every time; it
does not tell a person from a program, and is not meant to.
"""

import base64
import hmac
import re
from collections import OrderedDict
from hashlib import sha256
from typing import Any, Final

from application.ports import Clock, Entropy
from interfaces.guard.challenge import Bound

LIFE_SECONDS: Final = 120
USED_MAX: Final = 100_000
"""Solved challenges remembered until they expire; when so many are, no more are accepted."""
_NONCE_BYTES: Final = 12
_SHAPE: Final = re.compile(r"(([0-9]{10})\.([0-9]{1,2})\.([A-Za-z0-9_-]{16}))\.([A-Za-z0-9_-]{22})\.([0-9]{1,12})")


class ProofOfWork:
    """Challenges of one process. Another process of the same server would take a solved one once more."""

    def __init__(self, key: bytes, *, clock: Clock, entropy: Entropy, script: str, used_max: int = USED_MAX) -> None:
        self._key = key
        self._clock = clock
        self._entropy = entropy
        self._script = script
        self._used_max = used_max
        self._used: OrderedDict[str, int] = OrderedDict()

    def make(self, bound: Bound, *, bits: int) -> dict[str, Any]:
        expires_at = int(self._clock.now().timestamp()) + LIFE_SECONDS
        nonce = base64.urlsafe_b64encode(self._entropy.bytes(_NONCE_BYTES)).decode()
        named = f"{expires_at}.{bits}.{nonce}"
        token = f"{named}.{self._seal(named, bound)}"
        return {"kind": "pow", "token": token, "bits": bits, "expires_in": LIFE_SECONDS, "script": self._script}

    async def accepts(self, response: str, bound: Bound) -> bool:
        match = _SHAPE.fullmatch(response)
        if match is None:
            return False
        named, expires_at, bits, nonce, seal, found = match.groups()
        now = int(self._clock.now().timestamp())
        if not hmac.compare_digest(seal, self._seal(named, bound)) or now >= int(expires_at):
            return False
        if zero_bits(f"{named}.{seal}", int(found)) < int(bits):
            return False
        while self._used and next(iter(self._used.values())) <= now:
            self._used.popitem(last=False)
        if nonce in self._used or len(self._used) >= self._used_max:
            return False
        self._used[nonce] = int(expires_at)
        return True

    async def close(self) -> None:
        self._used.clear()

    def _seal(self, named: str, bound: Bound) -> str:
        digest = hmac.digest(self._key, "\0".join((named, *bound)).encode(), "sha256")
        return base64.urlsafe_b64encode(digest[:16]).decode()[:22]


def zero_bits(token: str, number: int) -> int:
    """How many leading zero bits a number earns for a challenge."""
    digest = sha256(sha256(token.encode()).digest() + number.to_bytes(8, "big")).digest()
    return 256 - int.from_bytes(digest, "big").bit_length()


def solve(token: str, bits: int) -> str:
    """The response to a challenge: what the page's script does, for programs of ours that play a page."""
    number = 0
    while zero_bits(token, number) < bits:
        number += 1
    return f"{token}.{number}"
