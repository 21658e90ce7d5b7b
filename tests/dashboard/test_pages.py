"""The pages: who may what, who did it, and what never gets out."""

import re

import pytest

from tests.dashboard.clerk import Clerk, Seen, at_work
from tests.http.customer import Customer, mask, number
from tests.support.server import Server, wait_for

PAGES = ("overview", "verifications", "keys", "webhooks", "lists", "credits", "statements", "policy")
NOT_SEALED_YET = 503
HOSTILE = "<script>alert(1)</script>\"'&"


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


def verified(server: Server, customer: Customer) -> str:
    """A number that was verified with the live key."""
    e164, key = number(), customer.keys["sk_live"]
    assert server.post("/v1/verify/send", {"phone_number": e164}, key=key).status == 200
    code = server.code_for(e164)
    assert server.post("/v1/verify/check", {"phone_number": e164, "code": code}, key=key).status == 200
    return e164


@pytest.mark.parametrize(
    ("role", "reads", "acts"),
    [
        ("operator", set(PAGES), {"keys/issue", "credits/add", "policy/set", "policy/suspend"}),
        ("biller", {"overview", "credits", "statements"}, {"credits/add"}),
        ("auditor", set(PAGES), set()),
    ],
)
def test_a_role_reads_and_does_what_is_its_own(
    server: Server, customer: Customer, role: str, reads: set[str], acts: set[str]
) -> None:
    account = customer.account_id
    clerk = at_work(server, f"{role}-{account[-6:]}", role=role, account_id=account)
    wait_for(lambda: clerk.get(f"/dashboard/a/{account}/statements").status != NOT_SEALED_YET)
    assert {page for page in PAGES if clerk.get(f"/dashboard/a/{account}/{page}").status == 200} == reads
    forms = {
        "keys/issue": {"kind": "sk_test"},
        "credits/add": {"credits": "5", "reference": "one"},
        "policy/set": {"code_digits": "8"},
        "policy/suspend": {"reason": "late"},
    }
    done = {act: clerk.post(f"/dashboard/a/{account}/{act}", **fields).status for act, fields in forms.items()}
    assert done == {act: (200 if act == "keys/issue" else 303) if act in acts else 403 for act in forms}
    other = server.open_account().account_id
    assert clerk.get(f"/dashboard/a/{other}/overview").status == 404
    assert [clerk.get(path).status for path in ("/dashboard/people", "/dashboard/accounts")] == [403, 200]
    assert other not in clerk.get("/dashboard/accounts").text


def test_what_is_done_is_an_event_that_names_who_did_it(server: Server, customer: Customer) -> None:
    clerk, account = at_work(server, "mia"), customer.account_id
    at = f"/dashboard/a/{account}"
    issued = clerk.post(f"{at}/keys/issue", kind="pk_live", name="shop", origins="https://shop.example")
    key = re.search(r"pk_live_\w+", issued.text)
    assert key is not None
    assert key[0] not in clerk.get(f"{at}/keys").text
    assert [
        clerk.post(f"{at}/{act}", **fields).location.rpartition("=")[2]
        for act, fields in (
            ("credits/add", {"credits": "7", "reference": "inv-1"}),
            ("credits/add", {"credits": "7", "reference": "inv-1"}),
            ("policy/set", {"code_digits": "8"}),
            ("policy/suspend", {"reason": "late"}),
            ("policy/resume", {}),
        )
    ] == ["added", "there", "changed", "suspended", "resumed"]
    found = server.books.recorder.select_log(account, after=0, limit=1_000)
    assert [one.topic for one in found if b'"by":"dashboard:mia"' in one.state] == [
        "KeyIssued.v1",
        "CreditAdded.v1",
        "PolicyChanged.v1",
        "AccountSuspended.v1",
        "AccountResumed.v1",
    ]


def test_the_overview_counts_what_was_accepted_a_moment_ago(server: Server, customer: Customer) -> None:
    verified(server, customer)
    clerk = at_work(server, "nia")
    text = clerk.get(f"/dashboard/a/{customer.account_id}/overview").text
    assert ("1 verified of 1" in text, "100.0 %" in text, "of the newest 1 verified" in text) == (True, True, True)
    assert len(text.encode()) < 100_000


def test_a_number_is_found_by_itself_and_is_nowhere_else(server: Server, customer: Customer) -> None:
    e164 = verified(server, customer)
    clerk, at = at_work(server, "ole"), f"/dashboard/a/{customer.account_id}/verifications"
    clerk.get(at)
    found, none, bad = (clerk.post(f"{at}/search", number=one) for one in (e164, number(), "12"))
    assert ("1 of this number." in found.text, "0 of this number." in none.text, bad.status) == (True, True, 400)
    assert (mask(e164) in found.text, e164 in found.text, mask(e164) in none.text) == (True, False, False)
    log = (server.home / "logs" / "server.log").read_text()
    assert e164.removeprefix("+") not in log
    listed: dict[str, Seen] = {
        state: clerk.get(f"{at}?status={state}") for state in ("verified", "pending", "nonsense")
    }
    assert {state: (seen.status, mask(e164) in seen.text) for state, seen in listed.items()} == {
        "verified": (200, True),
        "pending": (200, False),
        "nonsense": (400, False),
    }


def test_hostile_words_stay_words(server: Server, customer: Customer) -> None:
    clerk, at = at_work(server, "pam"), f"/dashboard/a/{customer.account_id}"
    clerk.post(f"{at}/keys/issue", kind="sk_test", name=HOSTILE)
    clerk.post(f"{at}/policy/suspend", reason=HOSTILE)
    for page in ("keys", "policy"):
        raw = server.get(f"{at}/{page}", headers={"Cookie": clerk.cookie}).text
        assert ("<script>alert(1)" in raw, "&lt;script&gt;alert(1)" in raw) == (False, True)
    clerk.post(f"{at}/policy/resume")


def test_every_page_is_private_and_lets_nothing_foreign_in(server: Server, customer: Customer) -> None:
    clerk = at_work(server, "quin")
    for path in ("/dashboard/login", f"/dashboard/a/{customer.account_id}/overview", "/dashboard/nothing"):
        headers = clerk.get(path).headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


def test_a_statement_is_read_and_downloaded(server: Server, customer: Customer) -> None:
    verified(server, customer)
    clerk, at = at_work(server, "rob"), f"/dashboard/a/{customer.account_id}/statements"
    wait_for(lambda: clerk.get(at).status != NOT_SEALED_YET)
    month = re.search(r"/statements/(20\d\d-\d\d)\"", clerk.get(at).text)
    assert month is not None
    whole, csv, pdf = (clerk.get(f"{at}/{month[1]}{form}") for form in ("", ".csv", ".pdf"))
    assert [one.status for one in (whole, csv, pdf)] == [200, 200, 200]
    assert (csv.headers["content-type"].partition(";")[0], pdf.text[:4]) == ("text/csv", "%PDF")
    early = clerk.post(f"{at}/close", period=month[1])
    assert (early.status, "state_conflict" in early.text or "ends" in early.text or early.text != "") == (409, True)


def test_nobody_sees_anything_without_a_session(server: Server, customer: Customer) -> None:
    clerk = Clerk(server)
    for page in PAGES:
        assert clerk.get(f"/dashboard/a/{customer.account_id}/{page}").location.startswith("/dashboard/login")
    assert clerk.post(f"/dashboard/a/{customer.account_id}/policy/suspend").status == 303
    assert server.books.administration.account(customer.account_id).suspended == ""
