"""Usage and activity, as an account reads them: exact, whether the views are behind or not."""

from datetime import UTC, datetime
from typing import Any

import pytest

from interfaces.http import reports
from interfaces.http.views import reach
from projections.activity import Activity
from tests.http.customer import MOMENT, Customer, Like, Side, number, refusal
from tests.support.server import wait_for


def usage(it: Side, query: str = "") -> dict[str, Any]:
    answer = it.get(f"/v1/usage{query}")
    assert answer.status == 200, answer
    return dict(answer.body)


def test_usage_counts_what_the_log_has(customer: Customer) -> None:
    it = customer.live
    for _ in range(3):
        it.redeem(it.verified(number()))
    phone = number()
    verification_id, code = it.sent(phone)
    it.guess(phone, code, times=2)
    it.cancel(verification_id)
    it.sent("+905321232719")
    length = len(it.settled())
    today = datetime.now(UTC).date().isoformat()
    page = usage(it)
    us, turkey = {row.pop("country"): row for row in page["rows"]}.items()
    assert (page["to"], page["cursor"], page["position"]) == (today, None, length)
    seconds = turkey[1].pop("seconds_to_verify"), us[1].pop("seconds_to_verify")
    assert (us[0], turkey[0]) == ("TR", "US")
    assert turkey[1] == {
        "day": today,
        "verifications": 4,
        "requested": 4,
        "sent": 4,
        "failed": 0,
        "delivered": 0,
        "undelivered": 0,
        "verified": 3,
        "cancelled": 1,
        "attempts_failed": 2,
        "credits_debited": 4,
        "credits_refunded": 0,
        "credits": 4,
        "conversion": 0.75,
    }
    assert us[1]["verifications"] == 1
    assert us[1]["conversion"] == 0
    assert (0 < seconds[0] < 10, seconds[1]) == (True, None)


def test_usage_is_grouped_as_asked_and_paged_without_a_seam(customer: Customer) -> None:
    it = customer.test
    for _ in range(3):
        it.sent(number())
        it.sent(f"+4479460{number()[-5:]}")
        it.advance(seconds=86_400)
    it.settled()
    whole = usage(it)["rows"]
    assert [(row["country"], row["requested"]) for row in whole] == [("GB", 1), ("US", 1)] * 3
    paged, cursor = [], ""
    while cursor is not None:
        page = usage(it, f"?limit=1{cursor and '&cursor=' + cursor}")
        paged += page["rows"]
        cursor = page["cursor"]
    assert paged == whole
    by_country = usage(it, "?group_by=country")["rows"]
    by_day = usage(it, "?group_by=day")["rows"]
    alone = usage(it, "?group_by=")["rows"]
    assert [(row["day"], row["country"], row["requested"]) for row in by_country] == [(None, "GB", 3), (None, "US", 3)]
    assert [(row["country"], row["requested"]) for row in by_day] == [(None, 2)] * 3
    assert [(row["day"], row["country"], row["requested"]) for row in alone] == [(None, None, 6)]
    first, last = by_day[0]["day"], by_day[1]["day"]
    ranged = usage(it, f"?from={first}&to={last}&group_by=day")
    assert (ranged["from"], ranged["to"], ranged["rows"]) == (first, last, by_day[:2])


def test_activity_tells_who_did_what_and_why(customer: Customer) -> None:
    it = customer.live
    phone = number()
    verification_id, code = it.sent(phone, client_ip="203.0.113.9")
    it.settled()
    it.guess(phone, code, times=1)
    it.redeem(it.check(phone, code).body["token"])
    log = it.settled()
    key_id = next(event["data"]["issued_key_id"] for event in log if event["data"].get("kind") == "sk_live")
    page = it.get("/v1/activity").body
    assert (page["position"], page["cursor"], len(page["activity"])) == (len(log), None, len(log))
    told = [
        tuple(entry[name] for name in ("who", "client_ip", "what", "outcome", "reason")) for entry in page["activity"]
    ]
    assert told[::-1][6:] == [
        (key_id, "203.0.113.0/24", "CodeRequested", "accepted", "first message"),
        ("system", "", "CreditDebited", "debited", Like(r"credits: 1, message 1, rate card \S+")),
        ("inbox", "", "CodeSent", "sent", "message 1"),
        (key_id, "127.0.0.0/24", "AttemptFailed", "wrong_code", "attempts left: 4"),
        (key_id, "127.0.0.0/24", "Verified", "verified", "right code"),
        (key_id, "127.0.0.0/24", "TokenRedeemed", "redeemed", "token used for the first time"),
    ]
    assert [(e["position"], e["at"], e["verification_id"]) for e in page["activity"][:6]] == [
        (len(log) - place, MOMENT, verification_id) for place in range(6)
    ]
    assert ("test", "", "CreditAdded", "added", "credits: 1000, reference opening") in told


@pytest.mark.parametrize("limit", [1, 4, 6, 1_000])
def test_activity_is_paged_without_a_seam(customer: Customer, limit: int) -> None:
    customer.live.verified(number())
    length = len(customer.live.settled())
    positions: list[int] = []
    cursor = ""
    while cursor is not None:
        page = customer.live.get(f"/v1/activity?limit={limit}{cursor and '&cursor=' + cursor}").body
        positions += [entry["position"] for entry in page["activity"]]
        cursor = page["cursor"]
    assert positions == list(range(length, 0, -1))


@pytest.mark.parametrize(
    "query",
    [
        "usage?from=yesterday",
        "usage?from=20261124",
        "usage?to=2026-11-31",
        "usage?from=2026-11-25&to=2026-11-24",
        "usage?from=2025-01-01&to=2026-11-24",
        "usage?group_by=hour",
        "usage?group_by=day,day",
        "usage?group_by=country,day",
        "usage?cursor=2026-11-24/US%0A",
        "usage?cursor=2026-11-24",
        "usage?limit=0",
        "usage?limit=1001",
        "usage?cursor=%00",
        "usage?cursor=" + "9" * 50,
        "activity?cursor=0",
        "activity?limit=1001",
        "activity?kind=Nonsense",
        "activity?kind=Verified,",
        "verifications?status=open",
        "verifications?status=",
    ],
)
def test_a_parameter_of_another_form_is_an_invalid_request(customer: Customer, query: str) -> None:
    assert refusal(customer.live.get(f"/v1/{query}")) == (400, "invalid_request")


@pytest.mark.parametrize("views", ["there", "perhaps behind"])
def test_activity_of_some_kinds_is_what_all_of_it_has_of_them(customer: Customer, views: str) -> None:
    it = customer.live
    for _ in range(3):
        phone = number()
        _, code = it.sent(phone)
        it.guess(phone, code, times=2)
        it.check(phone, code)
    if views == "there":
        it.settled()
    every = it.get("/v1/activity?limit=1000").body["activity"]
    for kinds in ("AttemptFailed", "Verified,KeyIssued", "StatementIssued"):
        expected = [entry for entry in every if entry["what"] in kinds.split(",")]
        found: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = it.get(f"/v1/activity?limit=2&kind={kinds}{cursor and '&cursor=' + cursor}").body
            found += page["activity"]
            cursor = page["cursor"]
        assert found == expected
        assert (expected == []) == (kinds == "StatementIssued")


def test_what_is_rare_is_found_span_by_span(customer: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    it = customer.live
    for _ in range(4):
        it.verified(number())
    length = len(it.settled())
    monkeypatch.setattr(reports, "SPAN_MAX", 5)
    recorder = customer.server.books.recorder
    wait_for(lambda: reach(recorder, it.account_id, Activity) == length)
    found, spans, before = [], 0, 2**53
    while before > 1:
        page = reports.activity_page(recorder, it.account_id, before, 100, ["AccountOpened"])
        found += page.activity
        before, spans = int(page.cursor or 0), spans + 1
    assert ([entry.position for entry in found], spans) == ([1], -(-length // 5))


@pytest.mark.parametrize("path", ["usage", "activity"])
def test_a_public_key_reads_no_reports(customer: Customer, path: str) -> None:
    answer = customer.live.get(f"/v1/{path}", key=customer.live.public)
    assert refusal(answer) == (403, "key_scope_forbidden")


def test_verifications_are_filtered_by_how_they_stand(customer: Customer) -> None:
    it = customer.test
    expected: dict[str, list[str]] = {
        status: [] for status in ("pending", "verified", "failed", "expired", "cancelled")
    }
    for _ in range(2):
        expected["expired"].insert(0, it.sent(number())[0])
        phone = number()
        verification_id, code = it.sent(phone)
        it.check(phone, code)
        expected["verified"].insert(0, verification_id)
        phone = number()
        verification_id, code = it.sent(phone)
        it.guess(phone, code, times=5)
        expected["failed"].insert(0, verification_id)
        verification_id, _ = it.sent(number())
        it.cancel(verification_id)
        expected["cancelled"].insert(0, verification_id)
    it.advance(seconds=300)
    expected["pending"] = [it.sent(number())[0] for _ in range(3)][::-1]
    for status, ids in expected.items():
        for limit in (1, 2, 200):
            listed: list[str] = []
            cursor = ""
            while cursor is not None:
                page = it.get(f"/v1/verifications?status={status}&limit={limit}{cursor and '&cursor=' + cursor}").body
                listed += [row["verification_id"] for row in page["verifications"]]
                cursor = page["cursor"]
            assert (status, listed) == (status, ids)
