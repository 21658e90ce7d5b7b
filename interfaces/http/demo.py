"""The demo, in development only: the widget beside a page whose server part validates the token with the secret key.

The keys are the first account's test keys. The public one is in the page, as a public key may be; the secret one is used
here and is in no answer.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.response.base import ASGIResponse

from application.accounts import OpenedAccount
from domain.refusals import Refusal
from interfaces.http import bodies, verify, widget
from interfaces.http.calls import Context, refused
from interfaces.http.desk import Desk, identify
from interfaces.http.public import PAGE_HEADERS, WEB, asset, only_by_address

_TRUSTED_TYPES: Final = "; require-trusted-types-for 'script'; trusted-types 'none'"
_HEADERS: Final = PAGE_HEADERS | {"content-security-policy": PAGE_HEADERS["content-security-policy"] + _TRUSTED_TYPES}


class SignIn(msgspec.Struct, frozen=True):
    """What the page sends to its server."""

    token: str


_DECODER: Final = msgspec.json.Decoder(SignIn)


def routes(desk: Desk) -> Sequence[HTTPRouteHandler]:
    """The handlers, where there are keys to show."""
    if desk.demo is None:
        return ()
    keys = desk.demo.keys
    page = _filled((WEB / "demo" / "demo.html").read_text(), desk.demo)

    @get("/demo", include_in_schema=False)
    async def demo_page() -> Response[bytes]:
        return Response(page, media_type="text/html", headers=_HEADERS)

    @get("/demo/assets/demo.js", include_in_schema=False)
    async def demo_script() -> Response[bytes]:
        return asset("demo/demo.js", "text/javascript")

    @get("/demo/assets/demo.css", include_in_schema=False)
    async def demo_style() -> Response[bytes]:
        return asset("demo/demo.css", "text/css")

    @post("/demo/sign-in", include_in_schema=False, status_code=200, guards=[only_by_address])
    async def sign_in(request: Request[Any, Any, Any]) -> ASGIResponse:
        try:
            body = bodies.decode(_DECODER, await request.body())
            redeemed = await verify.validate_token(await _with_secret_key(desk, request, keys["sk_test"], body.token))
        except Refusal as refusal:
            return refused(refusal, request.scope)
        return ASGIResponse(body=msgspec.json.encode(redeemed), media_type="application/json")

    return (demo_page, demo_script, demo_style, sign_in)


async def _with_secret_key(desk: Desk, request: Request[Any, Any, Any], key: str, token: str) -> Context:
    """The call as the page's server would make it."""
    scope = {**request.scope, "headers": [(b"authorization", f"Bearer {key}".encode())]}
    identity = await identify(desk, scope, public_allowed=False)
    return Context(desk, request, identity, bodies.ValidateTokenRequest(token=token), "")


def _filled(text: str, demo: OpenedAccount) -> bytes:
    filled = {"{{pk_test}}": demo.keys["pk_test"], "{{address}}": widget.ADDRESS, "{{integrity}}": widget.INTEGRITY}
    for mark, value in filled.items():
        text = text.replace(mark, value)
    return text.encode()
