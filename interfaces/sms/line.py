"""The one HTTP client that speaks to providers: a limit on everything, and of every fault what it means for the message.

What answers is trusted with nothing: redirects are not followed, cookies not kept, bodies not unpacked and cut at a length.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import aiohttp

from application.ports import Message, ProviderFailed

SECONDS_MAX: Final = 8.0
"""For one request, its answer included: two of them fit between the deadline of a message and its being abandoned."""
CONNECT_SECONDS_MAX: Final = 3.0
CONNECTIONS_MAX: Final = 256
"""As many as the dispatcher hands over at once, so that no message waits for a connection while its time runs."""
ANSWER_BYTES_MAX: Final = 64 * 1024
_TOO_MANY: Final = 429
_UNAVAILABLE: Final = 503
_NUMBER_TAIL: Final = 7


class Answer(NamedTuple):
    """Status and body. `body` is None where it could not be had whole."""

    status: int
    body: bytes | None


class Line:
    """Requests to one provider. One session, made on the loop that first asks; close it there."""

    def __init__(self, *, seconds_max: float = SECONDS_MAX, connect_seconds_max: float = CONNECT_SECONDS_MAX) -> None:
        self._timeout = aiohttp.ClientTimeout(total=seconds_max, sock_connect=min(connect_seconds_max, seconds_max))
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """One POST; raises ProviderFailed where there is no status to judge by."""
        if self._closed:
            raise ProviderFailed("closed", kind="unconnected")
        try:
            sent = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "doneotp", **headers}
            async with self._open().post(url, data=body, headers=sent, allow_redirects=False) as response:
                return Answer(response.status, await _read(response))
        except Exception as error:
            failure = _failure(error, is_closed=self._closed)
            if failure is None:
                raise
        raise failure

    async def close(self) -> None:
        """End the connections; what is still to be sent fails."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

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


def _failure(error: Exception, *, is_closed: bool) -> ProviderFailed | None:
    """What an error of the client means; None for one that is ours."""
    match error:
        case aiohttp.ClientSSLError():
            return ProviderFailed("tls_failed", kind="unconnected")
        case aiohttp.ClientConnectorError() | aiohttp.ConnectionTimeoutError():
            return ProviderFailed("connect_failed", kind="unconnected")
        case TimeoutError():
            return ProviderFailed("timeout", kind="unknown")
        case aiohttp.ClientConnectionError() | ConnectionError():
            return ProviderFailed("closed" if is_closed else "connection_lost", kind="unknown")
        case aiohttp.ClientError():
            return ProviderFailed("invalid_answer", kind="unknown")
        case _:
            return None


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """At most ANSWER_BYTES_MAX; of a longer body nothing is used, and its connection not again."""
    body = bytearray()
    try:
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                response.close()
                return None
    except (TimeoutError, aiohttp.ClientError, ConnectionError):
        return None
    return bytes(body)


def refusal(status: int) -> ProviderFailed:
    """What a status that is no 2xx means, where a provider's own words do not say it better.

    A server that broke (500, 502, 504) may have taken the message before; one that is busy says that it did not.
    """
    if status == _TOO_MANY:
        return ProviderFailed("http_429")
    if status < 200:
        return ProviderFailed("http_1xx", kind="unknown")
    if 300 <= status < 400:
        return ProviderFailed("redirected")
    if 400 <= status < 500:
        return ProviderFailed("http_4xx")
    return ProviderFailed("http_5xx", kind="refused" if status == _UNAVAILABLE else "unknown")


def is_presentable(name: str, message: Message) -> bool:
    """Whether a name that a provider gave may be written down: it repeats neither the number nor the code."""
    digits = "".join(character for character in name if character in "0123456789")
    return message.code not in digits and message.to[-_NUMBER_TAIL:] not in digits
