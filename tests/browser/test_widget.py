"""The widget on a page of another origin: from the number to the token, and every way that it may go wrong."""

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.shop import Shop
from tests.browser.visitor import STRICT, Visitor
from tests.docs.pages import ROOT, blocks
from tests.http.customer import TOKEN, VERIFICATION_ID, Customer, wrong


def test_number_code_token_and_the_server_has_the_last_word(visit: Callable[..., Visitor]) -> None:
    visitor = visit(theme={"brand": "#10B981"})
    code = visitor.ask_for_code()
    expect(visitor.hint).to_contain_text("We sent a code to")
    visitor.code_field.fill(code)
    visitor.is_in("verified")
    expect(visitor.host.get_by_text("Your phone number is verified.")).to_be_visible()
    sent, verified = visitor.heard("sent"), visitor.heard("verified")
    assert sent == [{"verificationId": VERIFICATION_ID, "expiresIn": 300, "resendIn": 30}]
    assert verified == [{"status": "verified", "token": TOKEN, "verificationId": sent[0]["verificationId"]}]
    redeemed = visitor.customer.test.redeem(verified[0]["token"])
    assert (redeemed.status, redeemed.body["valid"]) == (200, True)
    assert [change["state"] for change in visitor.heard("state")] == ["sending", "code", "checking", "verified"]
    assert (visitor.stored(), visitor.complaints) == ([], [])


def test_it_works_under_the_strictest_policy_with_trusted_types(visit: Callable[..., Visitor]) -> None:
    visitor = visit(policy=STRICT, lang="de", body="<done-otp id=other></done-otp><div id=verify></div>")
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")
    styled = visitor.page.evaluate(
        "getComputedStyle(document.querySelector('#verify').shadowRoot.querySelector('.card')).display"
    )
    assert (styled, visitor.complaints) == ("grid", [])


def test_the_page_of_the_documents_works_as_it_is(page: Page, shop: Shop, customer: Customer) -> None:
    (block,) = [block for block in blocks(ROOT / "docs" / "widget.md") if block.info == "html"]
    visitor = Visitor(page, shop, customer)
    text = block.text.replace("http://127.0.0.1:8000", visitor.server.base_url).replace(
        "pk_test_…", customer.test.public
    )
    page.goto(shop.page(text))
    visitor.country.select_option("US")
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")


def test_a_wrong_code_is_said_with_what_is_left_and_asked_once(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    code = visitor.ask_for_code()
    visitor.code_field_filled(wrong(code))
    expect(visitor.alert).to_have_text("This code is not right. Attempts left: 4.")
    visitor.is_in("code")
    expect(visitor.code_field).to_be_focused()
    expect(visitor.code_field).to_have_attribute("aria-invalid", "true")
    visitor.code_field_filled(wrong(code))  # the same value is not submitted by itself again
    visitor.page.wait_for_timeout(200)
    assert visitor.heard("failed") == [{"code": "wrong_code", "final": False}]
    visitor.code_field_filled(code)
    visitor.is_in("verified")


def test_five_wrong_codes_lock_and_a_new_code_is_offered(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    code = visitor.ask_for_code()
    for left in range(4, -1, -1):
        visitor.code_field_filled(f"{(int(code) + left + 1) % 10**6:06}")
        if left:
            expect(visitor.alert).to_have_text(f"This code is not right. Attempts left: {left}.")
    visitor.is_in("locked")
    expect(visitor.end).to_contain_text("Too many wrong codes. Ask for a new code to go on.")
    expect(visitor.end).to_be_focused()
    expect(visitor.main).to_have_text("Send a new code")
    assert visitor.heard("failed")[-1] == {"code": "wrong_code", "final": True}


def test_a_locked_number_says_for_how_long_also_after_a_reload(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.clock.install()
    test = visitor.customer.test
    for _ in range(4):
        _, code = test.sent(visitor.phone)
        for _ in range(5):
            test.check(visitor.phone, wrong(code))
        test.advance(seconds=300)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("locked")
    expect(visitor.end).to_contain_text("Too many wrong codes for this number. You can try again in 24 hours.")
    visitor.page.reload()
    visitor.is_in("locked")
    expect(visitor.end).to_contain_text("You can try again in 24 hours.")
    expect(visitor.main).to_be_hidden()
    visitor.page.clock.fast_forward(86_500_000)
    visitor.is_in("phone")
    assert visitor.stored() == []


def test_an_expired_code_is_told_and_a_new_one_is_sent(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    code = visitor.ask_for_code()
    visitor.customer.test.advance(seconds=300)
    visitor.code_field_filled(code)
    expect(visitor.alert).to_have_text("This code is no longer valid. Ask for a new one.")
    visitor.button("Send a new code").click()
    expect(visitor.alert).to_be_empty()
    visitor.is_in("code")
    visitor.code_field_filled(visitor.server.code_for(visitor.phone))
    visitor.is_in("verified")


def test_a_new_code_may_be_asked_for_when_the_server_says_so(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.clock.install()
    visitor.page.reload()
    visitor.ask_for_code()
    resend = visitor.button("Send a new code")
    expect(visitor.host.get_by_text("You can ask for a new code in 30 seconds.")).to_be_visible()
    expect(resend).to_have_attribute("aria-disabled", "true")
    visitor.page.clock.run_for(31_000)
    expect(resend).to_have_attribute("aria-disabled", "false")
    visitor.customer.test.advance(seconds=30)
    resend.click()
    expect(visitor.host.get_by_text("You can ask for a new code in 60 seconds.")).to_be_visible()


def test_too_soon_is_told_in_words_by_the_servers_figure(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.customer.test.sent(visitor.phone)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    expect(visitor.alert).to_contain_text("You can ask for a new code in")
    visitor.is_in("phone")
    expect(visitor.main).to_have_attribute("aria-disabled", "true")
    assert visitor.heard("failed") == [{"code": "resend_cooldown", "final": False}]
    visitor.page.reload()
    visitor.is_in("phone")


def test_a_reload_in_mid_flow_asks_for_the_number_and_sends_nothing_again(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    code = visitor.ask_for_code()
    stored = visitor.stored()
    assert len(stored) == 1
    assert visitor.phone[2:] not in stored[0].replace(" ", "")
    assert code not in stored[0]
    visitor.page.reload()
    visitor.is_in("code")
    expect(visitor.hint).to_have_text("Enter your number again, then the code you were sent.")
    visitor.number_field.fill("+12125550199")
    visitor.code_field_filled(code)
    expect(visitor.alert).to_have_text("The code was sent to another number.")
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("verified")
    assert [event for event in visitor.customer.test.types() if event == "CodeRequested"] == ["CodeRequested"]


def test_going_back_keeps_the_number_and_going_on_sends_nothing_again(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.ask_for_code()
    shown = visitor.number_field.input_value()
    visitor.button("Change number").click()
    visitor.is_in("phone")
    expect(visitor.number_field).to_be_focused()
    assert visitor.number_field.input_value() == shown
    visitor.main.click()
    visitor.is_in("code")
    assert len(visitor.heard("sent")) == 1


def test_without_a_connection_nothing_is_lost_and_the_same_send_counts_once(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.number_field.fill(visitor.phone)
    visitor.page.context.set_offline(True)
    visitor.main.click()
    expect(visitor.alert).to_have_text("There is no connection. Check your network, then try again.")
    visitor.page.context.set_offline(False)
    visitor.main.click()
    visitor.is_in("code")
    assert visitor.heard("failed") == [{"code": "network_error", "final": False}]


def test_an_answer_that_gets_lost_is_asked_for_again_and_no_second_message_goes_out(
    visit: Callable[..., Visitor],
) -> None:
    visitor = visit()
    visitor.page.route("**/v1/verify/send", lambda route: (route.fetch(), route.abort())[0], times=1)
    visitor.page.route("**/healthz", lambda route: route.abort(), times=1)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    expect(visitor.alert).to_contain_text("There is no connection.")
    visitor.main.click()
    visitor.is_in("code")
    assert visitor.customer.test.types().count("CodeRequested") == 1


def test_a_page_that_is_none_of_the_keys_origins_is_told_so(visit: Callable[..., Visitor], customer: Customer) -> None:
    _, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="pk_test", name="", origins=("https://shop.example",), by="test"
    )
    visitor = visit(apiKey=key)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("failed")
    expect(visitor.end).to_contain_text("Phone verification does not work on this page right now.")
    assert visitor.heard("failed") == [{"code": "origin_not_allowed", "final": True}]
    assert customer.test.types() == []


def test_a_page_of_the_keys_origins_goes_through(visit: Callable[..., Visitor], customer: Customer, shop: Shop) -> None:
    _, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="pk_test", name="", origins=(shop.origin,), by="test"
    )
    visitor = visit(apiKey=key)
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("1", "This is not a valid phone number. Check the country and the digits."),
        ("", "This is not a valid phone number. Check the country and the digits."),
    ],
)
def test_a_number_that_is_none_is_said_beside_its_field(
    visit: Callable[..., Visitor], typed: str, sentence: str
) -> None:
    visitor = visit()
    visitor.number_field.fill(typed)
    visitor.number_field.press("Enter")
    expect(visitor.alert).to_have_text(sentence)
    expect(visitor.number_field).to_be_focused()
    assert visitor.number_field.get_attribute("aria-describedby") == visitor.alert.get_attribute("id")


HOSTILE = "\"><img src=x onerror=window.hit=1>';}</style><script>window.hit=1</script>\u202e{n}"


def test_hostile_text_in_every_option_is_nothing_but_text(visit: Callable[..., Visitor]) -> None:
    names = ("lang", "country", "codeLength", "onSent", "onFailed", "onVerified", "onStateChange")
    visitor = visit(
        theme={"brand": f"red;}} * {{display:none}} {HOSTILE}", "scheme": HOSTILE}, **dict.fromkeys(names, HOSTILE)
    )
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("code")
    visitor.code_field_filled(visitor.server.code_for(visitor.phone))
    visitor.is_in("verified")
    assert visitor.page.evaluate("window.hit") is None
    brand = "getComputedStyle(document.querySelector('#verify')).getPropertyValue('--brand')"
    assert visitor.page.evaluate(brand) == "#10b981"


@pytest.mark.parametrize("option", ["apiKey", "baseUrl"])
@pytest.mark.parametrize("value", [HOSTILE, "javascript:window.hit=1", "\r\nX-Evil: 1"])
def test_a_hostile_key_or_address_ends_in_a_sentence(visit: Callable[..., Visitor], option: str, value: str) -> None:
    visitor = visit(**{option: value})
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    visitor.is_in("failed" if option == "apiKey" else "code")
    assert visitor.page.evaluate("window.hit") is None


def test_two_widgets_on_one_page_know_nothing_of_each_other(visit: Callable[..., Visitor]) -> None:
    visitor = visit(body="<div id=verify></div><div id=second></div>")
    visitor.page.evaluate(
        "key => start({apiKey: key, elementId: 'second', country: 'TR'})", visitor.customer.test.public
    )
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")
    second = visitor.page.locator("#second")
    expect(second).to_have_attribute("data-state", "phone")
    expect(second.locator(".prefix")).to_have_text("+90")
    ids = visitor.page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_a_second_start_replaces_the_first_and_destroy_gives_the_element_back(visit: Callable[..., Visitor]) -> None:
    visitor = visit(body="<div id=verify><b>before</b></div>")
    visitor.page.evaluate("key => start({apiKey: key, elementId: 'verify'})", visitor.customer.test.public)
    assert visitor.host.locator("input").count() == 2
    visitor.page.evaluate("widget.reset(); widget.destroy(); widget.destroy()")
    expect(visitor.host.get_by_text("before")).to_be_visible()
    assert (
        visitor.page.evaluate("document.querySelector('#verify').outerHTML") == '<div id="verify"><b>before</b></div>'
    )


def test_reset_forgets_everything(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.ask_for_code()
    visitor.page.evaluate("widget.reset()")
    visitor.is_in("phone")
    assert (visitor.number_field.input_value(), visitor.stored()) == ("", [])


def test_a_page_that_throws_in_its_callback_stops_nothing(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.evaluate(
        "key => start({apiKey: key, elementId: 'verify', country: 'US', onStateChange() { throw Error('theirs') }})",
        visitor.customer.test.public,
    )
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")


def test_a_form_of_the_page_around_it_is_not_submitted(visit: Callable[..., Visitor]) -> None:
    visitor = visit(body="<form action=/elsewhere><div id=verify></div></form>")
    address = visitor.page.url
    visitor.number_field.fill(visitor.phone)
    visitor.number_field.press("Enter")
    visitor.is_in("code")
    visitor.code_field.press("Enter")
    assert visitor.page.url == address


def test_the_element_is_the_same_thing(visit: Callable[..., Visitor], page: Page) -> None:
    visitor = visit()
    key = visitor.customer.test.public
    page.evaluate(
        """key => {
          const made = document.createElement("done-otp");
          const given = {"api-key": key, lang: "fr", country: "FR", brand: "navy"};
          for (const name in given) made.setAttribute(name, given[name]);
          made.addEventListener("doneotp:statechange", (event) => { window.element = event.detail.state; });
          document.body.append(made);
        }""",
        key,
    )
    made = page.locator("done-otp")
    expect(made.locator("button.main")).to_have_text("Envoyer le code")
    made.locator("input[type=tel]").fill(visitor.phone)
    made.locator("button.main").click()
    expect(made).to_have_attribute("data-state", "code")
    assert page.evaluate("window.element") == "code"
    page.evaluate("document.querySelector('done-otp').remove()")


def test_nothing_is_asked_of_anybody_else_and_no_cookie_is_set(visit: Callable[..., Visitor], page: Page) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    visitor = visit(lang="tr")
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")
    assert asked == {urlsplit(visitor.server.base_url).netloc, urlsplit(visitor.shop.origin).netloc}
    assert page.context.cookies() == []
