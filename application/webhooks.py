"""Administration of the endpoints to which a log's facts are posted, and the secrets that sign them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.accounts import Administer, ReadAccount
from application.keyring import Keyring
from application.ports import Entropy
from application.writer import Writer
from domain import keys, webhooks
from domain.account import Account, require_open
from domain.events import Event
from domain.refusals import StateConflict
from domain.webhooks import Endpoint

ENDPOINT_BYTES: Final = 10


@dataclass(frozen=True, slots=True, repr=False)
class Signers:
    """What signs posts to an endpoint now, newest first: shared secrets, and keys whose public half is given away."""

    secrets: tuple[bytes, ...]
    keys: tuple[Ed25519PrivateKey, ...]

    @classmethod
    def of(cls, keyring: Keyring, log: str, endpoint_id: str, *, numbers: tuple[int, ...]) -> "Signers":
        return cls(
            tuple(keyring.endpoint_secret(log, endpoint_id, number=number) for number in numbers),
            tuple(keyring.endpoint_key(log, endpoint_id, number=number) for number in numbers),
        )


class Webhooks:
    """What an operator does with endpoints. Synchronous: every call waits until it is recorded."""

    def __init__(self, writer: Writer, keyring: Keyring, entropy: Entropy, *, timeout_seconds: float = 15.0) -> None:
        self._writer = writer
        self._keyring = keyring
        self._entropy = entropy
        self._timeout_seconds = timeout_seconds

    def endpoints(self, log: str) -> tuple[Endpoint, ...]:
        """All of a log; raises StateConflict when there is no such log."""
        _require_log(log)
        return self._writer.submit(ReadAccount(log)).result(self._timeout_seconds).webhooks

    def endpoint(self, log: str, endpoint_id: str) -> Endpoint:
        """One; raises StateConflict when there is none."""
        return webhooks.find(self.endpoints(log), endpoint_id)

    def signers(self, log: str, endpoint: Endpoint, *, now: datetime) -> Signers:
        """What signs at a moment."""
        return Signers.of(self._keyring, log, endpoint.id, numbers=endpoint.secret_numbers(now))

    def add(self, log: str, *, url: str, types: tuple[str, ...], by: str) -> Endpoint:
        """One more endpoint; facts that are recorded from now on go there."""
        endpoint_id = "we_" + keys.text(self._entropy.bytes(ENDPOINT_BYTES), length=16)
        self._record(
            log,
            lambda account, now: webhooks.add(
                account.webhooks, endpoint_id=endpoint_id, url=url, types=types, by=by, now=now
            ),
        )
        return self.endpoint(log, endpoint_id)

    def rotate(self, log: str, *, endpoint_id: str, overlap: timedelta, by: str) -> Endpoint:
        """Begin to sign with another secret; the last one signs as well until the overlap is over."""
        self._record(
            log,
            lambda account, now: webhooks.rotate(
                account.webhooks, endpoint_id=endpoint_id, overlap=overlap, by=by, now=now
            ),
        )
        return self.endpoint(log, endpoint_id)

    def disable(self, log: str, *, endpoint_id: str, reason: str, by: str) -> bool:
        """Post nothing more there; False when that was so."""
        return self._record(
            log,
            lambda account, now: webhooks.disable(
                account.webhooks, endpoint_id=endpoint_id, reason=reason, by=by, now=now
            ),
        )

    def enable(self, log: str, *, endpoint_id: str, by: str) -> bool:
        """Post there again; False when that was so."""
        return self._record(
            log, lambda account, now: webhooks.enable(account.webhooks, endpoint_id=endpoint_id, by=by, now=now)
        )

    def remove(self, log: str, *, endpoint_id: str, by: str) -> None:
        """End an endpoint."""
        self._record(
            log, lambda account, now: webhooks.remove(account.webhooks, endpoint_id=endpoint_id, by=by, now=now)
        )

    def _record(self, log: str, rule: Callable[[Account, datetime], Event | None]) -> bool:
        _require_log(log)

        def of_open(account: Account, now: datetime) -> Event | None:
            require_open(account)
            return rule(account, now)

        return self._writer.submit(Administer(log, of_open)).result(self._timeout_seconds) is not None


def _require_log(log: str) -> None:
    if not log.startswith("acct_"):
        raise StateConflict("There is no such account.")
