"""The demo: the widget beside a page that does the server's part."""

from playwright.sync_api import Page, expect

from tests.http.customer import number
from tests.support.server import Server


def test_the_demo_shows_the_message_and_validates_the_token_on_its_server(page: Page, server: Server) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    phone = number()
    page.goto(f"{server.base_url}/demo")
    host = page.locator("#verify")
    host.locator("input[type=tel]").fill(phone)
    host.locator("button.main").click()
    expect(page.locator("#message")).to_contain_text("is your verification code")
    code = str(page.locator("#message").text_content())[:6]
    host.locator("input[autocomplete=one-time-code]").fill(code)
    expect(page.locator("#said")).to_have_text(f"Signed in as {phone[:5]}****{phone[-4:]}.")
    expect(page.locator("#exchange")).to_contain_text('"valid": true')
    assert complaints == []
    assert "sk_test_" + server.keys["sk_test"][8:] not in page.content()
