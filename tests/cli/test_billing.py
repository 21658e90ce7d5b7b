"""`billing` and `ratecards` on the ledger of a few past months, and what HTTP, exports and the auditor's tool say of it."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain.codec import decode
from domain.rates import FLAT
from interfaces.postgres.recorder import PostgresLogRecorder
from tests.support.bills import Months, stored
from tests.support.postgres import Cluster
from tests.support.server import ROOT, Ended, environment, run

ACCOUNT = "acct_a"
Call = Callable[..., Ended]


@pytest.fixture
def url(cluster: Cluster, conninfo: str) -> str:
    return cluster.url(str(psycopg.conninfo.conninfo_to_dict(conninfo)["dbname"]))


@pytest.fixture
def recorder(conninfo: str) -> Iterator[PostgresLogRecorder]:
    recorder = PostgresLogRecorder(conninfo)
    yield recorder
    recorder.close()


@pytest.fixture
def months(recorder: PostgresLogRecorder) -> Months:
    """About five months, the first of which are closed."""
    return stored(recorder, Months(ACCOUNT, seed=5).go_on(150).go_on(150, closes=False))


@pytest.fixture
def call(url: str, tmp_path: Path) -> Call:
    return lambda *words: run(*words, home=tmp_path / "home", DONEOTP_DATABASE_URL=url)


def raw(*words: str, url: str, home: Path) -> bytes:
    """What a command writes, byte by byte."""
    program = [sys.executable, "-m", "interfaces.cli", *words]
    done = subprocess.run(
        program, capture_output=True, cwd=ROOT, env=environment(home, DONEOTP_DATABASE_URL=url), timeout=120
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout


def answer(ended: Ended) -> dict[str, Any]:
    assert (ended.status, ended.stderr) == (0, ""), ended
    return dict(json.loads(ended.stdout))


def code(ended: Ended) -> tuple[int, str]:
    return ended.status, str(json.loads(ended.stdout)["error"]["code"])


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def test_a_statement_is_written_in_every_format(months: Months, url: str, call: Call, tmp_path: Path) -> None:
    bill = months.bills()[1]
    words = ("billing", "statement", ACCOUNT, "--period", bill.period)
    assert raw(*words, url=url, home=tmp_path / "home") == bill.csv()
    assert raw(*words, "--format", "jsonl", url=url, home=tmp_path / "home") == bill.jsonl()
    assert raw(*words, "--json", url=url, home=tmp_path / "home") == bill.json()
    told = answer(call(*words, "--format", "json", "--out", str(tmp_path / "bill"), "--json"))
    assert (tmp_path / "bill").read_bytes() == bill.json()
    assert told["sha256"] == sha256(bill.json()).hexdigest()
    earlier = months.bills(months.log.position - 40)[1]
    out = ("--tree-size", str(months.log.position - 40), "--out", str(tmp_path / "earlier"))
    assert call(*words, *out).status == 0
    assert (tmp_path / "earlier").read_bytes() == earlier.csv()


def test_a_csv_is_read_by_python_and_adds_up(months: Months) -> None:
    for bill in months.bills():
        header, *lines, total = rows(bill.csv())
        assert (header["record"], total["record"], {line["record"] for line in lines}) == ("header", "total", {"line"})
        assert sum(int(line["credits"]) for line in lines) == int(total["credits"]) == bill.credits
        assert int(total["opening_balance"]) + int(total["added"]) - int(total["credits"]) == int(
            total["closing_balance"]
        )
        records = [json.loads(line) for line in bill.jsonl().splitlines()]
        as_text = [{name: str(value) for name, value in record.items()} for record in records]
        assert as_text == [{name: cell for name, cell in row.items() if cell} for row in (header, *lines, total)]
        assert header["lines_sha256"] == sha256(b"".join(bill.jsonl().splitlines(keepends=True)[1:])).hexdigest()


def test_what_there_is_no_statement_of_is_refused(months: Months, call: Call) -> None:
    for words, found in [
        ((ACCOUNT, "--period", "2031-01"), "not_found"),
        (("acct_z", "--period", "2026-02"), "not_found"),
        ((f"{ACCOUNT}-test", "--period", "2026-02"), "not_found"),
        ((ACCOUNT, "--period", "2026-13"), "invalid_request"),
        ((ACCOUNT, "--period", "2026-02", "--tree-size", "99999"), "invalid_request"),
    ]:
        assert code(call("billing", "statement", *words, "--json")) == (1, found)
    assert code(call("billing", "explain", "nothing", "--json")) == (1, "not_found")
    assert code(call("billing", "explain", f"{ACCOUNT}/2026-02/charge/2026-02-01/ZZ/1/rc_0", "--json"))[0] == 1


def test_months_are_closed_in_their_order_once_and_stay_as_they_were(
    months: Months, recorder: PostgresLogRecorder, call: Call, tmp_path: Path
) -> None:
    closed, (*_, last) = months.closed, months.bills()
    left = [bill.period for bill in months.bills() if closed < bill.period < last.period]
    told = answer(call("billing", "close", ACCOUNT, "--period", left[-1], "--json"))["closed"]
    assert [row["period"] for row in told] == left
    issued = [
        (record.id, json.loads(record.state))
        for record in recorder.select_log(ACCOUNT, after=months.log.position, limit=100)
    ]
    for record in recorder.select_log(ACCOUNT, after=months.log.position, limit=100):
        months.add(decode(record.topic, record.state))
    expected = months.bills()
    for row, (place, data) in zip(told, issued, strict=True):
        bill = next(bill for bill in expected if bill.period == row["period"])
        figures = (bill.credits, bill.added, bill.opening_balance, bill.closing_balance)
        assert (data["credits"], data["added"], data["opening_balance"], data["closing_balance"]) == figures
        assert place > data["tree_size"] == bill.tree_size
        out = tmp_path / row["period"]
        assert call("billing", "statement", ACCOUNT, "--period", row["period"], "--out", str(out)).status == 0
        assert data["sha256"] == row["sha256"] == sha256(out.read_bytes()).hexdigest()
    listed = answer(call("billing", "periods", ACCOUNT, "--json"))["statements"]
    assert [row["period"] for row in listed if row["status"] == "closed"] == [
        *(bill.period for bill in expected if bill.period <= closed),
        *left,
    ]
    again = call("billing", "close", ACCOUNT, "--period", left[-1], "--json")
    assert code(again) == (1, "state_conflict")
    assert code(call("billing", "close", ACCOUNT, "--period", left[0], "--json")) == (1, "state_conflict")
    assert code(call("billing", "close", ACCOUNT, "--period", "2031-01", "--json"))[0] == 1
    assert answer(call("billing", "close", "--period", left[-1], "--json")) == {"closed": [], "left": []}


def test_a_month_is_not_closed_before_its_grace_is_over(recorder: PostgresLogRecorder, call: Call) -> None:
    now = datetime.now(UTC)
    stored(recorder, Months("acct_now", seed=1, begin=now - timedelta(minutes=5)))
    period = f"{now:%Y-%m}"
    assert code(call("billing", "close", "acct_now", "--period", period, "--json")) == (1, "state_conflict")
    last = f"{now.replace(day=1) - timedelta(days=1):%Y-%m}"
    stored(recorder, Months("acct_last", seed=1, begin=now.replace(day=1) - timedelta(days=1)))
    late = call("billing", "close", "acct_last", "--period", last, "--grace-hours", "9000", "--json")
    assert code(late) == (1, "state_conflict")
    done = answer(call("billing", "close", "acct_last", "--period", last, "--grace-hours", "0", "--json"))
    assert [row["period"] for row in done["closed"]] == [last]


def test_of_two_who_close_at_once_one_does(months: Months, recorder: PostgresLogRecorder, call: Call) -> None:
    period = months.bills()[-2].period
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda _: call("billing", "close", ACCOUNT, "--period", period, "--json"), range(4)))
    told = [row["period"] for one in ended if one.status == 0 for row in json.loads(one.stdout)["closed"]]
    issued = [
        json.loads(record.state)["period"]
        for record in recorder.select_log(ACCOUNT, after=0, limit=10**6)
        if record.topic == "StatementIssued.v1"
    ]
    assert issued == [bill.period for bill in months.bills()[:-1]]
    assert sorted(told) == [one for one in issued if one > months.closed]
    assert {code(one) for one in ended if one.status} <= {(1, "state_conflict")}


def test_an_export_holds_all_statements_and_cards_and_the_auditor_agrees(
    months: Months, call: Call, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    assert call("audit", "export", str(bundle)).status == 0
    found = {str(path.relative_to(bundle)): path.read_bytes() for path in bundle.glob("statements/*/*")}
    assert found == {
        f"statements/{ACCOUNT}/{bill.period}.{format_}": content
        for bill in months.bills()
        for format_, content in (("csv", bill.csv()), ("jsonl", bill.jsonl()), ("json", bill.json()))
    }
    cards = {path.name: path.read_bytes() for path in bundle.glob("ratecards/*")}
    assert cards == {f"{card.id}.json": card.content() for card in (FLAT, *(card for _, card in months.cards))}
    for command in ("verify", "replay"):
        ended = call("audit", command, str(bundle), "--json")
        assert (ended.status, json.loads(ended.stdout)["findings"]) == (0, [])
    for path, content in found.items():
        (bundle / path).write_bytes(content.replace(b"charge", b"refund", 1))
        if content.replace(b"charge", b"refund", 1) != content:
            findings = json.loads(call("audit", "replay", str(bundle), "--json").stdout)["findings"]
            assert [(one["name"], one["file"]) for one in findings] == [("statement-differs", path)]
            (bundle / path).unlink()
            findings = json.loads(call("audit", "replay", str(bundle), "--json").stdout)["findings"]
            assert [(one["name"], one["file"]) for one in findings] == [("missing-file", path)]
            break


def test_a_price_change_after_the_fact_changes_nothing(months: Months, call: Call, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"per": "segment", "prices": {"*": 9, "TR": 90}}')
    size, bill = str(months.log.position), months.bills()[-1]
    adopted = answer(call("ratecards", "adopt", ACCOUNT, str(card), "--json"))
    assert (adopted["adopted"], adopted["rate_card"][:3]) == (True, "rc_")
    for words in ((), ("--tree-size", size)):
        out = tmp_path / "bill"
        assert call("billing", "statement", ACCOUNT, "--period", bill.period, "--out", str(out), *words).status == 0
        *lines, _ = rows(out.read_bytes())[1:]
        *before, _ = rows(bill.csv())[1:]
        assert lines == before


def test_rate_cards_are_adopted_from_a_day_on_and_shown(months: Months, call: Call, tmp_path: Path) -> None:
    card = tmp_path / "card.json"
    card.write_text('{"per": "message", "prices": {"TR": 2, "*": 1}}')
    later = answer(call("ratecards", "adopt", ACCOUNT, str(card), "--from", "2099-01-01T01:00:00+01:00", "--json"))
    assert later["effective_from"] == "2099-01-01T00:00:00+00:00"
    again = call("ratecards", "adopt", ACCOUNT, str(card), "--from", "2099-01-01T00:00:00Z")
    assert again.stdout.strip().endswith("nothing changed")
    in_force, waiting = answer(call("ratecards", "show", ACCOUNT, "--json"))["rate_cards"]
    assert (in_force["status"], in_force["rate_card"]) == ("in force", months.cards[-1][1].id)
    assert (waiting["status"], waiting["prices"]) == ("waiting", {"*": 1, "TR": 2})
    for content, since in [
        ("{}", "2099-01-01T00:00:00Z"),
        ('{"per": "message", "prices": {"TR": 2}}', "2099-01-01T00:00:00Z"),
        ('{"per": "message", "prices": {"*": 1}}', "2001-01-01T00:00:00Z"),
        ('{"per": "message", "prices": {"*": 1}}', "tomorrow"),
    ]:
        card.write_text(content)
        assert code(call("ratecards", "adopt", ACCOUNT, str(card), "--from", since, "--json")) == (1, "invalid_request")
    assert code(call("ratecards", "adopt", ACCOUNT, str(tmp_path / "none"), "--json")) == (1, "cannot_read")


def test_a_line_is_explained_on_the_command_line(months: Months, call: Call) -> None:
    bill = months.bills()[1]
    line = max(bill.lines, key=lambda line: line.messages)
    told = answer(call("billing", "explain", bill.line_id(line), "--json"))
    assert (told["credits"], len(told["events"])) == (line.credits, line.messages)
    text = call("billing", "explain", bill.line_id(line)).stdout.splitlines()
    assert text[-1] == f"{line.credits} credits in {line.messages} events"


def test_an_account_that_cannot_be_read_keeps_no_other_from_being_closed(
    months: Months, recorder: PostgresLogRecorder, call: Call, conninfo: str
) -> None:
    stored(recorder, Months("acct_b", seed=6).go_on(150, closes=False))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE doneotp.events SET body = '{\"at\":7}' WHERE log = 'acct_a' AND position = 9")
    ended = call("billing", "close", "--period", "2026-01", "--json")
    told = json.loads(ended.stdout)
    assert (ended.status, [(row["account_id"], row["period"]) for row in told["closed"]]) == (
        1,
        [("acct_b", "2026-01")],
    )
    assert [(row["account_id"], row["code"]) for row in told["left"]] == [(ACCOUNT, "views_behind")]
