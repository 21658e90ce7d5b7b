"""Vonage SMS API: https://developer.vonage.com/en/api/sms. One JSON POST a message; 200 is no yes, the status in it is.

Delivery receipts are signed over their fields (https://developer.vonage.com/en/getting-started/concepts/signing-messages).
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, DecimalException
from typing import Final

import msgspec

from application.ports import Accepted, Message, ProviderFailed
from application.receipts import Receipt
from domain.text import measure
from interfaces.sms.base_address import checked_base
from interfaces.sms.line import Line, is_presentable, refusal

URL: Final = "https://rest.nexmo.com"
SIGNED_SECONDS_MAX: Final = 3 * 86_400
"""How old a signed receipt may be: a provider repeats one for a day."""
COST_MICROS_MAX: Final = 10**12
_MESSAGE_ID: Final = re.compile(r"[0-9A-Za-z-]{1,64}")
_ABOUT_THE_MESSAGE: Final = frozenset({"3", "6", "7", "15", "22", "29", "33"})
_SILENT: Final = "5"
"""Their internal error: whether the message was taken is not said."""
_DELIVERED: Final[dict[str, bool | None]] = {
    "delivered": True,
    "accepted": None,
    "buffered": None,
    "unknown": None,
    "expired": False,
    "failed": False,
    "rejected": False,
}


class _Part(msgspec.Struct, frozen=True, rename="kebab"):
    status: str
    message_id: str = ""
    message_price: str = ""


class _Answer(msgspec.Struct, frozen=True):
    messages: list[_Part]


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class VonageProvider:
    """Posts messages of one Vonage account. Close it on its loop."""

    name = "vonage"

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        sender: str,
        reference: Callable[[Message], str],
        url: str = URL,
        line: Line | None = None,
    ) -> None:
        """`reference` is what a receipt gives back."""
        self._url = f"{checked_base(url)}/sms/json"
        self._account = {"api_key": api_key, "api_secret": api_secret, "from": sender}
        self._reference = reference
        self._line = line or Line()

    async def send(self, message: Message) -> Accepted:
        """Post once; raises ProviderFailed."""
        fields = self._account | {
            "to": message.to.removeprefix("+"),
            "text": message.text,
            "type": "unicode" if measure(message.text).encoding == "UCS-2" else "text",
            "client-ref": self._reference(message),
        }
        answer = await self._line.post(self._url, msgspec.json.encode(fields), {"content-type": "application/json"})
        if not 200 <= answer.status < 300:
            raise refusal(answer.status)
        try:
            parts = _ANSWERS.decode(answer.body or b"").messages
        except (ValueError, RecursionError):
            parts = []
        if not parts:
            raise ProviderFailed("invalid_answer", kind="unknown")
        return _accepted(parts, message)

    async def close(self) -> None:
        """End the connections."""
        await self._line.close()


def signature(secret: str, fields: Mapping[str, str]) -> str:
    """`sig`: HMAC-SHA-256, upper-case hex, over `&name=value` of all others in order, with `&` and `=` in values as `_`."""
    signed = "".join(
        f"&{name}={value.replace('&', '_').replace('=', '_')}"
        for name, value in sorted(fields.items())
        if name != "sig"
    )
    return hmac.digest(secret.encode(), signed.encode(), hashlib.sha256).hex().upper()


def is_signed(secret: str, fields: Mapping[str, str], *, now_seconds: float) -> bool:
    """Whether Vonage sent this, not too long ago."""
    at = fields.get("timestamp", "")
    is_time = at.isascii() and at.isdigit() and len(at) <= 12
    given = fields.get("sig", "").upper()
    is_right = hmac.compare_digest(signature(secret, fields).encode(), given.encode())
    return is_right and is_time and abs(now_seconds - int(at)) <= SIGNED_SECONDS_MAX


def receipt(fields: Mapping[str, str]) -> Receipt | None:
    """What a delivery receipt says; None for one that says nothing of a message."""
    status, message_id = fields.get("status", ""), fields.get("messageId", "")
    if status not in _DELIVERED or _MESSAGE_ID.fullmatch(message_id) is None:
        return None
    code = fields.get("err-code", "")
    is_code = code.isascii() and code.isdigit() and 0 < len(code) <= 4 and code != "0"
    reason = f"error_{code}" if is_code and _DELIVERED[status] is False else ""
    return Receipt("vonage", fields.get("client-ref", ""), message_id, _DELIVERED[status], reason)


def _accepted(parts: list[_Part], message: Message) -> Accepted:
    """Taken, when its first part was: another part that was not is theirs to report."""
    first = parts[0]
    if first.status != "0":
        if first.status == _SILENT:
            raise ProviderFailed("internal_error", kind="unknown")
        is_about_it = first.status in _ABOUT_THE_MESSAGE
        raise ProviderFailed(
            "invalid_number" if is_about_it else "refused", kind="rejected" if is_about_it else "refused"
        )
    named = _MESSAGE_ID.fullmatch(first.message_id) is not None and is_presentable(first.message_id, message)
    cost = sum(_micros(part.message_price) for part in parts)
    name = first.message_id if named else message.message_id
    return Accepted(name, len(parts), min(cost, COST_MICROS_MAX), "EUR" if cost else "")


def _micros(price: str) -> int:
    """Millionths of the account's euros; 0 for what is no price."""
    try:
        micros = Decimal(price) * 1_000_000
        return int(micros) if 0 <= micros <= COST_MICROS_MAX else 0
    except (DecimalException, ValueError):
        return 0
