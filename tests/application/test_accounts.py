"""Administration through a running writer."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from application.accounts import Administration, Balance, OpenedAccount, ReadAccount, ReadBalance
from application.listing import INSTALLATION
from domain import keys
from domain.account import Account
from domain.events import AccountOpened, CreditAdded, KeyIssued, ListChanged, StatementIssued
from domain.keys import KEY_KINDS
from domain.lists import NOTHING, Lists
from domain.policy import Policy
from domain.rates import FLAT, RateCard
from domain.refusals import IdempotencyKeyReused, InvalidRequest, StateConflict
from tests.application.world import Process, events, memory, names
from tests.support.clock import NOON, SeededEntropy
from tests.support.memory import MemoryLogRecorder

DAY = 86_400


@contextmanager
def operator(home: Process) -> Iterator[Administration]:
    home.writer.start()
    try:
        yield Administration(home.writer, home.keyring, home.entropy, timeout_seconds=10)
    finally:
        home.writer.close()


@pytest.fixture
def home() -> Process:
    return Process(MemoryLogRecorder())


@pytest.fixture
def office(home: Process) -> Iterator[Administration]:
    with operator(home) as administration:
        yield administration


@pytest.fixture
def opened(office: Administration) -> OpenedAccount:
    return office.open_account(name="Acme", credits=50, by="operator")


def test_an_account_opens_with_two_logs_four_keys_and_its_credits(home, office):
    opened = office.open_account(name="Acme", credits=50, by="operator")
    log = opened.account_id
    test_log = keys.log_of(log, mode="test")
    live, credit, *issued = events(home.recorder, log)
    assert live == AccountOpened(at=NOON, account_id=log, name="Acme", mode="live", by="operator")
    assert events(home.recorder, test_log) == [
        AccountOpened(at=NOON, account_id=log, name="Acme", mode="test", by="operator")
    ]
    assert [key for key in issued if isinstance(key, KeyIssued)] == [
        KeyIssued(
            at=NOON,
            issued_key_id=key.issued_key_id,
            kind=kind,
            hash=keys.key_hash(opened.keys[kind]),
            name="first",
            by="operator",
        )
        for kind, key in zip(KEY_KINDS, issued, strict=True)
    ]
    assert isinstance(credit, CreditAdded)
    assert (credit.credits, credit.reference, credit.by) == (50, "opening", "operator")
    assert {kind: keys.read(key) for kind, key in opened.keys.items()} == {kind: (kind, log) for kind in KEY_KINDS}
    assert len({key.issued_key_id for key in issued}) == 4


def test_an_account_may_open_without_credits(home, office):
    opened = office.open_account(name="Acme", credits=0, by="operator")
    assert names(home.recorder, opened.account_id) == ["AccountOpened"] + ["KeyIssued"] * 4


def test_two_accounts_share_nothing(office):
    one, two = (office.open_account(name="Acme", credits=1, by="operator") for _ in range(2))
    assert one.account_id != two.account_id
    assert not set(one.keys.values()) & set(two.keys.values())


def test_what_was_interrupted_halfway_is_completed_and_nothing_is_done_twice(home, office, opened):
    before = names(home.recorder, opened.account_id)
    office.open_named(opened, name="Acme", credits=50, by="operator")
    assert names(home.recorder, opened.account_id) == before
    more = OpenedAccount(opened.account_id, opened.keys | {"sk_live": opened.keys["sk_live"] + "x"})
    office.open_named(more, name="Acme", credits=50, by="operator")
    assert names(home.recorder, opened.account_id) == [*before, "KeyIssued"]


def test_an_opened_account_does_not_show_its_keys_when_it_is_printed(opened):
    assert [key for key in opened.keys.values() if key in repr(opened)] == []


def test_an_account_is_read(office, opened):
    account = office.account(opened.account_id)
    assert isinstance(account, Account)
    assert (account.id, account.name, account.available, len(account.keys)) == (opened.account_id, "Acme", 50, 4)
    with pytest.raises(StateConflict):
        office.account("acct_z")


def test_a_read_never_carries_a_key(home, office, opened):
    for read in (ReadAccount(opened.account_id), ReadBalance(opened.account_id)):
        with pytest.raises(AssertionError):
            read.replay(events(home.recorder, opened.account_id)[0])


def test_a_balance_is_of_a_position_and_a_moment(home, office, opened):
    assert home.writer.submit(ReadBalance(opened.account_id)).result(10) == Balance(
        available=50, debited=0, refunded=0, added=50, position=6, at=NOON
    )


def test_credits_are_added_once_per_reference(home, office, opened):
    log = opened.account_id
    added = [office.add_credit(log, credits=5, reference="R1", by="operator") for _ in range(3)]
    assert (added, office.account(log).added) == ([True, False, False], 55)
    assert office.add_credit(log, credits=5, reference="R2", by="operator") is True
    with pytest.raises(IdempotencyKeyReused):
        office.add_credit(log, credits=6, reference="R1", by="operator")
    home.clock.advance(seconds=400 * DAY)
    assert office.add_credit(log, credits=5, reference="R1", by="operator") is False
    assert office.account(log).added == 60


def test_credits_that_another_process_added_meanwhile_are_not_ours(home, office, opened):
    log = opened.account_id
    theirs: list[bool] = []

    def other() -> None:
        with operator(home.other()) as there:
            theirs.append(there.add_credit(log, credits=5, reference="R1", by="another"))

    memory(home).steal("append", by=other)
    ours = office.add_credit(log, credits=5, reference="R1", by="operator")
    assert (theirs, ours, office.account(log).added) == ([True], False, 55)


def test_credits_whose_commit_was_lost_are_ours(home, office, opened):
    memory(home).lose_acknowledgement()
    assert office.add_credit(opened.account_id, credits=5, reference="R1", by="operator") is True
    assert office.account(opened.account_id).added == 55


def test_keys_are_issued_and_revoked(home, office, opened):
    log = opened.account_id
    key_id, key = office.issue_key(log, kind="pk_live", name="web", origins=("https://example.com",), by="operator")
    known = office.account(log).keys[keys.key_hash(key)]
    assert (known.id, known.kind, known.name, known.origins) == (key_id, "pk_live", "web", ("https://example.com",))
    assert keys.read(key) == ("pk_live", log)
    changed = [office.restrict_key(log, key_id=key_id, name="shop", origins=(), by="operator") for _ in range(2)]
    assert (changed, office.account(log).keys[keys.key_hash(key)].name) == ([True, False], "shop")
    revoked = [office.revoke_key(log, key_id=key_id, by="operator") for _ in range(2)]
    assert (revoked, office.account(log).keys[keys.key_hash(key)].revoked_at) == ([True, False], NOON)
    with pytest.raises(InvalidRequest):
        office.revoke_key(log, key_id="key_never", by="operator")


def test_a_key_is_nowhere_in_the_log(home, office, opened):
    stored = b"".join(record.state for record in memory(home).log(opened.account_id)).decode()
    assert [key for key in opened.keys.values() if key in stored or key[-33:] in stored] == []


def test_policy_is_changed_when_it_differs(office, opened):
    log = opened.account_id
    changed = [office.change_policy(log, changes={"code_digits": 8}, by="operator") for _ in range(2)]
    assert (changed, office.account(log).policy) == ([True, False], Policy(code_digits=8))
    with pytest.raises(InvalidRequest):
        office.change_policy(log, changes={"code_digits": 11}, by="operator")


def test_an_account_is_suspended_and_resumed(office, opened):
    log = opened.account_id
    done = [
        office.suspend(log, reason="fraud", by="operator"),
        office.suspend(log, reason="fraud", by="operator"),
        office.resume(log, by="operator"),
        office.resume(log, by="operator"),
    ]
    assert (done, office.account(log).suspended) == ([True, False, True, False], "")


def test_a_rate_card_is_adopted_from_now_or_a_day_on(home, office, opened):
    log, card = opened.account_id, RateCard(per="segment", prices={"*": 2})
    first = office.adopt_rate_card(log, card=card, effective_from=None, by="operator")
    again = office.adopt_rate_card(log, card=card, effective_from=home.clock.now(), by="operator")
    later = office.adopt_rate_card(log, card=FLAT, effective_from=home.clock.now() + timedelta(days=3), by="operator")
    assert (first.effective_from, again, later.rate_card) == (home.clock.now(), None, FLAT.id)
    assert [adopted.card for adopted in office.account(log).cards] == [card, FLAT]


def test_a_statement_is_issued_at_the_ledgers_moment_once(home, office, opened):
    log = opened.account_id

    def made(now):
        figures: dict[str, Any] = dict.fromkeys(("credits", "added", "opening_balance", "closing_balance"), 0)
        return StatementIssued(at=now, period="2026-10", tree_size=1, root="00", sha256="00", **figures)

    office.issue_statement(log, made, closed_period="", grace=timedelta(hours=12))
    assert office.account(log).closed_period == "2026-10"
    with pytest.raises(StateConflict):
        office.issue_statement(log, made, closed_period="2026-10", grace=timedelta())


@pytest.mark.parametrize("log", ["acct_z", "nobody", ""])
def test_an_account_that_does_not_exist_cannot_be_administered(home, office, log):
    for ask in (
        lambda: office.resume(log, by="operator"),
        lambda: office.suspend(log, reason="fraud", by="operator"),
        lambda: office.add_credit(log, credits=1, reference="R", by="operator"),
        lambda: office.issue_key(log, kind="sk_live", name="", origins=(), by="operator"),
    ):
        with pytest.raises(StateConflict):
            ask()
    assert memory(home).log(log) == []


def test_every_way_into_an_account_is_guarded_by_its_log(home):
    with operator(home) as office:
        opened = office.open_account(name="Acme", credits=1, by="operator")
    fresh = Process(home.recorder, entropy=SeededEntropy(3))
    with operator(fresh) as office:
        assert office.account(opened.account_id).available == 1
        with pytest.raises(StateConflict):
            office._open_log(opened.account_id, name="Acme", mode="live", by="operator")


def test_a_list_changes_once_and_says_who_did_it(home, office, opened):
    log = opened.account_id
    change = {"effect": "block", "kind": "country", "values": ["tr", "DE"], "by": "cli:ann"}
    assert [office.change_lists(log, **change), office.change_lists(log, **change)] == [True, False]
    blocked = Lists(blocked={"country": {"TR": "TR", "DE": "DE"}})
    assert (office.lists(log), events(home.recorder, log)[-1]) == (
        blocked,
        ListChanged(at=NOON, effect="block", kind="country", entries={"TR": "TR", "DE": "DE"}, by="cli:ann"),
    )


def test_the_installations_lists_begin_with_their_first_change(home, office):
    assert office.lists(INSTALLATION) == NOTHING
    for value in ("voip", "pager"):
        assert office.change_lists(INSTALLATION, effect="allow", kind="type", values=[value], by="cli:ann")
    assert office.lists(INSTALLATION) == Lists(allowed={"type": {"voip": "voip", "pager": "pager"}})
    assert names(home.recorder, INSTALLATION) == ["AccountOpened", "ListChanged", "ListChanged"]
