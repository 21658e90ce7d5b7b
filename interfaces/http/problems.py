"""Errors as RFC 9457 problem details: one table of codes, each with a page of its own under /errors/<code>."""

import re
from typing import Any, Final

import msgspec

from domain.refusals import Refusal

MEDIA_TYPE: Final = "application/problem+json"


class Kind(msgspec.Struct, frozen=True):
    """What a code means: HTTP status, title, and what a caller can do about it."""

    status: int
    title: str
    advice: str


KINDS: Final[dict[str, Kind]] = {
    "malformed_json": Kind(400, "Body is not JSON", "Send one JSON object in UTF-8."),
    "invalid_request": Kind(400, "Request is not valid", "The detail names the field and what it must be."),
    "invalid_phone_number": Kind(
        400, "Phone number is not valid", "Use E.164: a plus sign, the country code, then the number, digits only."
    ),
    "invalid_code_format": Kind(400, "Code has the wrong form", "Send the digits as text. No attempt was used."),
    "wrong_code": Kind(400, "Wrong code", "Ask the user to type it again; attempts_left says how often that may be."),
    "attempts_exhausted": Kind(400, "No attempts left", "Send again to start a new verification."),
    "invalid_token": Kind(
        400, "Token is not valid", "Use the token exactly as check returned it, with a key of the same account."
    ),
    "token_expired": Kind(400, "Token has expired", "Verify the number again."),
    "token_already_redeemed": Kind(
        400, "Token was redeemed before", "A token counts once; treat this request as not verified."
    ),
    "token_phone_mismatch": Kind(400, "Token belongs to another number", "Do not accept this number as verified."),
    "invalid_idempotency_key": Kind(400, "Idempotency-Key is not valid", "Use 1 to 255 visible ASCII characters."),
    "missing_api_key": Kind(401, "API key is missing", "Send Authorization: Bearer <key>."),
    "invalid_api_key": Kind(
        401, "API key is not valid", "Check the key for typing errors; keys are shown once, issue a new one if lost."
    ),
    "revoked_api_key": Kind(401, "API key was revoked", "Use another key of the account."),
    "insufficient_credit": Kind(402, "Not enough credit", "Add credits to the account; nothing was sent or debited."),
    "spend_cap_reached": Kind(402, "Spend cap reached", "Raise the cap or wait for the period to end."),
    "ip_blocklisted": Kind(403, "Address is blocked", "Ask the account's owner to remove the address from the list."),
    "ip_not_allowlisted": Kind(
        403, "Address is not allowed", "Ask the account's owner to add the address to the list."
    ),
    "number_blocklisted": Kind(403, "Number is blocked", "Ask the account's owner to remove the number from the list."),
    "number_not_allowlisted": Kind(
        403, "Number is not allowed", "Ask the account's owner to add the number to the list."
    ),
    "country_not_enabled": Kind(403, "Country is not enabled", "Enable the country for the account."),
    "destination_blocked": Kind(
        403, "Destination is blocked", "Traffic to this destination looks fraudulent; try later."
    ),
    "challenge_required": Kind(
        403, "Challenge is required", "Solve the challenge and send again with challenge_response; the widget does."
    ),
    "key_scope_forbidden": Kind(403, "Key may not do this", "Use a secret key on your server for this call."),
    "origin_not_allowed": Kind(403, "Origin is not allowed", "Add the page's origin to the public key."),
    "account_suspended": Kind(403, "Account is suspended", "Ask the operator why."),
    "verification_not_found": Kind(
        404, "No such verification", "Send a code first, with a key of the same account and mode."
    ),
    "code_expired": Kind(404, "Code has expired", "Send again to start a new verification."),
    "already_verified": Kind(404, "Code was used", "A code counts once. Send again to verify once more."),
    "verification_cancelled": Kind(404, "Verification was cancelled", "Send again to start a new verification."),
    "not_found": Kind(404, "No such resource", "See /docs for what there is."),
    "method_not_allowed": Kind(405, "Method is not allowed", "The Allow header names the methods."),
    "state_conflict": Kind(409, "State does not allow this", "Read the resource to see its state."),
    "payload_too_large": Kind(413, "Body is too large", "A body has at most 16 KiB."),
    "idempotency_key_reused": Kind(422, "Idempotency-Key was used before", "Use a new key for a new request."),
    "destination_unsupported": Kind(422, "Destination is not supported", "No provider reaches this kind of number."),
    "resend_cooldown": Kind(429, "Too soon for another message", "Wait for Retry-After seconds."),
    "number_locked": Kind(429, "Number is locked", "Too many wrong codes in 24 hours; wait for Retry-After seconds."),
    "number_send_limit": Kind(429, "Too many messages to this number", "Wait for Retry-After seconds."),
    "ip_send_limit": Kind(429, "Too many messages for this address", "Wait for Retry-After seconds."),
    "prefix_send_limit": Kind(429, "Too many messages to this range", "Wait for Retry-After seconds."),
    "api_rate_limited": Kind(429, "Too many requests", "Wait for Retry-After seconds."),
    "auth_failures_limited": Kind(429, "Too many failed authentications", "Wait for Retry-After seconds."),
    "internal_error": Kind(500, "Internal error", "Repeat with the same Idempotency-Key; report the request_id."),
    "service_unavailable": Kind(
        503, "Service is unavailable", "Repeat with the same Idempotency-Key after Retry-After seconds."
    ),
    "overloaded": Kind(503, "Service is overloaded", "Repeat with the same Idempotency-Key after Retry-After seconds."),
}
_TOKEN_CODES: Final = frozenset({"invalid_token", "token_expired", "token_already_redeemed", "token_phone_mismatch"})
_AUTHORITY: Final = re.compile(rb"[A-Za-z0-9.\-]{1,255}(:[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:[0-9]{1,5})?")


class Problem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """RFC 9457. `code` is stable; `request_id` is in the X-Request-Id header too."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


class HttpRefusal(Refusal):
    """A refusal that only HTTP knows, by its code."""

    def __init__(self, code: str, detail: str = "", **extras: Any) -> None:
        self.code = code  # type: ignore[misc]  # the code of this one refusal
        super().__init__(detail or KINDS[code].title + ". " + KINDS[code].advice, **extras)


def spell(refusal: Refusal, *, request_id: str, base_url: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of a refusal."""
    kind = KINDS[refusal.code]
    problem: dict[str, Any] = {
        "type": f"{base_url}/errors/{refusal.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
        **refusal.extras,
    }
    if refusal.code in _TOKEN_CODES:
        problem["valid"] = False
    headers: list[tuple[bytes, bytes]] = []
    if kind.status in (429, 503):
        seconds = refusal.retry_after_seconds or 1
        problem["retry_after"] = seconds
        headers.append((b"retry-after", str(seconds).encode()))
    if kind.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    return kind.status, headers, msgspec.json.encode(problem)


def base_url(scope: Any) -> str:
    """Where the caller reached us, for links in answers; empty when the Host header is not one."""
    for name, value in scope["headers"]:
        if name == b"host":
            return f"{scope['scheme']}://{value.decode()}" if _AUTHORITY.fullmatch(value) else ""
    return ""
