"""The `webhook:<url>` provider: one signed JSON POST per message, in the manner of Standard Webhooks 1.0.

The receiver is trusted with the clear number and the code, and with nothing else: an answer that repeats either is not
kept, and no fault is told but by its kind.
"""

import asyncio
import base64
import hmac
import re
import time
from typing import Final

import msgspec

from application.ports import Accepted, Message, ProviderFailed
from interfaces.sms.line import Answer, Line, is_presentable, refusal
from interfaces.sms.webhook_address import WHSEC, checked_url

TRY_SECONDS_MAX: Final = 5.0
TRIES_MAX: Final = 2
RETRY_PAUSE_SECONDS: Final = 0.2
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/=+-]{0,63}")
_PASSING: Final = frozenset({"timeout", "connect_failed", "connection_lost", "http_429", "http_5xx"})
"""What a second try may cure. The receiver knows it by the message id."""


class _Body(msgspec.Struct, frozen=True):
    to: str
    text: str
    message_id: str


class _Answer(msgspec.Struct, frozen=True):
    message_id: str


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class WebhookProvider:
    """Posts messages to one address; twice under one id where nobody else can be asked. Close it on its loop."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        secret: bytes,
        tries_max: int = TRIES_MAX,
        try_seconds_max: float = TRY_SECONDS_MAX,
        retry_pause_seconds: float = RETRY_PAUSE_SECONDS,
    ) -> None:
        """Raises ValueError on an address that is none."""
        self._url = checked_url(url)
        self._secret = secret
        self._line = Line(seconds_max=try_seconds_max)
        self._tries_max = tries_max
        self._retry_pause_seconds = retry_pause_seconds

    async def send(self, message: Message) -> Accepted:
        """Post, and post once more where that may help; raises ProviderFailed.

        A message of which one of the posts may have been taken is unknown, whatever the other said.
        """
        body = msgspec.json.encode(_Body(message.to, message.text, message.message_id))
        failures: list[ProviderFailed] = []
        for attempt in range(self._tries_max):
            if attempt:
                await asyncio.sleep(self._retry_pause_seconds)
            try:
                return await self._post(message, body)
            except ProviderFailed as failure:
                failures.append(failure)
            if failures[-1].reason not in _PASSING:
                break
        raise next((failure for failure in failures if failure.kind == "unknown"), failures[-1]) from None

    async def close(self) -> None:
        """End the connections; what is still to be sent fails."""
        await self._line.close()

    async def _post(self, message: Message, body: bytes) -> Accepted:
        answer = await self._line.post(self._url, body, self._headers(message, body))
        if 200 <= answer.status < 300:
            # From here on the message is taken; the body can only give it a name.
            return Accepted(_name(answer, message))
        # Who answers says whether it took the message: anything but 2xx is no.
        raise ProviderFailed(refusal(answer.status).reason)

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())
        return {
            "content-type": "application/json",
            "webhook-id": message.message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id=message.message_id, timestamp=timestamp, body=body),
        }


def sign(secret: bytes, *, message_id: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks 1.0: `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()


def spell_secret(secret: bytes) -> str:
    """The secret as Standard Webhooks libraries take it: `whsec_` and base64."""
    return WHSEC + base64.b64encode(secret).decode()


def _name(answer: Answer, message: Message) -> str:
    """The receiver's id for the message when it gives one that may be written down, else our own."""
    try:
        given = _ANSWERS.decode(answer.body or b"").message_id
    except (ValueError, RecursionError):
        return message.message_id
    is_name = _MESSAGE_ID.fullmatch(given) is not None and is_presentable(given, message)
    return given if is_name else message.message_id
