"""What may be configured as the address of a provider, or of ourselves. Light, because the settings import it."""

from urllib.parse import urlsplit


def checked_base(text: str) -> str:
    """A provider's address: http or https, without a slash at its end; raises ValueError."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or not text.isascii() or not text.isprintable() or " " in text or "?" in text or "#" in text:
        raise ValueError("must be an http or https URL without query and fragment")
    return text.rstrip("/")
