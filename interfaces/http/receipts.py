"""A page that checks receipts in the browser, for whoever has one: nothing of them comes here."""

from collections.abc import Sequence

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from interfaces.http.public import asset


def routes() -> Sequence[HTTPRouteHandler]:
    """The page and its files."""

    @get("/audit/receipt", include_in_schema=False)
    async def receipt_page() -> Response[bytes]:
        return asset("audit/receipt.html", "text/html")

    @get("/audit/assets/proof.js", include_in_schema=False)
    async def proof_script() -> Response[bytes]:
        return asset("audit/proof.js", "text/javascript")

    @get("/audit/assets/receipt.css", include_in_schema=False)
    async def receipt_style() -> Response[bytes]:
        return asset("audit/receipt.css", "text/css")

    @get("/audit/assets/trail.css", include_in_schema=False)
    async def trail_style() -> Response[bytes]:
        return asset("audit/trail.css", "text/css")

    return (receipt_page, proof_script, receipt_style, trail_style)
