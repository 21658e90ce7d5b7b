"""The naive limit, inside: the same rules and events on the library's own recorder, as its tutorial would have it.

One process-wide lock, one transaction for each thing that happens, aggregates from the library's repository. It
promises what the service promises: a message is handed over only when its request is committed.
"""

import os
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Final, Generic, TypeVar

from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import Mapper

from application.keyring import NONCE_BYTES, Keyring, stream_in
from application.mapper import EventMapper, Recorded
from application.tokens import Tokens
from domain import account as accounts
from domain import keys, phone
from domain import verification as verifications
from domain.account import Account
from domain.events import CodeRequested, CodeSent, Event, TokenRedeemed, Verified
from domain.rates import FLAT
from domain.refusals import VerificationNotFound, WrongCode
from domain.verification import Caller, NewCode, Verification

State = TypeVar("State")
_CREDITS: Final = 10**9
_CALLER: Final = Caller()


class Stream(Generic[State]):
    """What the library calls an aggregate: a state, its version, and the events that wait to be saved."""

    def __init__(self, name: str, state: State, fold: Callable[[State, Event], State]) -> None:
        self.id = name
        self.version = 0
        self.state = state
        self._fold = fold
        self._pending: list[DomainEventProtocol[str]] = []

    def evolve(self, event: Event) -> None:
        """Fold an event that is stored already."""
        self.version += 1
        self.state = self._fold(self.state, event)

    def record(self, event: Event | None) -> None:
        """Fold an event and have it saved."""
        if event is not None:
            self.evolve(event)
            self._pending.append(Recorded(self.id, self.version, event))

    def collect_events(self) -> list[DomainEventProtocol[str]]:
        """The library takes what is to be saved."""
        pending, self._pending = self._pending, []
        return pending


class Streams(Application[str]):
    """The library's application with its PostgresApplicationRecorder, and our events in their own JSON."""

    def construct_mapper(self) -> Mapper[str]:
        return EventMapper()

    def account(self, name: str) -> Stream[Account]:
        """An account as it is now."""
        return self._load(Stream(name, Account(), accounts.evolve))

    def verification(self, name: str) -> Stream[Verification]:
        """All that happened between the account and a number."""
        return self._load(Stream(name, Verification(), verifications.evolve))

    def _load(self, blank: Stream[State]) -> Stream[State]:
        def project(stream: Stream[State] | None, events: Iterable[Recorded]) -> Stream[State] | None:
            for recorded in events:
                stream = stream or blank
                stream.evolve(recorded.event)
            return stream

        try:
            return self.repository.get(blank.id, projector_func=project)
        except AggregateNotFoundError:
            return blank


class NaiveLedger:
    """send, check and redeem, each under one lock for all."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._streams = Streams(environment)
        self._keyring = Keyring(os.urandom(32))
        self._tokens = Tokens(self._keyring)
        self._lock = threading.Lock()
        self._log = keys.account_id(os.urandom(keys.ACCOUNT_BYTES))
        account = self._streams.account(self._log)
        account.record(
            accounts.open_account(
                account.state, account_id=self._log, name="naive", mode="live", by="bench", now=_now()
            )
        )
        account.record(
            accounts.add_credit(
                account.state, credits=_CREDITS, reference="bench", by="bench", idempotency="", now=_now()
            )
        )
        self._streams.save(account)

    def send(self, spelling: str) -> tuple[CodeRequested, str]:
        """The request as recorded, and the code to hand over."""
        number = phone.parse(spelling)
        stream = self._keyring.stream_of(self._log, number.e164)
        command = NewCode(
            phone=number,
            verification_id=self._keyring.verification_id(stream, os.urandom(NONCE_BYTES)),
            seed=os.urandom(16).hex(),
            card=FLAT,
        )
        with self._lock:
            account = self._streams.account(self._log)
            accounts.require_standing(account.state)
            verification = self._streams.verification(self._name(stream))
            now = _now()
            requested = verifications.request(verification.state, command, policy=account.state.policy, now=now)
            verification.record(requested)
            account.record(accounts.debit(account.state, requested))
            self._streams.save(verification, account)
        code = self._keyring.code(
            log=self._log,
            e164=number.e164,
            verification_id=requested.verification_id,
            seed=requested.seed,
            digits=requested.digits,
        )
        return requested, code

    def sent(self, requested: CodeRequested) -> None:
        """The message was handed over."""
        stream = stream_in(requested.verification_id)
        assert stream is not None
        with self._lock:
            verification = self._streams.verification(self._name(stream))
            verifications.handoff(verification.state, verification_id=requested.verification_id, send=requested.send)
            verification.record(
                CodeSent(
                    at=_now(),
                    verification_id=requested.verification_id,
                    send=requested.send,
                    provider="inbox",
                    message_id=os.urandom(8).hex(),
                )
            )
            self._streams.save(verification)

    def check(self, spelling: str, code: str) -> str:
        """The token that a right code earns; raises WrongCode and the rules' refusals."""
        number = phone.parse(spelling)
        stream = self._keyring.stream_of(self._log, number.e164)

        def matches(attempt: verifications.Attempt) -> bool:
            right = self._keyring.code(
                log=self._log,
                e164=number.e164,
                verification_id=attempt.id,
                seed=attempt.seed,
                digits=attempt.digits,
            )
            return compare_digest(code, right)

        with self._lock:
            account = self._streams.account(self._log)
            accounts.require_standing(account.state)
            verification = self._streams.verification(self._name(stream))
            event = verifications.check(
                verification.state,
                verification_id=None,
                code=code,
                matches=matches,
                token_id=os.urandom(16).hex(),
                caller=_CALLER,
                policy=account.state.policy,
                now=_now(),
            )
            verification.record(event)
            self._streams.save(verification)
        if not isinstance(event, Verified):
            raise WrongCode(attempts_left=event.attempts_left)
        return self._tokens.issue(self._log, event)

    def redeem(self, token: str) -> TokenRedeemed:
        """The single redemption of a token."""
        claims = self._tokens.read(self._log, token)
        stream = stream_in(claims.sub)
        if stream is None:
            raise VerificationNotFound
        with self._lock:
            account = self._streams.account(self._log)
            accounts.require_standing(account.state)
            verification = self._streams.verification(self._name(stream))
            redeemed = verifications.redeem(verification.state, token_id=claims.jti, caller=_CALLER, now=_now())
            verification.record(redeemed)
            self._streams.save(verification)
        return redeemed

    def close(self) -> None:
        """Let go of the connections."""
        self._streams.close()

    def _name(self, stream: str) -> str:
        return f"{self._log}/{stream}"


def _now() -> datetime:
    return datetime.now(UTC)
