"""The storage format: names, fields and defaults that are written down for ever, and nothing that could give a number away."""

import msgspec
import pytest

from domain.events import ACCOUNT_EVENTS, TOPICS, TYPES, VERIFICATION_EVENTS, Answerable, Event

ANSWERABLE = ["key_id=", "client_ip=", "idempotency="]
FORMAT = {
    "CodeRequested.v1": [
        *("at", *ANSWERABLE, "verification_id", "phone", "country", "send", "seed", "digits", "expires_at"),
        *(
            "resend_in",
            "attempts_left",
            "price_credits",
            "segments=",
            "locale=",
            "web_origin=",
            "app_hash=",
            "metadata=",
            "prefix_tag=",
        ),
    ],
    "CodeSent.v1": [
        *("at", "verification_id", "send", "provider", "message_id", "segments="),
        *("cost_micros=", "cost_currency=", "tried="),
    ],
    "SendUnconfirmed.v1": ["at", "verification_id", "send", "reason", "provider", "tried="],
    "SendFailed.v1": ["at", "verification_id", "send", "reason", "provider=", "tried="],
    "DeliveryReported.v1": ["at", "verification_id", "send", "outcome", "provider", "reason="],
    "AttemptFailed.v1": ["at", *ANSWERABLE, "verification_id", "attempts_left"],
    "Verified.v1": ["at", *ANSWERABLE, "verification_id", "phone", "token_id", "token_expires_at"],
    "TokenRedeemed.v1": ["at", *ANSWERABLE, "verification_id", "phone", "token_id"],
    "VerificationCancelled.v1": ["at", *ANSWERABLE, "verification_id"],
    "AccountOpened.v1": ["at", "account_id", "name", "mode", "by="],
    "CreditAdded.v1": ["at", *ANSWERABLE, "credits", "reference", "by="],
    "CreditDebited.v1": [
        "at",
        "verification_id",
        "send",
        "credits",
        "rate_card",
        "country=",
        "units=",
        "unit_credits=",
        "key_id=",
    ],
    "CreditRefunded.v1": ["at", "verification_id", "send", "credits", "reason"],
    "KeyIssued.v1": ["at", "issued_key_id", "kind", "hash", "name=", "origins=", "by="],
    "KeyRevoked.v1": ["at", "revoked_key_id", "by="],
    "KeyRestricted.v1": ["at", "restricted_key_id", "name=", "origins=", "by="],
    "PolicyChanged.v1": ["at", "changes", "by="],
    "ListChanged.v1": ["at", "effect", "kind", "entries", "by="],
    "AccountSuspended.v1": ["at", "reason", "by="],
    "AccountResumed.v1": ["at", "by="],
    "RateCardAdopted.v1": ["at", "rate_card", "per", "prices", "effective_from", "by="],
    "StatementIssued.v1": [
        *(
            "at",
            "period",
            "tree_size",
            "root",
            "credits",
            "added",
            "opening_balance",
            "closing_balance",
            "sha256",
            "by=",
        ),
    ],
    "ClockAdvanced.v1": ["at", "key_id=", "client_ip=", "idempotency=", "seconds"],
    "WebhookEndpointAdded.v1": ["at", "endpoint_id", "url", "types", "by="],
    "WebhookSecretRotated.v1": ["at", "endpoint_id", "secret_number", "previous_until", "by="],
    "WebhookEndpointDisabled.v1": ["at", "endpoint_id", "reason", "by="],
    "WebhookEndpointEnabled.v1": ["at", "endpoint_id", "by="],
    "WebhookEndpointRemoved.v1": ["at", "endpoint_id", "by="],
    "TemplateChanged.v1": ["at", "locale", "text", "by="],
    "TemplateRemoved.v1": ["at", "locale", "by="],
    "WordingChanged.v1": ["at", "default_locale=", "brand=", "by="],
    "SenderChanged.v1": ["at", "country", "sender", "by="],
    "SenderRemoved.v1": ["at", "country", "by="],
}


def fields(event: type[Event]) -> list[str]:
    """Names in order; with `=` those that may be left out."""
    return [field.name if field.required else f"{field.name}=" for field in msgspec.structs.fields(event)]


def test_topics_and_fields_are_what_was_written_down_before():
    assert {topic: fields(event) for topic, event in TYPES.items()} == FORMAT
    assert {topic: event for event, topic in TOPICS.items()} == TYPES


def test_a_fact_belongs_to_a_number_or_to_an_account():
    assert {*VERIFICATION_EVENTS, *ACCOUNT_EVENTS} == set(TYPES.values())
    assert not {*VERIFICATION_EVENTS} & {*ACCOUNT_EVENTS}


@pytest.mark.parametrize("event", TYPES.values())
def test_a_fact_is_frozen_named_by_keyword_and_leaves_out_what_is_not_said(event):
    config = event.__struct_config__
    assert (config.frozen, config.omit_defaults, config.forbid_unknown_fields) == (True, True, False)
    assert all(field.kw_only if hasattr(field, "kw_only") else True for field in msgspec.structs.fields(event))
    with pytest.raises(TypeError):
        event(None)


def test_what_a_repeated_request_finds_again_carries_its_key():
    answerable = {event.__name__ for event in TYPES.values() if issubclass(event, Answerable)}
    assert answerable == {
        "CodeRequested",
        "AttemptFailed",
        "Verified",
        "TokenRedeemed",
        "VerificationCancelled",
        "CreditAdded",
        "ClockAdvanced",
    }
