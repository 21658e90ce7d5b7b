"""Administration of an account: open it, give it credit, keys and rules, stop it and let it go on.

The same commands serve the command line and whatever else administers; `by` names who did it and is in the event.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from application.keyring import Keyring
from application.listing import INSTALLATION, entries
from application.ports import Entropy
from application.writer import Decision, Draft, Writer
from domain import account as accounts
from domain import keys, wording
from domain.account import Account
from domain.events import ClockAdvanced, CreditAdded, Event, RateCardAdopted, StatementIssued
from domain.keys import KeyKind
from domain.lists import Effect, Kind, Lists
from domain.rates import RateCard
from domain.refusals import IdempotencyKeyReused, StateConflict
from domain.wording import Wording


@dataclass(frozen=True, slots=True)
class Administer:
    """A decision over the account's own state: `rule` returns an event, or None when nothing has to change."""

    log: str
    rule: Callable[[Account, datetime], Event | None]
    stream: str | None = None
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[Event | None]:
        event = self.rule(draft.account, draft.now)
        return Decision(event, () if event is None else (("", event),))

    def replay(self, event: Event) -> Event | None:
        """The same request a second time: what it recorded is there already."""
        if not isinstance(event, (CreditAdded, ClockAdvanced)):
            raise IdempotencyKeyReused
        return event


@dataclass(frozen=True, slots=True)
class ReadAccount:
    """The account's state after all that is recorded now; raises StateConflict when there is no such account."""

    log: str
    stream: str | None = None
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[Account]:
        accounts.require_open(draft.account)
        return Decision(draft.account)

    def replay(self, event: Event) -> Account:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True)
class ReadInstallation:
    """The state of the installation's own log, which may never have begun."""

    log: str = INSTALLATION
    stream: str | None = None
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[Account]:
        return Decision(draft.account)

    def replay(self, event: Event) -> Account:
        raise AssertionError("never carries an Idempotency-Key")


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """Credits after the event at `position`: available = added - debited + refunded. `at` is the log's time."""

    available: int
    debited: int
    refunded: int
    added: int
    position: int
    at: datetime | None = None

    @classmethod
    def of(cls, account: Account, position: int, *, at: datetime | None = None) -> "Balance":
        return cls(
            available=account.available,
            debited=account.debited,
            refunded=account.refunded,
            added=account.added,
            position=position,
            at=at,
        )


@dataclass(frozen=True, slots=True)
class ReadBalance:
    """The balance after all that is recorded now."""

    log: str
    stream: str | None = None
    idempotency: str = ""

    def decide(self, draft: Draft) -> Decision[Balance]:
        return Decision(Balance.of(draft.account, draft.position, at=draft.now))

    def replay(self, event: Event) -> Balance:
        raise AssertionError("never carries an Idempotency-Key")


@dataclass(frozen=True, slots=True, repr=False)
class OpenedAccount:
    """A new account and its four keys, in the clear this once."""

    account_id: str
    keys: dict[KeyKind, str]


class Administration:
    """What an operator does. Synchronous: every call waits until it is recorded."""

    def __init__(self, writer: Writer, keyring: Keyring, entropy: Entropy, *, timeout_seconds: float = 15.0) -> None:
        self._writer = writer
        self._keyring = keyring
        self._entropy = entropy
        self._timeout_seconds = timeout_seconds

    def open_account(self, *, name: str, credits: int, by: str) -> OpenedAccount:
        """An account with its live and its test log, one key of each kind, and credits if any."""
        account_id = keys.account_id(self._entropy.bytes(keys.ACCOUNT_BYTES))
        spelled = {
            kind: keys.spell(kind, account=account_id, random=self._entropy.bytes(keys.SECRET_BYTES))
            for kind in keys.KEY_KINDS
        }
        opened = OpenedAccount(account_id, spelled)
        self.open_named(opened, name=name, credits=credits, by=by)
        return opened

    def open_named(self, opened: OpenedAccount, *, name: str, credits: int, by: str) -> None:
        """Record an account whose id and keys are given; what of it was recorded before stays as it is."""
        for mode in ("live", "test"):
            try:
                self._open_log(opened.account_id, name=name, mode=mode, by=by)
            except StateConflict:
                continue
        if credits:
            self.add_credit(opened.account_id, credits=credits, reference="opening", by=by)
        # Keys come last: an account that has them all was opened whole.
        known = self.account(opened.account_id).keys
        for kind, key in opened.keys.items():
            if keys.key_hash(key) not in known:
                self._record_key(opened.account_id, kind=kind, key=key, name="first", origins=(), by=by)

    def account(self, account_id: str) -> Account:
        """State of an account."""
        return self._writer.submit(ReadAccount(account_id)).result(self._timeout_seconds)

    def add_credit(self, account_id: str, *, credits: int, reference: str, by: str) -> bool:
        """Add credits once per reference; False when that reference was there already, with the same amount.

        Raises IdempotencyKeyReused when it was there with another amount.
        """
        idempotency = self._keyring.idempotency(account_id, f"credit {reference}", request=str(credits).encode())
        ours: list[Event] = []

        def rule(account: Account, now: datetime) -> Event:
            ours.append(
                accounts.add_credit(
                    account, credits=credits, reference=reference, by=by, idempotency=idempotency, now=now
                )
            )
            return ours[-1]

        added = self._administer(account_id, rule, idempotency=idempotency)
        return any(added is event for event in ours)

    def issue_key(
        self, account_id: str, *, kind: KeyKind, name: str, origins: tuple[str, ...], by: str
    ) -> tuple[str, str]:
        """A new key: its id, and the key itself, which is not kept."""
        key = keys.spell(kind, account=account_id, random=self._entropy.bytes(keys.SECRET_BYTES))
        return self._record_key(account_id, kind=kind, key=key, name=name, origins=origins, by=by), key

    def _record_key(
        self, account_id: str, *, kind: KeyKind, key: str, name: str, origins: tuple[str, ...], by: str
    ) -> str:
        key_id = "key_" + keys.text(self._entropy.bytes(10), length=16)
        self._administer(
            account_id,
            lambda account, now: accounts.issue_key(
                account,
                key_id=key_id,
                kind=kind,
                key_hash=keys.key_hash(key),
                name=name,
                origins=origins,
                by=by,
                now=now,
            ),
        )
        return key_id

    def restrict_key(
        self, account_id: str, *, key_id: str, name: str | None, origins: tuple[str, ...], by: str
    ) -> bool:
        """Give a key another name or other origins; False when it has them, or none are given."""
        return self._changed(
            account_id,
            lambda account, now: accounts.restrict_key(
                account, key_id=key_id, name=name, origins=origins, by=by, now=now
            ),
        )

    def revoke_key(self, account_id: str, *, key_id: str, by: str) -> bool:
        """End a key; False when it had ended before."""
        return self._changed(
            account_id, lambda account, now: accounts.revoke_key(account, key_id=key_id, by=by, now=now)
        )

    def change_policy(self, account_id: str, *, changes: dict[str, int], by: str) -> bool:
        """Change settings; False when they were so already."""
        return self._changed(
            account_id, lambda account, now: accounts.change_policy(account, changes=changes, by=by, now=now)
        )

    def change_lists(self, account_id: str, *, effect: Effect, kind: Kind, values: list[str], by: str) -> bool:
        """Put values on a list, or take them off; False when that changes nothing. Raises InvalidRequest.

        The installation's lists begin with their first change.
        """
        found = entries(self._keyring, account_id, kind, values)
        if account_id == INSTALLATION:
            with contextlib.suppress(StateConflict):
                self._open_log(INSTALLATION, name="The installation", mode="live", by=by)
        return self._changed(
            account_id,
            lambda account, now: accounts.change_lists(
                account, effect=effect, kind=kind, entries=found, by=by, now=now
            ),
        )

    def lists(self, account_id: str) -> Lists:
        """The lists of an account, or of the installation."""
        if account_id == INSTALLATION:
            return self._writer.submit(ReadInstallation()).result(self._timeout_seconds).lists
        return self.account(account_id).lists

    def suspend(self, account_id: str, *, reason: str, by: str) -> bool:
        """Stop an account; False when it was stopped."""
        return self._changed(account_id, lambda account, now: accounts.suspend(account, reason=reason, by=by, now=now))

    def resume(self, account_id: str, *, by: str) -> bool:
        """Let an account go on; False when it was going."""
        self.account(account_id)
        return self._changed(account_id, lambda account, now: accounts.resume(account, by=by, now=now))

    def adopt_rate_card(
        self, account_id: str, *, card: RateCard, effective_from: datetime | None, by: str
    ) -> RateCardAdopted | None:
        """Charge by another card from a moment on, or from now; None when it is the last adopted."""
        event = self._administer(
            account_id,
            lambda account, now: accounts.adopt_rate_card(
                account, card=card, effective_from=effective_from or now, by=by, now=now
            ),
        )
        return event if isinstance(event, RateCardAdopted) else None

    def issue_statement(
        self,
        account_id: str,
        statement: Callable[[datetime], StatementIssued],
        *,
        closed_period: str,
        grace: timedelta,
    ) -> None:
        """Fix the bill of a period, made at the ledger's moment; raises StateConflict."""
        self._administer(
            account_id,
            lambda account, now: accounts.issue_statement(
                account, statement(now), closed_period=closed_period, grace=grace
            ),
        )

    def change_template(self, account_id: str, *, locale: str, text: str, by: str) -> bool:
        """Word messages in a language otherwise; False when they were so already."""
        return self._worded(
            account_id,
            lambda words, now: wording.change_template(words, locale=locale, text=text, by=by, now=now),
        )

    def remove_template(self, account_id: str, *, locale: str, by: str) -> bool:
        """Use the shipped text again; False when it was used already."""
        return self._worded(
            account_id, lambda words, now: wording.remove_template(words, locale=locale, by=by, now=now)
        )

    def change_wording(self, account_id: str, *, default_locale: str | None, brand: str | None, by: str) -> bool:
        """Change default language or name, None leaving one as it is; False when they were so already."""
        return self._worded(
            account_id,
            lambda words, now: wording.change(words, default_locale=default_locale, brand=brand, by=by, now=now),
        )

    def change_sender(self, account_id: str, *, country: str, sender: str, by: str) -> bool:
        """Name the sender of messages to a country; False when it was that already."""
        return self._worded(
            account_id,
            lambda words, now: wording.change_sender(words, country=country, sender=sender, by=by, now=now),
        )

    def remove_sender(self, account_id: str, *, country: str, by: str) -> bool:
        """Leave the sender to the provider again; False when none was named."""
        return self._worded(
            account_id, lambda words, now: wording.remove_sender(words, country=country, by=by, now=now)
        )

    def _open_log(self, account_id: str, *, name: str, mode: Literal["live", "test"], by: str) -> None:
        self._administer(
            keys.log_of(account_id, mode=mode),
            lambda account, now: accounts.open_account(
                account, account_id=account_id, name=name, mode=mode, by=by, now=now
            ),
        )

    def _worded(self, account_id: str, rule: Callable[[Wording, datetime], Event | None]) -> bool:
        def of_account(account: Account, now: datetime) -> Event | None:
            accounts.require_open(account)
            return rule(account.wording, now)

        return self._changed(account_id, of_account)

    def _changed(self, account_id: str, rule: Callable[[Account, datetime], Event | None]) -> bool:
        return self._administer(account_id, rule) is not None

    def _administer(
        self, log: str, rule: Callable[[Account, datetime], Event | None], *, idempotency: str = ""
    ) -> Event | None:
        if not log.startswith("acct_"):
            raise StateConflict("There is no such account.")
        command = Administer(log, rule, idempotency=idempotency)
        return self._writer.submit(command).result(self._timeout_seconds)
