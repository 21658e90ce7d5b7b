"""`POST /v1/receipts/{provider}`: what providers report of messages, each in its own words and under its own signature.

No key of ours is asked for: a report counts when its provider signed it, and names a message that we gave it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, Response, post
from litestar.handlers import HTTPRouteHandler

from application.ports import Clock
from application.receipts import Receipt, Receipts
from domain.refusals import InvalidRequest
from interfaces.http.problems import HttpRefusal
from interfaces.sms import twilio, vonage

PATH: Final = "/v1/receipts"
FIELDS_MAX: Final = 64
_FIELDS: Final = msgspec.json.Decoder(dict[str, str | int | float])


@dataclass(frozen=True, slots=True, repr=False)
class Signatures:
    """What each provider signs its reports with; empty for one that is not configured."""

    public_url: str
    twilio_auth_token: str
    vonage_signature_secret: str


def twilio_callback(public_url: str, reference: str) -> str:
    """The address that Twilio is given for the reports of one message; empty where nobody can reach us."""
    return f"{public_url}{PATH}/twilio?r={reference}" if public_url else ""


def routes(receipts: Receipts, signatures: Signatures, clock: Clock) -> Sequence[HTTPRouteHandler]:
    """The handlers of those providers that are configured; there is no page for others."""
    readers: dict[str, Callable[[Request[Any, Any, Any], bytes], Receipt | None]] = {
        "twilio": lambda request, body: _twilio(request, body, signatures),
        "vonage": lambda request, body: _vonage(request, body, signatures, clock),
    }

    @post(f"{PATH}/{{provider:str}}", include_in_schema=False, status_code=200)
    async def take(request: Request[Any, Any, Any]) -> Response[bytes]:
        request.scope["state"]["route"] = f"{PATH}/{{provider}}"
        reader = readers.get(request.path_params["provider"])
        if reader is None:
            raise HttpRefusal("not_found")
        receipt = reader(request, await request.body())
        if receipt is not None:
            await receipts.take(receipt)
        return Response(b"{}", media_type="application/json")

    return (take,)


def _twilio(request: Request[Any, Any, Any], body: bytes, signatures: Signatures) -> Receipt | None:
    fields = _form(body)
    query = request.scope["query_string"].decode("latin-1")
    url = f"{signatures.public_url}{PATH}/twilio" + (f"?{query}" if query else "")
    given = request.headers.get("x-twilio-signature", "")
    if not signatures.twilio_auth_token or not twilio.is_signed(signatures.twilio_auth_token, url, fields, given):
        raise HttpRefusal("invalid_api_key", "The signature is not the provider's.")
    return twilio.receipt(dict(fields), request.query_params.get("r", ""))


def _vonage(request: Request[Any, Any, Any], body: bytes, signatures: Signatures, clock: Clock) -> Receipt | None:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            fields = {name: str(value) for name, value in _FIELDS.decode(body).items()}
        except (msgspec.DecodeError, RecursionError):
            raise InvalidRequest("The body is no report.") from None
    else:
        fields = dict(_form(body))
    secret = signatures.vonage_signature_secret
    if not secret or not vonage.is_signed(secret, fields, now_seconds=clock.now().timestamp()):
        raise HttpRefusal("invalid_api_key", "The signature is not the provider's.")
    return vonage.receipt(fields)


def _form(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX)
    except ValueError:
        raise InvalidRequest("The body is no report.") from None
