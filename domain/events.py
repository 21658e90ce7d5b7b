"""Every fact DoneOTP records: this is the storage format.

An event is stored as the JSON of its struct under a stable topic (`CodeSent.v1`). Fields may be added with a default;
none is ever renamed or removed, and the bytes once stored are the bytes that are hashed. Phone numbers and IP addresses
are masked before an event exists; codes, keys and tokens are never in one.
"""

from datetime import datetime
from typing import Final, Literal

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What every fact has: the moment it was decided, UTC."""

    at: datetime


class Answerable(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A fact that a client's request caused, so that a repeated `Idempotency-Key` finds its answer again.

    `idempotency` is `<keyed hash of the key>.<keyed hash of the request>`; neither can be tried offline.
    """

    key_id: str = ""
    client_ip: str = ""
    idempotency: str = ""


# Verification: one stream per account and number.


class CodeRequested(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """A code was asked for. `seed` and the secret key give the code; a resend repeats both `verification_id` and seed.

    `prefix_tag` tells the holder of the secret key which requests went to one prefix, and nobody else anything.
    """

    verification_id: str
    phone: str
    country: str
    send: int
    seed: str
    digits: int
    expires_at: datetime
    resend_in: int
    attempts_left: int
    price_credits: int
    segments: int = 1
    locale: str = ""
    web_origin: str = ""
    app_hash: str = ""
    metadata: dict[str, str | int | float | bool | None] = {}
    prefix_tag: str = ""


class CodeSent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A provider accepted the message, or reported of it as its own.

    `message_id` is the provider's name for it; `cost_micros` millionths of `cost_currency`, which is empty when the
    provider says no price. `tried` are the providers that it was offered to before, each with its reason.
    """

    verification_id: str
    send: int
    provider: str
    message_id: str
    segments: int = 1
    cost_micros: int = 0
    cost_currency: str = ""
    tried: tuple[str, ...] = ()


class SendUnconfirmed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The message went out to a provider, and no answer says whether it was taken. A receipt may; time ends it."""

    verification_id: str
    send: int
    reason: str
    provider: str
    tried: tuple[str, ...] = ()


class SendFailed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """No provider accepted the message, none ever said so (`unknown`), or the process that held it died (`abandoned`)."""

    verification_id: str
    send: int
    reason: str
    provider: str = ""
    tried: tuple[str, ...] = ()


class DeliveryReported(Event, frozen=True, kw_only=True, omit_defaults=True):
    """What the provider said of the message afterwards."""

    verification_id: str
    send: int
    outcome: Literal["delivered", "undelivered"]
    provider: str
    reason: str = ""


class AttemptFailed(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """A wrong code was compared."""

    verification_id: str
    attempts_left: int


class Verified(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """The right code was compared; `token_id` is the `jti` of the token it earned, `token_expires_at` its `exp`."""

    verification_id: str
    phone: str
    token_id: str
    token_expires_at: datetime


class TokenRedeemed(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """The token was redeemed: once."""

    verification_id: str
    phone: str
    token_id: str


class VerificationCancelled(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """The account withdrew the verification."""

    verification_id: str


# Account: one stream per account.


class AccountOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A log begins. A test log never sends, never debits and has a clock that its owner may advance."""

    account_id: str
    name: str
    mode: Literal["live", "test"]
    by: str = ""


class CreditAdded(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """Credits were bought or granted. `reference` is the payment's name in the payer's books."""

    credits: int
    reference: str
    by: str = ""


class CreditDebited(Event, frozen=True, kw_only=True, omit_defaults=True):
    """One message was paid for. Stored in one transaction with, and right after, its CodeRequested.

    `credits` is `units` (messages, or their segments) at `unit_credits` each, as `rate_card` says for the country.
    `key_id` is the public key that asked, whose spending has a cap of its own.
    """

    verification_id: str
    send: int
    credits: int
    rate_card: str
    country: str = ""
    units: int = 1
    unit_credits: int = 0
    key_id: str = ""


class CreditRefunded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debit for one message was given back: at most once."""

    verification_id: str
    send: int
    credits: int
    reason: str


class KeyIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An API key exists. `hash` is the SHA-256 of a key with 130 random bits; the key itself was shown once."""

    issued_key_id: str
    kind: Literal["sk_live", "pk_live", "sk_test", "pk_test"]
    hash: str
    name: str = ""
    origins: tuple[str, ...] = ()
    by: str = ""


class KeyRevoked(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An API key ended."""

    revoked_key_id: str
    by: str = ""


class KeyRestricted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """From here on an API key has this name, and these are the pages it may be used on."""

    restricted_key_id: str
    name: str = ""
    origins: tuple[str, ...] = ()
    by: str = ""


class PolicyChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Settings of the account's policy changed; only those named did."""

    changes: dict[str, int]
    by: str = ""


class ListChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Entries were put on the account's lists, or taken off them.

    `entries` holds what is looked up and how it is shown. Numbers, and networks narrower than a mask, are keyed hashes.
    """

    effect: Literal["allow", "block", "remove"]
    kind: Literal["ip", "number", "prefix", "country", "origin", "type"]
    entries: dict[str, str]
    by: str = ""


class AccountSuspended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing is sent, checked or redeemed until AccountResumed."""

    reason: str
    by: str = ""


class AccountResumed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The suspension ended."""

    by: str = ""


class RateCardAdopted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """From `effective_from` on, messages cost what this card says. `rate_card` is the name of the content."""

    rate_card: str
    per: Literal["message", "segment"]
    prices: dict[str, int]
    effective_from: datetime
    by: str = ""


class StatementIssued(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The bill of a period is fixed at the first `tree_size` events of the log; what comes later is a later bill's.

    `period` is a month, UTC. `root` is the log's RFC 6962 root at that size, `sha256` that of the statement as CSV.
    """

    period: str
    tree_size: int
    root: str
    credits: int
    added: int
    opening_balance: int
    closing_balance: int
    sha256: str
    by: str = ""


class ClockAdvanced(Answerable, frozen=True, kw_only=True, omit_defaults=True):
    """The clock of a test log was moved forward by `seconds`."""

    seconds: int


class WebhookEndpointAdded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """From here on facts of these types are posted to `url`. What signs them is derived, and never here."""

    endpoint_id: str
    url: str
    types: tuple[str, ...]
    by: str = ""


class WebhookSecretRotated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Posts are signed with another secret, and with the one before it as well until `previous_until`."""

    endpoint_id: str
    secret_number: int
    previous_until: datetime
    by: str = ""


class WebhookEndpointDisabled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing more is posted there: by an operator, or because the receiver said that it is gone."""

    endpoint_id: str
    reason: str
    by: str = ""


class WebhookEndpointEnabled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Facts are posted there again, from here on."""

    endpoint_id: str
    by: str = ""


class WebhookEndpointRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The endpoint ended, and what waited for it."""

    endpoint_id: str
    by: str = ""


class TemplateChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Messages in this language are worded like this: `{code}` and `{minutes}` are filled in, nothing else."""

    locale: str
    text: str
    by: str = ""


class TemplateRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Messages in this language have the shipped text again."""

    locale: str
    by: str = ""


class WordingChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """From here on `default_locale` is the language of those who name none, and `brand` stands before shipped texts."""

    default_locale: str = ""
    brand: str = ""
    by: str = ""


class SenderChanged(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Messages to a country, `*` for all that are not named, come from this name or short code."""

    country: str
    sender: str
    by: str = ""


class SenderRemoved(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Messages to a country come from whatever the provider sends them from."""

    country: str
    by: str = ""


VERIFICATION_EVENTS: Final = (
    CodeRequested,
    CodeSent,
    SendUnconfirmed,
    SendFailed,
    DeliveryReported,
    AttemptFailed,
    Verified,
    TokenRedeemed,
    VerificationCancelled,
)
ACCOUNT_EVENTS: Final = (
    AccountOpened,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    KeyIssued,
    KeyRevoked,
    KeyRestricted,
    PolicyChanged,
    ListChanged,
    AccountSuspended,
    AccountResumed,
    RateCardAdopted,
    StatementIssued,
    ClockAdvanced,
    WebhookEndpointAdded,
    WebhookSecretRotated,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    TemplateChanged,
    TemplateRemoved,
    WordingChanged,
    SenderChanged,
    SenderRemoved,
)
TYPES: Final[dict[str, type[Event]]] = {
    f"{event.__name__}.v1": event for event in (*VERIFICATION_EVENTS, *ACCOUNT_EVENTS)
}
TOPICS: Final[dict[type[Event], str]] = {event: topic for topic, event in TYPES.items()}
