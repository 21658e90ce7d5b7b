"""A visitor of a page with the widget: what they type, and what they see and the page hears."""

import json
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.shop import Shop
from tests.http.customer import Customer, number

STRICT = (
    "default-src 'none'; script-src 'self' {server}; connect-src {server}; style-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"
)
RECORD = """
window.heard = [];
const record = (name) => (detail) => heard.push([name, name === "failed" ? {code: detail.code, final: detail.final} : detail]);
window.start = (options) => window.widget = DoneOTP.init({
  onVerified: record("verified"), onFailed: record("failed"), onSent: record("sent"),
  onStateChange: record("state"), ...options,
});
"""


class Visitor:
    """At a page of a shop with a widget in the element `verify`."""

    def __init__(self, page: Page, shop: Shop, customer: Customer) -> None:
        self.page = page
        self.shop = shop
        self.customer = customer
        self.server = customer.server
        self.phone = number()
        self.complaints: list[str] = []
        page.on("console", lambda message: self._noted(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _noted(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and "Failed to load resource" not in text:
            self.complaints.append(text)

    def open(
        self,
        *,
        policy: str = "",
        head: str = "",
        body: str = "<div id=verify></div>",
        page_lang: str = "en",
        **options: Any,
    ) -> None:
        """Go to a page that starts a widget with these options."""
        given = {"apiKey": self.customer.test.public, "elementId": "verify", "country": "US", **options}
        start = self.shop.file(RECORD + f"start({json.dumps(given)});")
        scripts = f"<script src={self.server.base_url}/widget.js></script><script src={start}></script>"
        strict = policy.format(server=self.server.base_url)
        self.page.goto(self.shop.page(body + scripts, policy=strict, head=head, lang=page_lang))

    @property
    def host(self) -> Locator:
        return self.page.locator("#verify")

    @property
    def number_field(self) -> Locator:
        return self.host.locator("input[type=tel]")

    @property
    def code_field(self) -> Locator:
        return self.host.locator("input[autocomplete=one-time-code]")

    @property
    def country(self) -> Locator:
        return self.host.locator("select")

    @property
    def main(self) -> Locator:
        return self.host.locator("button.main")

    @property
    def alert(self) -> Locator:
        return self.host.locator("[role=alert]")

    def is_in(self, state: str) -> None:
        """Wait until the widget says that it is in this state."""
        expect(self.host).to_have_attribute("data-state", state)

    def ask_for_code(self) -> str:
        """Send the number; returns the code that arrives."""
        self.number_field.fill(self.phone)
        self.main.click()
        self.is_in("code")
        return self.server.code_for(self.phone)

    @property
    def hint(self) -> Locator:
        """What is said above the code."""
        return self.host.locator("p.soft").first

    @property
    def end(self) -> Locator:
        """What is said at the end."""
        return self.host.locator(".end")

    def button(self, name: str) -> Locator:
        return self.host.get_by_role("button", name=name, exact=True)

    def code_field_filled(self, code: str) -> None:
        """Type a code: six digits submit themselves."""
        expect(self.code_field).to_be_editable()
        self.code_field.fill(code)

    def stored(self) -> list[str]:
        """What the page's storage holds."""
        held: list[str] = self.page.evaluate("[...Object.values(sessionStorage), ...Object.values(localStorage)]")
        return held

    def heard(self, name: str) -> list[Any]:
        """What the page's callback of this name was given."""
        told: list[Any] = self.page.evaluate("name => heard.filter(one => one[0] === name).map(one => one[1])", name)
        return told
