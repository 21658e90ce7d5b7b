"""Turnstile and hCaptcha: the page shows their challenge, we ask them whether its answer is good.

They are trusted with that one bit and get nothing of ours but their own token: no number, no address. What they say is
read with limits on everything, and whatever is not a plain yes is a no.
"""

import asyncio
from typing import Any, Final, Literal

import aiohttp
import msgspec

from interfaces.guard.challenge import Bound

SECONDS_MAX: Final = 5.0
ANSWER_BYTES_MAX: Final = 64 * 1024
CALLS_MAX: Final = 64
"""Calls at once; whoever comes while all are taken is refused and asked anew."""
Service = Literal["turnstile", "hcaptcha"]
ADDRESSES: Final[dict[Service, str]] = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/siteverify",
    "hcaptcha": "https://api.hcaptcha.com/siteverify",
}
PAGES: Final[dict[Service, str]] = {
    "turnstile": "https://challenges.cloudflare.com/turnstile/v0/api.js?render=explicit",
    "hcaptcha": "https://js.hcaptcha.com/1/api.js?render=explicit",
}


class _Said(msgspec.Struct, frozen=True):
    success: bool


_SAID: Final = msgspec.json.Decoder(_Said)


class SiteVerify:
    """One service, with our site's key and secret. One session, made on the loop that first asks; close it there."""

    def __init__(
        self,
        service: Service,
        *,
        site_key: str,
        secret: str,
        script: str,
        address: str = "",
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._service: Service = service
        self._site_key = site_key
        self._secret = secret
        self._script = script
        self._address = address or ADDRESSES[service]
        self._timeout = aiohttp.ClientTimeout(total=seconds_max)
        self._session: aiohttp.ClientSession | None = None
        self._calls = 0

    def make(self, bound: Bound, *, bits: int) -> dict[str, Any]:
        return {
            "kind": self._service,
            "site_key": self._site_key,
            "api": PAGES[self._service],
            "script": self._script,
        }

    async def accepts(self, response: str, bound: Bound) -> bool:
        """True for a plain yes alone. The services themselves take a token once."""
        if self._calls >= CALLS_MAX:
            return False
        self._calls += 1
        try:
            form = {"secret": self._secret, "response": response}
            async with self._open().post(self._address, data=form, allow_redirects=False) as answer:
                if answer.status != 200:
                    return False
                body = bytearray()
                async for chunk in answer.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        answer.close()
                        return False
                return _SAID.decode(body).success
        except (TimeoutError, aiohttp.ClientError, ConnectionError, ValueError, RecursionError):
            return False
        finally:
            self._calls -= 1

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
            await asyncio.sleep(0)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CALLS_MAX, keepalive_timeout=15),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
                headers={"accept-encoding": "identity", "user-agent": "doneotp"},
            )
        return self._session
