"""The inbox page in a real browser: live, searchable, copied, explained; by keyboard, without JavaScript, without a server."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.phone import Phone, entry, served
from tests.browser.test_accessible import overflow, violations
from tests.http.customer import Customer, number

PLAIN = "493812 is your verification code."
LINE = f"{PLAIN}\n\n@shop.example #493812"
FOREIGN = "Şifreniz 493812. " + "Kimseyle paylaşma. " * 3
TRAPPED = "[493812] {} " + "x" * 148
HOSTILE = '<b>111111</b> <img src=x onerror=alert(1)> & "quoted" </li><script>alert(2)</script>'


def listening(page: Page) -> list[str]:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def opened(page: Page, phone: Phone) -> Page:
    with page.expect_response("**/inbox/events*"):
        page.goto(phone.url)
    return page


def shown(page: Page) -> list[str]:
    return page.locator(".message:visible .bubble").all_text_contents()


def said(message: Locator) -> dict[str, str]:
    """What stands beside the message, by its label."""
    rows = message.locator("dl > div").all()
    return {one.locator("dt").inner_text(): " ".join(one.locator("dd").inner_text().split()) for one in rows}


def test_messages_come_by_themselves_newest_first_and_as_text(page: Page) -> None:
    complaints = listening(page)
    with served() as phone:
        opened(page, phone)
        expect(page.locator("#empty")).to_be_visible()
        phone.put(entry(PLAIN))
        expect(page.locator("#state")).to_have_text("1 message.")
        expect(page.locator("#empty")).to_be_hidden()
        phone.put(entry(HOSTILE, code="111111", to="+905321232719"), entry("last"))
        expect(page.locator("#state")).to_have_text("3 messages.")
        assert shown(page) == ["last", HOSTILE, PLAIN]
        assert page.locator("#messages script, #messages img, .bubble b").count() == 0
    assert complaints == [] or all("ERR_CONNECTION_REFUSED" in one or "INCOMPLETE" in one for one in complaints)


def test_what_came_before_the_page_was_opened_is_there_once(page: Page) -> None:
    with served() as phone:
        phone.put(*(entry(f"{number}") for number in range(3)))
        opened(page, phone)
        phone.put(entry("3"))
        expect(page.locator("#state")).to_have_text("4 messages.")
        assert shown(page) == ["3", "2", "1", "0"]


def test_a_search_finds_numbers_codes_and_words_also_in_what_comes_later(page: Page) -> None:
    with served() as phone:
        phone.put(entry(PLAIN), entry("Other words", to="+905321232719", code="111111"))
        opened(page, phone)
        search = page.get_by_label("Search")
        search.fill(" 555267 ")
        expect(page.locator("#state")).to_have_text("1 of 2 messages.")
        assert shown(page) == [PLAIN]
        phone.put(entry("again, to the same"))
        expect(page.locator("#state")).to_have_text("2 of 3 messages.")
        search.fill("OTHER")
        assert shown(page) == ["Other words"]
        search.fill("nowhere")
        expect(page.locator("#state")).to_have_text("Nothing in 3 messages has “nowhere” in it.")
        search.press("Escape")
        assert len(shown(page)) == 3
        page.goto(f"{phone.url}?search=111111")
        expect(search).to_have_value("111111")
        expect(page.locator("#state")).to_have_text("1 of 3 messages.")
        assert page.url == f"{phone.url}#111111"


def test_code_and_text_are_copied(context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    with served() as phone:
        phone.put(entry(LINE))
        opened(page, phone)
        page.get_by_role("button", name="Copy code").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = [page.evaluate("navigator.clipboard.readText()")]
        expect(page.get_by_role("button", name="Copied")).to_have_count(0)
        page.get_by_role("button", name="Copy text").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied.append(page.evaluate("navigator.clipboard.readText()"))
    assert copied == ["493812", LINE]


def test_where_the_clipboard_is_closed_the_code_is_selected(page: Page) -> None:
    with served() as phone:
        phone.put(entry(LINE))
        opened(page, phone)
        page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject(new Error('closed')))")
        page.get_by_role("button", name="Copy code").click()
        expect(page.get_by_role("button", name="Selected: press Ctrl+C")).to_be_visible()
        assert page.evaluate("getSelection().toString()") == "493812"


def test_it_can_be_used_by_keyboard_alone(context: BrowserContext, page: Page) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    with served() as phone:
        phone.put(*(entry(f"message {code}", code=code) for code in ("111111", "222222", "333333")))
        opened(page, phone)
        focused = "document.activeElement.dataset.code ?? document.activeElement.id"
        seen = []
        for key in ("j", "j", "ArrowDown", "j", "k", "ArrowUp", "k", "/"):
            page.keyboard.press(key)
            seen.append(page.evaluate(focused))
        assert seen == ["333333", "222222", "111111", "111111", "222222", "333333", "333333", "words"]
        page.keyboard.type("jc222")  # in the search, letters are letters
        expect(page.get_by_label("Search")).to_have_value("jc222")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("c")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == "222222"


def test_single_keys_can_be_turned_off_and_stay_off(page: Page) -> None:
    with served() as phone:
        phone.put(entry(PLAIN))
        opened(page, phone)
        page.get_by_text("Keyboard", exact=True).click()
        page.get_by_label("Single keys do this").uncheck()
        opened(page, phone)
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.tagName") == "BODY"


def test_size_price_and_autofill_are_explained_in_words(page: Page) -> None:
    with served() as phone:
        phone.put(
            entry(LINE, mode="live", price_credits=3),
            entry(FOREIGN, mode="live", price_credits=1),
            entry(TRAPPED),
            entry(f"{LINE}\nFA+9qCX9VSu"),
        )
        opened(page, phone)
        explained = [said(one) for one in page.locator(".message").all()]
        marked = [one.locator(".bubble mark").all_text_contents() for one in page.locator(".message").all()]
        page.locator(".message", has_text="Kimseyle").get_by_text("Raw text").click()
        raw = page.locator("pre:visible").all_text_contents()
    rest = {"Account": "acct_abcd****", "Verification": "ver_1"}
    assert explained == [
        {
            "Size": "GSM-7, 68 of 160 septets, 1 segment",
            "Price": "Free: a test key",
            "Autofill": "Not read: the line @host #code must be the last one, and something follows it.",
            **rest,
        },
        {
            "Size": (
                "GSM-7, 164 of 306 septets, 2 segments In the extension of the GSM 7-bit alphabet: each counts twice. "
                "Without: 1 segment. [ U+005B LEFT SQUARE BRACKET ] U+005D RIGHT SQUARE BRACKET "
                "{ U+007B LEFT CURLY BRACKET } U+007D RIGHT CURLY BRACKET"
            ),
            "Price": "Free: a test key",
            "Autofill": "None: without web_origin in the request there is no line for browsers to read.",
            **rest,
        },
        {
            "Size": (
                "UCS-2, 74 of 134 UTF-16 units, 2 segments Not in the GSM 7-bit alphabet, so the whole message travels as "
                "UCS-2, 70 characters instead of 160. Without: 1 segment. "
                "Ş U+015E LATIN CAPITAL LETTER S WITH CEDILLA ş U+015F LATIN SMALL LETTER S WITH CEDILLA, 3 times"
            ),
            "Price": "1 credit",
            "Autofill": "None: without web_origin in the request there is no line for browsers to read.",
            **rest,
        },
        {
            "Size": "GSM-7, 56 of 160 septets, 1 segment",
            "Price": "3 credits",
            "Autofill": "Valid: browsers offer the code on shop.example.",
            **rest,
        },
    ]
    assert marked == [[], ["[", "]", "{}"], ["Ş", "ş", "ş", "ş"], []]
    assert ["".join(raw), len(raw)] == [FOREIGN, 2]


def test_a_page_whose_server_is_gone_says_so_and_goes_on_when_it_is_back(page: Page) -> None:
    with served() as phone:
        phone.put(entry("before"))
        opened(page, phone)
    expect(page.locator("#link")).to_contain_text("No connection to the server")
    with served(port=urlsplit(phone.url).port or 0) as again:
        again.put(entry("after"))
        expect(page.locator("#link")).to_be_hidden()
        expect(page.locator("#state")).to_have_text("2 messages.")
        assert shown(page) == ["after", "before"]


def test_too_many_pages_wait_for_their_turn_and_then_have_everything(context: BrowserContext, page: Page) -> None:
    with served(streams_max=1) as phone:
        opened(page, phone)
        second = opened(context.new_page(), phone)
        expect(second.locator("#link")).to_contain_text("too many pages have the inbox open")
        phone.put(entry(PLAIN))
        expect(page.locator("#state")).to_have_text("1 message.")
        page.close()
        expect(second.locator("#state")).to_have_text("1 message.")
        expect(second.locator("#link")).to_be_hidden()


def test_without_javascript_it_reads_and_searches(browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    with served() as phone:
        page.goto(phone.url)
        assert page.locator("#state").inner_text() == "No message yet."
        phone.put(entry(PLAIN), entry(FOREIGN, to="+905321232719"))
        page.goto(phone.url)
        assert shown(page) == [FOREIGN, PLAIN]
        assert page.get_by_role("button", name="Copy code").count() == 0
        page.get_by_label("Search").fill("+90")
        page.get_by_label("Search").press("Enter")
        expect(page.locator("#state")).to_have_text("1 of 2 messages.")
        assert shown(page) == [FOREIGN]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_inbox_at_320_pixels(browser: Browser, scheme: Any) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}, bypass_csp=True)
    page = context.new_page()
    found = []
    with served() as phone:
        opened(page, phone)
        found.append((violations(page), overflow(page)))
        phone.put(entry(LINE, mode="live", price_credits=1), entry(FOREIGN), entry(f"{LINE}\nx"), entry("W" * 300))
        expect(page.locator("#state")).to_have_text("4 messages.")
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        found.append((violations(page), overflow(page)))
        page.get_by_label("Search").fill("nowhere")
        found.append((violations(page), overflow(page)))
    expect(page.locator("#link")).to_be_visible()
    found.append((violations(page), overflow(page)))
    context.close()
    assert found == [([], 0)] * 4


def test_a_code_that_a_customer_asks_for_appears_with_its_price(page: Page, customer: Customer) -> None:
    complaints = listening(page)
    server = customer.server
    with page.expect_response("**/inbox/events*"):
        page.goto(f"{server.base_url}/inbox")
    for calls, expected in ((customer.live, "1 credit"), (customer.test, "Free: a test key")):
        phone = number()
        _, code = calls.sent(phone, web_origin="shop.example")
        message = page.locator(".message", has=page.get_by_role("heading", name=phone))
        expect(message.locator(".code code")).to_have_text(code)
        assert said(message)["Price"] == expected
        assert said(message)["Autofill"] == "Valid: browsers offer the code on shop.example."
    assert complaints == []
