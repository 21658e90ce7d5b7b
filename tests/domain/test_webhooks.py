"""Endpoints of an account: what may be one, how its secrets are counted, and under which names facts arrive."""

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from domain import account as accounts
from domain import webhooks
from domain.account import Account
from domain.events import (
    PolicyChanged,
    WebhookEndpointAdded,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
)
from domain.refusals import InvalidRequest, Refusal, StateConflict
from domain.webhooks import ENDPOINTS_MAX, Endpoint
from tests.support.clock import NOON
from tests.support.given import moment, opened

URL = "https://shop.example/hooks"
ADDED = WebhookEndpointAdded(at=NOON, endpoint_id="we_1", url=URL, types=("verification.*",), by="cli:ann")
ENDPOINT = Endpoint(id="we_1", url=URL, types=("verification.*",), added_at=NOON)
DISABLED = WebhookEndpointDisabled(at=NOON, endpoint_id="we_1", reason="gone", by="system")


def add(endpoints: tuple[Endpoint, ...] = (), **given: Any):
    wanted: dict[str, Any] = {
        "endpoint_id": "we_1",
        "url": URL,
        "types": ("verification.*",),
        "by": "cli:ann",
        "now": NOON,
    } | given
    return webhooks.add(endpoints, **wanted)


def refusal(**given: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        add(**given)
    return str(refused.value)


def test_an_endpoint_is_added_with_its_types_sorted_and_once():
    types = ("verification.verified", "account.*", "verification.verified")
    assert add(types=types) == replace(ADDED, types=("account.*", "verification.verified"))


@pytest.mark.parametrize(
    "url",
    [
        *("https://shop.example", "http://127.0.0.1:9/x", "https://[2001:db8::1]:8443/a", "https://a/b;c=d/~e%20f"),
        "https://shop.example:65535/",
    ],
)
def test_an_address_is_a_scheme_a_host_a_port_and_a_path(url):
    assert add(url=url) == replace(ADDED, url=url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "shop.example", "ftp://shop.example/", "https://", "https:///x", "//shop.example", "https:shop.example"),
        *("https://ann:pw@shop.example/", "https://ann@shop.example/", "https://shop.example/?token=1"),
        *(
            "https://shop.example/#a",
            "https://shop.example:0/",
            "https://shop.example:65536/",
            "https://shop.example:x/",
        ),
        *("https://shop.example/+14155552671", "https://shop.example/\n", "https://shöp.example/", "https://a\\b/"),
        *(
            "https://shop.example/%zz",
            "https://-a/",
            "https://[::1",
            "https://shop.example/ a",
            "https://a/" + "b" * 1024,
        ),
    ],
)
def test_an_address_has_no_user_query_fragment_or_anything_odd(url):
    assert refusal(url=url).startswith("url must be https://host/path in ASCII, without user, query and fragment")


@pytest.mark.parametrize("types", [(), ("verification.sent",), ("*",), ("verification.verified",) * 65])
def test_types_are_names_of_facts(types):
    assert refusal(types=types).startswith("types must be 1 to 64 of: account.clock_advanced, ")


def test_a_log_has_few_endpoints():
    many = tuple(replace(ENDPOINT, id=f"we_{number}") for number in range(ENDPOINTS_MAX))
    assert refusal(endpoints=many) == "A log has at most 16 webhook endpoints; remove one first."
    assert add(many[1:]) == ADDED


def test_rotating_counts_and_the_last_secret_signs_until_the_overlap_is_over():
    rotated = webhooks.rotate((ENDPOINT,), endpoint_id="we_1", overlap=timedelta(hours=1), by="cli:ann", now=moment(0))
    assert rotated == WebhookSecretRotated(
        at=NOON, endpoint_id="we_1", secret_number=2, previous_until=moment(3600), by="cli:ann"
    )
    (endpoint,) = webhooks.evolve((ENDPOINT,), rotated)
    assert endpoint == replace(ENDPOINT, secret_number=2, previous_until=moment(3600))
    assert [endpoint.secret_numbers(moment(at)) for at in (0, 3599, 3600)] == [(2, 1), (2, 1), (2,)]
    assert ENDPOINT.secret_numbers(NOON) == (1,)


@pytest.mark.parametrize("hours", [-1, 7 * 24 + 1])
def test_two_secrets_are_valid_for_a_week_at_most(hours):
    with pytest.raises(InvalidRequest, match="0 to 168 hours"):
        webhooks.rotate((ENDPOINT,), endpoint_id="we_1", overlap=timedelta(hours=hours), by="", now=NOON)


def test_an_endpoint_is_disabled_and_enabled_once():
    off = replace(ENDPOINT, disabled="gone")
    enabled = WebhookEndpointEnabled(at=NOON, endpoint_id="we_1", by="cli:ann")
    say: dict[str, Any] = {"endpoint_id": "we_1", "now": NOON}
    assert webhooks.disable((ENDPOINT,), reason="gone", by="system", **say) == DISABLED
    assert webhooks.disable((off,), reason="again", by="system", **say) is None
    assert webhooks.enable((off,), by="cli:ann", **say) == enabled
    assert webhooks.enable((ENDPOINT,), by="cli:ann", **say) is None
    assert webhooks.evolve((ENDPOINT,), DISABLED) == (off,)
    assert webhooks.evolve((off,), enabled) == (ENDPOINT,)


@pytest.mark.parametrize("reason", ["", "a\nb", "a" * 241, "call +14155552671"])
def test_a_reason_is_a_line(reason):
    with pytest.raises(InvalidRequest, match="reason must"):
        webhooks.disable((ENDPOINT,), endpoint_id="we_1", reason=reason, by="", now=NOON)


def test_a_removed_endpoint_is_gone_and_others_stay():
    other = replace(ENDPOINT, id="we_2")
    removed = webhooks.remove((ENDPOINT, other), endpoint_id="we_1", by="cli:ann", now=NOON)
    assert removed == WebhookEndpointRemoved(at=NOON, endpoint_id="we_1", by="cli:ann")
    assert webhooks.evolve((ENDPOINT, other), removed) == (other,)
    assert webhooks.evolve((ENDPOINT, other), replace(DISABLED, endpoint_id="we_2"))[0] == ENDPOINT


def test_what_is_not_there_cannot_be_changed():
    calls = (
        lambda: webhooks.rotate((), endpoint_id="we_1", overlap=timedelta(0), by="", now=NOON),
        lambda: webhooks.disable((), endpoint_id="we_1", reason="r", by="", now=NOON),
        lambda: webhooks.enable((), endpoint_id="we_1", by="", now=NOON),
        lambda: webhooks.remove((ENDPOINT,), endpoint_id="we_2", by="", now=NOON),
    )
    said: list[Refusal] = []
    for call in calls:
        with pytest.raises(StateConflict) as refused:
            call()
        said.append(refused.value)
    assert {str(one) for one in said} == {"There is no such webhook endpoint."}


def test_an_account_knows_its_endpoints():
    account = Account()
    for event in (opened(), ADDED, DISABLED):
        account = accounts.evolve(account, event)
    assert account.webhooks == (replace(ENDPOINT, disabled="gone"),)
    assert webhooks.evolve((ENDPOINT,), PolicyChanged(at=NOON, changes={})) == (ENDPOINT,)


def test_a_type_is_wanted_by_name_or_by_kind():
    wanted = [
        (("verification.verified",), "verification.verified"),
        (("verification.verified",), "verification.cancelled"),
        (("verification.*",), "verification.cancelled"),
        (("verification.*",), "account.credit_added"),
        (("account.*", "verification.verified"), "account.credit_added"),
    ]
    assert [webhooks.wants(types, name) for types, name in wanted] == [True, False, True, False, True]


def test_the_names_of_facts_are_what_was_written_down_before():
    topics = ["CodeRequested.v1", "Verified.v1", "VerificationCancelled.v1", "AccountOpened.v1", "CreditAdded.v1"]
    assert [webhooks.type_of(topic) for topic in [*topics, "CreditAdded.v2"]] == [
        "verification.code_requested",
        "verification.verified",
        "verification.cancelled",
        "account.opened",
        "account.credit_added",
        "account.credit_added.v2",
    ]
