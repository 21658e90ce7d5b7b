"""The pages of an account's events in the dashboard: the story of a verification, the audit trail, an event with its proof."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.test_accessible import overflow, violations
from tests.browser.test_receipt import flipped
from tests.http.customer import Customer, mask, number, wrong
from tests.support.server import Server, wait_for

SignIn = Callable[[BrowserContext, str], Page]


@pytest.fixture
def sign_in(server: Server, customer: Customer) -> SignIn:
    """Opens a page of the dashboard as somebody who may read this account and nothing else."""
    name = f"reader-{customer.account_id[5:15]}"
    server.books.operators.add(name, role="")
    server.books.operators.join(name, customer.account_id, role="auditor")

    def go(context: BrowserContext, path: str) -> Page:
        token = server.books.sessions.begin(name)
        context.add_cookies([{"name": "doneotp_session", "value": token, "url": server.base_url}])
        page = context.new_page()
        page.goto(f"{server.base_url}/dashboard{path}")
        return page

    return go


@pytest.fixture
def signed_in(sign_in: SignIn, context: BrowserContext) -> Iterator[Callable[[str], Page]]:
    """The same in the test's own browser, which must have nothing to complain about."""
    complaints: list[str] = []
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    yield lambda path: sign_in(context, path)
    assert [text for text in complaints if "status of 40" not in text] == []


@pytest.fixture
def told(customer: Customer) -> tuple[str, str]:
    """A verification that failed by its limit, settled and sealed: its id, and its masked number."""
    phone = number()
    verification_id, code = customer.live.sent(phone)
    customer.live.guess(phone, wrong(code), times=5)
    customer.live.settled()
    last = customer.live.get("/v1/events").body["events"][-1]["event_id"]
    wait_for(lambda: customer.live.get(f"/v1/audit/proofs/{last}").status == 200)
    return verification_id, mask(phone)


def position_of(customer: Customer, kind: str) -> int:
    events = customer.live.get("/v1/events").body["events"]
    return int(next(event["position"] for event in events if event["type"] == kind))


def test_a_story_says_why_and_leads_to_the_proof_of_each_event(
    signed_in: Callable[[str], Page], customer: Customer, told: tuple[str, str]
) -> None:
    verification_id, masked = told
    page = signed_in(f"/a/{customer.account_id}/story/{verification_id}")
    assert page.locator(".outcome").inner_text() == (
        "Failed: the codes that were tried were wrong, and no try is left. 1 message, 5 wrong codes, 1 credit."
    )
    assert page.get_by_role("heading", level=1).inner_text() == f"Verification of {masked}"
    assert page.locator(".story h3").all_inner_texts() == [
        "Message 1 was asked for.",
        "Message 1 was paid for.",
        "A provider took message 1.",
        *["A wrong code was compared."] * 4,
        "The last wrong code was compared.",
    ]
    assert page.locator(".limit").all_inner_texts() == ["Limit: 5 wrong codes end a verification."]
    page.locator(".story a").first.click()
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "sound")


def test_the_trail_has_every_event_newest_first_and_can_be_filtered(
    signed_in: Callable[[str], Page], customer: Customer, told: tuple[str, str]
) -> None:
    page = signed_in(f"/a/{customer.account_id}/trail")
    expected = [entry["position"] for entry in customer.live.get("/v1/activity?limit=1000").body["activity"]]
    assert [int(text) for text in page.locator("tbody tr td:first-child").all_inner_texts()] == expected
    page.get_by_label("Kind").select_option("AttemptFailed")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(5)
    assert set(page.locator("tbody tr td:nth-child(3)").all_inner_texts()) == {"AttemptFailed"}
    page.get_by_label("Kind").select_option("All of credits")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Story of the verification").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Verification of {told[1]}")


def forged(change: Callable[[dict[str, Any]], None]) -> Callable[[Route], None]:
    """Somebody between the server and the browser, or the server itself."""

    def answer(route: Route) -> None:
        given = route.fetch()
        receipt = given.json()
        change(receipt)
        route.fulfill(response=given, body=json.dumps(receipt))

    return answer


def leave_as_it_is(receipt: dict[str, Any]) -> None:
    """The negative control."""


def change_an_event(receipt: dict[str, Any]) -> None:
    receipt["account"]["entry"] = receipt["account"]["entry"].replace('"attempts_left":4', '"attempts_left":5')


def change_a_path(receipt: dict[str, Any]) -> None:
    receipt["account"]["hashes"][0] = flipped(receipt["account"]["hashes"][0])


@pytest.mark.parametrize(
    "case",
    [(leave_as_it_is, "sound", 0), (change_an_event, "broken", 2), (change_a_path, "broken", 1)],
)
def test_a_tampered_proof_shows_red(
    signed_in: Callable[[str], Page],
    context: BrowserContext,
    customer: Customer,
    told: tuple[str, str],
    case: tuple[Callable[[dict[str, Any]], None], str, int],
) -> None:
    change, verdict, fails = case
    context.route("**/receipt/*", forged(change))
    page = signed_in(f"/a/{customer.account_id}/event/{position_of(customer, 'AttemptFailed')}")
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", verdict)
    expect(page.locator("#verdict li.fails")).to_have_count(fails)
    colour = page.locator("#verdict .verdict").evaluate("one => getComputedStyle(one).color")
    assert (colour == "rgb(166, 27, 27)") == (verdict == "broken")


def test_another_event_in_the_place_of_this_one_shows_red(
    signed_in: Callable[[str], Page], context: BrowserContext, customer: Customer, told: tuple[str, str]
) -> None:
    other = customer.live.get("/v1/events").body["events"][0]["event_id"]
    swapped = customer.live.get(f"/v1/audit/proofs/{other}").body
    context.route("**/receipt/*", lambda route: route.fulfill(json=swapped))
    page = signed_in(f"/a/{customer.account_id}/event/{position_of(customer, 'CodeSent')}")
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "broken")


def test_what_is_not_sealed_yet_is_told_so(
    signed_in: Callable[[str], Page], context: BrowserContext, customer: Customer, told: tuple[str, str]
) -> None:
    detail = "The event is not sealed yet; that takes a few seconds."
    context.route("**/receipt/*", lambda route: route.fulfill(status=404, json={"detail": detail}))
    page = signed_in(f"/a/{customer.account_id}/event/1")
    expect(page.locator("#verdict")).to_have_text(f"There is nothing to check: {detail}")


@pytest.mark.parametrize(
    "path", ["event/0", "event/9999", "event/x", "story/ver_x", "trail?kind=Nonsense", "trail?cursor=x"]
)
def test_what_is_not_there_is_refused_in_words(signed_in: Callable[[str], Page], customer: Customer, path: str) -> None:
    page = signed_in(f"/a/{customer.account_id}/{path}")
    assert page.get_by_role("heading", level=1).inner_text() != ""
    assert page.locator("#verdict, .story, tbody").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_events(
    sign_in: SignIn,
    browser: Browser,
    customer: Customer,
    told: tuple[str, str],
    scheme: Any,
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}, bypass_csp=True)
    found = {}
    for path in (f"story/{told[0]}", "trail", "trail?kind=StatementIssued", "event/1"):
        page = sign_in(context, f"/a/{customer.account_id}/{path}")
        if path.startswith("event"):
            expect(page.locator("#verdict")).to_have_attribute("data-verdict", "sound")
        found[path] = (violations(page), overflow(page))
    context.close()
    assert found == dict.fromkeys(found, ([], 0))
