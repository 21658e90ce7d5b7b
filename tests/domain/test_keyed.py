"""HMAC-SHA-256 is what RFC 4231 says it is, and what Python's own says."""

import hmac

import pytest
from hypothesis import given, strategies

from domain.keyed import digest


@pytest.mark.parametrize(
    ("key", "message", "expected"),
    [
        (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    ],
    ids=["1", "2", "3"],
)
def test_the_vectors_of_rfc_4231(key: bytes, message: bytes, expected: str) -> None:
    assert digest(key, message).hex() == expected


@given(strategies.binary(max_size=64), strategies.binary(max_size=300))
def test_it_is_what_the_standard_library_computes(key: bytes, message: bytes) -> None:
    assert digest(key, message) == hmac.digest(key, message, "sha256")


def test_a_long_key_is_a_mistake() -> None:
    with pytest.raises(AssertionError):
        digest(bytes(65), b"")
