"""Views of random business against other ways to the same figures: the domain's own fold, the history, a plain count."""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import psycopg

from application.history import details
from domain import account as accounts
from domain.account import Account
from domain.codec import decode
from domain.events import CodeRequested
from projections.usage import Usage
from projections.verifications import Verifications
from tests.projections.views import catch_up, contents, named
from tests.support.business import Business
from tests.support.clock import NOON

COUNTED = {
    "CodeRequested": "requested",
    "CodeSent": "sent",
    "SendFailed": "failed",
    "delivered": "delivered",
    "undelivered": "undelivered",
    "Verified": "verified",
    "VerificationCancelled": "cancelled",
    "AttemptFailed": "attempts_failed",
}
LONG_AGO = NOON - timedelta(days=1)


def test_balances_are_the_accounts_own_fold(business: Business, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    expected = []
    for log in business.logs:
        account = Account()
        for record in business.recorder.select_log(log, after=0, limit=10**6):
            event = decode(record.topic, record.state)
            before = account
            account = accounts.evolve(account, event) if not record.stream else account
            if (before.added, before.debited, before.refunded) != (account.added, account.debited, account.refunded):
                figures = (account.available, account.added, account.debited, account.refunded)
                expected.append((log, record.id, event.at, *figures))
    assert contents(connection, "balances") == expected


def test_verifications_are_what_their_history_tells(business: Business, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    rows = named(Verifications(), *contents(connection, "verifications"))
    assert len(rows) > 50
    assert {row["outcome"] for row in rows} == {"open", "verified", "failed", "cancelled"}
    for log in business.logs:
        told = details(business.recorder.select_log(log, after=0, limit=10**6), now=LONG_AGO)
        assert {row["verification_id"] for row in rows if row["log"] == log} == told.keys()
        for row in (row for row in rows if row["log"] == log):
            detail = told[row["verification_id"]]
            assert (row["outcome"] if row["outcome"] != "open" else "pending") == detail.status
            assert [row[name] for name in ("phone", "country", "sends", "attempts_left", "credits", "position")] == [
                detail.phone_number,
                detail.country,
                detail.sends,
                detail.attempts_left,
                detail.credits,
                detail.timeline[0].position,
            ]
            assert [row[name] for name in ("created_at", "expires_at", "redeemed_at")] == [
                detail.created_at,
                detail.expires_at,
                detail.redeemed_at,
            ]


def test_the_events_of_a_verification_are_between_its_versions(
    business: Business, connection: psycopg.Connection[Any]
) -> None:
    """So that looking one up reads its own few events, however busy its number has been."""
    catch_up(connection)
    for row in named(Verifications(), *contents(connection, "verifications")):
        stream = row["verification_id"][4:26]
        part = business.recorder.select_parts(row["log"], [(stream, row["first_version"], row["last_version"])])
        whole = business.recorder.select_events(f"{row['log']}/{stream}")
        mine = [r.originator_version for r in whole if row["verification_id"].encode() in r.state]
        assert {record.originator_version for record in part} >= set(mine)
        assert (min(mine), max(mine)) == (row["first_version"], row["last_version"])


def test_usage_is_a_plain_count(business: Business, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    expected: dict[tuple[Any, ...], Counter[str]] = defaultdict(Counter)
    for log in business.logs:
        events = [decode(r.topic, r.state) for r in business.recorder.select_log(log, after=0, limit=10**6)]
        first = {e.verification_id: e for e in reversed(events) if isinstance(e, CodeRequested)}
        for event in events:
            of = getattr(event, "verification_id", None)
            if of is None:
                continue
            counts = expected[(log, event.at.date(), first[of].country)]
            kind = getattr(event, "outcome", type(event).__name__)
            if kind in COUNTED:
                counts[COUNTED[kind]] += 1
            counts["begun"] += event is first[of]
            counts["credits_debited"] += getattr(event, "credits", 0) if kind == "CreditDebited" else 0
            counts["credits_refunded"] += getattr(event, "credits", 0) if kind == "CreditRefunded" else 0
            if kind == "Verified":
                counts["to_verify_microseconds"] += round((event.at - first[of].at).total_seconds() * 1e6)
    found = {}
    for row in named(Usage(), *contents(connection, "usage")):
        key = (row.pop("log"), row.pop("day"), row.pop("country"))
        found[key] = Counter({name: count for name, count in row.items() if count})
    assert found == {key: Counter({n: c for n, c in counts.items() if c}) for key, counts in expected.items()}
    assert len({country for _, _, country in found}) == 4
