"""Which limits beside the ledger a request counts in, what they refuse, and the headers that tell how they stand.

Headers are those of draft-ietf-httpapi-ratelimit-headers-10. A public key is not told how a number or its neighbours stand.
"""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_network
from typing import Any, Final

from application.keyring import Keyring
from application.listing import INSTALLATION
from domain.account import Account
from domain.phone import PhoneNumber
from domain.refusals import (
    ApiRateLimited,
    AuthFailuresLimited,
    IpSendLimit,
    NumberSendLimit,
    PrefixSendLimit,
    Refusal,
)
from domain.rules import NOT_COUNTED, Counted
from interfaces.http import addresses
from interfaces.limits.windows import Count, Counters, Limit

SENDS_PER_NUMBER_MAX: Final = 20
"""Messages to a number from all accounts together in a day."""
AUTH_FAILURES_PER_MINUTE_MAX: Final = 3_000
_DAY: Final = 86_400
_HOUR: Final = 3_600
_MINUTE: Final = 60
_TOLD_TO_ALL: Final = frozenset({"requests", "address"})
_IPV6_BITS: Final = 64
_REFUSALS: Final[dict[str, type[Refusal]]] = {
    "number": NumberSendLimit,
    "address": IpSendLimit,
    "prefix": PrefixSendLimit,
    "country": PrefixSendLimit,
    "requests": ApiRateLimited,
    "auth_failures": AuthFailuresLimited,
}


def of_send(keyring: Keyring, account: Account, phone: PhoneNumber, *, address: str) -> list[Limit]:
    """What a message counts in. `address` is the end user's, empty where it is not known."""
    policy, name = account.policy, account.id
    limits = [Limit("number", keyring.stream_of(INSTALLATION, phone.e164), SENDS_PER_NUMBER_MAX, _DAY)]
    if policy.sends_per_prefix_max:
        limits.append(
            Limit("prefix", f"{name}/{keyring.prefix_of(name, phone.e164)}", policy.sends_per_prefix_max, _HOUR)
        )
    if policy.sends_per_country_max:
        limits.append(Limit("country", f"{name}/{phone.country}", policy.sends_per_country_max, _HOUR))
    network = _network(address) if address and policy.sends_per_address_max else ""
    if network:
        limits.append(Limit("address", f"{name}/{keyring.listed(name, network)}", policy.sends_per_address_max, _HOUR))
    return limits


async def counted(counters: Counters, limits: Sequence[Limit], scope: Any, *, is_public: bool) -> Counted:
    """Count one in each, and note the headers."""
    counts = await counters.take(limits)
    note(scope, [count for count in counts if not is_public or count.limit.name in _TOLD_TO_ALL])
    return _counted(counts)


async def uncounted(counters: Counters, limits: Sequence[Limit]) -> Counted:
    """What `counted` would say now: what it counts is given back at once."""
    counts = await counters.take(limits)
    if refusal_of(counts) is None:
        counters.give_back([count.limit for count in counts])
    return _counted(counts)


def _counted(counts: Sequence[Count]) -> Counted:
    told = ", ".join(f"{count.limit.name} {count.limit.most - count.left} of {count.limit.most}" for count in counts)
    return Counted(refusal_of(counts), told or NOT_COUNTED.told)


async def require_requests(counters: Counters, account: Account, scope: Any, *, key_id: str, is_public: bool) -> None:
    """Raises ApiRateLimited when a key asks more often than its account lets it."""
    policy = account.policy
    most = policy.public_requests_per_second_max if is_public else policy.requests_per_second_max
    if most:
        counts = await counters.take([Limit("requests", key_id, most, 1)])
        note(scope, counts)
        refusal = refusal_of(counts)
        if refusal is not None:
            raise refusal


async def require_few_failures(counters: Counters, keyring: Keyring, address: str) -> None:
    """Raises AuthFailuresLimited instead of the failure itself. A good key does not come past here."""
    limit = Limit("auth_failures", keyring.listed(INSTALLATION, address), AUTH_FAILURES_PER_MINUTE_MAX, _MINUTE)
    refusal = refusal_of(await counters.take([limit]))
    if refusal is not None:
        raise refusal


def refusal_of(counts: Sequence[Count]) -> Refusal | None:
    """What is refused for the last of these, if it is beyond its limit."""
    if not counts or counts[-1].left >= 0:
        return None
    return _REFUSALS[counts[-1].limit.name](retry_after_seconds=counts[-1].ends_in)


def note(scope: Any, counts: Sequence[Count]) -> None:
    """Say in the answer's headers how limits stand."""
    if not counts:
        return
    policies = ", ".join(f'"{count.limit.name}";q={count.limit.most};w={count.limit.seconds}' for count in counts)
    standing = ", ".join(f'"{count.limit.name}";r={max(0, count.left)};t={count.ends_in}' for count in counts)
    headers = ((b"ratelimit-policy", policies.encode()), (b"ratelimit", standing.encode()))
    scope["state"]["rate_headers"] = (*scope["state"].get("rate_headers", ()), *headers)


def _network(text: str) -> str:
    """An IPv4 address, or the /64 that an IPv6 one is in; empty for what is no address."""
    address = addresses.parse(text)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_BITS), strict=False))
    return "" if address is None else str(address)
