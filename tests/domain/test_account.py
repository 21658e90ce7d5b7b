"""Credits, keys, policy and standing of an account."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from domain import account as accounts
from domain import refusals
from domain.account import CLOCK_ADVANCE_MAX_SECONDS, CREDITS_MAX, KEYS_EVER_MAX, KEYS_MAX, Account, Key
from domain.events import (
    ACCOUNT_EVENTS,
    AccountOpened,
    AccountResumed,
    AccountSuspended,
    ClockAdvanced,
    CreditAdded,
    CreditDebited,
    CreditRefunded,
    KeyIssued,
    KeyRestricted,
    KeyRevoked,
    ListChanged,
    PolicyChanged,
    RateCardAdopted,
    SenderChanged,
    SenderRemoved,
    StatementIssued,
    TemplateChanged,
    TemplateRemoved,
    WebhookEndpointAdded,
    WebhookEndpointDisabled,
    WebhookEndpointEnabled,
    WebhookEndpointRemoved,
    WebhookSecretRotated,
    WordingChanged,
)
from domain.policy import BOUNDS, Policy
from domain.rates import RateCard
from domain.refusals import InsufficientCredit, InvalidRequest, StateConflict
from domain.verification import Handoff
from tests.support.clock import NOON
from tests.support.given import added, debited, given, given_account, issued, moment, opened, requested

NAME = "name must be 1 to 120 printable characters."
REFERENCE = "reference must be 1 to 120 printable characters."
REASON = "reason must be 1 to 240 printable characters."
SETTINGS = sorted(BOUNDS)
NO_ACCOUNT = "There is no such account."
SUSPENDED = AccountSuspended(at=NOON, reason="fraud", by="operator")
REVOKED = KeyRevoked(at=moment(9), revoked_key_id="key_a", by="operator")


def says(refusal: refusals.Refusal | None) -> tuple[type[refusals.Refusal] | None, str]:
    return type(refusal) if refusal else None, str(refusal)


def open_account(**given):
    wanted: Any = {"account_id": "acct_a", "name": "Acme", "mode": "live", "by": "operator", "now": NOON} | given
    return lambda account: accounts.open_account(account, **wanted)


def add_credit(**given):
    wanted: Any = {"credits": 5, "reference": "R1", "by": "operator", "idempotency": "a.b", "now": NOON} | given
    return lambda account: accounts.add_credit(account, **wanted)


def debit(account):
    card = account.rate_card(NOON)
    price = 0 if card is None else card.price("US", segments=1).credits
    return accounts.debit(account, requested(price=price))


def adopted(credits: int = 3, *, at: float = 0, since: float = 0, per: str = "message") -> RateCardAdopted:
    prices = {"*": credits}
    card = msgspec.convert({"per": per, "prices": prices}, RateCard)
    return RateCardAdopted(
        at=moment(at), rate_card=card.id, per=card.per, prices=prices, effective_from=moment(since), by="operator"
    )


def adopt(credits: int = 3, *, at: float = 0, since: float = 0):
    return lambda account: accounts.adopt_rate_card(
        account,
        card=RateCard(per="message", prices={"*": credits}),
        effective_from=moment(since),
        by="operator",
        now=moment(at),
    )


def statement(period: str = "2026-10") -> StatementIssued:
    return StatementIssued(
        at=NOON,
        period=period,
        tree_size=9,
        root="root",
        credits=1,
        added=5,
        opening_balance=0,
        closing_balance=4,
        sha256="00",
        by="operator",
    )


def issue(period: str = "2026-10", *, after: str = "", grace_hours: float = 0):
    grace = timedelta(hours=grace_hours)
    return lambda account: accounts.issue_statement(account, statement(period), closed_period=after, grace=grace)


def issue_key(**given):
    wanted: Any = {
        "key_id": "key_n",
        "kind": "pk_live",
        "key_hash": "hash of n",
        "name": "n",
        "origins": ("https://example.com",),
        "by": "operator",
        "now": NOON,
    } | given
    return lambda account: accounts.issue_key(account, **wanted)


def revoke_key(account):
    return accounts.revoke_key(account, key_id="key_a", by="operator", now=moment(9))


def change_policy(**changes):
    return lambda account: accounts.change_policy(account, changes=changes, by="operator", now=NOON)


def suspend(reason="fraud"):
    return lambda account: accounts.suspend(account, reason=reason, by="operator", now=NOON)


def resume(account):
    return accounts.resume(account, by="operator", now=NOON)


def advance(seconds):
    return lambda account: accounts.advance_clock(account, seconds=seconds, key_id="key_a", now=NOON, idempotency="a.b")


# Opening.


@pytest.mark.parametrize("mode", ["live", "test"])
def test_a_log_begins_with_its_account(mode):
    given_account().when(open_account(mode=mode)).records(opened(mode=mode))


def test_a_log_begins_once():
    given_account(opened()).when(open_account()).refuses(StateConflict)


@pytest.mark.parametrize("name", ["A", "A" * 120, "Ärzte & Söhne"])
def test_a_name_of_up_to_120_printable_characters_will_do(name):
    expected = AccountOpened(at=NOON, account_id="acct_a", name=name, mode="live", by="operator")
    given_account().when(open_account(name=name)).records(expected)


@pytest.mark.parametrize("name", ["", "A" * 121, "A\nB", "A\x00"])
def test_another_name_is_refused(name):
    assert says(given_account().when(open_account(name=name)).refusal) == (InvalidRequest, NAME)


# Credits.


def test_credits_are_added():
    expected = CreditAdded(at=NOON, credits=5, reference="R1", by="operator", idempotency="a.b")
    given_account(opened()).when(add_credit()).records(expected)


@pytest.mark.parametrize("credits", [1, CREDITS_MAX - 7])
def test_credits_may_be_added_up_to_a_limit_over_all(credits):
    expected = CreditAdded(at=NOON, credits=credits, reference="R1", by="operator", idempotency="a.b")
    given_account(opened(), added(7)).when(add_credit(credits=credits)).records(expected)


@pytest.mark.parametrize("credits", [-1, 0, CREDITS_MAX - 6, CREDITS_MAX + 1])
def test_other_amounts_are_refused(credits):
    outcome = given_account(opened(), added(7)).when(add_credit(credits=credits))
    assert says(outcome.refusal) == (InvalidRequest, f"credits must be 1 to {CREDITS_MAX}, also in total.")


def test_the_whole_limit_may_be_added_at_once():
    whole = given_account(opened()).when(add_credit(credits=CREDITS_MAX)).result
    assert isinstance(whole, CreditAdded)
    assert whole.credits == CREDITS_MAX


def test_the_limit_counts_what_was_ever_added():
    spent = given_account(opened(), added(CREDITS_MAX), debited(CREDITS_MAX))
    assert spent.state.available == 0
    assert says(spent.when(add_credit(credits=1)).refusal)[0] is InvalidRequest
    assert says(given_account(opened()).when(add_credit(credits=CREDITS_MAX + 1)).refusal)[0] is InvalidRequest


@pytest.mark.parametrize("reference", ["", "R" * 121, "R\t1"])
def test_a_payment_has_a_name_of_up_to_120_printable_characters(reference):
    outcome = given_account(opened()).when(add_credit(reference=reference))
    assert says(outcome.refusal) == (InvalidRequest, REFERENCE)
    for name in ("R", "R" * 120):
        accepted = given_account(opened()).when(add_credit(reference=name)).result
        assert isinstance(accepted, CreditAdded)
        assert accepted.reference == name


def test_a_message_is_paid_for():
    given_account(opened(), added(1)).when(debit).records(debited())


def test_a_message_that_cannot_be_paid_for_is_refused_and_the_balance_told():
    given_account(opened()).when(debit).refuses(InsufficientCredit, available=0, price=1)
    given_account(opened(), added(5), debited(5)).when(debit).refuses(InsufficientCredit, available=0, price=1)


def test_the_price_is_the_rate_cards():
    dear = adopted(3)
    given_account(opened(), added(5), dear).when(debit).records(debited(3))
    given_account(opened(), added(2), dear).when(debit).refuses(InsufficientCredit, available=2, price=3)
    given_account(opened(), debited(2), dear).when(debit).refuses(InsufficientCredit, available=0, price=3)


def test_a_test_log_pays_nothing():
    given_account(opened(mode="test")).when(debit).records(None)


def refund(price):
    handoff = Handoff("ver_1", 2, price, NOON)
    return lambda account: accounts.refund(handoff, reason="unreachable", now=moment(3))


def test_a_message_that_nobody_took_is_paid_back_as_it_was_paid():
    expected = CreditRefunded(at=moment(3), verification_id="ver_1", send=2, credits=4, reason="unreachable")
    given_account(opened()).when(refund(4)).records(expected)


def test_what_cost_nothing_is_not_paid_back():
    given_account(opened(mode="test")).when(refund(0)).records(None)


def test_the_balance_is_what_was_added_less_debits_plus_refunds():
    paid_back = CreditRefunded(at=NOON, verification_id="ver_1", send=1, credits=2, reason="abandoned")
    state = given_account(opened(), added(10), added(5), debited(3), debited(4), paid_back).state
    assert (state.added, state.debited, state.refunded, state.available) == (15, 7, 2, 10)


# Keys.


def test_a_key_is_known_by_its_hash():
    expected = KeyIssued(
        at=NOON,
        issued_key_id="key_n",
        kind="pk_live",
        hash="hash of n",
        name="n",
        origins=("https://example.com",),
        by="operator",
    )
    given_account(opened()).when(issue_key()).records(expected)
    assert given_account(opened(), expected).state.keys == {
        "hash of n": Key("key_n", "pk_live", "n", ("https://example.com",), NOON)
    }


def test_a_key_needs_no_name_and_may_have_120_printable_characters():
    for name in ("", "n" * 120):
        assert isinstance(given_account(opened()).when(issue_key(name=name)).result, KeyIssued)
    for name in ("n" * 121, "n\n"):
        outcome = given_account(opened()).when(issue_key(name=name))
        assert says(outcome.refusal) == (InvalidRequest, "name must be at most 120 printable characters.")


def with_keys(active: int, revoked: int) -> Account:
    """An account with so many keys."""
    keys = {f"a{n}": Key(f"a{n}", "sk_live", "", (), NOON) for n in range(active)}
    keys |= {f"r{n}": Key(f"r{n}", "sk_live", "", (), NOON, NOON) for n in range(revoked)}
    return msgspec.structs.replace(given_account(opened()).state, keys=keys)


@pytest.mark.parametrize(
    ("active", "revoked", "possible"),
    [
        (KEYS_MAX - 1, 0, True),
        (KEYS_MAX, 0, False),
        (KEYS_MAX - 1, KEYS_EVER_MAX - KEYS_MAX, True),
        (KEYS_MAX - 1, KEYS_EVER_MAX - KEYS_MAX + 1, False),
        (0, KEYS_EVER_MAX, False),
    ],
)
def test_an_account_has_so_many_keys_at_once_and_so_many_over_its_life(active, revoked, possible):
    state = with_keys(active, revoked)
    if possible:
        assert issue_key()(state).issued_key_id == "key_n"
    else:
        with pytest.raises(InvalidRequest, match=f"at most {KEYS_MAX} active keys, and {KEYS_EVER_MAX} over its life"):
            issue_key()(state)


def test_a_key_is_revoked_once_and_stays_known():
    two = [opened(), issued("a"), issued("b")]
    given_account(*two).when(revoke_key).records(REVOKED)
    state = given_account(*two, REVOKED)
    state.when(revoke_key).records(None)
    assert state.state.keys == {
        "hash of a": Key("key_a", "sk_live", "a", (), NOON, moment(9)),
        "hash of b": Key("key_b", "sk_live", "b", (), NOON),
    }


def test_a_key_that_never_was_cannot_be_revoked():
    outcome = given_account(opened(), issued("b")).when(revoke_key)
    assert says(outcome.refusal) == (InvalidRequest, "This account has no such key.")


def restrict_key(**given):
    args = {"key_id": "key_a", "name": None, "origins": (), "by": "operator", "now": NOON} | given
    return lambda account: accounts.restrict_key(account, **args)


def restricted(*origins: str, name: str = "a") -> KeyRestricted:
    return KeyRestricted(at=NOON, restricted_key_id="key_a", name=name, origins=origins, by="operator")


SHOP = "https://shop.example"


def test_a_key_gets_another_name_or_other_origins_and_the_rest_stays():
    two = [opened(), issued("a", kind="pk_live"), issued("b")]
    given_account(*two).when(restrict_key(name="web")).records(restricted(name="web"))
    given_account(*two).when(restrict_key(origins=(SHOP, f"{SHOP}:443"))).records(restricted(SHOP))
    state = given_account(*two, restricted(SHOP))
    state.when(restrict_key(name="")).records(restricted(SHOP, name=""))
    state.when(restrict_key(origins=("http://localhost:8080",))).records(restricted("http://localhost:8080"))
    assert state.state.keys == {
        "hash of a": Key("key_a", "pk_live", "a", (SHOP,), NOON),
        "hash of b": Key("key_b", "sk_live", "b", (), NOON),
    }


def test_what_a_key_has_already_is_not_recorded_and_its_origins_are_never_taken_off():
    state = given_account(opened(), issued("a", kind="pk_live"), restricted(SHOP))
    for same in ({}, {"name": "a"}, {"origins": ()}, {"name": "a", "origins": (SHOP,)}):
        state.when(restrict_key(**same)).records(None)


def test_a_key_that_ended_or_never_was_cannot_be_restricted():
    outcome = given_account(opened(), issued("a"), REVOKED).when(restrict_key(name="web"))
    assert says(outcome.refusal) == (StateConflict, "The key was revoked.")
    outcome = given_account(opened(), issued("b")).when(restrict_key(name="web"))
    assert says(outcome.refusal) == (InvalidRequest, "This account has no such key.")


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        ("pk_live", {"origins": ("javascript:1",)}, "An origin is http:// or https://"),
        ("sk_live", {"origins": (SHOP,)}, "Only a publishable key has origins"),
        ("sk_live", {"name": "n\n"}, "name must be at most 120 printable characters."),
        ("pk_live", {"origins": tuple(f"https://{n}.example" for n in range(51))}, "A key has at most 50 origins."),
    ],
)
def test_a_name_or_an_origin_that_cannot_be_is_refused_at_issue_and_later(kind, fields, said):
    for outcome in (
        given_account(opened()).when(issue_key(kind=kind, **({"origins": ()} | fields))),
        given_account(opened(), issued("a", kind=kind)).when(restrict_key(**fields)),
    ):
        refused, detail = says(outcome.refusal)
        assert (refused, detail[: len(said)]) == (InvalidRequest, said)


# Policy.


@pytest.mark.parametrize("name", BOUNDS)
def test_a_setting_may_be_anything_within_its_bounds_and_nothing_beyond(name):
    low, high = BOUNDS[name]
    default = getattr(Policy(), name)
    for value in {low, high} - {default}:
        expected = PolicyChanged(at=NOON, changes={name: value}, by="operator")
        given_account(opened()).when(change_policy(**{name: value})).records(expected)
    for value in (low - 1, high + 1):
        outcome = given_account(opened()).when(change_policy(**{name: value}))
        assert says(outcome.refusal) == (InvalidRequest, f"{name} must be {low} to {high}.")


@pytest.mark.parametrize("name", ["failures_window_seconds", "colour"])
def test_what_is_not_a_setting_is_named_with_those_that_are(name):
    outcome = given_account(opened()).when(change_policy(**{name: 1}))
    assert says(outcome.refusal) == (
        InvalidRequest,
        f"'{name}' is not a setting; settings are {', '.join(SETTINGS)}.",
    )


def test_only_what_differs_is_recorded():
    expected = PolicyChanged(at=NOON, changes={"code_digits": 8}, by="operator")
    given_account(opened()).when(change_policy(code_digits=8, token_lifetime_seconds=600)).records(expected)
    given_account(opened(), expected).when(change_policy(code_digits=8)).records(None)
    given_account(opened()).when(change_policy()).records(None)


def test_a_changed_setting_holds_and_the_others_stay():
    first = PolicyChanged(at=NOON, changes={"code_digits": 8, "token_lifetime_seconds": 60})
    second = PolicyChanged(at=NOON, changes={"code_digits": 9})
    assert given_account(opened(), first, second).state.policy == Policy(code_digits=9, token_lifetime_seconds=60)


def test_a_setting_of_another_time_does_not_stop_an_account_from_loading():
    strange = PolicyChanged(at=NOON, changes={"code_digits": 99, "colour": 3})
    assert given_account(opened(), strange).state.policy == Policy(code_digits=99)


# Standing.


def test_an_account_is_suspended_with_a_reason_and_once():
    given_account(opened()).when(suspend()).records(SUSPENDED)
    given_account(opened(), SUSPENDED).when(suspend("another")).records(None)
    assert given_account(opened(), SUSPENDED).state.suspended == "fraud"


@pytest.mark.parametrize("reason", ["", "r" * 241, "a\nb"])
def test_a_reason_has_up_to_240_printable_characters(reason):
    outcome = given_account(opened(), SUSPENDED).when(suspend(reason))
    assert says(outcome.refusal) == (InvalidRequest, REASON)
    for accepted in ("r", "r" * 240):
        expected = AccountSuspended(at=NOON, reason=accepted, by="operator")
        given_account(opened()).when(suspend(accepted)).records(expected)


def test_a_suspended_account_is_resumed_once():
    resumed = AccountResumed(at=NOON, by="operator")
    given_account(opened(), SUSPENDED).when(resume).records(resumed)
    given_account(opened()).when(resume).records(None)
    assert given_account(opened(), SUSPENDED, resumed).state == given_account(opened()).state


def test_only_an_account_in_good_standing_is_served():
    accounts.require_standing(given_account(opened()).state)
    with pytest.raises(refusals.AccountSuspended):
        accounts.require_standing(given_account(opened(), SUSPENDED).state)


@pytest.mark.parametrize("ask", [add_credit(), issue_key(), change_policy(code_digits=8), suspend()])
def test_an_account_that_was_never_opened_cannot_be_administered(ask):
    assert says(given_account().when(ask).refusal) == (StateConflict, NO_ACCOUNT)


# The clock of a test log.


def test_the_clock_of_a_test_log_moves_forward_up_to_a_limit():
    scenario = given_account(opened(mode="test"))
    for seconds in (1, CLOCK_ADVANCE_MAX_SECONDS):
        scenario.when(advance(seconds)).records(
            ClockAdvanced(at=NOON, seconds=seconds, key_id="key_a", idempotency="a.b")
        )
    moved = given_account(opened(mode="test"), ClockAdvanced(at=NOON, seconds=5), ClockAdvanced(at=NOON, seconds=7))
    assert moved.state.clock_advanced_seconds == 12
    last = CLOCK_ADVANCE_MAX_SECONDS - 12
    moved.when(advance(last)).records(ClockAdvanced(at=NOON, seconds=last, key_id="key_a", idempotency="a.b"))
    for seconds in (-1, 0, last + 1):
        assert says(moved.when(advance(seconds)).refusal) == (
            InvalidRequest,
            f"seconds must be at least 1, and at most {CLOCK_ADVANCE_MAX_SECONDS} in total.",
        )
    assert CLOCK_ADVANCE_MAX_SECONDS == 366 * 24 * 60 * 60


def test_a_step_of_the_clock_needs_no_idempotency_key():
    state = given_account(opened(mode="test")).state
    step = accounts.advance_clock(state, seconds=1, key_id="key_a", now=NOON)
    assert step == ClockAdvanced(at=NOON, seconds=1, key_id="key_a")


def test_the_clock_of_a_live_log_stands_above_everyone():
    outcome = given_account(opened()).when(advance(1))
    assert says(outcome.refusal) == (StateConflict, "Only the clock of test keys can be moved.")


# Folding.


def test_an_opened_account_knows_itself():
    assert given_account(opened(mode="test")).state == Account(id="acct_a", name="Acme", mode="test", opened_at=NOON)


def test_facts_about_verifications_change_nothing():
    before = given_account(opened(), added(1))
    assert given_account(opened(), added(1), requested()).state == before.state
    assert given(opened(), added(1)).state == given().state


def test_every_kind_of_event_folds_into_an_empty_state():
    events = [
        opened(),
        added(1),
        debited(),
        CreditRefunded(at=NOON, verification_id="ver_1", send=1, credits=1, reason="r"),
        issued(),
        REVOKED,
        KeyRestricted(at=NOON, restricted_key_id="key_a"),
        PolicyChanged(at=NOON, changes={}),
        ListChanged(at=NOON, effect="block", kind="country", entries={"TR": "TR"}),
        SUSPENDED,
        AccountResumed(at=NOON),
        adopted(),
        statement(),
        ClockAdvanced(at=NOON, seconds=1),
        WebhookEndpointAdded(at=NOON, endpoint_id="we_1", url="https://a", types=()),
        WebhookSecretRotated(at=NOON, endpoint_id="we_1", secret_number=2, previous_until=NOON),
        WebhookEndpointDisabled(at=NOON, endpoint_id="we_1", reason="r"),
        WebhookEndpointEnabled(at=NOON, endpoint_id="we_1"),
        WebhookEndpointRemoved(at=NOON, endpoint_id="we_1"),
        TemplateChanged(at=NOON, locale="de", text="{code}"),
        TemplateRemoved(at=NOON, locale="de"),
        WordingChanged(at=NOON, brand="Shop"),
        SenderChanged(at=NOON, country="DE", sender="Shop"),
        SenderRemoved(at=NOON, country="DE"),
    ]
    assert [type(event) for event in events] == list(ACCOUNT_EVENTS)
    for event in events:
        assert isinstance(given_account(event).state, Account)


def test_a_state_survives_being_written_down():
    state = given_account(opened(), added(5), debited(), issued("a"), issued("b"), REVOKED, SUSPENDED).state
    assert msgspec.json.decode(msgspec.json.encode(state), type=Account) == state


def test_debits_name_what_they_paid_and_by_which_rate_card():
    card = RateCardAdopted(
        at=NOON, rate_card="rc_x", per="segment", prices={"*": 9, "US": 2}, effective_from=NOON, by="operator"
    )
    account = given_account(opened(), added(10), card).state
    assert accounts.debit(account, msgspec.structs.replace(requested(price=6), segments=3)) == CreditDebited(
        at=NOON,
        verification_id="ver_1",
        send=1,
        credits=6,
        rate_card=RateCard(per="segment", prices={"*": 9, "US": 2}).id,
        country="US",
        units=3,
        unit_credits=2,
    )


def test_a_country_may_be_free():
    free = adopted(0)
    given_account(opened(), free).when(debit).records(None)


def test_a_rate_card_is_adopted_for_a_moment_that_is_not_past():
    given_account(opened()).when(adopt(at=5, since=5)).records(adopted(at=5, since=5))
    given_account(opened()).when(adopt(at=5, since=4.9)).refuses(InvalidRequest)
    given_account(opened(), adopted(at=5, since=9)).when(adopt(at=6, since=9)).records(None)
    given_account(opened(), adopted(at=5, since=9)).when(adopt(4, at=6, since=9)).records(adopted(4, at=6, since=9))
    given_account(opened(mode="test")).when(adopt()).refuses(StateConflict)
    given_account().when(adopt()).refuses(StateConflict)


def test_so_many_rate_cards_may_wait_for_their_day():
    waiting = [adopted(n, since=n + 10) for n in range(accounts.CARDS_WAITING_MAX)]
    given_account(opened(), *waiting).when(adopt(99, since=99)).refuses(InvalidRequest)
    given_account(opened(), *waiting[1:]).when(adopt(99, since=99)).records(adopted(99, since=99))


def test_the_last_card_whose_day_has_come_is_in_force():
    account = given_account(opened(), adopted(2, since=10), adopted(4, since=30), adopted(3, since=20)).state
    prices = [account.rate_card(moment(at)) for at in (0, 9, 10, 19, 20, 29, 30, 99)]
    assert [card.prices["*"] for card in prices if card is not None] == [1, 1, 2, 2, 3, 3, 4, 4]
    later = given_account(opened(), adopted(2, since=10), adopted(4, since=10)).state.rate_card(moment(10))
    assert later is not None
    assert later.prices == {"*": 4}
    assert given_account(opened(mode="test")).state.rate_card(NOON) is None


def test_cards_that_others_have_replaced_are_forgotten():
    cards = [adopted(n, at=n, since=n) for n in range(1, 50)]
    account = given_account(opened(), *cards, adopted(100, at=60, since=99)).state
    assert [(one.card.prices["*"], one.effective_from) for one in account.cards] == [
        (49, moment(49)),
        (100, moment(99)),
    ]


def test_a_period_is_closed_once_and_in_order_when_it_is_over():
    given_account(opened()).when(issue()).records(statement())
    given_account(opened(), statement()).when(issue(after="2026-10")).refuses(StateConflict)
    given_account(opened(), statement()).when(issue("2026-09", after="2026-10")).refuses(StateConflict)
    given_account(opened()).when(issue("2026-11")).refuses(StateConflict)
    given_account(opened()).when(issue(grace_hours=12)).records(statement())  # NOON of the first
    given_account(opened()).when(issue(grace_hours=12.1)).refuses(StateConflict)
    given_account(opened(mode="test")).when(issue()).refuses(StateConflict)
    given_account(opened()).when(issue("2026-13")).refuses(InvalidRequest)
    given_account().when(issue()).refuses(StateConflict)


def test_a_statement_that_knew_of_another_last_closing_is_refused():
    """What was closed since has changed what is of which month."""
    given_account(opened(), statement("2026-08")).when(issue(after="2026-08")).records(statement())
    given_account(opened(), statement("2026-08")).when(issue(after="2026-07")).refuses(StateConflict)
    given_account(opened(), statement("2026-08")).when(issue()).refuses(StateConflict)
