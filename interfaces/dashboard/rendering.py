"""Pages from templates, which escape whatever they are given, under headers that let nothing foreign in."""

from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Response

from interfaces.http.public import PAGE_HEADERS, WEB

# With no-referrer a browser would send `Origin: null` with our own forms.
HEADERS: Final = PAGE_HEADERS | {"referrer-policy": "same-origin", "cache-control": "no-store"}
NOTICES: Final = {
    "added": "Added.",
    "there": "That reference was there already; nothing changed.",
    "changed": "Changed.",
    "same": "It was so already; nothing changed.",
    "revoked": "The key is revoked: requests with it are refused.",
    "suspended": "The account is suspended.",
    "resumed": "The account goes on.",
    "removed": "Removed.",
    "disabled": "Nothing more is posted there. What waits is kept.",
    "enabled": "Facts are posted there again.",
    "again": "It is delivered once more.",
    "closed": "The statement is closed and never changes again.",
    "password": "The password is changed.",
    "totp": "From now on signing in with the password needs a code as well.",
    "no_totp": "Signing in needs no code any more.",
}


def _grouped(number: float) -> str:
    return f"{number:,}"


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.strftime("%Y-%m-%d %H:%M:%S")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share * 100:.1f} %"


_TEMPLATES: Final = Environment(
    loader=FileSystemLoader(WEB / "dashboard"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"grouped": _grouped, "moment": _moment, "percent": _percent}


def html(template: str, *, status: int = 200, **values: Any) -> Response[bytes]:
    """A page."""
    text = _TEMPLATES.get_template(template).render(values)
    return Response(text.encode(), status_code=status, media_type="text/html", headers=HEADERS)


def redirect(path: str) -> Response[bytes]:
    """To another page of ours, by GET."""
    return Response(b"", status_code=303, media_type="text/html", headers=HEADERS | {"location": path})
