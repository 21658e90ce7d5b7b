"""Ed25519 in pure Python, judged by RFC 8032, by the edge cases of C2SP/CCTV and by OpenSSL."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings, strategies

from projections.transparency import ed25519
from tests.support.merkle import vectors

VECTORS = vectors("ed25519")
RFC = VECTORS["rfc 8032 (name, seed, public key, message, signature)"]
EDGES = VECTORS["edge cases (number, public key, signature, message, flags)"]
SMALL = {bytes.fromhex(vector[1]) for vector in EDGES if "low_order_A" in vector[4]}
ORDER = 2**252 + 27742317777372353535851937790883648493
PRIME = 2**255 - 19

SEEDS = strategies.binary(min_size=32, max_size=32)


def openssl_verifies(public_key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize("vector", RFC, ids=lambda vector: vector[0])
def test_keys_and_signatures_are_those_of_rfc_8032(vector):
    seed, public_key, message, signature = map(bytes.fromhex, vector[1:])
    assert ed25519.public_key(seed) == public_key
    assert ed25519.sign(seed, message) == signature
    assert ed25519.verify(public_key, message, signature)


@pytest.mark.parametrize("vector", EDGES, ids=lambda vector: str(vector[0]))
def test_points_of_small_order_and_second_spellings_verify_nothing(vector):
    _, public_key, signature, message, flags = vector
    refused = {"low_order_A", "non_canonical_A", "non_canonical_R", "low_order_residue"} & {*flags}
    assert ed25519.verify(bytes.fromhex(public_key), message.encode(), bytes.fromhex(signature)) == (not refused)


def test_the_edge_cases_hold_both_verdicts():
    refusing = {"low_order_A", "non_canonical_A", "non_canonical_R", "low_order_residue"}
    assert {bool(refusing & {*vector[4]}) for vector in EDGES} == {True, False}


@settings(deadline=None)
@given(seed=SEEDS, message=strategies.binary(max_size=200))
def test_openssl_agrees_on_every_signature(seed, message):
    theirs = Ed25519PrivateKey.from_private_bytes(seed)
    public_key = ed25519.public_key(seed)
    assert public_key == theirs.public_key().public_bytes_raw()
    assert ed25519.sign(seed, message) == theirs.sign(message)
    assert ed25519.verify(public_key, message, theirs.sign(message))


@settings(deadline=None)
@given(
    seed=SEEDS,
    message=strategies.binary(max_size=50),
    part=strategies.integers(0, 2),
    place=strategies.integers(0, 1000),
    bit=strategies.integers(0, 7),
)
def test_openssl_agrees_on_every_spoiled_signature(seed, message, part, place, bit):
    parts = [ed25519.public_key(seed), message, ed25519.sign(seed, message)]
    if parts[part]:
        spoiled = bytearray(parts[part])
        spoiled[place % len(spoiled)] ^= 1 << bit
        parts[part] = bytes(spoiled)
    assert ed25519.verify(*parts) == openssl_verifies(*parts)


@settings(deadline=None)
@given(public_key=SEEDS.filter(lambda encoded: encoded not in SMALL))
def test_what_is_a_public_key_is_a_point_on_the_curve(public_key):
    """Whether 32 bytes are one is asked of Euler's criterion."""
    number = int.from_bytes(public_key, "little")
    y = number % 2**255
    square = (y * y - 1) * pow(-121665 * pow(121666, -1, PRIME) * y * y + 1, -1, PRIME) % PRIME
    assert ed25519.is_public_key(public_key) == (y < PRIME and pow(square, (PRIME - 1) // 2, PRIME) == 1)


def test_a_scalar_is_below_the_order_of_the_group():
    seed, public_key, message, signature = map(bytes.fromhex, RFC[1][1:])
    scalar = int.from_bytes(signature[32:], "little")
    for larger in range(scalar + ORDER, 2**256, ORDER):
        assert not ed25519.verify(public_key, message, signature[:32] + larger.to_bytes(32, "little"))
    for other in (0, ORDER, ORDER - scalar):
        assert not ed25519.verify(public_key, message, signature[:32] + other.to_bytes(32, "little"))
    assert ed25519.sign(seed, message) == signature


@pytest.mark.parametrize("encoded", [b"", bytes(31), bytes(33), bytes(32), b"\1" + bytes(31), b"\xff" * 32])
def test_what_has_the_wrong_length_or_a_small_order_is_no_key(encoded):
    signature = bytes.fromhex(RFC[0][4])
    assert (ed25519.is_public_key(encoded), ed25519.verify(encoded, b"", signature)) == (False, False)


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_a_signature_has_64_bytes(length):
    signature = (bytes.fromhex(RFC[0][4]) + b"\0")[:length]
    assert not ed25519.verify(bytes.fromhex(RFC[0][2]), b"", signature)


@pytest.mark.parametrize("seed", [b"", bytes(31), bytes(64)])
def test_a_seed_has_32_bytes(seed):
    with pytest.raises(ValueError, match="32 bytes"):
        ed25519.public_key(seed)
