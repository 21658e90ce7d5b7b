"""Standard Webhooks 1.0: the headers of a post, and its secrets as people are shown them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from application.webhooks import Signers
from interfaces.sms.webhook import sign, spell_secret

USER_AGENT: Final = "DoneOTP-Webhooks"
_WHPK: Final = "whpk_"


def headers(signers: Signers, *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """One signature of each kind for every secret that counts now, newest first."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    shared = [sign(secret, message_id=message_id, timestamp=timestamp, body=body) for secret in signers.secrets]
    public = ["v1a," + base64.b64encode(key.sign(signed)).decode() for key in signers.keys]
    return {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join([*shared, *public]),
    }


def spelled(signers: Signers) -> list[dict[str, str]]:
    """What a receiver verifies with, newest first: the shared secret, and the public key."""
    pairs = zip(signers.secrets, signers.keys, strict=True)
    return [{"secret": spell_secret(secret), "public_key": spell_public(key)} for secret, key in pairs]


def spell_public(key: Ed25519PrivateKey) -> str:
    """The public key as Standard Webhooks libraries take it: `whpk_` and base64."""
    return _WHPK + base64.b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
