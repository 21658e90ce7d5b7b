"""Messages in an account's wording, paid for before they are sent, and repeated with the same code."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from application.accounts import Administration
from application.verifications import Outgoing, SendCode
from domain.account import Account
from domain.events import CodeRequested, CreditDebited
from domain.rates import RateCard
from domain.refusals import StateConflict
from domain.verification import message
from domain.wording import Wording
from tests.application.world import ACCOUNT, Process, events, process
from tests.support.clock import SettableClock

OWN = "Лавка: {code} — ваш код. Он действует {minutes} мин. Никому его не сообщайте, даже нам."
BY = "cli:ann"


@pytest.fixture
def home() -> Process:
    return process()


@pytest.fixture
def office(home: Process) -> Iterator[Administration]:
    home.writer.start()
    yield Administration(home.writer, home.keyring, home.entropy)
    if home.writer.alive:
        home.writer.close()


def asking(home: Process, holder: Account, *, locale: str = "") -> SendCode:
    return replace(home.send(), holder=holder, locale=locale)


def test_a_message_is_worded_sent_from_and_priced_as_the_account_says(home, office):
    office.adopt_rate_card(ACCOUNT, card=RateCard(per="segment", prices={"*": 3}), effective_from=None, by=BY)
    assert office.change_template(ACCOUNT, locale="ru", text=OWN, by=BY)
    assert office.change_wording(ACCOUNT, default_locale="ru", brand=None, by=BY)
    assert office.change_sender(ACCOUNT, country="US", sender="12345", by=BY)
    holder = office.account(ACCOUNT)
    home.writer.close()
    outgoing: Outgoing = home.do(asking(home, holder))
    asked, debited = events(home.recorder)[-2:]
    assert outgoing.text == OWN.replace("{code}", outgoing.code).replace("{minutes}", "5")
    assert (outgoing.sender, outgoing.price_credits) == ("12345", 6)
    assert (type(asked), type(debited)) == (CodeRequested, CreditDebited)
    assert (asked.segments, asked.price_credits, debited.units, debited.unit_credits) == (2, 6, 2, 3)
    assert message(asked, outgoing.code, holder.wording) == outgoing.text


def test_a_language_of_one_segment_costs_one(home, office):
    office.adopt_rate_card(ACCOUNT, card=RateCard(per="segment", prices={"*": 3}), effective_from=None, by=BY)
    holder = office.account(ACCOUNT)
    home.writer.close()
    assert home.do(asking(home, holder, locale="ru-RU")).price_credits == 3
    assert events(home.recorder)[-2].locale == "ru-RU"


def test_a_resend_repeats_the_code_in_the_language_it_asks_for(home):
    first: Outgoing = home.do(asking(home, home.account(), locale="de"))
    assert isinstance(home.clock, SettableClock)
    home.clock.moment += timedelta(seconds=30)
    again: Outgoing = home.do(asking(home, home.account(), locale="fr"))
    assert (first.code, first.text.partition(". ")[0]) == (again.code, f"{again.code} ist Ihr Bestätigungscode")
    assert again.text.startswith(f"{again.code} est votre code")


def test_what_is_changed_is_changed_once_and_taken_away_once(home, office):
    def all_of_it() -> list[bool]:
        return [
            office.change_template(ACCOUNT, locale="ru", text=OWN, by=BY),
            office.change_wording(ACCOUNT, default_locale=None, brand="Shop", by=BY),
            office.change_sender(ACCOUNT, country="DE", sender="Shop", by=BY),
        ]

    assert (all_of_it(), all_of_it()) == ([True] * 3, [False] * 3)
    taken = [
        (
            office.remove_template(ACCOUNT, locale="ru", by=BY),
            office.change_wording(ACCOUNT, default_locale=None, brand="", by=BY),
            office.remove_sender(ACCOUNT, country="DE", by=BY),
        )
        for _ in range(2)
    ]
    assert taken == [(True, True, True), (False, False, False)]
    assert office.account(ACCOUNT).wording == Wording()


def test_an_account_that_is_not_there_has_no_wording(office):
    with pytest.raises(StateConflict):
        office.change_template("acct_nobody", locale="ru", text=OWN, by=BY)
