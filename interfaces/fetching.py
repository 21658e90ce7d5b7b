"""One HTTP request with a limit on everything: for a witness that reads a log, and a log that asks a witness."""

import contextlib
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import urlsplit

SECONDS_MAX: Final = 10.0
BYTES_MAX: Final = 2_000_000


class FetchFailed(Exception):
    """No answer, or one that is too long. The message names no address."""


class Fetched(NamedTuple):
    """An answer; redirects are not followed."""

    status: int
    content: bytes


def checked_base(text: str) -> str:
    """An http or https address without a slash at its end; raises ValueError."""
    parts = urlsplit(text)
    try:
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or parts.query or parts.fragment or parts.username or not text.isascii() or not text.isprintable():
        raise ValueError("must be an http or https URL without user, query and fragment")
    return text.rstrip("/")


def fetch(base: str, path: str, *, body: bytes | None = None) -> Fetched:
    """GET, or POST with a body; raises FetchFailed."""
    parts = urlsplit(base)
    connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    with contextlib.closing(connect(parts.hostname or "", parts.port, timeout=SECONDS_MAX)) as connection:
        try:
            connection.request("GET" if body is None else "POST", f"{parts.path}{path}", body)
            answer = connection.getresponse()
            content = answer.read(BYTES_MAX + 1)
        except (OSError, HTTPException) as error:
            raise FetchFailed(type(error).__name__) from None
    if len(content) > BYTES_MAX:
        raise FetchFailed("the answer is too long")
    return Fetched(answer.status, content)
