"""Statements as an account reads them: exact, sealed, the same bytes as the command line's, and never of test keys."""

import base64
import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from interfaces.http.statements import _wants_csv
from tests.http.customer import Customer, Side, number, refusal
from tests.support.server import ROOT, Answer, Server

CSV = {"Accept": "text/csv"}


def period() -> str:
    return f"{datetime.now(UTC):%Y-%m}"


def statement(it: Side, query: str = "") -> dict[str, Any]:
    answer = it.get(f"/v1/statements/{period()}{query}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json"), answer
    return dict(answer.body)


def as_csv(it: Side, query: str = "") -> Answer:
    answer = it.ask("GET", f"/v1/statements/{period()}{query}", headers=CSV)
    assert answer.status == 200, answer
    return answer


def busy(it: Side) -> int:
    """Three verifications, and one more message to another country; how long the log is then."""
    for _ in range(3):
        it.redeem(it.verified(number()))
    it.sent("+905321232719")
    return len(it.settled())


def test_a_statement_says_what_was_charged(customer: Customer) -> None:
    it = customer.live
    length = busy(it)
    found = statement(it)
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    card = next(event["data"]["rate_card"] for event in it.log() if event["type"] == "CreditDebited")
    lines = [
        {
            "kind": "charge",
            "day": today,
            "country": country,
            "rate_card": card,
            "unit_credits": 1,
            "messages": messages,
            "units": messages,
            "credits": messages,
            "line": f"{customer.account_id}/{period()}/charge/{today}/{country}/1/{card}",
        }
        for country, messages in (("TR", 1), ("US", 3))
    ]
    assert found.pop("lines") == lines
    assert (len(found.pop("root")), len(found.pop("lines_sha256"))) == (64, 64)
    assert found == {
        "account": customer.account_id,
        "period": period(),
        "status": "open",
        "currency": "credit",
        "tree_size": length,
        "total": {
            "messages": 4,
            "units": 4,
            "credits": 4,
            "added": 1_000,
            "verifications": 4,
            "verified": 3,
            "conversion_bp": 7_500,
            "opening_balance": 0,
            "closing_balance": 996,
        },
    }
    assert it.balance() == {"available": 996, "debited": 4, "refunded": 0, "added": 1_000}


def test_its_root_is_that_of_the_signed_checkpoint(customer: Customer) -> None:
    it = customer.live
    length = busy(it)
    found = statement(it)
    proof = it.get(f"/v1/audit/consistency?account={customer.account_id}&from=0&to={length}").body
    assert base64.b64decode(proof["to_root"]).hex() == found["root"]


def test_the_csv_is_the_one_that_the_command_line_writes(customer: Customer, server: Server) -> None:
    it = customer.live
    busy(it)
    over_http = as_csv(it)
    assert over_http.headers["content-type"].startswith("text/csv")
    program = [
        sys.executable,
        "-m",
        "interfaces.cli",
        "billing",
        "statement",
        customer.account_id,
        "--period",
        period(),
    ]
    done = subprocess.run(program, capture_output=True, cwd=ROOT, env=server.environment, timeout=120)
    assert (done.returncode, done.stdout) == (0, over_http.text.encode()), done.stderr
    rows = list(csv.DictReader(io.StringIO(over_http.text, newline="")))
    assert [row["record"] for row in rows] == ["header", "line", "line", "total"]
    assert sum(int(row["credits"]) for row in rows if row["record"] == "line") == 4
    written = subprocess.run([*program, "--json"], capture_output=True, cwd=ROOT, env=server.environment, timeout=120)
    assert json.loads(written.stdout) == statement(it)


def test_a_statement_of_fewer_events_stays_as_it_was(customer: Customer) -> None:
    it = customer.live
    length = busy(it)
    before = as_csv(it).text
    it.verified(number())
    it.settled()
    assert as_csv(it).text != before
    assert as_csv(it, f"?tree_size={length}").text == before
    assert refusal(it.get(f"/v1/statements/{period()}?tree_size={10**9}"))[:2] == (400, "invalid_request")


def test_all_months_are_listed(customer: Customer) -> None:
    length = busy(customer.live)
    assert customer.live.get("/v1/statements").body == {
        "statements": [
            {
                "period": period(),
                "status": "open",
                "tree_size": length,
                "credits": 4,
                "added": 1_000,
                "opening_balance": 0,
                "closing_balance": 996,
            }
        ],
        "position": length,
    }


def test_what_there_is_no_statement_of_is_refused(customer: Customer) -> None:
    it = customer.live
    for path, found in [
        ("2031-01", (404, "not_found")),
        ("2001-01", (404, "not_found")),
        ("2026-13", (400, "invalid_request")),
        ("today", (400, "invalid_request")),
    ]:
        assert refusal(it.get(f"/v1/statements/{path}"))[:2] == found
    assert refusal(it.get("/v1/statements", key=it.public))[:2] == (403, "key_scope_forbidden")


def test_test_keys_never_appear_in_bills(customer: Customer) -> None:
    it = customer.test
    it.sent(number())
    assert refusal(it.get("/v1/statements"))[:2] == (404, "not_found")
    assert refusal(it.get(f"/v1/statements/{period()}"))[:2] == (404, "not_found")
    assert statement(customer.live)["total"]["verifications"] == 0


@pytest.mark.parametrize(
    ("accept", "wants_csv"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/csv;q=0.9, application/json;q=0.5", True),
        ("text/csv;q=0.4, application/json", False),
        ("text/csv;q=0", False),
        ("text/csv;q=x", False),
        ("text/plain, text/csv", True),
    ],
)
def test_csv_is_what_is_asked_for_by_name(accept: str, *, wants_csv: bool) -> None:
    assert _wants_csv(accept) is wants_csv
