"""One POST to a customer's URL, from inside our network, on the customer's word.

Trusted is nothing of it. Every address that a name stands for is looked at and the connection is made to those very
addresses, not to the name; the socket looks once more. No redirect is followed, no proxy and no cookie used, and of the
answer nothing is read but its head.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any, Final, NamedTuple, Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from domain.refusals import InvalidRequest
from domain.webhooks import require_url
from interfaces.webhooks.reach import Reach, Unreachable

SECONDS_MAX: Final = 15.0
CONNECTIONS_MAX: Final = 256
LOOKUPS_MAX: Final = 64
"""Names that are looked up at once: a resolver that hangs for some must leave room for others."""
ADDRESSES_MAX: Final = 16
BUFFER_BYTES: Final = 16 * 1024
RETRY_AFTER_SECONDS_MAX: Final = 86_400

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port to IP addresses; raises OSError."""


class Outcome(NamedTuple):
    """What became of a post. `error` is empty when it was taken; `status` is None when there was no answer."""

    status: int | None
    error: str
    duration_ms: int
    retry_after_seconds: int = 0

    @property
    def is_taken(self) -> bool:
        return not self.error


class Outbound:
    """Posts from one loop, for as long as it is open."""

    def __init__(
        self,
        reach: Reach,
        *,
        resolve: Resolve | None = None,
        seconds_max: float = SECONDS_MAX,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`trust` is whose certificates are believed; by default those that the machine believes."""
        self._reach = reach
        self._resolve = resolve
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._trust = trust
        self._lookups = ThreadPoolExecutor(LOOKUPS_MAX, thread_name_prefix="doneotp-names")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        resolver = _Looked(self._reach, self._resolve or self._system)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=CONNECTIONS_MAX,
                resolver=resolver,
                use_dns_cache=False,
                socket_factory=self._socket,
                keepalive_timeout=10,
                ssl=True if self._trust is None else self._trust,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
            auto_decompress=False,
            trust_env=False,
            read_bufsize=BUFFER_BYTES,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None, "entered"
        await self._session.close()
        self._lookups.shutdown(wait=False, cancel_futures=True)

    async def post(self, url: str, *, headers: dict[str, str], body: bytes) -> Outcome:
        """Post, within the time there is for all of it."""
        begun = time.monotonic()
        status, error, wait = await self._posted(url, headers, body)
        return Outcome(status, error, round(1_000 * (time.monotonic() - begun)), wait)

    async def _posted(self, url: str, headers: dict[str, str], body: bytes) -> tuple[int | None, str, int]:
        assert self._session is not None, "entered"
        try:
            at = target(url, self._reach)
            async with self._session.post(at, data=body, headers=headers, allow_redirects=False) as response:
                return response.status, _complaint(response.status), _seconds(response.headers.get("retry-after", ""))
        except Unreachable as unreachable:
            return None, unreachable.reason, 0
        except TimeoutError:
            return None, "timeout", 0
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return None, "tls_failed", 0
        except aiohttp.ClientConnectorDNSError as error:
            return None, _cause(error, default="name_unknown"), 0
        except aiohttp.ClientConnectorError as error:
            return None, _cause(error, default="connect_failed"), 0
        except (aiohttp.ClientConnectionError, OSError):
            return None, "connection_lost", 0
        except Exception:  # noqa: BLE001 - whatever a stranger's answer sets off is a failed post and no more
            return None, "invalid_answer", 0

    def _socket(self, found: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, place = found
        try:
            self._reach.require_peer(place[0])
        except Unreachable as unreachable:
            raise _Denied(unreachable.reason) from None
        return socket.socket(family, kind, protocol)

    async def _system(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(
            self._lookups, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        )
        return [str(row[4][0]) for row in rows]


def target(url: str, reach: Reach) -> URL:
    """The URL as it is used, spelled by nobody else; raises Unreachable for what is seen without looking it up."""
    try:
        require_url(url)
    except InvalidRequest:
        raise Unreachable("invalid_url") from None
    at = URL(url, encoded=True)
    host = at.host or ""
    reach.require_target(at.scheme, host, at.port or 0)
    with contextlib.suppress(ValueError):
        # aiohttp asks no resolver about what is an address already.
        reach.require_address(host, str(ip_address(host)))
    return at


def why_unreachable(url: str, reach: Reach) -> str:
    """Why nothing would ever be posted to a new endpoint of this URL; empty for one that the ledger is to decide on."""
    try:
        target(url, reach)
    except Unreachable as unreachable:
        return unreachable.reason if unreachable.reason != "invalid_url" else ""
    return ""


class _Denied(OSError):
    """An address that we do not go to, in the words of those who make connections."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Looked(AbstractResolver):
    """Answers with addresses that were looked at: all of a name's, or one that is denied denies the name."""

    def __init__(self, reach: Reach, resolve: Resolve) -> None:
        self._reach = reach
        self._resolve = resolve

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        addresses = list(dict.fromkeys(await self._resolve(host, port)))
        if not addresses:
            raise OSError("a name without addresses")
        for address in addresses:
            try:
                self._reach.require_address(host, address)
            except Unreachable as unreachable:
                raise _Denied(unreachable.reason) from None
        return [_result(host, address, port) for address in addresses[:ADDRESSES_MAX]]

    async def close(self) -> None:
        """Nothing is held."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST)


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    return "redirected" if 300 <= status < 400 else "gone" if status == 410 else "refused"


def _cause(error: aiohttp.ClientConnectorError, *, default: str) -> str:
    """The reason, where it was us who did not connect."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, _Denied):
            return at.reason
        at = at.__cause__ or at.__context__
    return default


def _seconds(text: str) -> int:
    """What a Retry-After in seconds asks for; 0 without one."""
    return min(int(text), RETRY_AFTER_SECONDS_MAX) if text.isascii() and text.isdigit() and len(text) < 9 else 0
