"""What may be configured of a webhook provider: its address and its secret. Light, because the settings import it."""

import base64
from typing import Final
from urllib.parse import urlsplit

WHSEC: Final = "whsec_"


def read_secret(text: str) -> bytes:
    """The bytes of a secret: what `whsec_` introduces is base64, anything else is itself. Raises ValueError."""
    if not text.startswith(WHSEC):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(WHSEC), validate=True)
    except ValueError:
        raise ValueError("What follows whsec_ must be base64.") from None


def checked_url(url: str) -> str:
    """`url` when it can be posted to; raises ValueError, which does not repeat it: it may hold a password."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or not url.isascii() or not url.isprintable() or " " in url or "#" in url:
        raise ValueError(
            "The address of a webhook must be http:// or https:// with a host, in ASCII and without a fragment, "
            "such as webhook:https://sms.example.com/messages"
        )
    return url
