"""What the API answers is exact, whether the views are there, behind, or up to date; decisions do not look at them."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest

from application.history import details
from interfaces import key_uses, projecting
from interfaces.cli.__main__ import main
from interfaces.http import views
from projections.balances import AT_MOMENT
from tests.dashboard.clerk import at_work
from tests.faults.hosting import Hosted, hosted
from tests.http.customer import Customer, number, refusal
from tests.projections.views import catch_up, runner, tracked
from tests.support.clock import NOON
from tests.support.given import moment
from tests.support.server import environment

LIMITS = (1, 3, 50)
PATHS = ("usage", "activity?limit=1000", "verifications?limit=200", "verifications?status=pending&limit=200")
STATUSES = ("pending", "verified", "failed", "expired", "cancelled")


@pytest.fixture
def server(tmp_path: Path, url: str) -> Iterator[Hosted]:
    """The service, with nobody who keeps views."""
    with hosted(tmp_path / "home", DONEOTP_DATABASE_URL=url) as running:
        yield running


@pytest.fixture
def customer(server: Hosted) -> Customer:
    return Customer(server, server.open_account())


def live_a_little(customer: Customer) -> None:
    """One verification of each kind, some on one number, with time going by."""
    it, phone = customer.test, number()
    _, code = it.sent(phone)
    it.advance(seconds=30)
    assert it.send(phone).status == 200
    it.redeem(it.check(phone, code).body["token"])
    for guesses in (5, 2):
        phone = number()
        _, code = it.sent(phone)
        it.guess(phone, code, times=guesses)
    it.cancel(it.sent(number())[0])
    it.sent(number())
    it.advance(seconds=100_000)
    phone_of_two = number()
    for _ in range(2):
        it.check(phone_of_two, it.sent(phone_of_two)[1])
    it.sent(number())
    it.settled()


def newest(log: list[dict[str, Any]]) -> str:
    """When a key last left an event."""
    return datetime.fromisoformat([event["at"] for event in log if event["data"].get("key_id")][-1]).isoformat()


def read(customer: Customer) -> dict[str, Any]:
    """All that the reads answer about the test log."""
    it = customer.test
    log = it.log()
    found: dict[str, Any] = {"uses": key_uses.last(customer.server.books.recorder, customer.account_id)}
    assert max(found["uses"].values()).isoformat() == newest(log)
    for position in range(len(log) + 2):
        found[f"balance at {position}"] = it.get(f"/v1/balance?position={position}").body
    for event in log:
        found[f"balance at {event['at']}"] = it.get(f"/v1/balance?at={event['at']}").body
        if "verification_id" in event["data"]:
            of = event["data"]["verification_id"]
            found[of] = it.verification(of).body
    for path, name in (("usage", "rows"), ("activity", "activity"), ("verifications", "verifications")):
        for more in ("", *(f"&status={status}" for status in STATUSES if path == "verifications")):
            for limit in LIMITS:
                rows, cursor = [], ""
                while cursor is not None:
                    page = it.get(f"/v1/{path}?limit={limit}{more}{cursor and '&cursor=' + cursor}").body
                    assert page["position"] == len(log)
                    assert len(page[name]) <= limit
                    rows += page[name]
                    cursor = page["cursor"]
                found[f"{path}{more}"] = rows
                assert found.setdefault(f"{path}{more} whole", rows) == rows
    return found


def test_answers_do_not_depend_on_how_far_the_views_are(
    server: Hosted, customer: Customer, connection: psycopg.Connection[Any]
) -> None:
    live_a_little(customer)
    without = read(customer)
    assert {status for status in STATUSES if without[f"verifications&status={status}"]} == set(STATUSES)
    running = runner(connection, events_max=13)
    log = f"{customer.account_id}-test"
    states = 0
    while running.turn().is_full:
        if states != tracked(connection).get(log, 0):
            states = tracked(connection)[log]
            assert read(customer) == without
    assert states
    assert read(customer) == without
    live_a_little(customer)
    behind = read(customer)
    catch_up(connection)
    assert read(customer) == behind


def test_the_balance_at_every_position_is_the_fold(
    server: Hosted, customer: Customer, connection: psycopg.Connection[Any]
) -> None:
    it = customer.live
    for turn in range(3):
        it.verified(number())
        server.books.administration.add_credit(customer.account_id, credits=7, reference=f"invoice-{turn}", by="test")
    log = it.settled()
    catch_up(connection)
    server.books.administration.add_credit(customer.account_id, credits=5, reference="late", by="test")
    log = it.settled()
    figures = {"CreditAdded": 0, "CreditDebited": 0, "CreditRefunded": 0}
    folded = [(0, 0, 0, 0)]
    for event in log:
        if event["type"] in figures:
            figures[event["type"]] += event["data"]["credits"]
        added, debited, refunded = figures.values()
        folded.append((added - debited + refunded, added, debited, refunded))
    found = [it.get(f"/v1/balance?position={position}").body for position in range(len(log) + 1)]
    names = ("available", "added", "debited", "refunded")
    assert [tuple(balance[name] for name in names) for balance in found] == folded
    assert [balance["position"] for balance in found] == list(range(len(log) + 1))


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "1969-12-31T23:59:60Z"])
def test_moments_at_the_ends_of_time_are_answered(
    customer: Customer, connection: psycopg.Connection[Any], at: str
) -> None:
    catch_up(connection)
    answer = customer.live.get(f"/v1/balance?at={at}")
    if at.startswith("1969"):
        assert refusal(answer) == (400, "invalid_request")
    else:
        assert answer.body["position"] == (0 if at.startswith("0001") else 6)


def test_a_read_that_would_have_to_fold_too_much_says_so(
    customer: Customer, connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "TAIL_MAX", 5)
    reads = ("balance?position=3", "verifications", "usage", "activity")
    told = {read: customer.live.get(f"/v1/{read}") for read in reads}
    assert {refusal(answer) for answer in told.values()} == {(503, "service_unavailable")}
    assert customer.live.get("/v1/balance").body["position"] == 6
    catch_up(connection)
    assert {customer.live.get(f"/v1/{read}").status for read in reads} == {200}


def test_keys_are_listed_although_their_last_uses_are_not_known_yet(
    *,
    server: Hosted,
    customer: Customer,
    connection: psycopg.Connection[Any],
    tmp_path: Path,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    customer.live.sent(number())
    clerk, page = at_work(server, "ivy"), f"/dashboard/a/{customer.account_id}/keys"
    for name, value in environment(tmp_path / "home", DONEOTP_DATABASE_URL=url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(views, "TAIL_MAX", 5)

    def seen() -> tuple[bool, int, int]:
        assert main(["keys", "list", customer.account_id, "--json"]) == 0
        listed = json.loads(capsys.readouterr().out)
        uses = [key["last_recorded_use_at"] for key in listed["keys"]]
        return listed["uses_are_known"], uses.count(None), clerk.get(page).text.count("<td>not known yet</td>")

    assert seen() == (False, 4, 4)
    catch_up(connection)
    assert seen() == (True, 3, 0)


def test_while_somebody_has_dropped_a_view_its_reads_say_so(
    customer: Customer, connection: psycopg.Connection[Any]
) -> None:
    catch_up(connection)
    connection.execute("DROP TABLE doneotp_views.usage")
    assert refusal(customer.live.get("/v1/usage")) == (503, "service_unavailable")
    assert customer.live.get("/v1/balance?position=3").status == 200


def test_a_view_of_another_revision_is_not_asked(customer: Customer, connection: psycopg.Connection[Any]) -> None:
    catch_up(connection)
    sound = customer.live.get("/v1/balance?position=6").body
    connection.execute("UPDATE doneotp_views.balances SET added = 0")
    assert customer.live.get("/v1/balance?position=6").body != sound
    connection.execute("UPDATE doneotp_views.revisions SET revision = 99 WHERE view = 'balances'")
    assert customer.live.get("/v1/balance?position=6").body == sound


def test_decisions_do_not_believe_a_view(customer: Customer, connection: psycopg.Connection[Any]) -> None:
    """Views that say that nothing is left, and that everything is verified, change no answer to a send or a check."""
    phone = number()
    _, code = customer.live.sent(phone)
    customer.live.settled()
    catch_up(connection)
    connection.execute("UPDATE doneotp_views.balances SET available = 0, added = 0")
    connection.execute("UPDATE doneotp_views.verifications SET outcome = 'failed', attempts_left = 0")
    assert customer.live.send(number()).status == 200
    assert customer.live.check(phone, code).status == 200
    assert customer.live.get("/v1/balance").body["available"] == 998


def test_a_moment_is_found_by_halving(server: Hosted, connection: psycopg.Connection[Any]) -> None:
    """Each step is one look at one position, also by a plan that was made while there was little."""
    runner(connection)
    parameters = (10**6, moment(0), moment(0), "acct_a", "acct_a")
    for _ in range(10):
        plan = "\n".join(line for (line,) in server.books.recorder.execute(b"EXPLAIN " + AT_MOMENT, parameters))
        assert re.search(r"Index Scan using activity_pkey.*\n.*\(log = .*\(\"?position\"? = ", plan), plan


def test_answers_are_of_their_position_while_all_goes_on(
    server: Hosted, customer: Customer, conninfo: str, connection: psycopg.Connection[Any]
) -> None:
    """Somebody sends and checks, somebody brings the views up to date in small portions, and somebody reads."""
    catch_up(connection)
    it = customer.live
    stop = threading.Event()
    failures: list[BaseException] = []

    def whole(do: Callable[[], object]) -> threading.Thread:
        def run() -> None:
            try:
                while not stop.is_set():
                    do()
            except BaseException as error:  # noqa: BLE001 - looked at below
                failures.append(error)

        return threading.Thread(target=run)

    def project() -> None:
        with projecting.connect(conninfo) as own:
            catch_up(own, events_max=3)

    answers: list[tuple[str, dict[str, Any]]] = []
    threads = [whole(lambda: it.verified(number())), whole(lambda: it.sent(number())), whole(project)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        answers += [(path, it.get(f"/v1/{path}").body) for path in PATHS]
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    records = list(server.books.recorder.select_log(customer.account_id, after=0, limit=10**6))
    for path, answer in answers:
        until = records[: answer["position"]]
        if path == "usage":
            requests = sum(record.topic == "CodeRequested.v1" for record in until)
            assert sum(row["requested"] for row in answer["rows"]) == requests
        elif path.startswith("activity"):
            assert [entry["position"] for entry in answer["activity"]] == list(range(len(until), 0, -1))[:1_000]
        else:
            told = msgspec.to_builtins(list(details(until, now=NOON).values())[::-1], builtin_types=())
            wanted = [detail for detail in told if "pending" not in path or detail["status"] == "pending"]
            assert (path, answer["verifications"]) == (path, wanted[:200])
    assert len({answer["position"] for _, answer in answers}) > 20
