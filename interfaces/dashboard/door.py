"""The door: cookies, where a form comes from, and who is signed in."""

import hmac
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from litestar import Request

from domain.refusals import InvalidRequest
from interfaces.dashboard.operators import Operator
from interfaces.dashboard.sessions import LIFETIME, csrf
from interfaces.dashboard.visit import Office, in_office
from interfaces.http import addresses
from interfaces.http.problems import HttpRefusal

FIELDS_MAX: Final = 100
_COOKIE: Final = "doneotp_session"
_OURS: Final = re.compile(r"/dashboard(/[A-Za-z0-9_.-]{1,100}){0,6}")


class SignedOut(Exception):
    """Nobody is signed in."""


def is_https(office: Office, request: Request[Any, Any, Any]) -> bool:
    """Whether the browser came by https."""
    return addresses.is_https(request.scope, office.desk.trusted_proxies)


def require_private(office: Office, request: Request[Any, Any, Any]) -> None:
    """In production nobody signs in over a network that can be listened to."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    address = addresses.parse(host)
    is_local = host == "localhost" or host.endswith(".localhost") or (address is not None and address.is_loopback)
    if office.desk.pages_need_origins and not is_local and not is_https(office, request):
        raise HttpRefusal("origin_not_allowed", "Sign in by https.")


def cookie(office: Office, request: Request[Any, Any, Any], token: str) -> str:
    """The header that keeps a session in the browser; an empty token ends it."""
    secure = is_https(office, request)
    age = int(LIFETIME.total_seconds()) if token else 0
    tail = "; Secure" if secure else ""
    return f"{_name(secure=secure)}={token}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{tail}"


def token(office: Office, request: Request[Any, Any, Any]) -> str:
    """What the browser shows, or empty."""
    return request.cookies.get(_name(secure=is_https(office, request)), "")


async def operator(office: Office, request: Request[Any, Any, Any]) -> Operator:
    """Who is signed in; raises SignedOut."""
    shown = token(office, request)
    if not 20 <= len(shown) <= 100:
        raise SignedOut
    name = await in_office(office.sessions.find, shown)
    found: Operator | None = await in_office(office.operators.find, name) if name else None
    if found is None:
        raise SignedOut
    return found


async def form(office: Office, request: Request[Any, Any, Any], *, session: bool) -> Mapping[str, str]:
    """The fields of a form that is ours and, with `session`, of this very session."""
    _require_own_page(office, request)
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:
        raise InvalidRequest("The form has too many fields.") from None
    if session and not hmac.compare_digest(fields.get("csrf", "").encode(), csrf(token(office, request)).encode()):
        raise HttpRefusal("origin_not_allowed", "The form is of another session: go back, and open the page again.")
    return fields


def _require_own_page(office: Office, request: Request[Any, Any, Any]) -> None:
    """Every browser says where a form comes from, by Sec-Fetch-Site or, where the page is not by https, by Origin."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = f"{'https' if is_https(office, request) else 'http'}://{request.headers.get('host', '')}"
    if site != "same-origin" if site is not None else origin != own:
        raise HttpRefusal("origin_not_allowed", "The form does not come from a page of this dashboard.")


def ours(path: str) -> str:
    """The path, if it is one of the dashboard; else its first page."""
    return path if _OURS.fullmatch(path) and ".." not in path else "/dashboard"


def _name(*, secure: bool) -> str:
    return f"__Host-{_COOKIE}" if secure else _COOKIE
