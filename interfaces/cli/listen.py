"""`listen`: an account's events to a URL of yours as they come, so that a receiver can be written on a machine of one's own.

It asks the HTTP API with a secret key, as anybody may, and needs neither the database nor the root secret. The posts are those
of a webhook, byte for byte, but for what signs them: that is derived from the key, the same each time.
"""

import argparse
import asyncio
import hmac
import os
import signal
import sys
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.webhooks import Signers
from domain import keys
from domain.refusals import Refusal
from domain.webhook_body import body
from domain.webhooks import EVERY_VERIFICATION, require_url, type_of, wants
from interfaces import settings
from interfaces.cli.output import Refused
from interfaces.fetching import checked_base
from interfaces.webhooks import signing

WAIT_SECONDS: Final = 20
AGAIN_SECONDS: Final = 1.0
POST_SECONDS_MAX: Final = 15.0
Found = TypeVar("Found")


class _Event(msgspec.Struct, frozen=True):
    position: int
    event_id: str
    type: str
    type_version: int
    source: str
    data: msgspec.Raw


class _Feed(msgspec.Struct, frozen=True):
    events: list[_Event]
    next: int


class _Balance(msgspec.Struct, frozen=True):
    position: int


def run(arguments: argparse.Namespace) -> int:
    """Forward until stopped; with `--once` until all that is recorded is forwarded."""
    key = _key(arguments.key)
    try:
        require_url(arguments.forward_to)
    except Refusal as refusal:
        raise Refused(refusal.code, refusal.detail) from None
    signers = signers_of(key)
    spelled = signing.spelled(signers)[0]
    print(f"forwarding to {arguments.forward_to}", file=sys.stderr)
    print(f"secret      {spelled['secret']}\npublic_key  {spelled['public_key']}", file=sys.stderr)
    try:
        return asyncio.run(_forward(arguments, key, signers))
    except asyncio.CancelledError:
        return 0


def signers_of(key: str) -> Signers:
    """What signs here: derived from the secret key, and good for nothing else."""
    secret, seed = (hmac.digest(key.encode(), f"doneotp listen {kind}".encode(), "sha256") for kind in ("v1", "v1a"))
    return Signers((secret,), (Ed25519PrivateKey.from_private_bytes(seed),))


def _key(source: str) -> str:
    """Never an argument: those can be seen by all who are on the machine."""
    if source == "-":
        key = sys.stdin.readline().strip()
    elif source.startswith("env:"):
        key = os.environ.get(source.removeprefix("env:"), "").strip()
    else:
        raise Refused("invalid_request", "--key says where the key is: env:NAME, or - for standard input.")
    read = keys.read(key)
    if read is None or not read[0].startswith("sk_"):
        raise Refused("invalid_api_key", "That is not a secret key.", "Run ./doneotp keys issue.")
    return key


def _base(given: str) -> str:
    if given:
        try:
            return checked_base(given)
        except ValueError as error:
            raise Refused("invalid_request", f"--url {error}.") from None
    configured = settings.current()
    if configured.port == 0:
        raise Refused("invalid_request", "The port is not known.", "Give --url http://host:port.")
    host = f"[{configured.host}]" if ":" in configured.host else configured.host
    return f"http://{host}:{configured.port}"


async def _forward(arguments: argparse.Namespace, key: str, signers: Signers) -> int:
    base, types = _base(arguments.url), tuple(arguments.types) or (EVERY_VERIFICATION,)
    task = asyncio.current_task()
    assert task is not None, "asyncio.run made one"
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS + POST_SECONDS_MAX)
    authorized = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        after = arguments.after
        if after is None:
            found = await _ask(session, f"{base}/v1/balance", authorized, _Balance)
            after = found.position
        while True:
            wait = 0 if arguments.once else WAIT_SECONDS
            feed = await _ask(session, f"{base}/v1/events?after={after}&limit=100&wait={wait}", authorized, _Feed)
            for event in feed.events:
                topic = f"{event.type}.v{event.type_version}"
                if wants(types, type_of(topic)):
                    await _post(session, arguments, event, topic, signers)
            if arguments.once and not feed.events:
                return 0
            after = feed.next


async def _ask(session: aiohttp.ClientSession, url: str, headers: dict[str, str], kind: type[Found]) -> Found:
    """One answer of the API; asked again for as long as it cannot be reached."""
    while True:
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError):
            print(f"{urlsplit(url).netloc} does not answer; asking again", file=sys.stderr)
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        if response.status == 200:
            return msgspec.json.decode(content, type=kind)
        if response.status < 500 and response.status != 429:
            raise Refused("refused", f"The API answered {response.status}.", "Look at the key and the address.")
        await asyncio.sleep(AGAIN_SECONDS)


async def _post(
    session: aiohttp.ClientSession, arguments: argparse.Namespace, event: _Event, topic: str, signers: Signers
) -> None:
    """Once: whoever writes a receiver sees what it answered."""
    log = event.source.removeprefix("/logs/")
    content = body(log, position=event.position, topic=topic, stored=bytes(event.data))
    timestamp = int(datetime.now(UTC).timestamp())
    headers = signing.headers(signers, message_id=event.event_id, timestamp=timestamp, body=content)
    status, error = None, ""
    try:
        posted = session.post(
            arguments.forward_to,
            data=content,
            headers=headers,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=POST_SECONDS_MAX),
        )
        async with posted as response:
            status = response.status
    except TimeoutError:
        error = "timeout"
    except (aiohttp.ClientError, OSError):
        error = "no answer"
    if arguments.json:
        line = {"event_id": event.event_id, "position": event.position, "type": type_of(topic), "status": status}
        print(msgspec.json.encode(line).decode(), flush=True)
    else:
        print(f"{event.position:>8}  {type_of(topic)}  {status or error}", flush=True)
