"""The widget on a page of another origin, from the number to the token."""

from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.visitor import STRICT, Visitor
from tests.http.customer import TOKEN, VERIFICATION_ID


def test_number_code_token_and_the_server_has_the_last_word(visit: Callable[..., Visitor]) -> None:
    visitor = visit(theme={"brand": "#10B981"})
    code = visitor.ask_for_code()
    expect(visitor.host.locator("p.soft").first).to_be_visible()
    visitor.code_field.fill(code)
    visitor.is_in("verified")
    expect(visitor.host.get_by_text("Your phone number is verified.")).to_be_visible()
    sent, verified = visitor.heard("sent"), visitor.heard("verified")
    assert sent == [{"verificationId": VERIFICATION_ID, "expiresIn": 300, "resendIn": 30}]
    assert verified == [{"status": "verified", "token": TOKEN, "verificationId": sent[0]["verificationId"]}]
    redeemed = visitor.customer.test.redeem(verified[0]["token"])
    assert (redeemed.status, redeemed.body["valid"]) == (200, True)
    assert [change["state"] for change in visitor.heard("state")] == ["sending", "code", "checking", "verified"]
    assert visitor.complaints == []


def test_it_works_under_the_strictest_policy_with_trusted_types(visit: Callable[..., Visitor]) -> None:
    visitor = visit(policy=STRICT)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("code")
    visitor.code_field.fill(visitor.server.code_for(visitor.phone))
    visitor.is_in("verified")
    assert visitor.complaints == []
