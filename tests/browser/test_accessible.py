"""Every state in light and dark, left to right and right to left: axe-core finds nothing, and nothing overflows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.shop import Shop
from tests.browser.visitor import Visitor
from tests.http.customer import Customer, wrong
from tests.support.server import Server

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
FOLLOWS = "<meta name=color-scheme content='light dark'><style>body{background:Canvas;color:CanvasText}</style>"
TITLE = "<h1>Sign in</h1>"


def violations(page: Page) -> list[Any]:
    """What axe-core has against the page as it is now."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found: list[Any] = page.evaluate(
        """async tags => (await axe.run(document, {runOnly: tags})).violations
             .map(one => [one.id, one.nodes.map(node => [node.target, node.failureSummary])])""",
        RULES,
    )
    return found


def overflow(page: Page) -> int:
    """How many pixels the page is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


@pytest.mark.parametrize("lang", ["en", "ar"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state_at_320_pixels(
    browser: Browser, shop: Shop, customer: Customer, lang: str, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme, reduced_motion="reduce", viewport={"width": 320, "height": 640})
    visitor = Visitor(context.new_page(), shop, customer)
    visitor.open(head=FOLLOWS, body=f"{TITLE}<div id=verify></div>", lang=lang, theme={"brand": "#10B981"})
    found: dict[str, tuple[list[Any], int]] = {}

    holds: list[Route] = []

    def hold(route: Route) -> None:
        holds.append(route)

    def look(state: str) -> None:
        found[state] = (violations(visitor.page), overflow(visitor.page))

    expect(visitor.host).to_have_attribute("dir", "rtl" if lang == "ar" else "ltr")
    look("phone")
    visitor.main.click()
    expect(visitor.alert).not_to_be_empty()
    look("phone, refused")
    visitor.page.route("**/v1/verify/*", hold)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("sending")
    look("sending")
    holds.pop().continue_()
    visitor.is_in("code")
    visitor.page.unroute("**/v1/verify/*")
    look("code")
    code = visitor.server.code_for(visitor.phone)
    visitor.code_field_filled(wrong(code))
    expect(visitor.alert).not_to_be_empty()
    look("code, wrong")
    visitor.page.route("**/v1/verify/*", hold)
    visitor.code_field_filled(code)
    visitor.is_in("checking")
    look("checking")
    holds.pop().continue_()
    visitor.is_in("verified")
    look("verified")
    visitor.page.unroute("**/v1/verify/*")
    ended(visitor, "locked", {"code": "number_locked"}, status=429, headers={"Retry-After": "3600"})
    look("locked")
    ended(visitor, "failed", {"code": "account_suspended"}, status=403, headers={})
    look("failed")
    assert found == dict.fromkeys(found, ([], 0))
    assert len(found) == 9
    context.close()


def ended(visitor: Visitor, state: str, problem: dict[str, str], *, status: int, headers: dict[str, str]) -> None:
    """Bring it to an end by what the server says."""
    exposed = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After", **headers}
    visitor.page.route(
        "**/v1/verify/send", lambda route: route.fulfill(status=status, json=problem, headers=exposed), times=1
    )
    visitor.page.evaluate("widget.reset()")
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in(state)


@pytest.mark.parametrize("brand", ["#10B981", "#ffff00", "#000000", "#777777", "rgb(0 0 255)"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_brand_colour_comes_out_readable(visit: Callable[..., Visitor], brand: str, scheme: str) -> None:
    visitor = visit(theme={"brand": brand, "scheme": scheme}, body=f"{TITLE}<div id=verify></div>")
    visitor.ask_for_code()
    assert violations(visitor.page) == []


def test_at_twice_the_size_nothing_overflows(visit: Callable[..., Visitor]) -> None:
    visitor = visit(head="<style>html{font-size:200%}</style>", lang="de")
    visitor.page.set_viewport_size({"width": 640, "height": 800})
    seen = [overflow(visitor.page)]
    visitor.ask_for_code()
    seen.append(overflow(visitor.page))
    assert seen == [0, 0]


def test_targets_are_44_pixels_high_and_steps_do_not_shift_the_page(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    tall = """[...document.querySelectorAll('#verify > input, #verify > select'),
               ...document.querySelector('#verify').shadowRoot.querySelectorAll('button')]
              .map(one => one.getBoundingClientRect().height).filter(height => height > 0)"""
    high = visitor.page.evaluate(tall)
    before = visitor.host.bounding_box()
    visitor.ask_for_code()
    high += visitor.page.evaluate(tall)
    after = visitor.host.bounding_box()
    assert min(high) >= 44
    assert before == after


def test_it_stands_in_forced_colours(browser: Browser, shop: Shop, customer: Customer) -> None:
    context = browser.new_context(forced_colors="active")
    visitor = Visitor(context.new_page(), shop, customer)
    visitor.open(body=f"{TITLE}<div id=verify></div>")
    border = "getComputedStyle(document.querySelector('#verify').shadowRoot.querySelector('.main')).borderTopColor"
    assert visitor.page.evaluate(border) != "rgba(0, 0, 0, 0)"
    assert violations(visitor.page) == []
    context.close()


def test_axe_would_find_a_field_without_a_label(visit: Callable[..., Visitor]) -> None:
    visitor = visit(body=f"{TITLE}<div id=verify></div>")
    visitor.page.evaluate("document.querySelectorAll('#verify > label').forEach(label => label.remove())")
    assert {"label", "select-name"} <= {rule for rule, _ in violations(visitor.page)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_demo(browser: Browser, server: Server, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{server.base_url}/demo")
    expect(page.locator("#verify button.main")).to_be_visible()
    assert (violations(page), overflow(page)) == ([], 0)
    context.close()
