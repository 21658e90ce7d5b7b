"""Given what happened, these are the rows: whole, of each view. And a fold asks nobody for the time or for chance."""

import datetime as dt
import os
import random
import secrets
import time
import uuid
from typing import Any

import pytest
from msgspec.structs import replace

from domain.codec import encode
from domain.events import CreditRefunded, KeyRestricted, PolicyChanged, StatementIssued
from projections.activity import Activity, told
from projections.balances import Balances, Totals
from projections.charges import Charges, Price
from projections.facts import Poisoned
from projections.key_uses import KeyUses
from projections.projection import Rows
from projections.usage import Beginning, Usage, beginnings
from projections.verifications import Standing, Verifications
from projections.views import AnyProjection
from tests.projections.views import LOG, batch, named
from tests.support.clock import NOON
from tests.support.given import (
    MASK,
    added,
    cancelled,
    debited,
    failed,
    issued,
    moment,
    opened,
    redeemed,
    reported,
    requested,
    send_failed,
    sent,
    verified,
)

VER = "ver_" + "s" * 22 + "1" * 12
OTHER = "ver_" + "s" * 22 + "2" * 12


def refunded(*, of: str = VER, send: int = 1) -> CreditRefunded:
    return CreditRefunded(at=moment(3), verification_id=of, send=send, credits=1, reason="unreachable")


WHOLE_STORY = (
    opened(),
    issued(),
    added(10),
    requested(of=VER),
    debited(of=VER),
    send_failed(at=3, of=VER),
    refunded(),
    requested(at=40, of=VER, send=2, since=0),
    debited(of=VER, send=2),
    sent(at=41, of=VER, send=2),
    reported(at=42, of=VER, send=2),
    *failed(at=43, of=VER),
    verified(at=50, of=VER),
    redeemed(at=60, of=VER),
)


def nothing_earlier(*events: Any) -> Any:
    """What a database would say of the verifications that the events are about: nothing."""
    return beginnings(batch(*events), lambda statement, parameters: [])


def test_balances_have_a_row_for_each_event_that_moved_credits() -> None:
    rows = Balances().fold({}, batch(*WHOLE_STORY))
    assert rows == Rows(
        [
            (LOG, 3, NOON, 10, 10, 0, 0),
            (LOG, 5, NOON, 9, 10, 1, 0),
            (LOG, 7, moment(3), 10, 10, 1, 1),
            (LOG, 9, NOON, 9, 10, 2, 1),
        ]
    )


def test_balances_go_on_from_what_was_there() -> None:
    rows = Balances().fold({LOG: Totals(100, 40, 7), "acct_z": Totals(1)}, batch(debited(), added(5)))
    assert rows == Rows([(LOG, 1, NOON, 66, 100, 41, 7), (LOG, 2, NOON, 71, 105, 41, 7)])


def test_usage_counts_by_day_and_country() -> None:
    late = verified(at=12 * 3_600, of=OTHER)  # the day after it was asked for
    events = (
        *WHOLE_STORY,
        requested(at=100, of=OTHER),
        sent(at=101, of=OTHER),
        late,
        cancelled(at=13 * 3_600, of=OTHER),
    )
    rows = Usage().fold(nothing_earlier(*events), batch(*events))
    nothing = dict.fromkeys(Usage.columns, 0)
    today, tomorrow = NOON.date(), moment(12 * 3_600).date()
    assert named(Usage(), *rows.fresh) == [
        nothing
        | {
            "log": LOG,
            "day": today,
            "country": "US",
            "begun": 2,
            "requested": 3,
            "sent": 2,
            "failed": 1,
            "delivered": 1,
        }
        | {"verified": 1, "attempts_failed": 1, "credits_debited": 2, "credits_refunded": 1}
        | {"to_verify_microseconds": 50_000_000},
        nothing
        | {"log": LOG, "day": tomorrow, "country": "US", "verified": 1, "cancelled": 1}
        | {"to_verify_microseconds": (12 * 3_600 - 100) * 1_000_000},
    ]
    assert rows.changed == ()


def test_usage_asks_the_ledger_how_earlier_verifications_began() -> None:
    asked: list[tuple[str, ...]] = []

    def ledger(statement: bytes, parameters: tuple[str, ...]) -> list[tuple[Any, ...]]:
        asked.append(parameters)
        return [(LOG, VER, encode(replace(requested(of=VER), country="TR")))]

    found = beginnings(batch(verified(of=VER), requested(of=OTHER), sent(of=OTHER)), ledger)
    assert found == {(LOG, VER): Beginning(NOON, "TR"), (LOG, OTHER): Beginning(NOON, "US")}
    assert asked == [(f'{{"{LOG}"}}', f'{{"{"s" * 22}"}}', f'{{"{VER}"}}')]


def test_activity_tells_every_event() -> None:
    policy = PolicyChanged(at=moment(70), changes={"token_lifetime_seconds": 90, "code_digits": 8}, by="cli:ann")
    rows = Activity().fold({LOG: moment(5)}, batch(*WHOLE_STORY, cancelled(at=61, of=VER), policy))
    told = [(row["who"], row["what"], row["outcome"], row["reason"]) for row in named(Activity(), *rows.fresh)]
    assert told == [
        ("operator", "AccountOpened", "opened", "live log of Acme"),
        ("system", "KeyIssued", "issued", "sk_live key_a, a"),
        ("system", "CreditAdded", "added", "credits: 10, reference R1"),
        ("system", "CodeRequested", "accepted", "first message"),
        ("system", "CreditDebited", "debited", "credits: 1, message 1, rate card rc_5ac86ae57a3c1c27"),
        ("system", "SendFailed", "failed", "message 1: unreachable"),
        ("system", "CreditRefunded", "refunded", "credits: 1, message 1: unreachable"),
        ("system", "CodeRequested", "accepted", "message 2"),
        ("system", "CreditDebited", "debited", "credits: 1, message 2, rate card rc_5ac86ae57a3c1c27"),
        ("inbox", "CodeSent", "sent", "message 2"),
        ("inbox", "DeliveryReported", "delivered", "message 2"),
        ("system", "AttemptFailed", "wrong_code", "attempts left: 4"),
        ("system", "Verified", "verified", "right code"),
        ("system", "TokenRedeemed", "redeemed", "token used for the first time"),
        ("system", "VerificationCancelled", "cancelled", "withdrawn"),
        ("cli:ann", "PolicyChanged", "changed", "code_digits=8, token_lifetime_seconds=90"),
    ]
    latest = [row["at_max"] for row in named(Activity(), *rows.fresh)]
    assert latest == [moment(5)] * 7 + [moment(second) for second in (40, 40, 41, 42, 43, 50, 60, 61, 70)]
    assert rows.fresh[3] == (LOG, 4, NOON, moment(5), "system", "", "CodeRequested", "accepted", "first message", VER)


def test_activity_tells_what_a_key_was_restricted_to() -> None:
    pages = tuple(f"https://{number}.example" for number in range(7))
    restricted = KeyRestricted(at=NOON, restricted_key_id="key_a", name="web", by="cli:ann")
    assert [told(one) for one in (restricted, replace(restricted, name="", origins=pages))] == [
        ("cli:ann", "KeyRestricted", "restricted", "key_a, web"),
        ("cli:ann", "KeyRestricted", "restricted", f"key_a: {', '.join(pages[:5])} and 2 more"),
    ]


def test_key_uses_have_the_newest_event_of_each_key() -> None:
    def by(key: str, event: Any) -> Any:
        return replace(event, key_id=key)

    events = (
        opened(),
        issued(),
        by("key_a", requested(of=VER)),
        by("key_b", requested(at=40, of=VER, send=2)),
        sent(at=41, of=VER, send=2),
        by("key_a", verified(at=50, of=VER)),
    )
    first, second = (LOG, "key_a", 6, moment(50)), (LOG, "key_b", 4, moment(40))
    assert KeyUses().fold(frozenset(), batch(*events)) == Rows([first, second], [])
    assert KeyUses().fold(frozenset({(LOG, "key_a")}), batch(*events)) == Rows([second], [first])
    assert KeyUses().fold(frozenset({("acct_z", "key_a")}), batch(*events)) == Rows([first, second], [])


def test_charges_have_a_row_for_what_a_statement_is_made_of() -> None:
    priced = replace(debited(6, of=VER), country="TR", units=2, unit_credits=3, rate_card="rc_1")
    closed = StatementIssued(
        at=moment(40 * 86_400),
        period="2026-11",
        tree_size=4,
        root="00",
        sha256="00",
        credits=6,
        added=10,
        opening_balance=0,
        closing_balance=4,
    )
    later = replace(refunded(), at=moment(40 * 86_400), credits=6)
    events = (opened(), added(10), requested(of=VER), priced, sent(of=VER), verified(of=VER), closed, later)
    rows = Charges().fold({}, batch(*events, refunded(of=OTHER)))
    today, afterwards = NOON.date(), moment(40 * 86_400).date()
    free = ("", "", "", 0, 0)
    price = ("2026-11", "TR", "rc_1", 3, 2)
    assert rows == Rows(
        [
            (LOG, "2026-11", 2, "added", today, *free, 10, 0),
            (LOG, "2026-11", 3, "begun", today, *free, 0, 0),
            (LOG, "2026-11", 4, "debited", today, *price, 6, 0),
            (LOG, "2026-11", 6, "verified", today, *free, 0, 0),
            (LOG, "2026-11", 7, "closed", afterwards, *free, 0, 4),
            (LOG, "2026-12", 8, "refunded", afterwards, *price, 6, 0),
            (LOG, "2026-11", 9, "refunded", today, *free, 1, 0),  # of a debit that nobody knows
        ]
    )
    earlier = {(LOG, OTHER, 1): Price(*price)}
    assert Charges().fold(earlier, batch(refunded(of=OTHER))).fresh == [
        (LOG, "2026-11", 1, "refunded", today, *price, 1, 0)
    ]
    assert Charges().fold({}, batch(*events, log="acct_a-test")) == Rows([])


def test_verifications_have_a_row_each_with_how_it_stands() -> None:
    (row,) = Verifications().fold({}, batch(*WHOLE_STORY)).fresh
    assert named(Verifications(), row) == [
        {
            "log": LOG,
            "position": 4,
            "verification_id": VER,
            "first_version": 1,
            "last_version": 8,
            "phone": MASK,
            "country": "US",
            "created_at": NOON,
            "expires_at": moment(300),
            "sends": 2,
            "attempts_left": 4,
            "credits": 1,
            "outcome": "verified",
            "ended_at": moment(50),
            "redeemed_at": moment(60),
        }
    ]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (failed(times=5, of=VER), ("failed", moment(1), 0)),
        (failed(times=4, of=VER), ("open", None, 1)),
        ([cancelled(of=VER)], ("cancelled", moment(5), 5)),
    ],
)
def test_verifications_end_in_one_way(events: list[Any], expected: tuple[Any, ...]) -> None:
    (row,) = named(Verifications(), *Verifications().fold({}, batch(requested(of=VER), *events)).fresh)
    assert (row["outcome"], row["ended_at"], row["attempts_left"]) == expected


def test_an_earlier_verification_is_changed_not_made_again() -> None:
    earlier = batch(requested(of=VER), debited(of=VER))
    standing = Standing(**named(Verifications(), *Verifications().fold({}, earlier).fresh)[0])
    rows = Verifications().fold({(LOG, VER): standing}, batch(sent(of=VER), verified(of=VER)))
    assert rows.fresh == []
    assert [
        (row["position"], row["outcome"], row["last_version"]) for row in named(Verifications(), *rows.changed)
    ] == [(1, "verified", 2)]


@pytest.mark.parametrize("view", [Verifications(), Usage()])
def test_what_never_began_is_poison(view: Any) -> None:
    with pytest.raises(Poisoned) as poisoned:
        view.fold({}, batch(added(1), sent(of=VER)))
    assert (poisoned.value.log, poisoned.value.position) == (LOG, 2)


def poisoned(*arguments: Any, **more: Any) -> Any:
    raise AssertionError("a fold asked for the time, or for chance")


class PoisonedDatetime(dt.datetime):
    now = utcnow = today = classmethod(poisoned)


def test_folds_use_neither_clock_nor_randomness(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as poison:
        for module, names in {
            time: ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "gmtime"),
            random: ("random", "randrange", "randint", "choice", "getrandbits"),
            os: ("urandom", "getrandom", "getpid"),
            secrets: ("token_bytes", "token_hex", "token_urlsafe", "randbits"),
            uuid: ("uuid1", "uuid4"),
        }.items():
            for name in names:
                poison.setattr(module, name, poisoned)
        poison.setattr(dt, "datetime", PoisonedDatetime)
        views: list[tuple[AnyProjection, Any]] = [
            (Balances(), {}),
            (Usage(), nothing_earlier(*WHOLE_STORY)),
            (Activity(), {}),
            (Verifications(), {}),
            (KeyUses(), frozenset()),
        ]
        for view, before in views:
            rows = [view.fold(before, batch(*WHOLE_STORY)) for _ in range(2)]
            assert rows[0] == rows[1]
        with pytest.raises(AssertionError, match="asked for the time"):
            time.time()
