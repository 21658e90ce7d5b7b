"""What every call works with: the parts that bootstrap built, and who is calling."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final, Literal

from eventsourcing.persistence import InterfaceError, InternalError, OperationalError

from application import listing
from application.accounts import OpenedAccount, ReadAccount, ReadInstallation
from application.dispatch import Dispatcher
from application.keyring import Keyring
from application.ledger import Ledger
from application.listing import INSTALLATION
from application.ports import Clock, Entropy
from application.tokens import Tokens
from application.writer import Writer
from domain import keys, lists
from domain.account import Account, Key
from domain.keys import KeyKind
from domain.lists import Both, Lists
from domain.refusals import ServiceUnavailable, StateConflict
from domain.verification import Caller
from interfaces.guard.challenge import Challenge
from interfaces.http import addresses, origins, rates
from interfaces.http.problems import HttpRefusal
from interfaces.http.streams import Streams
from interfaces.limits.windows import Counters
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.sms.inbox import InboxStore

FRESH_SECONDS: Final = 0.6
"""How old a view of an account may be when it lets a key in: a revoked key is refused within a second everywhere."""
READ_SECONDS_MAX: Final = 10.0
READERS_MAX: Final = 3
"""Fewer than the recorder's reading lines: slow reads must not keep the writer from one. Threads of their own: nor may
they keep anything else, such as looking up a provider's address, from a thread."""
_READERS: Final = ThreadPoolExecutor(READERS_MAX, thread_name_prefix="doneotp-reader")
_IDEMPOTENCY_KEY_MAX: Final = 255
_KEYS_READ_MAX: Final = 2_048


@dataclass(frozen=True, slots=True)
class Desk:
    """The parts."""

    ledger: Ledger
    recorder: PostgresLogRecorder
    writer: Writer
    dispatcher: Dispatcher
    keyring: Keyring
    tokens: Tokens
    clock: Clock
    entropy: Entropy
    inbox: InboxStore | None
    streams: Streams
    counters: Counters
    """Limits that are counted beside the ledger."""
    trusted_proxies: Sequence[IPv4Network | IPv6Network]
    pages_need_origins: bool
    """Whether a public key without origins is for no page."""
    challenge: Challenge
    """What public keys are asked for when the fraud guard wants it."""
    demo: OpenedAccount | None
    """Whose test keys the demo page uses; in development only."""


@dataclass(frozen=True, slots=True, repr=False)
class Identity:
    """A key that was let in."""

    account: Account
    key: Key
    kind: KeyKind
    log: str
    address: str
    installation: Lists

    @property
    def mode(self) -> Literal["live", "test"]:
        return "live" if self.kind.endswith("live") else "test"

    @property
    def is_secret(self) -> bool:
        return self.kind.startswith("sk")

    def caller(self, *, client_ip: str = "", idempotency: str = "") -> Caller:
        """What of this goes into an event."""
        return Caller(key_id=self.key.id, client_ip=client_ip or addresses.mask(self.address), idempotency=idempotency)


async def identify(desk: Desk, scope: Any, *, public_allowed: bool) -> Identity:
    """Who is calling; raises the refusals of key, key scope and origin, in that order."""
    authorization = origin = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"origin":
            origin = value
    if not authorization:
        raise HttpRefusal("missing_api_key")
    named = _read(authorization)
    if named is None:
        raise HttpRefusal("invalid_api_key")
    kind, account_id, key_hash = named
    account = desk.ledger.account(account_id, fresh_seconds=FRESH_SECONDS)
    if account is None or key_hash not in account.keys:  # a key may be newer than what we have in view
        try:
            account = await desk.writer.ask(ReadAccount(account_id))
        except StateConflict:
            raise HttpRefusal("invalid_api_key") from None
    key = account.keys.get(key_hash)
    if key is None or key.kind != kind:
        raise HttpRefusal("invalid_api_key")
    both = (account.lists, await _installation(desk))
    page = origin.decode("latin-1")
    own = lists.origins(both, key.origins)
    is_for_page = (
        kind.startswith("pk")
        and origins.allowed(own, page, needs_origins=desk.pages_need_origins)
        and not lists.blocks_origin(both, page)
    )
    if is_for_page and public_allowed:
        origins.note(scope, own, page)
    if key.revoked_at is not None:
        raise HttpRefusal("revoked_api_key")
    identity = Identity(
        account,
        key,
        kind,
        keys.log_of(account_id, mode="live" if kind.endswith("live") else "test"),
        addresses.caller(scope, desk.trusted_proxies),
        both[1],
    )
    if not identity.is_secret:
        if not public_allowed:
            raise HttpRefusal("key_scope_forbidden")
        if not is_for_page:
            raise HttpRefusal("origin_not_allowed")
    _require_address(desk, identity, both)
    await rates.require_requests(desk.counters, account, scope, key_id=key.id, is_public=not identity.is_secret)
    return identity


async def _installation(desk: Desk) -> Lists:
    """The installation's lists, as fresh as an account's."""
    state = desk.ledger.account(INSTALLATION, fresh_seconds=FRESH_SECONDS)
    if state is None:
        state = await desk.writer.ask(ReadInstallation())
    return state.lists


def _require_address(desk: Desk, identity: Identity, both: Both) -> None:
    """The lists of addresses: blocks are for every key, allows for secret keys."""
    if not any(lists.has_addresses(held.blocked) or lists.has_addresses(held.allowed) for held in both):
        return
    address = addresses.parse(identity.address)
    account, installation = both
    networks = (
        listing.networks(desk.keyring, identity.account.id, address, account),
        listing.networks(desk.keyring, INSTALLATION, address, installation),
    )
    lists.require_address(both, networks, is_exclusive=identity.is_secret)


@lru_cache(maxsize=_KEYS_READ_MAX)
def _read(authorization: bytes) -> tuple[KeyKind, str, str] | None:
    """Kind, account and hash of the key in an Authorization header, as spelled; whether it counts is not known yet."""
    scheme, _, text = authorization.decode("latin-1").partition(" ")
    key = text.strip()
    named = keys.read(key) if scheme.lower() == "bearer" else None
    return None if named is None else (*named, keys.key_hash(key))


def idempotency(desk: Desk, scope: Any, identity: Identity, *, raw: bytes) -> str:
    """Keyed hashes of the Idempotency-Key and of the request, or empty; raises invalid_idempotency_key."""
    given = [value for name, value in scope["headers"] if name == b"idempotency-key"]
    if not given:
        return ""
    key = given[0].decode("latin-1")
    if len(given) > 1 or not 1 <= len(key) <= _IDEMPOTENCY_KEY_MAX or not all("!" <= c <= "~" for c in key):
        raise HttpRefusal("invalid_idempotency_key")
    return desk.keyring.idempotency(identity.log, key, request=scope["path"].encode() + b"\0" + raw)


async def in_thread(function: Any, *arguments: Any) -> Any:
    """A blocking read of the ledger, off the loop; raises ServiceUnavailable when it is not answered in time."""
    try:
        async with asyncio.timeout(READ_SECONDS_MAX):
            return await asyncio.get_running_loop().run_in_executor(_READERS, function, *arguments)
    except (TimeoutError, OperationalError, InterfaceError, InternalError):
        raise ServiceUnavailable(retry_after_seconds=1) from None
