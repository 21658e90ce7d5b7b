"""Texts and senders on the command line, and what then is sent."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from domain.shipped import SHIPPED
from domain.templates import cost
from tests.support.server import Server, run

SHOP = "{code} is your code for Shop."


@pytest.fixture
def account(server: Server) -> Any:
    return server.open_account()


@pytest.fixture
def say(server: Server) -> Callable[..., Any]:
    def answer(*words: str, status: int = 0) -> Any:
        done = run(*words, "--json", home=server.home, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
        assert done.status == status, done
        return json.loads(done.stdout)

    return answer


def test_a_text_is_set_shown_sent_and_removed(account, say):
    here = account.account_id
    assert say("templates", "set", here, "--locale", "EN", "--text", SHOP)["changed"]
    assert not say("templates", "set", here, "--locale", "en", "--text", SHOP)["changed"]
    assert say("templates", "set", here, "--brand", "Shop", "--default-locale", "de")["changed"]
    shown = say("templates", "show", here)
    texts = {one["locale"]: (one["own"], one["text"]) for one in shown["templates"]}
    assert (shown["brand"], shown["default_locale"]) == ("Shop", "de")
    assert texts == {"en": (True, SHOP)} | {
        locale: (False, f"Shop: {text}") for locale, text in SHIPPED.items() if locale != "en"
    }
    assert say("templates", "remove", here, "--locale", "en")["changed"]
    assert not say("templates", "remove", here, "--locale", "en")["changed"]


def test_a_fault_is_told_and_nothing_is_set(account, say):
    text = "Visit shop.example"
    faults = [
        "A text has {code} exactly once.",
        "A text has no link and no domain; after a full stop comes a space.",
    ]
    assert say("templates", "lint", "--text", text, status=1)["texts"][0]["faults"] == faults
    refused = say("templates", "set", account.account_id, "--locale", "en", "--text", text, status=1)["error"]
    assert (refused["code"], refused["detail"]) == ("invalid_request", " ".join(faults))
    assert say("templates", "lint", "--text", SHOP)["texts"][0]["cost"]["segments"] == 1
    assert len(say("templates", "lint", account.account_id)["texts"]) == len(SHIPPED)


def test_what_belongs_together_is_asked_for(account, say):
    for words in (["--locale", "de"], []):
        assert say("templates", "set", account.account_id, *words, status=1)["error"]["code"] == "invalid_request"
    assert say("templates", "lint", status=1)["error"]["code"] == "invalid_request"


def test_the_cost_of_every_language_is_that_of_its_text(say):
    told = say("templates", "cost")["templates"]
    assert {locale: one["segments"] for locale, one in told.items()} == {
        locale: cost(text).segments for locale, text in SHIPPED.items()
    }


def test_a_sender_is_set_shown_and_removed(account, say):
    here = account.account_id
    assert say("senders", "set", here, "DE", "Shop")["changed"]
    assert say("senders", "set", here, "IN", "SHOPIN")["changed"]
    assert say("senders", "show", here)["senders"] == {"DE": "Shop", "IN": "SHOPIN"}
    assert say("senders", "set", here, "US", "Shop", status=1)["error"]["code"] == "invalid_request"
    assert say("senders", "remove", here, "DE")["changed"]
    assert say("senders", "show", here)["senders"] == {"IN": "SHOPIN"}


def test_a_message_is_in_the_language_that_was_asked_for(server, account, say):
    say("templates", "set", account.account_id, "--locale", "en", "--text", SHOP)
    texts = []
    for number, locale in (("+14155552680", "fr-CA"), ("+14155552681", "en-US")):
        body = {"phone_number": number, "locale": locale}
        assert server.post("/v1/verify/send", body, key=account.keys["sk_test"]).status == 200
        message = server.get(f"/inbox/latest?to=%2B{number[1:]}&wait=5").body
        texts.append(message["text"].replace(message["code"], "{code}"))
    assert texts == [SHIPPED["fr"].replace("{minutes}", "5"), SHOP]
