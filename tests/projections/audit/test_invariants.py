"""Each invariant of the ledger has a violation of its own here, and is named with the first event that breaks it."""

import json
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from domain import account as accounts
from domain.account import Account
from domain.events import ClockAdvanced, CreditDebited, CreditRefunded, Event, RateCardAdopted, WebhookEndpointAdded
from domain.rates import FLAT, RateCard
from interfaces.billing.issuing import issued_at
from projections.audit.findings import Findings
from projections.audit.invariants import INVARIANTS, LogInvariants
from projections.transparency.entry import Entry, decode
from tests.support.bills import Months, reference, root_over
from tests.support.bundles import Log, entry
from tests.support.clock import NOON
from tests.support.given import (
    added,
    cancelled,
    debited,
    failed,
    moment,
    opened,
    redeemed,
    reported,
    requested,
    send_failed,
    sent,
    verified,
)

Recorded = list[tuple[str, Event]]
ACCOUNT: Recorded = [("", opened()), ("", added(10))]  # positions 1 and 2
PAID: Recorded = [("s", requested()), ("", debited())]  # positions 3 and 4
REST: Recorded = [("s", sent()), *[("s", event) for event in failed()], ("s", verified()), ("s", redeemed())]  # 5 to 8
SOUND = [*ACCOUNT, *PAID, *REST]


def refunded(*, of: str = "ver_1", send: int = 1, credits: int = 1) -> CreditRefunded:
    return CreditRefunded(at=NOON, verification_id=of, send=send, credits=credits, reason="unreachable")


def adopted(credits: int, *, at: float = 0) -> RateCardAdopted:
    card = RateCard(per="segment", prices={"*": credits, "TR": 7, "DE": 3})
    return RateCardAdopted(at=NOON, rate_card=card.id, per=card.per, prices=card.prices, effective_from=moment(at))


def numbers(*events: Event) -> Recorded:
    return [("s", event) for event in events]


def found(entries: list[bytes], *, log: str = "acct_a", kept_max: int = 50_000) -> list[tuple[str, int]]:
    """Names and positions of what the invariants say of these entries."""
    findings = Findings()
    invariants = LogInvariants(log, findings.add, root_of=root_over(entries), kept_max=kept_max)
    seen = list(enumerate(map(decode, entries), 1))
    for place, one in seen:
        invariants.see(place, one)
    invariants.finish(lambda: iter(seen))
    return [(finding.name, finding.position) for finding in findings.all]


def live(*events: tuple[str, Event]) -> list[bytes]:
    return Log("acct_a").add(*events).entries


def in_test(*events: tuple[str, Event]) -> list[bytes]:
    return Log("acct_a-test").add(("", opened(mode="test")), *events).entries


def with_body(position: int, **fields: object) -> list[bytes]:
    """The sound log, where one event says something else."""
    entries = live(*SOUND)
    old: Entry = decode(entries[position - 1])
    body = json.dumps({**old.data, **fields}, separators=(",", ":")).encode()
    spelled = entry(old.log, old.position, old.stream, old.version, topic=old.type, body=body)
    return [*entries[: position - 1], spelled, *entries[position:]]


def and_then(log: str = "acct_a", position: int = 9, *, topic: str = "AccountResumed.v1") -> list[bytes]:
    """The sound log with one more entry."""
    body = b'{"at":"2026-11-01T12:00:00Z"}'
    return [*live(*SOUND), entry(log, position, "other", 1, topic=topic, body=body)]


def versions(entries: list[bytes], position: int, version: int) -> list[bytes]:
    old = decode(entries[position - 1])
    spelled = entry(old.log, old.position, old.stream, version, topic=old.type, body=old.body)
    return [*entries[: position - 1], spelled, *entries[position:]]


NEXT = requested(of="ver_2", at=400)


def closing(**otherwise: Any) -> tuple[str, Event]:
    """The statement of the month that SOUND is in, issued a month later; or not as it should be."""
    (bill,) = reference("acct_a", list(enumerate((event for _, event in SOUND), 1)), root_over(live(*SOUND)))
    return "", replace(issued_at(bill, moment(31 * 86_400), by="cli:ann"), **otherwise)


LIVE: list[tuple[str, int, Recorded]] = [
    ("opened-first", 1, SOUND[1:]),
    ("opened-first", 9, [*SOUND, ("", opened())]),
    ("opened-first", 1, [("", replace(opened(), mode="test")), *SOUND[1:]]),
    ("opened-first", 1, [("", replace(opened(), account_id="acct_b")), *SOUND[1:]]),
    ("numbers-masked", 3, [*ACCOUNT, ("s", replace(requested(), metadata={"who": "+14155552671"})), *SOUND[3:]]),
    ("numbers-masked", 3, [*ACCOUNT, ("s", replace(requested(), metadata={"who": "+1 (415) 555-26.71"})), *SOUND[3:]]),
    ("numbers-masked", 2, [SOUND[0], ("", replace(added(10), reference="+905321112719")), *SOUND[2:]]),
    ("addresses-masked", 3, [*ACCOUNT, ("s", replace(requested(), client_ip="192.0.2.7")), *SOUND[3:]]),
    ("addresses-masked", 3, [*ACCOUNT, ("s", replace(requested(), client_ip="192.0.2.7/24")), *SOUND[3:]]),
    ("addresses-masked", 3, [*ACCOUNT, ("s", replace(requested(), client_ip="192.0.2.0/25")), *SOUND[3:]]),
    ("addresses-masked", 3, [*ACCOUNT, ("s", replace(requested(), client_ip="2001:db8:1::/64")), *SOUND[3:]]),
    ("addresses-masked", 3, [*ACCOUNT, ("s", replace(requested(), metadata={"ip": "from 2001:db8::7"})), *SOUND[3:]]),
    ("balance-never-negative", 6, [SOUND[0], ("", added(1)), *PAID, ("s", NEXT), ("", debited(of="ver_2"))]),
    ("debit-priced-by-card", 4, [*ACCOUNT, ("s", requested(price=2)), ("", debited(2))]),
    ("debit-priced-by-card", 4, [*ACCOUNT, PAID[0], ("", replace(debited(), country="TR"))]),
    ("debit-priced-by-card", 4, [*ACCOUNT, PAID[0], ("", replace(debited(), rate_card="flat"))]),
    ("debit-priced-by-card", 5, [*ACCOUNT, ("", adopted(2)), *PAID]),
    ("debit-priced-by-card", 5, [*ACCOUNT, ("", adopted(2, at=1)), ("s", requested(price=2)), ("", debited(2))]),
    ("card-names-its-content", 3, [*ACCOUNT, ("", replace(adopted(2), rate_card=FLAT.id))]),
    *[
        ("statement-as-issued", 9, [*SOUND, closing(**otherwise)])
        for otherwise in (
            {"credits": 2},
            {"added": 9},
            {"opening_balance": 1},
            {"closing_balance": 10},
            {"root": "0" * 64},
            {"sha256": "0" * 64},
            {"tree_size": 7},
            {"tree_size": 9},
            {"tree_size": 2**62},
            {"period": "2026-10"},
            {"period": "2026-12"},
            {"period": "9999-99"},
            {"period": ""},
        )
    ],
    ("statement-as-issued", 10, [*SOUND, closing(), closing()]),
    ("clocks-advance-in-test-logs", 9, [*SOUND, ("", ClockAdvanced(at=NOON, seconds=5))]),
    ("verification-requested", 9, [*SOUND, *numbers(sent(of="ver_9"))]),
    ("verification-requested", 9, [*SOUND, *numbers(verified(of="ver_9"))]),
    ("sends-count-up", 9, [*SOUND, ("s", requested(send=3)), ("", debited(send=3))]),
    ("sends-count-up", 9, [*SOUND, ("s", requested(of="ver_2", send=2)), ("", debited(of="ver_2", send=2))]),
    ("attempts-count-down", 5, [*ACCOUNT, *PAID, *numbers(*failed(left=4))]),
    ("attempts-count-down", 10, [*ACCOUNT, *PAID, *numbers(*failed(times=5), *failed(left=1))]),
    ("verified-once", 9, [*SOUND, *numbers(verified(at=30))]),
    ("verified-within-attempts", 10, [*ACCOUNT, *PAID, *numbers(*failed(times=5), verified())]),
    (
        "verified-within-attempts",
        7,
        [*ACCOUNT, ("s", requested(attempts=2)), PAID[1], *numbers(*failed(times=2, left=2), verified())],
    ),
    ("verified-before-expiry", 5, [*ACCOUNT, *PAID, *numbers(verified(at=300))]),
    ("verified-not-cancelled", 6, [*ACCOUNT, *PAID, *numbers(cancelled(), verified())]),
    ("redeemed-once", 9, [*SOUND, *numbers(redeemed(at=21))]),
    ("redeemed-matches-verified", 6, [*ACCOUNT, *PAID, *numbers(verified(), redeemed(token="tok_2"))]),
    ("redeemed-matches-verified", 6, [*ACCOUNT, *PAID, *numbers(sent(), redeemed())]),
    ("redeemed-before-expiry", 6, [*ACCOUNT, *PAID, *numbers(verified(), redeemed(at=610))]),
    ("debit-pays-one-request", 9, [*SOUND, ("", debited())]),
    ("debit-pays-one-request", 5, [*ACCOUNT, *PAID, ("", debited())]),
    ("debit-pays-one-request", 4, [*ACCOUNT, ("s", requested()), ("", debited(2))]),
    ("debit-pays-one-request", 4, [*ACCOUNT, ("s", requested(price=0)), ("", debited())]),
    ("refund-for-one-debit", 9, [*SOUND, ("", refunded(of="ver_9"))]),
    ("refund-for-one-debit", 9, [*SOUND, ("", refunded(send=2))]),
    ("refund-for-one-debit", 6, [*ACCOUNT, *PAID, *numbers(send_failed()), ("", refunded(credits=2))]),
    ("refund-for-one-debit", 7, [*ACCOUNT, *PAID, *numbers(send_failed()), ("", refunded()), ("", refunded())]),
    ("credits-add-up", 3, [*ACCOUNT, *numbers(requested(), sent())]),
    ("credits-add-up", 3, [*ACCOUNT, *numbers(requested())]),
    ("credits-add-up", 5, [*ACCOUNT, *PAID, *numbers(send_failed(), requested(of="ver_2", price=0))]),
    ("credits-add-up", 6, [*ACCOUNT, *PAID, *numbers(sent(), reported("undelivered"))]),
]
TEST: list[tuple[str, int, Recorded]] = [
    ("test-logs-never-debit", 2, numbers(requested(price=1))),
    ("test-logs-never-debit", 3, [("s", requested(price=0)), ("", debited())]),
    ("opened-first", 2, [("", opened(mode="test"))]),
    ("statement-as-issued", 2, [closing()]),
]
BYTES: list[tuple[str, int, list[bytes]]] = [
    ("entry-of-this-log", 9, and_then("acct_b", 9)),
    ("positions-dense", 9, and_then("acct_a", 10)),
    ("positions-dense", 9, and_then("acct_a", 8)),
    ("stream-versions-contiguous", 8, versions(live(*SOUND), 8, 6)),
    ("stream-versions-contiguous", 8, versions(live(*SOUND), 8, 4)),
    ("stream-versions-contiguous", 3, versions(live(*ACCOUNT, ("s", requested(price=0))), 3, 2)),
    ("event-type-known", 9, and_then(topic="CodeWhispered.v1")),
    ("event-type-known", 9, and_then(topic="AccountResumed.v2")),
    ("event-fields-known", 5, with_body(5, smell="sweet")),
    ("event-fields-valid", 5, with_body(5, provider=7)),
    ("event-fields-valid", 5, with_body(5, segments=2**63)),
    ("event-fields-valid", 5, with_body(5, segments=-1)),
    ("event-fields-valid", 5, with_body(5, segments=True)),
    ("event-fields-valid", 5, with_body(5, at="yesterday")),
    ("event-fields-valid", 5, with_body(5, segments=None)),
    ("numbers-masked", 5, with_body(5, message_id="\N{FULLWIDTH PLUS SIGN}1415555\N{FULLWIDTH DIGIT TWO}671")),
    ("addresses-masked", 5, with_body(5, message_id="\N{LATIN SMALL LETTER E WITH ACUTE} 192.0.2.7")),
]  # fmt: skip


@pytest.mark.parametrize("kept_max", [1, 50_000])
def test_a_sound_log_breaks_none(kept_max):
    late = [("s", NEXT), ("", debited(of="ver_2")), *numbers(send_failed(of="ver_2")), ("", refunded(of="ver_2"))]
    again = [*numbers(requested(of="ver_3", at=800)), ("", debited(of="ver_3")), *numbers(sent(of="ver_3"))]
    undelivered = [*numbers(reported("undelivered", of="ver_3", at=900)), ("", refunded(of="ver_3"))]
    assert found(live(*SOUND, *late, *again, *undelivered), kept_max=kept_max) == []
    assert found(in_test(*numbers(requested(price=0), sent(), verified())), log="acct_a-test") == []


@pytest.mark.parametrize("kept_max", [1, 50_000])
@pytest.mark.parametrize(("name", "position", "events"), LIVE)
def test_a_violation_is_named_with_its_first_event(name, position, events, kept_max):
    assert found(live(*events), kept_max=kept_max) == [(name, position)]


@pytest.mark.parametrize(("name", "position", "events"), TEST)
def test_a_violation_in_a_test_log_is_named_too(name, position, events):
    assert found(in_test(*events), log="acct_a-test") == [(name, position)]


@pytest.mark.parametrize(("name", "position", "entries"), BYTES)
def test_what_no_event_type_could_say_is_named_too(name, position, entries):
    assert found(entries) == [(name, position)]


def test_a_card_counts_from_its_day_on_and_by_segments():
    """Adopted twice for the same day, the later one counts; the account's own rules give what the auditor expects."""
    cards = [adopted(9), adopted(2), adopted(5, at=500)]
    account = Account()
    for card in [opened(), added(100), *cards]:
        account = accounts.evolve(account, card)
    events: list[Event] = []
    for number, (at, country, price) in enumerate([(0, "US", 4), (10, "TR", 14), (499, "US", 4), (500, "US", 10)]):
        asked = replace(requested(at=at, of=f"ver_{number}", price=price), country=country, segments=2)
        paid = accounts.debit(account, asked)
        assert paid is not None
        events += [asked, paid]
    streams = [("" if isinstance(event, CreditDebited) else f"s{at}", event) for at, event in enumerate(events)]
    assert found(live(("", opened()), ("", added(100)), *[("", card) for card in cards], *streams)) == []


def test_every_invariant_has_a_violation_above():
    assert {name for name, _, _ in [*LIVE, *TEST, *BYTES]} == INVARIANTS.keys()


def test_a_statement_that_says_what_the_log_says_is_left_alone():
    assert found(live(*SOUND, closing())) == []
    months = Months(seed=1).go_on(200)
    assert months.closed > "2026-02"
    assert found(months.log.entries, kept_max=3) == []


def test_what_is_masked_or_no_personal_data_is_left_alone():
    texts = ["+90532****2719", "203.0.113.0/24", "2001:db8:1::/48", "12:30:45", "a::b::c", "1.2.3", "v1.2.3.4.5"]
    metadata = {f"m{number}": text for number, text in enumerate(texts)}
    harmless = replace(requested(), metadata=metadata, client_ip="0.0.0.0/24", web_origin="127.0.0.1")
    hook = WebhookEndpointAdded(at=moment(0), endpoint_id="we_1", url="http://127.0.0.1:9/", types=("account.*",))
    assert found(live(*ACCOUNT, ("s", harmless), PAID[1], ("", hook))) == []
    unmasked = replace(hook, url="https://shop.example/+14155552671")
    assert found(live(*ACCOUNT, ("", unmasked))) == [("numbers-masked", len(ACCOUNT) + 1)]


def test_the_clock_of_a_test_log_is_in_the_moments_of_its_events():
    """Advanced by ten minutes, the events say so themselves: a code is over by then, whatever the wall's clock says."""
    ahead = ClockAdvanced(at=moment(0), seconds=600)
    begun = numbers(requested(price=0))
    late = [*begun, ("", ahead), *numbers(replace(verified(), at=moment(601)))]
    assert found(in_test(*late), log="acct_a-test") == [("verified-before-expiry", 4)]
    fresh = numbers(replace(requested(price=0, of="ver_2"), at=moment(601), expires_at=moment(901)))
    soon = verified(of="ver_2", at=700)
    assert found(in_test(*begun, ("", ahead), *fresh, *numbers(soon)), log="acct_a-test") == []


def test_an_old_verification_is_judged_as_exactly_as_a_new_one():
    """With a memory of one verification at a time, what comes late is still known, and so is an id that comes twice."""
    between = [*numbers(NEXT), ("", debited(of="ver_2")), *numbers(requested(of="ver_3", price=0, at=800))]
    events = [*ACCOUNT, *PAID, *between]
    for late, name in [
        (verified(at=900), "verified-before-expiry"),
        (redeemed(at=900), "redeemed-matches-verified"),
        (sent(of="ver_9"), "verification-requested"),
        (replace(requested(at=950, price=0), expires_at=moment(950) + timedelta(seconds=300)), "sends-count-up"),
    ]:
        assert found(live(*events, ("s", late)), kept_max=1) == [(name, 8)]
    assert found(live(*events, ("s", sent(at=900)), ("s", reported(at=901))), kept_max=1) == []
