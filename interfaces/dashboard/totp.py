"""The second factor: TOTP (RFC 6238). Its secret is encrypted (AES-256-GCM) under a key that the database does not have."""

import base64
import hmac
import secrets
from datetime import datetime
from typing import Final

import pyotp
import segno
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SECONDS: Final = 30
_NONCE_BYTES: Final = 12
_SECRET_BYTES: Final = 20


class Totp:
    """Seals secrets, each for one operator, and reads codes."""

    def __init__(self, key: bytes) -> None:
        self._key = AESGCM(key)

    def new(self, name: str) -> bytes:
        """A new secret, sealed."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._key.encrypt(nonce, secrets.token_bytes(_SECRET_BYTES), name.encode())

    def step(self, sealed: bytes, name: str, code: str, *, now: datetime) -> int | None:
        """The step whose code it is, now, just before or just after; None for any other code."""
        secret = self.secret(sealed, name)
        digits = "".join(code.split())
        if secret is None or not (digits.isascii() and digits.isdigit() and len(digits) == 6):
            return None
        current = int(now.timestamp()) // SECONDS
        generator = pyotp.HOTP(secret)
        near = (current - 1, current, current + 1)
        return next((step for step in near if hmac.compare_digest(generator.at(step), digits)), None)

    def secret(self, sealed: bytes, name: str) -> str | None:
        """The secret in base32; None when it was sealed for somebody else, or under another key."""
        try:
            opened = self._key.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
        except (InvalidTag, ValueError):
            return None
        return base64.b32encode(opened).decode()

    def picture(self, sealed: bytes, name: str) -> str:
        """The QR code that an authenticator reads, as an address of an image."""
        secret = self.secret(sealed, name) or ""
        uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="DoneOTP")
        return str(segno.make(uri, error="m").svg_data_uri(scale=4, dark="#000", light="#fff"))
