"""Signing in: what lets nobody in, what ends, and what is never kept."""

import hashlib
import json
import re
from collections.abc import Callable

import pyotp
import pytest

from interfaces.dashboard.throttle import (
    ADDRESS_MAX,
    KEYS_MAX,
    NAME_AND_ADDRESS_MAX,
    NAME_MAX,
    WINDOW_SECONDS,
    Throttle,
)
from interfaces.dashboard.totp import Totp
from tests.dashboard.clerk import PASSWORD, Clerk, at_work, hired
from tests.support.server import Server, wait_for

WRONG = "Name, password or code is wrong."


def rows(server: Server, statement: str) -> list[tuple[object, ...]]:
    return server.books.recorder.execute(statement.encode())


def test_a_password_begins_a_session_of_which_the_database_has_the_hash_alone(server: Server) -> None:
    clerk = hired(server, "ann")
    seen = clerk.sign_in()
    name, _, token = clerk.cookie.partition("=")
    assert (seen.status, seen.location, name) == (303, "/dashboard", "doneotp_session")
    assert re.fullmatch(
        r"doneotp_session=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict", seen.headers["set-cookie"]
    )
    kept = rows(server, "SELECT token_sha256 FROM doneotp.operator_sessions WHERE name = 'ann'")
    assert kept == [(hashlib.sha256(token.encode()).digest(),)]
    text = str(
        rows(server, "SELECT o::text, s::text FROM doneotp.operators o JOIN doneotp.operator_sessions s USING (name)")
    )
    assert token not in text
    assert PASSWORD not in text
    log = (server.home / "logs" / "server.log").read_text()
    assert (token in log, PASSWORD in log) == (False, False)


def test_a_wrong_password_and_a_name_that_nobody_has_are_refused_in_the_same_words(server: Server) -> None:
    clerk = hired(server, "bea")
    wrong, nobody = clerk.sign_in("another password"), Clerk(server, "nobody").sign_in()
    assert (wrong.status, nobody.status, WRONG in wrong.text, WRONG in nobody.text) == (403, 403, True, True)
    assert clerk.sign_in().status == 303


def test_signing_in_takes_a_new_token_and_ends_the_one_that_the_browser_had(server: Server) -> None:
    clerk = hired(server, "cid")
    clerk.cookie = "doneotp_session=" + "fixed" * 8
    clerk.sign_in()
    first = clerk.cookie
    clerk.sign_in()
    old = Clerk(server)
    old.cookie = first
    assert "fixed" not in first
    assert (first != clerk.cookie, old.get("/dashboard/me").status, clerk.get("/dashboard/me").status) == (
        True,
        303,
        200,
    )


@pytest.mark.parametrize(
    "column", ["seen_at = now() - interval '61 minutes'", "begun_at = now() - interval '12 hours'"]
)
def test_a_session_ends_when_it_was_idle_and_when_it_is_old(server: Server, column: str) -> None:
    name = "dan" if column.startswith("seen") else "dora"
    clerk = at_work(server, name)
    before = clerk.get("/dashboard/me").status
    rows(server, f"UPDATE doneotp.operator_sessions SET {column} WHERE name = '{name}'")
    assert (before, clerk.get("/dashboard/me").location) == (200, "/dashboard/login?next=/dashboard/me")


def test_signing_out_and_another_password_end_sessions(server: Server) -> None:
    clerk, other = at_work(server, "eva"), Clerk(server, "eva")
    clerk.post("/dashboard/logout")
    assert clerk.get("/dashboard/me").status == 303
    other.post("/dashboard/login", ticket=server.books.sessions.ticket("eva"))
    other.get("/dashboard/me")
    kept = other.cookie
    assert other.post("/dashboard/me/password", new="a long new password").location == "/dashboard/me?done=password"
    stale = Clerk(server)
    stale.cookie = kept
    assert (stale.get("/dashboard/me").status, other.get("/dashboard/me").status) == (303, 200)


def test_a_link_counts_once_and_opening_it_does_not_use_it(server: Server) -> None:
    at_work(server, "fay")
    ticket = server.books.sessions.ticket("fay")
    first, second = Clerk(server), Clerk(server)
    assert [first.get(f"/dashboard/login?ticket={ticket}").status for _ in range(2)] == [200, 200]
    assert [one.post("/dashboard/login", ticket=ticket).status for one in (first, second)] == [303, 403]
    late = server.books.sessions.ticket("fay")
    rows(server, "UPDATE doneotp.login_tickets SET expires_at = now() WHERE name = 'fay'")
    assert second.post("/dashboard/login", ticket=late).status == 403


def test_the_link_that_serve_prints_signs_in(server: Server) -> None:
    found = re.search(r"/dashboard/login\?ticket=(\S+)", server.said)
    assert found is not None
    assert Clerk(server).post("/dashboard/login", ticket=found[1]).status == 303


def test_a_second_factor_is_asked_for_and_a_code_counts_once(server: Server) -> None:
    clerk = hired(server, "gus")
    totp = Totp(server.books.keyring.operators_key())
    sealed = totp.new("gus")
    secret = totp.secret(sealed, "gus")
    assert secret is not None
    server.books.operators.set_totp("gus", sealed)
    code = pyotp.TOTP(secret).now()
    assert [clerk.sign_in(code=given).status for given in ("", code, code)] == [403, 303, 403]
    assert secret.encode() not in sealed
    assert totp.secret(sealed, "ann") is None
    assert Totp(b"x" * 32).secret(sealed, "gus") is None


def test_a_second_factor_is_turned_on_by_a_code_of_the_secret_that_was_shown(server: Server) -> None:
    clerk = hired(server, "hal")
    clerk.sign_in()
    shown = clerk.post("/dashboard/me/totp").text
    sealed = re.search(r'name="sealed" value="([0-9a-f]+)"', shown)
    secret = re.search(r"Or type <code>([A-Z2-7 ]+)</code>", shown)
    assert sealed is not None
    assert secret is not None
    code = pyotp.TOTP(secret[1].replace(" ", "")).now()
    told = {"sealed": sealed[1], "code": code}
    refused = clerk.post("/dashboard/me/totp-on", password="not my password", **told)
    done = clerk.post("/dashboard/me/totp-on", password=PASSWORD, **told)
    assert (refused.status, done.location) == (400, "/dashboard/me?done=totp")
    assert Clerk(server, "hal").sign_in(code=code).status == 403, "the code that turned it on is used"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_a_form_of_another_page_is_refused(server: Server, headers: dict[str, str]) -> None:
    clerk = Clerk(server)
    assert clerk.post_from(headers, "/dashboard/login", name="ann", password=PASSWORD).status == 403


def test_a_form_needs_the_token_of_its_own_session(server: Server) -> None:
    clerk, other = at_work(server, "ilse"), at_work(server, "jon")
    for token in ("", "0" * 64, other.csrf):
        clerk.csrf = token
        assert clerk.post("/dashboard/accounts/open", name="Stolen").status == 403
    clerk.get("/dashboard/me")
    assert clerk.post("/dashboard/accounts/open", name="Mine").status == 200


@pytest.mark.parametrize(
    "wanted", ["//evil.example", "https://evil.example", "/dashboard/../x", "/dashboard//evil", "/\\evil"]
)
def test_signing_in_leads_nowhere_else(server: Server, wanted: str) -> None:
    at_work_name = f"k{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"
    at_work(server, at_work_name)
    seen = Clerk(server).post("/dashboard/login", ticket=server.books.sessions.ticket(at_work_name), next=wanted)
    assert (seen.status, seen.location) == (303, "/dashboard")


def test_by_https_the_cookie_is_for_this_host_alone(serve: Callable[..., Server]) -> None:
    running = serve(DONEOTP_TRUSTED_PROXIES="127.0.0.1")
    at_work(running, "lea")
    seen = Clerk(running).post_from(
        {"X-Forwarded-Proto": "https", "Sec-Fetch-Site": "same-origin"},
        "/dashboard/login",
        ticket=running.books.sessions.ticket("lea"),
    )
    assert re.fullmatch(
        r"__Host-doneotp_session=[\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure",
        seen.headers["set-cookie"],
    )


def test_tries_are_limited_without_locking_anybody_out_from_elsewhere() -> None:
    now = [0.0]
    throttle = Throttle(lambda: now[0])
    one = [throttle.wait_seconds("ann", "a") == 0 for _ in range(NAME_AND_ADDRESS_MAX + 1)]
    assert one == [True] * NAME_AND_ADDRESS_MAX + [False]
    assert throttle.wait_seconds("ann", "b") == 0
    many = [throttle.wait_seconds(f"n{n}", "c") == 0 for n in range(ADDRESS_MAX + 1)]
    assert many == [True] * ADDRESS_MAX + [False]
    for n in range(NAME_MAX):
        throttle.wait_seconds("ann", f"d{n}")
    assert (throttle.wait_seconds("ann", "d1") > 0, throttle.wait_seconds("ann", "fresh")) == (True, 0)
    now[0] += WINDOW_SECONDS
    assert throttle.wait_seconds("ann", "a") == 0


def test_what_the_throttle_remembers_is_bounded() -> None:
    throttle = Throttle(lambda: 0.0)
    for n in range(KEYS_MAX):
        throttle.wait_seconds(f"n{n}", f"a{n}")
    assert len(throttle._tries) == KEYS_MAX


def test_a_sign_in_and_a_change_to_operators_leave_a_line_without_who_it_was(server: Server) -> None:
    def lines() -> list[dict[str, object]]:
        log = (server.home / "logs" / "server.log").read_text().splitlines()
        return [line for line in map(json.loads, log) if line["event"].startswith("operator_")]

    done = ("signed_in_by_link", "added", "removed", "signed_out")
    clerk = at_work(server, "lineless")
    clerk.post("/dashboard/people/add", name="lineful", role="auditor")
    clerk.post("/dashboard/people/remove", name="lineful")
    clerk.post("/dashboard/logout")
    wait_for(lambda: [line["event"] for line in lines()[-4:]] == [f"operator_{one}" for one in done])
    assert [set(line) for line in lines()[-4:]] == [{"ts", "level", "event"}] * 4
    log = (server.home / "logs" / "server.log").read_text()
    assert [name for name in ("lineless", "lineful") if name in log] == []
