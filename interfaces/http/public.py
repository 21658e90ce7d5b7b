"""What anyone may read: signing keys, health, figures, the description of the API, pages about errors."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from litestar import Request, Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

from domain.refusals import InvalidRequest, ServiceUnavailable
from interfaces.http.addresses import parse
from interfaces.http.desk import Desk
from interfaces.http.metrics import MEDIA_TYPE as METRICS_MEDIA_TYPE
from interfaces.http.metrics import Metrics
from interfaces.http.problems import KINDS, HttpRefusal

CONTACT_SECONDS_MAX: Final = 2.0
"""Ready means that the ledger answered within this time."""
WEB: Final = Path(__file__).parent.parent / "web"
PAGE_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "referrer-policy": "no-referrer",
}


def routes(desk: Desk, metrics: Metrics, openapi: dict[str, Any]) -> Sequence[HTTPRouteHandler]:
    """The handlers."""
    described = msgspec.json.encode(openapi)

    @get("/.well-known/jwks.json", include_in_schema=False)
    async def jwks() -> Response[bytes]:
        return json(msgspec.json.encode(desk.tokens.jwks))

    @get("/healthz", include_in_schema=False)
    async def health() -> Response[bytes]:
        return json(b'{"status":"ok"}')

    @get("/readyz", include_in_schema=False)
    async def ready() -> Response[bytes]:
        silent = desk.ledger.now() - desk.writer.last_contact_at
        if not desk.writer.alive or silent > CONTACT_SECONDS_MAX:
            raise ServiceUnavailable("The ledger does not answer.", retry_after_seconds=1)
        return json(b'{"status":"ready"}')

    @get("/metrics", include_in_schema=False)
    async def figures() -> Response[bytes]:
        return Response(metrics.text(), media_type=METRICS_MEDIA_TYPE)

    @get("/openapi.json", include_in_schema=False)
    async def description() -> Response[bytes]:
        return json(described)

    @get("/errors/{code:str}", include_in_schema=False)
    async def error_page(request: Request[Any, Any, Any]) -> Response[bytes]:
        code = request.path_params["code"]
        kind = KINDS.get(code)
        if kind is None:
            raise HttpRefusal("not_found")
        return page(
            f"{kind.title} ({code})",
            f"<h1>{html.escape(kind.title)}</h1><p><code>{code}</code>, HTTP status {kind.status}.</p>"
            f"<p>{html.escape(kind.advice)}</p><p><a href='/docs'>API reference</a></p>",
        )

    return (jwks, health, ready, figures, description, error_page)


def only_by_address(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Codes are for whoever reached this machine by its address or a local name: a page of some other name, resolved to
    this machine by DNS rebinding, must not read them out of a developer's browser.
    """
    try:
        host = (urlsplit(f"//{connection.headers.get('host', '')}").hostname or "").rstrip(".")
    except ValueError:
        raise InvalidRequest("The Host header is not a host.") from None
    if "." in host and parse(host) is None and not host.endswith(".localhost"):
        raise HttpRefusal("origin_not_allowed", "Open the inbox by the machine's address or a local name.")


def page(title: str, body: str) -> Response[bytes]:
    """A small page of our own."""
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{html.escape(title)}</title><link rel=stylesheet href=/assets/page.css><main>{body}</main></html>"
    )
    return Response(text.encode(), media_type="text/html", headers=PAGE_HEADERS)


def asset(name: str, media_type: str) -> Response[bytes]:
    """A file of interfaces/web as it is."""
    return Response((WEB / name).read_bytes(), media_type=media_type, headers=PAGE_HEADERS)


def json(body: bytes) -> Response[bytes]:
    """An answer that is encoded already."""
    return Response(body, media_type="application/json")
