"""Verification tokens: `tok_` and a compact JWS (RFC 7515, EdDSA as in RFC 8037) that anyone can verify with the JWKS.

Ed25519 signs deterministically (RFC 8032), so the issuer checks a token by signing its claims again and comparing
bytes: cheaper than verifying, and every other spelling of the same token is refused with it.
"""

import base64
import binascii
import hashlib
import json
from datetime import datetime
from functools import lru_cache
from hmac import compare_digest
from typing import Final

import jwt
import msgspec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from application.keyring import Keyring
from domain.events import Verified
from domain.refusals import InvalidToken

ISSUER: Final = "doneotp"
TOKEN_TYPE: Final = "doneotp-verification+jwt"  # noqa: S105 - a media type, not a secret
_PREFIX: Final = "tok_"
_TOKEN_LENGTH_MAX: Final = 1_024
TOKENS_KEPT_MAX: Final = 8_192


class Claims(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a token says: this account (`aud`) verified a number in this verification (`sub`). No phone number."""

    iss: str
    aud: str
    sub: str
    jti: str
    iat: int
    exp: int


class Tokens:
    """Issues tokens and reads back its own."""

    def __init__(self, keyring: Keyring) -> None:
        self._key = keyring.token_key
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        thumbprint = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(public)}
        # RFC 7638: the key's name is the hash of its required members in lexical order.
        digest = hashlib.sha256(json.dumps(thumbprint, separators=(",", ":"), sort_keys=True).encode()).digest()
        self._headers = {"typ": TOKEN_TYPE, "kid": _base64url(digest)}
        self.jwks = {"keys": [{**thumbprint, "use": "sig", "alg": "EdDSA", "kid": self._headers["kid"]}]}
        self._decoder = msgspec.json.Decoder(Claims)
        # A token is usually redeemed soon, where it was issued: then its claims need not be signed again.
        self._spell = lru_cache(maxsize=TOKENS_KEPT_MAX)(self._sign)

    def issue(self, account: str, verified: Verified) -> str:
        """The token that `verified` earned: the same bytes every time."""
        return self._spell(
            Claims(
                iss=ISSUER,
                aud=account,
                sub=verified.verification_id,
                jti=verified.token_id,
                iat=_seconds(verified.at),
                exp=_seconds(verified.token_expires_at),
            )
        )

    def read(self, account: str, token: str) -> Claims:
        """The claims of a token that this service issued to `account`, expired or not; raises InvalidToken."""
        if len(token) > _TOKEN_LENGTH_MAX or not token.isascii():
            raise InvalidToken
        try:
            payload = token.removeprefix(_PREFIX).split(".")[1]
            claims = self._decoder.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, binascii.Error, ValueError, msgspec.MsgspecError):
            raise InvalidToken from None
        if not compare_digest(self._spell(claims), token) or claims.aud != account or claims.iss != ISSUER:
            raise InvalidToken
        return claims

    def _sign(self, claims: Claims) -> str:
        payload = msgspec.to_builtins(claims)
        return _PREFIX + jwt.encode(payload, self._key, algorithm="EdDSA", headers=self._headers)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
