"""The dashboard in a real browser: clicked through, in light and dark, on a phone, by keyboard, without JavaScript."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessible import overflow, violations
from tests.http.customer import Customer, number
from tests.support.server import Server

PAGES = ("overview", "verifications", "keys", "webhooks", "lists", "credits", "statements", "policy")


def signed_in(page: Page, server: Server, name: str) -> Page:
    """By a link, as its button does it."""
    operators = server.books.operators
    if operators.find(name) is None:
        operators.add(name, role="operator")
    page.goto(f"{server.base_url}/dashboard/login?ticket={server.books.sessions.ticket(name)}")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page


def traffic(server: Server, customer: Customer, *, count: int = 3) -> None:
    """Verifications with the live key: all but the last are verified."""
    key = customer.keys["sk_live"]
    for place in range(count):
        e164 = number()
        assert server.post("/v1/verify/send", {"phone_number": e164}, key=key).status == 200
        if place < count - 1:
            body = {"phone_number": e164, "code": server.code_for(e164)}
            assert server.post("/v1/verify/check", body, key=key).status == 200


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, server: Server, customer: Customer, scheme: Any, width: int
) -> None:
    account = customer.account_id
    endpoint = server.books.webhooks.add(
        account, url="https://shop.example/hooks", types=("verification.*",), by="test"
    )
    server.books.webhooks.disable(account, endpoint_id=endpoint.id, reason="pause", by="test")
    put = server.books.administration.change_lists
    put(account, effect="block", kind="number", values=[number()], by="test")
    put(account, effect="allow", kind="origin", values=["https://shop.example"], by="test")
    traffic(server, customer)
    context = browser.new_context(
        color_scheme=scheme, reduced_motion="reduce", viewport={"width": width, "height": 720}
    )
    page = context.new_page()
    found: dict[str, tuple[list[Any], int]] = {}

    def look(name: str) -> None:
        closed = page.locator("details:not([open]) > summary")
        while closed.count():
            closed.first.click()
        found[name] = (violations(page), overflow(page))

    page.goto(f"{server.base_url}/dashboard/login")
    look("login")
    signed_in(page, server, f"axe-{scheme}-{width}")
    for name in (*PAGES, f"webhooks/{endpoint.id}"):
        page.goto(f"{server.base_url}/dashboard/a/{account}/{name}")
        look(name)
    for name in ("accounts", "people", "me", "nothing"):
        page.goto(f"{server.base_url}/dashboard/{name}")
        look(name)
    page.goto(f"{server.base_url}/dashboard/me")
    page.get_by_role("button", name="Set it up").click()
    look("second factor")
    context.close()
    assert found == dict.fromkeys(found, ([], 0))


def test_an_operator_clicks_through_without_javascript(browser: Browser, server: Server, customer: Customer) -> None:
    traffic(server, customer)
    context = browser.new_context(java_script_enabled=False)
    page = signed_in(context.new_page(), server, "clicker")
    page.goto(f"{server.base_url}/dashboard/a/{customer.account_id}/overview")
    page.get_by_role("link", name="Keys", exact=True).click()
    page.get_by_text("Issue a key").click()
    page.get_by_label("Kind").select_option("pk_live")
    page.get_by_label("Origins of pages").fill("https://shop.example")
    page.get_by_role("button", name="Issue").click()
    new = page.locator("code.new").inner_text()
    page.get_by_role("link", name="I have it").click()
    expect(page.locator("tbody")).to_contain_text("https://shop.example")
    expect(page.locator("body")).not_to_contain_text(new)
    page.get_by_role("link", name="Webhooks", exact=True).click()
    page.get_by_text("Add an endpoint").click()
    page.get_by_label("URL").fill("https://shop.example/hooks")
    page.get_by_role("button", name="Add").click()
    expect(page.locator("code.new").first).to_contain_text("whsec_")
    page.get_by_role("link", name="I have it").click()
    page.get_by_role("button", name="Disable").click()
    expect(page.locator("tbody")).to_contain_text("by the operator")
    page.get_by_role("link", name="Lists", exact=True).click()
    page.get_by_text("Allow, block or take off").click()
    page.locator("select[name=kind]").select_option("country")
    page.get_by_label("Values").fill("TR")
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("button", name="Take TR off the lists").click()
    expect(page.get_by_role("status")).to_have_text("Changed.")
    page.get_by_role("link", name="Credits", exact=True).click()
    page.get_by_label("Credits").fill("250")
    page.get_by_label("Reference").fill("inv-9")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("status")).to_have_text("Added.")
    page.get_by_role("link", name="Policy", exact=True).click()
    page.get_by_label("Why").fill("late")
    page.get_by_role("button", name="Suspend the account").click()
    expect(page.locator(".notice.bad")).to_have_text("This account is suspended: late")
    page.get_by_role("button", name="Resume the account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    context.close()
    assert new.startswith("pk_live_")


def test_the_keyboard_comes_first_to_the_link_that_skips_what_is_on_every_page(page: Page, server: Server) -> None:
    signed_in(page, server, "typist")
    page.goto(f"{server.base_url}/dashboard/accounts")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_a_page_loads_nothing_from_elsewhere_and_breaks_no_rule_of_its_own(
    page: Page, server: Server, customer: Customer
) -> None:
    complaints: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    signed_in(page, server, "watcher")
    page.goto(f"{server.base_url}/dashboard/a/{customer.account_id}/overview")
    assert complaints == []
    assert [url for url in asked if not url.startswith((server.base_url, "data:"))] == []
