"""Twilio Programmable Messaging: https://www.twilio.com/docs/messaging/api/message-resource. One form POST a message.

A status callback is signed over our own address and its fields (https://www.twilio.com/docs/usage/security).
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode

import msgspec

from application.ports import Accepted, Message, ProviderFailed
from application.receipts import Receipt
from interfaces.sms.base_address import checked_base
from interfaces.sms.line import Line, is_presentable, refusal

URL: Final = "https://api.twilio.com"
_SID: Final = re.compile(r"[A-Z]{2}[0-9a-f]{32}")
_ABOUT_THE_MESSAGE: Final = frozenset({21211, 21214, 21217, 21408, 21610, 21612, 21614, 21617, 60410})
"""Error codes that say: not to this number (https://www.twilio.com/docs/api/errors)."""
_DELIVERED: Final[dict[str, bool | None]] = {
    "queued": None,
    "sending": None,
    "sent": None,
    "delivered": True,
    "read": True,
    "undelivered": False,
    "failed": False,
}


class _Created(msgspec.Struct, frozen=True):
    sid: str
    num_segments: str = ""


class _Error(msgspec.Struct, frozen=True):
    code: int = 0


_CREATED: Final = msgspec.json.Decoder(_Created)
_ERRORS: Final = msgspec.json.Decoder(_Error)


class TwilioProvider:
    """Posts messages of one Twilio account. Close it on its loop."""

    name = "twilio"

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        sender: str,
        callback: Callable[[Message], str],
        url: str = URL,
        line: Line | None = None,
    ) -> None:
        """`sender` is a number, a sender id or a messaging service (`MG…`); `callback` an address for reports, or ""."""
        self._url = f"{checked_base(url)}/2010-04-01/Accounts/{quote(account_sid, safe='')}/Messages.json"
        pair = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._headers = {"authorization": f"Basic {pair}", "content-type": "application/x-www-form-urlencoded"}
        self._sender = ("MessagingServiceSid" if sender.startswith("MG") else "From", sender)
        self._callback = callback
        self._line = line or Line()

    async def send(self, message: Message) -> Accepted:
        """Post once; raises ProviderFailed."""
        fields = [("To", message.to), self._sender, ("Body", message.text)]
        callback = self._callback(message)
        if callback:
            fields.append(("StatusCallback", callback))
        answer = await self._line.post(self._url, urlencode(fields).encode(), self._headers)
        if 200 <= answer.status < 300:
            return _accepted(answer.body, message)
        if 400 <= answer.status < 500 and _error(answer.body) in _ABOUT_THE_MESSAGE:
            raise ProviderFailed("invalid_number", kind="rejected")
        raise refusal(answer.status)

    async def close(self) -> None:
        """End the connections."""
        await self._line.close()


def signature(auth_token: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """`X-Twilio-Signature`: base64 of HMAC-SHA1 over the address and the fields in order of their names."""
    signed = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(auth_token.encode(), signed.encode(), hashlib.sha1)).decode()


def is_signed(auth_token: str, url: str, fields: Sequence[tuple[str, str]], given: str) -> bool:
    """Whether Twilio sent this."""
    return hmac.compare_digest(signature(auth_token, url, fields).encode(), given.encode())


def receipt(fields: Mapping[str, str], reference: str) -> Receipt | None:
    """What a status callback says; None for one that says nothing of a message."""
    status, sid = fields.get("MessageStatus", ""), fields.get("MessageSid", "")
    if status not in _DELIVERED or _SID.fullmatch(sid) is None:
        return None
    code = fields.get("ErrorCode", "")
    is_code = code.isascii() and code.isdigit() and len(code) <= 6
    return Receipt("twilio", reference, sid, _DELIVERED[status], f"error_{code}" if is_code else "")


def _accepted(body: bytes | None, message: Message) -> Accepted:
    """201 is yes; the body can only give it a name and a count."""
    try:
        created = _CREATED.decode(body or b"")
    except (ValueError, RecursionError):
        return Accepted(message.message_id)
    named = _SID.fullmatch(created.sid) is not None and is_presentable(created.sid, message)
    count = created.num_segments
    segments = int(count) if count.isascii() and count.isdigit() and len(count) <= 2 else 0
    return Accepted(created.sid if named else message.message_id, segments)


def _error(body: bytes | None) -> int:
    try:
        return _ERRORS.decode(body or b"").code
    except (ValueError, RecursionError):
        return 0
