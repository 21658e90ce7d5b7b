"""A real browser, and pages of another origin than the server's to put the widget on."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.shop import Shop, opened_shop
from tests.browser.visitor import Visitor
from tests.http.customer import Customer
from tests.support.server import Server

WAIT_MS_MAX = 10_000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. One a module: while it runs, nothing else may run a loop in this thread."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("the browser tests need chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    """A web server of somebody else's."""
    with opened_shop() as running:
        yield running


@pytest.fixture
def customer(server: Server) -> Customer:
    """An account of the test's own."""
    return Customer(server, server.open_account())


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(locale="en-US", reduced_motion="reduce")
    made.set_default_timeout(WAIT_MS_MAX)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture
def visit(page: Page, shop: Shop, customer: Customer) -> Callable[..., Visitor]:
    """Opens a page with a widget: `visit(lang="tr", theme={"brand": "#123"})`."""

    def go(**options: Any) -> Visitor:
        visitor = Visitor(page, shop, customer)
        visitor.open(**options)
        return visitor

    return go
