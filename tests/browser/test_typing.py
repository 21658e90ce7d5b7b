"""What a visitor types, pastes or has filled in, and where the caret stands afterwards."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor

PASTE = """([field, text]) => {
  const into = document.querySelector(field);
  into.focus();
  document.execCommand("insertText", false, text);
}"""
CODE, PHONE = "#verify input[autocomplete=one-time-code]", "#verify input[type=tel]"
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")
FULL_WIDTH = {at: at + 0xFEE0 for at in range(ord("+"), ord("9") + 1)}


@pytest.mark.parametrize(
    "spelled",
    [
        lambda code: f" {code[:3]} {code[3:]} ",
        lambda code: f"{code[:3]}-{code[3:]}",
        lambda code: code.translate(ARABIC),
        lambda code: code.translate(FULL_WIDTH),
    ],
    ids=["spaces", "dashes", "arabic", "full-width"],
)
def test_a_pasted_code_is_read_however_it_is_written(
    visit: Callable[..., Visitor], spelled: Callable[[str], str]
) -> None:
    visitor = visit()
    code = visitor.ask_for_code()
    visitor.page.evaluate(PASTE, [CODE, spelled(code)])
    visitor.is_in("verified")


@pytest.mark.parametrize(
    ("pasted", "region", "shown"),
    [
        ("+49 1512 3456789", "DE", "1512 3456789"),
        ("0049-1512-3456789", "DE", "1512 3456789"),
        ("+905321232719", "TR", "532 123 27 19"),
        ("+٩٠٥٣٢١٢٣٢٧١٩", "TR", "532 123 27 19"),
        ("+447400123456".translate(FULL_WIDTH), "GB", "7400 123456"),
        ("+7 701 234 56 78", "RU", "701 234 56 78"),
        ("(212) 555-0123", "US", "212 555 0123"),
        ("+999123", "US", "+999123"),
    ],
)
def test_a_number_in_international_form_switches_the_country(
    visit: Callable[..., Visitor], pasted: str, region: str, shown: str
) -> None:
    visitor = visit()
    visitor.page.evaluate(PASTE, [PHONE, pasted])
    assert (visitor.country.input_value(), visitor.number_field.input_value()) == (region, shown)


def test_a_country_that_shares_the_code_is_kept(visit: Callable[..., Visitor]) -> None:
    visitor = visit(country="CA")
    visitor.page.evaluate(PASTE, [PHONE, "+14165550123"])
    assert visitor.country.input_value() == "CA"


def test_the_caret_stays_behind_the_digit_that_was_typed(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    field = visitor.number_field
    field.press_sequentially("2125550123")
    assert field.input_value() == "212 555 0123"
    where = "document.querySelector('#verify input[type=tel]').selectionStart"
    visitor.page.evaluate("document.querySelector('#verify input[type=tel]').setSelectionRange(5, 5)")
    field.press("9")
    assert (field.input_value(), visitor.page.evaluate(where)) == ("212 595 50123", 6)
    field.press("Backspace")
    assert (field.input_value(), visitor.page.evaluate(where)) == ("212 555 0123", 5)
    visitor.page.evaluate("document.querySelector('#verify input[type=tel]').setSelectionRange(4, 4)")
    field.press("Backspace")
    assert (field.input_value(), visitor.page.evaluate(where)) == ("215 550 123", 2)


def test_a_trunk_zero_belongs_to_the_first_group_and_the_server_takes_it(visit: Callable[..., Visitor]) -> None:
    visitor = visit(country="DE")
    visitor.number_field.press_sequentially("015123456789")
    assert visitor.number_field.input_value() == "01512 3456789"
    visitor.main.click()
    visitor.is_in("code")
    assert visitor.server.code_for("+4915123456789")


def test_browsers_and_password_managers_find_the_fields_with_their_labels(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    fields = visitor.page.evaluate(
        """[...document.querySelectorAll("#verify > input, #verify > select")].map(one =>
             [one.autocomplete, one.type, one.inputMode, one.labels[0].textContent])"""
    )
    assert fields == [
        ["tel-country-code", "select-one", "", "Country"],
        ["tel", "tel", "", "Phone number"],
        ["one-time-code", "text", "numeric", "Code from the message"],
    ]


def test_webotp_fills_in_the_code_where_the_browser_has_it(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.evaluate("""() => {
      window.OTPCredential = class {};
      navigator.credentials.get = (asked) => {
        window.asked = asked.otp;
        return new Promise((resolve) => { window.arrive = (code) => resolve({code}); });
      };
    }""")
    code = visitor.ask_for_code()
    assert visitor.page.evaluate("window.asked") == {"transport": ["sms"]}
    visitor.page.evaluate("code => window.arrive(code)", code)
    visitor.is_in("verified")


@pytest.mark.parametrize(
    ("lang", "page_lang", "words"),
    [
        ("tr", "en", "Kod gönder"),
        ("pt-BR", "en", "Enviar código"),
        (None, "ja", "コードを送信"),
        ("xx", "en", "Send code"),
        (None, "nl-BE", "Code sturen"),
    ],
)
def test_it_speaks_the_language_asked_for_or_the_pages(
    visit: Callable[..., Visitor], lang: str | None, page_lang: str, words: str
) -> None:
    visitor = visit(page_lang=page_lang, lang=lang)
    expect(visitor.main).to_have_text(words)


def test_without_the_file_of_a_language_it_is_english(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    visitor.page.route("**/widget/**/*.json", lambda route: route.abort())
    visitor.page.evaluate("key => start({apiKey: key, elementId: 'verify', lang: 'de'})", visitor.customer.test.public)
    expect(visitor.main).to_have_text("Send code")
    expect(visitor.host).to_have_attribute("lang", "en")
