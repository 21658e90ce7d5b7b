"""Lists: what is allowed, what is blocked, and that a block wins."""

import pytest

from domain import account as accounts
from domain import lists, phone
from domain.events import ListChanged
from domain.lists import NOTHING, Listed, Lists, Untold
from domain.phone import PhoneNumber
from domain.refusals import (
    CountryNotEnabled,
    DestinationUnsupported,
    InvalidRequest,
    IpBlocklisted,
    IpNotAllowlisted,
    NumberBlocklisted,
    NumberNotAllowlisted,
    Refusal,
    StateConflict,
)
from tests.support.clock import NOON
from tests.support.given import given_account, opened

NUMBER = Listed(phone.parse("+905321232719"), ("hash", "hash of all"))
OFFICE = [("ip4/24", "4/24 192.0.2.0/24"), ("ip4/32", "4/32 hash")]


def held(**sides: dict[str, dict[str, str]]) -> Lists:
    return Lists(**sides)


def blocked(kind: str, *keys: str) -> Lists:
    return held(blocked={kind: dict.fromkeys(keys, "shown")})


def allowed(kind: str, *keys: str) -> Lists:
    return held(allowed={kind: dict.fromkeys(keys, "shown")})


def verdict(rule, *arguments, **more) -> str:
    try:
        rule(*arguments, **more)
    except Refusal as refusal:
        return refusal.code
    return "passed"


@pytest.mark.parametrize(
    ("account", "installation", "code"),
    [
        (NOTHING, NOTHING, "passed"),
        (blocked("number", "hash"), NOTHING, NumberBlocklisted.code),
        (blocked("number", "hash of another"), NOTHING, "passed"),
        (NOTHING, blocked("number", "hash of all"), NumberBlocklisted.code),
        (NOTHING, blocked("number", "hash"), "passed"),
        (blocked("prefix", "90"), NOTHING, NumberBlocklisted.code),
        (blocked("prefix", "905321232"), NOTHING, NumberBlocklisted.code),
        (blocked("prefix", "91", "9"[:0] + "5321"), NOTHING, "passed"),
        (blocked("country", "TR"), NOTHING, "passed"),
        (allowed("number", "hash"), NOTHING, "passed"),
        (allowed("number", "hash of another"), NOTHING, NumberNotAllowlisted.code),
        (allowed("prefix", "9053"), NOTHING, "passed"),
        (allowed("prefix", "1"), NOTHING, NumberNotAllowlisted.code),
        (NOTHING, allowed("prefix", "1"), NumberNotAllowlisted.code),
        (allowed("prefix", "90"), allowed("prefix", "1"), "passed"),
        (allowed("prefix", "90"), blocked("prefix", "90"), NumberBlocklisted.code),
        (held(allowed={"number": {"hash": ""}}, blocked={"prefix": {"9": ""}}), NOTHING, NumberBlocklisted.code),
    ],
)
def test_a_number_is_refused_when_a_block_names_it_or_an_allow_does_not(account, installation, code):
    assert verdict(lists.require_number, (account, installation), NUMBER) == code


@pytest.mark.parametrize(
    ("account", "installation", "code"),
    [
        (NOTHING, NOTHING, "passed"),
        (blocked("country", "TR"), NOTHING, CountryNotEnabled.code),
        (NOTHING, blocked("country", "TR"), CountryNotEnabled.code),
        (allowed("country", "US"), NOTHING, CountryNotEnabled.code),
        (NOTHING, allowed("country", "US"), CountryNotEnabled.code),
        (allowed("country", "TR"), allowed("country", "US"), "passed"),
        (allowed("country", "TR"), blocked("country", "TR"), CountryNotEnabled.code),
    ],
)
def test_a_country_is_enabled_by_the_account_or_else_by_the_installation_and_a_block_wins(account, installation, code):
    assert verdict(lists.require_country, (account, installation), NUMBER) == code


@pytest.mark.parametrize(
    ("number", "account", "code"),
    [
        ("+905321232719", NOTHING, "passed"),
        ("+14155552671", NOTHING, "passed"),
        ("+19005550100", NOTHING, DestinationUnsupported.code),
        ("+881612345678", NOTHING, DestinationUnsupported.code),
        ("+443031231234", NOTHING, DestinationUnsupported.code),
        ("+19005550100", allowed("type", "premium_rate"), "passed"),
        ("+19005550100", allowed("type", "voip"), DestinationUnsupported.code),
        ("+905321232719", blocked("type", "mobile"), DestinationUnsupported.code),
        (
            "+19005550100",
            held(allowed={"type": {"premium_rate": ""}}, blocked={"type": {"premium_rate": ""}}),
            DestinationUnsupported.code,
        ),
    ],
)
def test_kinds_of_numbers_that_cost_much_are_refused_unless_allowed(number, account, code):
    assert verdict(lists.require_type, (account, NOTHING), Listed(phone.parse(number), ("", ""))) == code


@pytest.mark.parametrize(
    ("account", "installation", "is_exclusive", "code"),
    [
        (NOTHING, NOTHING, True, "passed"),
        (blocked("ip4/24", "4/24 192.0.2.0/24"), NOTHING, False, IpBlocklisted.code),
        (blocked("ip4/32", "4/32 another"), NOTHING, True, "passed"),
        (NOTHING, blocked("ip4/32", "4/32 hash"), True, IpBlocklisted.code),
        (allowed("ip4/32", "4/32 hash"), NOTHING, True, "passed"),
        (allowed("ip4/32", "4/32 another"), NOTHING, True, IpNotAllowlisted.code),
        (allowed("ip4/32", "4/32 another"), NOTHING, False, "passed"),
        (NOTHING, allowed("ip4/32", "4/32 another"), True, IpNotAllowlisted.code),
        (allowed("ip4/24", "4/24 192.0.2.0/24"), blocked("ip4/32", "4/32 hash"), True, IpBlocklisted.code),
    ],
)
def test_an_address_is_refused_when_a_block_names_it_or_an_exclusive_allow_does_not(
    account, installation, is_exclusive, code
):
    both = (account, installation)
    assert verdict(lists.require_address, both, (OFFICE, OFFICE), is_exclusive=is_exclusive) == code


def test_a_public_key_without_origins_has_those_of_its_account_and_no_key_a_blocked_one():
    account, installation = allowed("origin", "https://a.example"), allowed("origin", "https://b.example")
    assert lists.origins((account, installation), ("https://own.example",)) == ("https://own.example",)
    assert lists.origins((account, installation), ()) == ("https://a.example",)
    assert lists.origins((NOTHING, installation), ()) == ("https://b.example",)
    assert lists.origins((NOTHING, NOTHING), ()) == ()
    both = (NOTHING, blocked("origin", "https://b.example"))
    assert [lists.blocks_origin(both, page) for page in ("https://a.example", "https://b.example")] == [False, True]


@pytest.mark.parametrize(("text", "digits"), [("+1", "1"), ("+1415555", "1415555"), ("90", "90"), ("+905321232", None)])
def test_a_prefix_has_at_most_six_digits_after_its_country_code(text, digits):
    if digits is None:
        with pytest.raises(InvalidRequest, match="at most 6 digits after"):
            lists.prefix(text)
    else:
        assert lists.prefix(text) == digits


@pytest.mark.parametrize("text", ["", "+", "+0", "+٣٤", "14a", "+1415555267", "1" * 40])
def test_what_is_no_prefix_is_refused(text):
    with pytest.raises(InvalidRequest):
        lists.prefix(text)


def test_a_whole_number_is_no_prefix():
    with pytest.raises(InvalidRequest, match="whole number"):
        lists.prefix("+247542011")


def test_countries_and_types_are_known_ones():
    assert (lists.country("tr"), lists.country("001"), lists.type_("voip")) == ("TR", "001", "voip")
    for wrong in (lambda: lists.country("XX"), lambda: lists.type_("landline")):
        with pytest.raises(InvalidRequest):
            wrong()


def change(effect, kind, *keys, account_lists=None):
    def decide(account):
        return accounts.change_lists(
            account, effect=effect, kind=kind, entries=dict.fromkeys(keys, "shown"), by="cli:ann", now=NOON
        )

    return decide


def listed(effect, kind, *keys):
    return ListChanged(at=NOON, effect=effect, kind=kind, entries=dict.fromkeys(keys, "shown"), by="cli:ann")


def test_a_change_is_recorded_with_who_made_it_and_not_twice():
    given_account(opened()).when(change("block", "country", "TR")).records(listed("block", "country", "TR"))
    given_account(opened(), listed("block", "country", "TR")).when(change("block", "country", "TR")).records(None)
    given_account(opened()).when(change("remove", "country", "TR")).records(None)
    given_account().when(change("block", "country", "TR")).refuses(StateConflict)


def test_removing_takes_an_entry_off_both_sides():
    state = given_account(
        opened(),
        listed("block", "ip", "4/32 a", "4/24 b", "6/48 c"),
        listed("allow", "ip", "4/32 a", "4/32 d"),
        listed("remove", "ip", "4/32 a", "6/48 c"),
    ).state
    assert state.lists == Lists(allowed={"ip4/32": {"4/32 d": "shown"}}, blocked={"ip4/24": {"4/24 b": "shown"}})


def test_lists_have_their_limits(monkeypatch):
    monkeypatch.setattr(lists, "ENTRIES_MAX", 2)
    monkeypatch.setattr(lists, "ENTRIES_PER_CHANGE_MAX", 3)
    full = given_account(opened(), listed("block", "prefix", "1", "2"))
    full.when(change("block", "prefix", "3")).refuses(InvalidRequest)
    full.when(change("remove", "prefix", "2")).records(listed("remove", "prefix", "2"))
    full.when(change("block", "prefix", "1", "2", "3", "4")).refuses(InvalidRequest)
    full.when(change("block", "prefix")).refuses(InvalidRequest)


def test_only_a_kind_of_number_that_is_refused_otherwise_can_be_allowed():
    given_account(opened()).when(change("allow", "type", "mobile")).refuses(InvalidRequest)
    given_account(opened()).when(change("allow", "type", "voip")).records(listed("allow", "type", "voip"))


SHOWN = Listed(PhoneNumber("+90532", "TR", "+90532****2719", ""), ("hash", ""))


@pytest.mark.parametrize(
    ("own", "everybodys", "outcome"),
    [
        (Lists(), Lists(), None),
        (Lists(blocked={"number": {"hash": "m"}}), Lists(), NumberBlocklisted),
        (Lists(blocked={"number": {"other": "m"}}), Lists(), None),
        (Lists(), Lists(blocked={"number": {"other": "m"}}), Untold),
        (Lists(blocked={"prefix": {"9053": "9053"}}), Lists(), NumberBlocklisted),
        (Lists(blocked={"prefix": {"905321": "905321"}}), Lists(), Untold),
        (Lists(blocked={"prefix": {"905331": "905331"}}), Lists(), None),
        (Lists(allowed={"prefix": {"9053": "9053"}}), Lists(), None),
        (Lists(allowed={"prefix": {"905321": "905321"}}), Lists(), Untold),
        (Lists(allowed={"prefix": {"9054": "9054"}}), Lists(), NumberNotAllowlisted),
        (Lists(), Lists(allowed={"number": {"other": "m"}}), Untold),
        (Lists(allowed={"number": {"hash": "m"}}), Lists(blocked={"number": {"other": "m"}}), Untold),
        (Lists(allowed={"number": {"none": "m"}}), Lists(blocked={"number": {"other": "m"}}), Untold),
    ],
)
def test_a_number_known_by_hash_and_mask_is_told_only_what_these_decide(
    own: Lists, everybodys: Lists, outcome: type[Exception] | None
) -> None:
    if outcome is None:
        lists.require_number_shown((own, everybodys), SHOWN)
    else:
        with pytest.raises(outcome):
            lists.require_number_shown((own, everybodys), SHOWN)
