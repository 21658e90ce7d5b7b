"""Bodies that clients send, and the checks that belong to their fields alone."""

import re
from typing import Annotated, Any, Final, TypeVar

import msgspec
from msgspec import Meta

from domain import phone as phones
from domain.phone import PhoneNumber
from domain.refusals import InvalidCodeFormat, InvalidRequest
from domain.words import is_personal, plain
from interfaces.guard.challenge import RESPONSE_LENGTH_MAX
from interfaces.http import addresses
from interfaces.http.problems import HttpRefusal

Scalar = str | int | float | bool | None
_KEPT_KEY: Final = "[A-Za-z0-9_.-]*[A-Za-z_.-][A-Za-z0-9_.-]*"
_KEPT_KEY_MAX: Final = 40
_KEPT_TEXT_MAX: Final = 200
_CODE: Final = "[0-9]{4,10}"
_LOCALE: Final = "[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}"
_HOST: Final = r"(https://)?(([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}|localhost)(:[0-9]{1,5})?/?"
_HOST_MAX: Final = 253
_APP_HASH: Final = "[A-Za-z0-9+/]{11}"


def _described(pattern: str, **more: int) -> dict[str, Any]:
    """What the description of the API says of a text. It is checked here, by hand: in the patterns that msgspec checks
    `$` stands before a last newline too, and its errors do not say what the text must be."""
    return {"pattern": f"^{pattern}$", **more}


PhoneText = Annotated[
    str,
    Meta(
        description="E.164, as in +14155552671; other spellings of the same number are accepted.",
        examples=["+14155552671"],
        extra_json_schema=_described(phones.SPELLING),
    ),
]


class SendRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Ask for a code."""

    phone_number: PhoneText
    locale: (
        Annotated[
            str,
            Meta(
                description="BCP 47 language tag of the message.",
                examples=["de"],
                extra_json_schema=_described(_LOCALE),
            ),
        ]
        | None
    ) = None
    client_ip: (
        Annotated[
            str,
            Meta(
                description="Your end user's IP address (secret keys only); masked before it is kept.",
                examples=["203.0.113.9"],
                extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            ),
        ]
        | None
    ) = None
    metadata: (
        Annotated[
            dict[
                Annotated[str, Meta(extra_json_schema=_described(_KEPT_KEY, maxLength=_KEPT_KEY_MAX))],
                Annotated[str, Meta(extra_json_schema={"maxLength": _KEPT_TEXT_MAX})] | int | float | bool | None,
            ],
            Meta(description="Up to 16 scalars of yours, kept in the event. No personal data.", max_length=16),
        ]
        | None
    ) = None
    web_origin: (
        Annotated[
            str,
            Meta(
                description="Host of the page, for browser autofill.",
                examples=["example.com"],
                extra_json_schema=_described(_HOST, maxLength=_HOST_MAX),
            ),
        ]
        | None
    ) = None
    app_hash: (
        Annotated[
            str,
            Meta(
                description="Android SMS Retriever hash, 11 characters.",
                examples=["FA+9qCX9VSu"],
                extra_json_schema=_described(_APP_HASH),
            ),
        ]
        | None
    ) = None

    challenge_response: (
        Annotated[
            str,
            Meta(
                description="Answer to the challenge of a `challenge_required` (public keys only).",
                max_length=RESPONSE_LENGTH_MAX,
            ),
        ]
        | None
    ) = None


class ExplainRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a send to a number would come to now. `client_ip` is looked at as send would."""

    phone_number: PhoneText
    client_ip: (
        Annotated[
            str,
            Meta(
                description="Your end user's IP address, if send would have it.",
                examples=["203.0.113.9"],
                extra_json_schema={"anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
            ),
        ]
        | None
    ) = None


class CheckRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Compare a code. Public keys must add `verification_id`."""

    phone_number: PhoneText
    code: Annotated[
        str,
        Meta(
            description="The digits as the user typed them.", examples=["493812"], extra_json_schema=_described(_CODE)
        ),
    ]
    verification_id: Annotated[str, Meta(description="As send returned it.")] | None = None


class ValidateTokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Redeem a token. With `phone_number` only if it was earned with that very number."""

    token: Annotated[str, Meta(description="As check returned it.")]
    phone_number: PhoneText | None = None


class AdvanceClockRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Move the clock of test keys forward."""

    # JSON has one kind of number: 300.0 is a whole one, and some languages write it so.
    seconds: Annotated[
        float, Meta(ge=1, le=31_622_400, multiple_of=1, description="How far, in whole seconds.", examples=[300])
    ]


class NoBody(msgspec.Struct, frozen=True):
    """A call without a body; whatever object is sent is ignored."""


Body = TypeVar("Body")
_TELLING_DIGITS: Final = 8
"""So many last digits of a number, in a row, tell which it is."""


def decode(decoder: "msgspec.json.Decoder[Body]", raw: bytes) -> Body:
    """The body, whatever content type was declared; raises malformed_json or invalid_request, naming no value."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HttpRefusal("malformed_json") from None


def code(text: str) -> str:
    """The code as sent; raises InvalidCodeFormat unless it is 4 to 10 ASCII digits."""
    if re.fullmatch(_CODE, text) is None:
        raise InvalidCodeFormat
    return text


def locale(text: str | None, phone: PhoneNumber) -> str:
    """A language tag, or empty."""
    return _matched(text, _LOCALE, phone, "locale must be a BCP 47 language tag such as en or pt-BR.")


def app_hash(text: str | None, phone: PhoneNumber) -> str:
    """An Android app hash, or empty."""
    return _matched(text, _APP_HASH, phone, "app_hash must be the 11 characters of Android's SMS Retriever.")


def web_origin(text: str | None, phone: PhoneNumber) -> str:
    """The host of a page, or empty."""
    if text is None:
        return ""
    match = re.fullmatch(_HOST, text) if len(text) <= _HOST_MAX else None
    if match is None or _names(phone, text):
        raise InvalidRequest("web_origin must be the host of your page, such as example.com.")
    return match[2]


def client_ip(text: str | None) -> str:
    """An address, masked, or empty."""
    if text is None:
        return ""
    masked = addresses.mask(text)
    if not masked:
        raise InvalidRequest("client_ip must be an IPv4 or IPv6 address.")
    return masked


def metadata(given: dict[str, Scalar] | None, phone: PhoneNumber) -> dict[str, Scalar]:
    """Metadata that may be kept for ever: small, and no number or address in it."""
    for key, value in (given or {}).items():
        if len(key) > _KEPT_KEY_MAX or re.fullmatch(_KEPT_KEY, key) is None:
            raise InvalidRequest("metadata keys are 1 to 40 letters, digits, '_', '.' or '-', and not digits alone.")
        text = value if isinstance(value, str) else repr(value)
        if len(text) > _KEPT_TEXT_MAX:
            raise InvalidRequest(f"metadata values have at most {_KEPT_TEXT_MAX} characters.")
        if any(is_personal(part) or _names(phone, part) for part in (key, text)):
            raise InvalidRequest("metadata must not hold phone numbers or addresses: it is kept for ever.")
    return given or {}


def _names(phone: PhoneNumber, text: str) -> bool:
    """Whether `text` has the digits of this number, with or without its country code."""
    digits = re.sub(r"[^0-9]", "", plain(text))
    return phone.e164[1:][-_TELLING_DIGITS:] in digits or (len(digits) > 6 and phone.e164.endswith(digits))


def _matched(text: str | None, pattern: str, phone: PhoneNumber, detail: str) -> str:
    if text is None:
        return ""
    if re.fullmatch(pattern, text) is None or _names(phone, text):
        raise InvalidRequest(detail)
    return text
