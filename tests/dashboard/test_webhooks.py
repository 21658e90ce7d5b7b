"""The page of webhooks: endpoints, their secrets, their deliveries with each attempt, and one more of them."""

import re
from collections.abc import Iterator

import pytest

from domain.webhooks import Endpoint
from interfaces.webhooks import reads
from tests.dashboard.clerk import at_work
from tests.http.customer import Customer, number
from tests.support.customer_hook import Hook, hooked
from tests.support.server import Server, wait_for

URL = "https://shop.example/hooks"
HOSTILE = "<script>alert(1)</script>\"'&"
ACTS = ("add", "rotate", "disable", "enable", "remove", "replay")


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooked() as receiving:
        yield receiving


def at(customer: Customer) -> str:
    return f"/dashboard/a/{customer.account_id}/webhooks"


def endpoints(server: Server, customer: Customer) -> tuple[Endpoint, ...]:
    return server.books.webhooks.endpoints(customer.account_id)


def deliveries(server: Server, customer: Customer) -> list[reads.Delivery]:
    return reads.deliveries(server.books.recorder.execute, customer.account_id)


def secrets_in(text: str) -> list[str]:
    return re.findall(r"whsec_[A-Za-z0-9+/=]+", text)


def verified(server: Server, customer: Customer) -> str:
    """A number that was verified with the live key."""
    e164, key = number(), customer.keys["sk_live"]
    assert server.post("/v1/verify/send", {"phone_number": e164}, key=key).status == 200
    body = {"phone_number": e164, "code": server.code_for(e164)}
    assert server.post("/v1/verify/check", body, key=key).status == 200
    return e164


def test_an_endpoint_is_added_rotated_disabled_enabled_and_removed(server: Server, customer: Customer) -> None:
    clerk, here = at_work(server, "hooks-all"), at(customer)
    added = clerk.post(f"{here}/add", url=URL, types="account.*\r\nverification.verified\r\n")
    (endpoint,) = endpoints(server, customer)
    assert (endpoint.url, endpoint.types) == (URL, ("account.*", "verification.verified"))
    rotated = clerk.post(f"{here}/rotate", endpoint=endpoint.id, hours="24")
    (first,), (second,) = secrets_in(added.text), secrets_in(rotated.text)
    assert first != second
    page = clerk.get(here).text
    assert ("2 and 1" in page, "enabled" in page, "account.*" in page, secrets_in(page)) == (True, True, True, [])
    outcomes = [
        clerk.post(f"{here}/{act}", endpoint=endpoint.id).location.rpartition("=")[2]
        for act in ("disable", "disable", "enable", "enable", "remove")
    ]
    assert outcomes == ["disabled", "same", "enabled", "same", "removed"]
    assert endpoints(server, customer) == ()
    assert [clerk.post(f"{here}/{act}", endpoint=endpoint.id, hours="1").status for act in ACTS[1:5]] == [409] * 4
    found = server.books.recorder.select_log(customer.account_id, after=0, limit=1_000)
    assert [one.topic for one in found if b'"by":"dashboard:hooks-all"' in one.state] == [
        "WebhookEndpointAdded.v1",
        "WebhookSecretRotated.v1",
        "WebhookEndpointDisabled.v1",
        "WebhookEndpointEnabled.v1",
        "WebhookEndpointRemoved.v1",
    ]
    log = (server.home / "logs" / "server.log").read_text()
    stored = "".join(one.state.decode() for one in found)
    assert [secret for secret in (first, second) if secret in log + stored] == []


def test_deliveries_are_shown_with_each_attempt_and_one_is_delivered_once_more(
    server: Server, customer: Customer, hook: Hook
) -> None:
    clerk, here = at_work(server, "hooks-again"), at(customer)
    secret = secrets_in(clerk.post(f"{here}/add", url=hook.url, types="verification.verified").text)[0]
    (endpoint,) = endpoints(server, customer)
    e164 = verified(server, customer)
    wait_for(lambda: [one.status for one in deliveries(server, customer)] == ["delivered"])
    (delivery,) = deliveries(server, customer)
    text = clerk.get(f"{here}/{endpoint.id}").text
    (attempt,) = delivery.attempts
    wanted = (">verification.verified<", f"200, taken, {attempt.duration_ms:,} ms", delivery.event_id)
    assert [one for one in wanted if one not in text] == []
    assert e164.removeprefix("+") not in text
    again = clerk.post(f"{here}/replay", endpoint=endpoint.id, position=str(delivery.position))
    assert again.location == f"{here}/{endpoint.id}?done=again"
    wait_for(lambda: len(hook.got) == 2)
    first, second = hook.got
    assert (second.id, second.body, second.verified_with(secret)) == (first.id, first.body, first.document)
    wait_for(lambda: len(deliveries(server, customer)[0].attempts) == 2)
    none = clerk.post(f"{here}/replay", endpoint=endpoint.id, position="1")
    assert none.location.endswith("done=same")


def test_a_failed_attempt_shows_its_error_and_when_the_next_is_due(
    server: Server, customer: Customer, hook: Hook
) -> None:
    hook.answer = lambda got: 500
    clerk, here = at_work(server, "hooks-failed"), at(customer)
    clerk.post(f"{here}/add", url=hook.url, types="verification.verified")
    (endpoint,) = endpoints(server, customer)
    verified(server, customer)
    wait_for(lambda: any(one.attempts and one.next_at for one in deliveries(server, customer)))
    (delivery,) = deliveries(server, customer)
    assert delivery.next_at is not None
    text = clerk.get(f"{here}/{endpoint.id}?status=waiting").text
    wanted = (f"500, {delivery.attempts[0].error}, ", f"{delivery.next_at:%Y-%m-%d %H:%M}")
    assert [one for one in wanted if one not in text] == []
    empty = clerk.get(f"{here}/{endpoint.id}?status=delivered").text
    assert ("verification.verified" in empty, "None." in empty) == (False, True)
    page = clerk.get(here).text
    fare = reads.fares(server.books.recorder.execute, customer.account_id)[endpoint.id]
    assert (fare.failures >= 1, f'<td class="n">{fare.failures}</td><td class="n">1</td>' in page) == (True, True)
    clerk.post(f"{here}/disable", endpoint=endpoint.id)
    refused = clerk.post(f"{here}/replay", endpoint=endpoint.id, position=str(delivery.position))
    assert (refused.status, "enable the endpoint first" in refused.text) == (409, True)


def test_more_deliveries_than_a_page_holds_are_all_found_by_older(server: Server, customer: Customer) -> None:
    clerk, here, account = at_work(server, "hooks-older"), at(customer), customer.account_id
    clerk.post(f"{here}/add", url="https://shop.invalid/hooks", types="account.credit_added")
    (endpoint,) = endpoints(server, customer)
    for place in range(52):
        server.books.administration.add_credit(account, credits=1, reference=f"r{place}", by="test")
    wait_for(lambda: len(deliveries(server, customer)) == 52)
    seen: list[int] = []
    path: str | None = f"{here}/{endpoint.id}"
    while path:
        text = clerk.get(path).text
        seen += [int(position) for position in re.findall(r'/event/(\d+)"', text)]
        older = re.search(r'href="([^"]+\?cursor=\d+)"', text)
        path = older[1] if older else None
    assert seen == [one.position for one in deliveries(server, customer)]


def test_an_auditor_reads_a_biller_does_not_and_neither_does_anything(server: Server, customer: Customer) -> None:
    endpoint = server.books.webhooks.add(customer.account_id, url=URL, types=("verification.*",), by="test")
    before, seen = endpoints(server, customer), {}
    fields = {"url": URL, "endpoint": endpoint.id, "hours": "1", "position": "1"}
    for role in ("auditor", "biller"):
        clerk = at_work(server, f"hooks-{role}", role=role, account_id=customer.account_id)
        pages = [clerk.get(at(customer)), clerk.get(f"{at(customer)}/{endpoint.id}")]
        acts = {clerk.post(f"{at(customer)}/{act}", **fields).status for act in ACTS}
        seen[role] = ([page.status for page in pages], any("/webhooks/add" in page.text for page in pages), acts)
    assert seen == {"auditor": ([200, 200], False, {403}), "biller": ([403, 403], False, {403})}
    assert endpoints(server, customer) == before


def test_a_form_of_another_page_or_session_does_nothing(server: Server, customer: Customer) -> None:
    clerk = at_work(server, "hooks-forged")
    forged = clerk.post(f"{at(customer)}/add", csrf="0" * 64, url=URL)
    foreign = clerk.post_from({"Sec-Fetch-Site": "cross-site"}, f"{at(customer)}/add", url=URL)
    assert ([forged.status, foreign.status], endpoints(server, customer)) == ([403, 403], ())
    assert (clerk.post(f"{at(customer)}/add", url=URL).status, len(endpoints(server, customer))) == (200, 1)


def test_hostile_words_stay_words(server: Server, customer: Customer) -> None:
    clerk = at_work(server, "hooks-hostile")
    clerk.post(f"{at(customer)}/add", url="https://shop.example/a'&b")
    (endpoint,) = endpoints(server, customer)
    clerk.post(f"{at(customer)}/disable", endpoint=endpoint.id, reason=HOSTILE)
    raw = server.get(at(customer), headers={"Cookie": clerk.cookie}).text
    assert ("<script>alert(1)" in raw, "&lt;script&gt;alert(1)" in raw, "a&#39;&amp;b" in raw) == (False, True, True)


@pytest.mark.parametrize(
    ("act", "fields", "status"),
    [
        ("add", {"url": "http://10.0.0.1/x"}, 400),
        ("add", {"url": "https://shop.example:22/x"}, 400),
        ("add", {"url": "https://10.0.0.1/x"}, 400),
        ("add", {"url": HOSTILE}, 400),
        ("add", {"url": ""}, 400),
        ("add", {"url": URL, "types": HOSTILE}, 400),
        ("rotate", {"endpoint": "we_none", "hours": "1"}, 409),
        ("rotate", {"endpoint": "we_none", "hours": "169"}, 400),
        ("rotate", {"endpoint": "we_none", "hours": "-1"}, 400),
        ("disable", {"endpoint": HOSTILE}, 409),
        ("replay", {"endpoint": "../../x", "position": "1"}, 409),
        ("replay", {"endpoint": "we_none", "position": "9" * 16}, 400),
        ("nothing", {}, 404),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(
    server: Server, customer: Customer, act: str, fields: dict[str, str], status: int
) -> None:
    clerk = at_work(server, f"hooks-{customer.account_id[-8:].lower().replace('_', '-')}")
    seen = clerk.post(f"{at(customer)}/{act}", **fields)
    assert (seen.status, endpoints(server, customer), "<script>" in seen.text) == (status, (), False)


@pytest.mark.parametrize(
    "path", ["/we_none", "/we_none?status=x", "?status=x", "/{endpoint}?cursor=x", "/{endpoint}?status=x"]
)
def test_an_address_that_no_page_of_ours_links_to_is_no_failure(server: Server, customer: Customer, path: str) -> None:
    endpoint = server.books.webhooks.add(customer.account_id, url=URL, types=("verification.*",), by="test")
    name = f"hooks-{customer.account_id[-8:].lower().replace('_', '-')}"
    seen = at_work(server, name).get(at(customer) + path.format(endpoint=endpoint.id))
    assert seen.status == (404 if path == "/we_none" else 200 if path == "?status=x" else 400)
