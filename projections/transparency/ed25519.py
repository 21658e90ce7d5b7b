"""Ed25519 of RFC 8032 section 5.1 in integers, for whoever checks a log with nothing but Python. About a millisecond each.

Stricter than the RFC: a public key of small order, or in a spelling that is not its own, signs nothing. Not in constant time:
secret keys of real logs stay out of here.
"""

from functools import cache
from hashlib import sha512
from typing import Final

KEY_BYTES: Final = 32  # of a public key and of a seed
SIGNATURE_BYTES: Final = 64

_P: Final = 2**255 - 19
_L: Final = 2**252 + 27742317777372353535851937790883648493  # the order of the base point
_D: Final = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)

# A point is (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z; RFC 8032 section 5.1.4.
_Point = tuple[int, int, int, int]
_NEUTRAL: Final[_Point] = (0, 1, 1, 0)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether this key signed this message; False for whatever is not a key (32 bytes) or a signature (64 bytes)."""
    key = _key(public_key)
    if key is None or len(signature) != SIGNATURE_BYTES:
        return False
    scalar = int.from_bytes(signature[32:], "little")
    if scalar >= _L:
        return False
    x, y, z, t = key
    challenge = _scalar(signature[:32], public_key, message)
    # Compared as bytes, so that R in a spelling not its own is refused.
    return _encoded(_sum(scalar, _base(), challenge, _multiples((_P - x, y, z, _P - t)))) == signature[:32]


def is_public_key(encoded: bytes) -> bool:
    """Whether these 32 bytes are the only spelling of a point on the curve that is not of small order."""
    return _key(encoded) is not None


def public_key(seed: bytes) -> bytes:
    """The public key, 32 bytes, of a secret seed of 32 bytes."""
    secret, _ = _secret(seed)
    return _encoded(_sum(secret, _base(), 0, _base()))


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64 bytes that sign the message. For tests: who measures this learns of the seed."""
    secret, prefix = _secret(seed)
    nonce = _scalar(prefix, message)
    commitment = _encoded(_sum(nonce, _base(), 0, _base()))
    challenge = _scalar(commitment, public_key(seed), message)
    return commitment + ((nonce + challenge * secret) % _L).to_bytes(32, "little")


def _secret(seed: bytes) -> tuple[int, bytes]:
    if len(seed) != KEY_BYTES:
        raise ValueError(f"a seed has {KEY_BYTES} bytes")
    digest = sha512(seed).digest()
    return int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254, digest[32:]


def _scalar(*parts: bytes) -> int:
    return int.from_bytes(sha512(b"".join(parts)).digest(), "little") % _L


def _key(encoded: bytes) -> _Point | None:
    point = _decoded(encoded)
    if point is None:
        return None
    x, y, z, _ = _doubled(_doubled(_doubled(point)))
    return None if x == 0 and y == z else point


def _encoded(point: _Point) -> bytes:
    x, y, z, _ = point
    inverse = pow(z, -1, _P)
    return (y * inverse % _P | (x * inverse % _P & 1) << 255).to_bytes(32, "little")


def _decoded(encoded: bytes) -> _Point | None:
    """RFC 8032 section 5.1.3."""
    if len(encoded) != KEY_BYTES:
        return None
    number = int.from_bytes(encoded, "little")
    y, odd = number & (1 << 255) - 1, number >> 255
    if y >= _P:
        return None
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * v**3 * pow(u * v**7, (_P - 5) // 8, _P) % _P
    if (v * x * x + u) % _P == 0:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (v * x * x - u) % _P or (x == 0 and odd):
        return None
    if x & 1 != odd:
        x = _P - x
    return x, y, 1, x * y % _P


def _added(one: _Point, other: _Point) -> _Point:
    x1, y1, z1, t1 = one
    x2, y2, z2, t2 = other
    a, b = (y1 - x1) * (y2 - x2) % _P, (y1 + x1) * (y2 + x2) % _P
    c, d = 2 * _D * t1 * t2 % _P, 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _doubled(point: _Point) -> _Point:
    x, y, z, _ = point
    a, b = x * x % _P, y * y % _P
    h = a + b
    e, g = h - (x + y) ** 2, a - b
    f = 2 * z * z + g
    e, f = e % _P, f % _P
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiples(point: _Point) -> list[_Point]:
    """0 to 15 times the point."""
    found = [_NEUTRAL]
    for _ in range(15):
        found.append(_added(found[-1], point))
    return found


@cache
def _base() -> list[_Point]:
    point = _decoded((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert point is not None
    return _multiples(point)


def _sum(scalar: int, multiples: list[_Point], other: int, others: list[_Point]) -> _Point:
    """`scalar` times one point plus `other` times another, four bits of both at a time."""
    found = _NEUTRAL
    for shift in range(252, -4, -4):
        found = _doubled(_doubled(_doubled(_doubled(found))))
        found = _added(_added(found, multiples[scalar >> shift & 15]), others[other >> shift & 15])
    return found
