"""Which text a message gets, and how an account changes that."""

from typing import Any

import msgspec
import pytest

from domain import wording
from domain.account import Account
from domain.events import SenderChanged, SenderRemoved, TemplateChanged, TemplateRemoved, WordingChanged
from domain.refusals import InvalidRequest
from domain.shipped import SHIPPED
from domain.templates import longest
from domain.text import measure
from domain.verification import message
from domain.wording import TEMPLATES_MAX, Chosen, Wording, choose
from tests.support.clock import NOON
from tests.support.given import given_account, opened, requested

OWN = "{code} für Laden."
SAY: dict[str, Any] = {"by": "cli:ann", "now": NOON}
TOLD: dict[str, Any] = {"by": "cli:ann", "at": NOON}


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("", "en"),
        ("en-GB", "en"),
        ("de-AT", "de"),
        ("zh-TW", "zh-Hant"),
        ("xx", "en"),
        ("pt", "pt"),
        ("pt-MZ", "pt-PT"),
    ],
)
def test_without_a_text_of_its_own_the_shipped_one_is_sent(locale, tag):
    assert choose(Wording(), locale) == Chosen(locale=tag, template=SHIPPED[tag], is_own=False)


def test_a_text_of_its_own_comes_first_for_its_language_and_all_below_it():
    words = Wording(templates={"de": OWN})
    assert [choose(words, locale).locale for locale in ("de", "de-AT", "fr")] == ["de", "de", "fr"]
    assert choose(words, "de-AT") == Chosen(locale="de", template=OWN, is_own=True)


def test_a_closer_language_wins_over_an_own_text_for_a_wider_one():
    assert choose(Wording(templates={"pt": "{code} Loja"}), "pt-PT").template == SHIPPED["pt-PT"]


def test_a_language_that_nobody_speaks_is_that_of_the_account():
    words = Wording(templates={"ca": "{code} Botiga"}, default_locale="ca")
    assert [choose(words, locale).template for locale in ("", "xx", "en")] == [
        "{code} Botiga",
        "{code} Botiga",
        SHIPPED["en"],
    ]
    assert choose(Wording(default_locale="ca"), "xx").locale == "en"


def test_a_name_stands_before_shipped_texts_and_not_before_its_own():
    words = Wording(templates={"de": OWN}, brand="Laden")
    assert choose(words, "fr").template == "Laden: " + SHIPPED["fr"]
    assert choose(words, "de").template == OWN


def test_the_longest_name_fits_two_segments_in_every_language():
    words = Wording(brand="Я" * 40)
    assert max(measure(longest(choose(words, locale).template)).segments for locale in SHIPPED) == 2


def test_a_message_is_made_of_its_request_its_code_and_the_wording():
    asked = msgspec.structs.replace(requested(), locale="de", web_origin="shop.example")
    assert message(asked, "493812", Wording(templates={"de": OWN})) == "493812 für Laden.\n\n@shop.example #493812"
    assert message(asked, "493812").startswith("493812 ist Ihr Bestätigungscode. Er gilt 5 Min.")


def test_a_text_is_changed_once_and_removed_once():
    changed = wording.change_template(Wording(), locale="DE", text=OWN, **SAY)
    assert changed == TemplateChanged(locale="de", text=OWN, **TOLD)
    words = wording.evolve(Wording(), changed)
    assert words == Wording(templates={"de": OWN})
    assert wording.change_template(words, locale="de", text=OWN, **SAY) is None
    removed = wording.remove_template(words, locale="de", **SAY)
    assert removed == TemplateRemoved(locale="de", **TOLD)
    assert wording.evolve(words, removed) == Wording()
    assert wording.remove_template(Wording(), locale="de", **SAY) is None


@pytest.mark.parametrize("locale", ["", "d", "german", "de_DE", "de-41555573", "de\n", "de-x-a"])
def test_a_locale_is_a_language_a_script_and_a_region(locale):
    with pytest.raises(InvalidRequest, match="locale must be"):
        wording.change_template(Wording(), locale=locale, text=OWN, **SAY)


def test_a_text_with_faults_is_refused_with_all_of_them():
    with pytest.raises(InvalidRequest) as refused:
        wording.change_template(Wording(), locale="de", text="shop.example #1", **SAY)
    assert refused.value.detail == (
        "A text has {code} exactly once. A text has no link and no domain; after a full stop comes a space. "
        "A text has no @ and no #: browsers read them as the line `@host #code`."
    )


def test_an_account_has_so_many_texts_and_no_more():
    full = Wording(templates={f"{a}{b}": OWN for a in "abcdefghij" for b in "abcdefghij"})
    assert len(full.templates) == TEMPLATES_MAX
    assert wording.change_template(full, locale="aa", text="{code}", **SAY) is not None
    with pytest.raises(InvalidRequest, match="at most 100 texts"):
        wording.change_template(full, locale="zz", text=OWN, **SAY)


def test_language_and_name_change_each_alone_and_are_taken_away_by_nothing():
    changed = wording.change(Wording(), default_locale="de", brand=None, **SAY)
    assert changed == WordingChanged(default_locale="de", **TOLD)
    words = wording.evolve(Wording(), changed)
    named = wording.change(words, default_locale=None, brand="Laden", **SAY)
    assert named == WordingChanged(default_locale="de", brand="Laden", **TOLD)
    words = wording.evolve(words, named)
    assert wording.change(words, default_locale="de", brand="Laden", **SAY) is None
    assert wording.change(words, default_locale="", brand="", **SAY) == WordingChanged(**TOLD)


def test_a_default_language_must_have_a_text_and_a_name_no_fault():
    with pytest.raises(InvalidRequest, match="no text in that language"):
        wording.change(Wording(), default_locale="ca", brand=None, **SAY)
    with pytest.raises(InvalidRequest, match="no link"):
        wording.change(Wording(), default_locale=None, brand="shop.example", **SAY)


def test_a_sender_is_changed_once_and_removed_once():
    changed = wording.change_sender(Wording(), country="DE", sender="Shop", **SAY)
    assert changed == SenderChanged(country="DE", sender="Shop", **TOLD)
    words = wording.evolve(Wording(), changed)
    assert wording.change_sender(words, country="DE", sender="Shop", **SAY) is None
    removed = wording.remove_sender(words, country="DE", **SAY)
    assert removed == SenderRemoved(country="DE", **TOLD)
    assert wording.evolve(words, removed) == Wording()
    assert wording.remove_sender(Wording(), country="DE", **SAY) is None


def test_other_facts_change_no_wording():
    assert wording.evolve(Wording(brand="Shop"), opened()) == Wording(brand="Shop")


def test_a_state_with_wording_survives_and_one_from_before_there_was_any_loads():
    state = given_account(
        opened(), TemplateChanged(locale="de", text=OWN, **TOLD), WordingChanged(brand="S", **TOLD)
    ).state
    assert state.wording == Wording(templates={"de": OWN}, brand="S")
    assert msgspec.json.decode(msgspec.json.encode(state), type=Account) == state
    older = msgspec.json.decode(msgspec.json.encode(given_account(opened()).state))
    del older["wording"]
    assert msgspec.convert(older, Account, strict=False) == given_account(opened()).state
