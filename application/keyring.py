"""Every key that DoneOTP uses, derived from one root secret that is never in the database (HKDF, RFC 5869).

What is trusted: whoever holds the root can compute codes and sign tokens; whoever holds the database alone cannot.
"""

import base64
import hashlib
import re
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain import code as codes
from domain.keyed import digest

STREAM_LENGTH: Final = 22
"""Characters of a stream name: 128 bits of a keyed hash, in base64url (RFC 4648 section 5)."""
NONCE_BYTES: Final = 5
"""Random bytes of a verification id: what tells the verifications of one number apart."""
_SEAL_BYTES: Final = 4
_PREFIX_BYTES: Final = 8
STREAMS_KEPT_MAX: Final = 16_384
_NONCE_LENGTH: Final = 12
_LETTERS: Final = re.compile(r"[A-Za-z0-9_-]*")
_VERIFICATION_PREFIX: Final = "ver_"


class Keyring:
    """Keyed hashes and signing keys, one purpose each."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._codes = self._derive("code")
        self._requests = self._derive("idempotency")
        self._receipts = self._derive("receipt")
        self._ids = self._derive("verification-id")
        self.token_key = Ed25519PrivateKey.from_private_bytes(self._derive("token"))
        self.stream_of = lru_cache(maxsize=STREAMS_KEPT_MAX)(self._stream_of)
        """`stream_of(log, e164)`: the stream of a number in a log."""
        self.listed = lru_cache(maxsize=STREAMS_KEPT_MAX)(self._listed)
        """`listed(account, text)`: how a list names what it must not hold in the clear."""
        self._list_key = lru_cache(maxsize=10_000)(lambda account: self._derive(f"list/{account}"))
        self._prefixes = self._derive("prefix")
        self._tags = self._derive("prefix-tag")
        self._prefix_named = lru_cache(maxsize=STREAMS_KEPT_MAX)(self._hash_prefix)
        self._index_key = lru_cache(maxsize=10_000)(lambda log: self._derive(f"index/{log}"))

    def _stream_of(self, log: str, e164: str) -> str:
        """HMAC-SHA-256 under that log's index key, 128 bits."""
        return _text(digest(self._index_key(log), e164.encode()))

    def _listed(self, account: str, text: str) -> str:
        """HMAC-SHA-256 under that account's list key, 128 bits."""
        return _text(digest(self._list_key(account), text.encode()))

    def prefix_of(self, log: str, e164: str) -> str:
        """A keyed hash of a number without its last four digits."""
        return self._prefix_named(log, e164[:-4])

    def _hash_prefix(self, log: str, prefix: str) -> str:
        name = digest(self._prefixes, f"{log}/{prefix}".encode())
        return base64.urlsafe_b64encode(name[:_PREFIX_BYTES]).decode().rstrip("=")

    def tagged(self, prefix: str, *, seed: str) -> str:
        """A prefix's hash under a pad that the seed makes: in an event it tells nothing to whoever lacks the key.

        Plain hashes would: masks show all but a few digits, so whoever knows one number of each hash could read the rest.
        """
        pad = digest(self._tags, seed.encode())
        plain = int.from_bytes(base64.urlsafe_b64decode(prefix + "="), "big")
        blinded = plain ^ int.from_bytes(pad[:_PREFIX_BYTES], "big")
        return base64.urlsafe_b64encode(blinded.to_bytes(_PREFIX_BYTES, "big")).decode().rstrip("=")

    def untagged(self, tag: str, *, seed: str) -> str:
        """The prefix's hash again."""
        return self.tagged(tag, seed=seed)

    def code(self, *, log: str, e164: str, verification_id: str, seed: str, digits: int) -> str:
        """The code of a verification: the same on every resend."""
        return codes.derive(self._codes, bound_to=(log, e164, verification_id, seed), digits=digits)

    def idempotency(self, log: str, key: str, *, request: bytes) -> str:
        """`<hash of the key>.<hash of the request>`, both keyed: a request may hold a number and a code."""
        name = digest(self._requests, log.encode() + b"\0" + key.encode())
        fingerprint = digest(self._requests, hashlib.sha256(request).digest() + name)
        return f"{_text(name)}.{_text(fingerprint)}"

    def verification_id(self, stream: str, random: bytes) -> str:
        """A new id: it carries its stream, so that nothing has to be looked up to find it, and a seal of 32 bits."""
        return _VERIFICATION_PREFIX + stream + base64.urlsafe_b64encode(random + self._seal(stream, random)).decode()

    def made(self, verification_id: str) -> bool:
        """Whether an id of some stream is one that was made here: a made-up one must not look like an old one."""
        stream = stream_in(verification_id)
        if stream is None:
            return False
        nonce = base64.urlsafe_b64decode(verification_id[-_NONCE_LENGTH:])
        return compare_digest(nonce[NONCE_BYTES:], self._seal(stream, nonce[:NONCE_BYTES]))

    def _seal(self, stream: str, random: bytes) -> bytes:
        return digest(self._ids, stream.encode() + random)[:_SEAL_BYTES]

    def receipt_reference(self, provider: str, *, log: str, verification_id: str, send: int) -> str:
        """What a provider gives back with its report of a message: which one it is, sealed for that provider alone."""
        text = f"{log}.{verification_id.removeprefix(_VERIFICATION_PREFIX)}.{send}"
        return f"{text}.{_text(digest(self._receipts, f'{provider}.{text}'.encode()))}"

    def read_receipt_reference(self, provider: str, reference: str) -> tuple[str, str, int] | None:
        """Log, verification and number of the message; None when this was not made here for that provider."""
        text, _, seal = reference.rpartition(".")
        expected = _text(digest(self._receipts, f"{provider}.{text}".encode()))
        if not compare_digest(seal.encode(), expected.encode()):
            return None
        log, verification, send = text.split(".")
        return log, _VERIFICATION_PREFIX + verification, int(send)

    @property
    def log_origin(self) -> str:
        """The name of the transparency log: the same for as long as the root is."""
        return f"doneotp.local/{self._derive('log-origin').hex()[:16]}"

    def log_key(self, number: int) -> Ed25519PrivateKey:
        """The key that signs checkpoints after `number` - 1 others were given up."""
        return Ed25519PrivateKey.from_private_bytes(self._derive(f"log/{number}"))

    def fingerprint(self) -> bytes:
        """Tells two roots apart and nothing else: 128 bits of a key that is used for nothing."""
        return self._derive("fingerprint")[:16]

    def challenge_key(self) -> bytes:
        """Seals the challenges that public keys are asked for."""
        return self._derive("challenge")

    def operators_key(self) -> bytes:
        """Encrypts the second factors of those who use the dashboard."""
        return self._derive("operators")

    def webhook_secret(self) -> bytes:
        """The secret that signs messages to a `webhook:` provider unless one is configured."""
        return self._derive("sms-webhook")

    def endpoint_secret(self, log: str, endpoint_id: str, *, number: int) -> bytes:
        """What signs posts to an account's endpoint (`v1`) after `number` - 1 others were given up: 256 bits."""
        return self._derive(f"webhook/{log}/{endpoint_id}/{number}")

    def endpoint_key(self, log: str, endpoint_id: str, *, number: int) -> Ed25519PrivateKey:
        """The same for the signature that needs no shared secret (`v1a`)."""
        return Ed25519PrivateKey.from_private_bytes(self._derive(f"webhook-ed25519/{log}/{endpoint_id}/{number}"))

    def _derive(self, purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=32, salt=b"doneotp/1", info=purpose.encode()).derive(self._root)


def stream_in(verification_id: str) -> str | None:
    """The stream that a verification id carries; None when it cannot be one of ours."""
    body = verification_id.removeprefix(_VERIFICATION_PREFIX)
    if len(body) != STREAM_LENGTH + _NONCE_LENGTH or body == verification_id or _LETTERS.fullmatch(body) is None:
        return None
    return body[:STREAM_LENGTH]


def _text(hashed: bytes) -> str:
    """128 bits of a digest as text."""
    return base64.urlsafe_b64encode(hashed[:16]).decode()[:STREAM_LENGTH]
