"""The `webhook:<url>` provider: one signed JSON POST per message, in the manner of Standard Webhooks 1.0.

The receiver is trusted with the clear number and the code, and with nothing else: an answer that repeats either is not
kept, no fault is told but by its kind, and what it may cost us in time, memory and connections is bounded.
"""

import asyncio
import base64
import hmac
import re
import time
from typing import Final, Literal

import aiohttp
import msgspec

from application.ports import Accepted, Message, ProviderFailed
from interfaces.sms.webhook_address import WHSEC, checked_url

TRY_SECONDS_MAX: Final = 5.0
TRIES_MAX: Final = 2
RETRY_PAUSE_SECONDS: Final = 0.2
CONNECTIONS_MAX: Final = 256
"""As many as the dispatcher hands over at once, so that no message waits for a connection while its time runs."""
ANSWER_BYTES_MAX: Final = 64 * 1024
_MESSAGE_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/=+-]{0,63}")
_NUMBER_TAIL: Final = 7

Reason = Literal[
    "timeout",
    "connect_failed",
    "connection_lost",
    "tls_failed",
    "invalid_answer",
    "redirected",
    "http_1xx",
    "http_4xx",
    "http_429",
    "http_5xx",
    "closed",
]
_PASSING: Final[frozenset[Reason]] = frozenset({"timeout", "connect_failed", "connection_lost", "http_429", "http_5xx"})
"""What a second try may cure. The receiver knows it by the message id."""


class _Body(msgspec.Struct, frozen=True):
    to: str
    text: str
    message_id: str


class _Answer(msgspec.Struct, frozen=True):
    message_id: str


_ANSWERS: Final = msgspec.json.Decoder(_Answer)


class WebhookProvider:
    """Posts messages to one address. One session, made on the loop that first sends; close it there."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        secret: bytes,
        try_seconds_max: float = TRY_SECONDS_MAX,
        retry_pause_seconds: float = RETRY_PAUSE_SECONDS,
    ) -> None:
        """Raises ValueError on an address that is none."""
        self._url = checked_url(url)
        self._secret = secret
        self._timeout = aiohttp.ClientTimeout(total=try_seconds_max)
        self._retry_pause_seconds = retry_pause_seconds
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, message: Message) -> Accepted:
        """Post, and post once more where that may help; raises ProviderFailed with a Reason."""
        body = msgspec.json.encode(_Body(message.to, message.text, message.message_id))
        reason: Reason = "closed"
        for attempt in range(TRIES_MAX):
            if attempt:
                await asyncio.sleep(self._retry_pause_seconds)
            outcome = await self._post(message, body)
            if isinstance(outcome, Accepted):
                return outcome
            reason = outcome
            if reason not in _PASSING:
                break
        raise ProviderFailed(reason)

    async def close(self) -> None:
        """End the connections; what is still to be sent fails."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, message: Message, body: bytes) -> Accepted | Reason:
        if self._closed:
            return "closed"
        try:
            request = self._open().post(
                self._url, data=body, headers=self._headers(message, body), allow_redirects=False
            )
            async with request as response:
                if not 200 <= response.status < 300:
                    return _refusal(response.status)
                # From here on the message is taken; the body can only give it a name.
                return Accepted(await _name(response, message))
        except TimeoutError:
            return "timeout"
        except aiohttp.ClientSSLError:
            return "tls_failed"
        except aiohttp.ClientConnectorError:
            return "connect_failed"
        except (aiohttp.ClientConnectionError, ConnectionError):
            return "connection_lost"
        except aiohttp.ClientError:
            return "invalid_answer"

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, keepalive_timeout=15),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
                read_bufsize=ANSWER_BYTES_MAX,
            )
        return self._session

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        timestamp = int(time.time())
        return {
            "content-type": "application/json",
            "accept": "application/json",
            "accept-encoding": "identity",
            "user-agent": "doneotp",
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


async def _name(response: aiohttp.ClientResponse, message: Message) -> str:
    """The receiver's id for the message when it gives one that may be written down, else our own."""
    try:
        body = await _read(response)
        given = _ANSWERS.decode(body).message_id
    except (TimeoutError, aiohttp.ClientError, ConnectionError, ValueError, RecursionError):
        return message.message_id
    digits = re.sub(r"[^0-9]", "", given)
    if _MESSAGE_ID.fullmatch(given) is None or message.code in digits or message.to[-_NUMBER_TAIL:] in digits:
        return message.message_id
    return given


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """At most ANSWER_BYTES_MAX; of a longer body nothing is used, and its connection not again."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_BYTES_MAX:
            response.close()
            return b""
    return bytes(body)


def _refusal(status: int) -> Reason:
    if status == 429:
        return "http_429"
    if 300 <= status < 400:
        return "redirected"
    if 400 <= status < 500:
        return "http_4xx"
    return "http_5xx" if status >= 500 else "http_1xx"
