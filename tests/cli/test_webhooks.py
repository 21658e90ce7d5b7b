"""Webhooks on the command line: endpoints, deliveries, replay, and the two commands for who writes a receiver."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from application.accounts import OpenedAccount
from domain.events import TYPES
from domain.webhooks import type_of
from interfaces.cli.trigger import example
from interfaces.webhooks import reads
from interfaces.world import SystemClock
from tests.races.scenes import sent_code
from tests.support.customer_hook import Hook, hooked
from tests.support.server import ROOT, Ended, Server, environment, run, wait_for

URL = "https://shop.example/hooks"


class Operator:
    """Somebody at the machine of a server, with an account."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.account: OpenedAccount = server.open_account()
        self.id = self.account.account_id

    def run(self, *words: str) -> Ended:
        return run(*words, home=self.server.home, DONEOTP_DATABASE_URL=self.server.environment["DONEOTP_DATABASE_URL"])

    def says(self, *words: str, status: int = 0) -> Any:
        done = self.run(*words, "--json")
        assert (done.status, done.stderr) == (status, ""), done
        return json.loads(done.stdout)

    def add(self, url: str = URL, *words: str) -> Any:
        return self.says("webhooks", "add", self.id, url, *words)


@pytest.fixture
def operator(server: Server) -> Operator:
    return Operator(server)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hooked() as receiving:
        yield receiving


def test_an_endpoint_is_added_shown_rotated_disabled_enabled_and_removed(operator):
    added = operator.add(URL, "--type", "account.*", "--type", "verification.verified")
    endpoint_id = added["endpoint_id"]
    here = (operator.id, endpoint_id)
    assert added == {
        "account_id": operator.id,
        "mode": "live",
        "endpoint_id": endpoint_id,
        "url": URL,
        "types": ["account.*", "verification.verified"],
        "status": "enabled",
        "reason": "",
        "added_at": added["added_at"],
        "previous_until": None,
        "waiting": 0,
        "failures": 0,
        "signers": added["signers"],
    }
    assert [sorted(signer) for signer in added["signers"]] == [["public_key", "secret"]]
    assert operator.says("webhooks", "show", *here)["signers"] == added["signers"]
    rotated = operator.says("webhooks", "rotate", *here, "--overlap-hours", "1")
    assert rotated["signers"][1:] == added["signers"]
    assert operator.says("webhooks", "disable", *here, "--reason", "pause")["changed"]
    listed = operator.says("webhooks", "list", operator.id)["endpoints"]
    assert [(row["endpoint_id"], row["status"], row["reason"]) for row in listed] == [
        (endpoint_id, "disabled", "pause")
    ]
    assert [operator.says("webhooks", "enable", *here)["changed"] for _ in range(2)] == [True, False]
    assert operator.says("webhooks", "remove", *here)["changed"]
    assert operator.says("webhooks", "list", operator.id)["endpoints"] == []
    assert operator.run("webhooks", "list", operator.id).stdout == "There is no endpoint.\n"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "ACCOUNT", "https://ann:secret@shop.example/"), "invalid_request"),
        (("add", "ACCOUNT", "https://shop.example/?token=secret"), "invalid_request"),
        (("add", "ACCOUNT", URL, "--type", "verification.sent"), "invalid_request"),
        (("add", "ACCOUNT", "http://shop.example/"), "invalid_request"),
        (("add", "ACCOUNT", "https://169.254.169.254/latest"), "invalid_request"),
        (("add", "ACCOUNT", "https://shop.example:22/"), "invalid_request"),
        (("add", "acct_aaaaaaaaaaaaaaaa", URL), "state_conflict"),
        (("show", "ACCOUNT", "we_none"), "state_conflict"),
        (("replay", "nonsense"), "not_found"),
        (("replay", "00000000-0007-4000-8000-000000000000"), "not_found"),
        (("replay",), "invalid_request"),
        (("replay", "--account", "ACCOUNT", "--from", "yesterday"), "invalid_request"),
        (("replay", "--account", "ACCOUNT", "--from", "1"), "not_found"),
    ],
)
def test_what_cannot_be_is_refused_and_repeats_no_secret(operator, words, code):
    done = operator.run("webhooks", *(operator.id if word == "ACCOUNT" else word for word in words), "--json")
    assert (done.status, json.loads(done.stdout)["error"]["code"], "secret@" in done.stdout) == (1, code, False)


def test_deliveries_are_listed_with_each_attempt(operator, hook):
    hook.answer = lambda got: 500 if len(hook.got) == 1 else 204
    endpoint_id = operator.add(hook.url, "--type", "account.credit_added")["endpoint_id"]
    operator.server.books.administration.add_credit(operator.id, credits=1, reference="R1", by="test")
    execute = operator.server.books.recorder.execute
    wait_for(lambda: reads.deliveries(execute, operator.id, status="delivered"))
    (delivery,) = operator.says("webhooks", "deliveries", operator.id, "--endpoint", endpoint_id)["deliveries"]
    assert [(at["number"], at["status"], at["error"]) for at in delivery["attempts"]] == [
        (1, 500, "refused"),
        (2, 204, ""),
    ]
    assert (delivery["type"], delivery["status"], delivery["event_id"]) == (
        "account.credit_added",
        "delivered",
        hook.got[0].id,
    )
    assert operator.says("webhooks", "deliveries", operator.id, "--status", "waiting")["deliveries"] == []
    assert "attempt 1" in operator.run("webhooks", "deliveries", operator.id).stdout


def test_what_an_endpoint_missed_is_replayed_from_a_moment_or_a_position(operator, hook):
    books = operator.server.books
    for number in range(3):
        books.administration.add_credit(operator.id, credits=1, reference=f"R{number}", by="test")
    records = [
        one for one in books.recorder.select_log(operator.id, after=0, limit=100) if one.topic == "CreditAdded.v1"
    ]
    second = json.loads(records[2].state)["at"]
    operator.add(hook.url, "--type", "account.credit_added")
    wait_for(lambda: reads.fares(books.recorder.execute, operator.id))
    replayed = operator.says("webhooks", "replay", "--account", operator.id, "--from", second)
    assert replayed["deliveries"] == 2, records
    wait_for(lambda: len(hook.got) == 2)
    first, last = str(records[1].id), str(records[1].id)
    again = operator.says("webhooks", "replay", "--account", operator.id, "--from", first, "--to", last)
    assert (again["first"], again["last"], again["deliveries"]) == (records[1].id, records[1].id, 1)
    wait_for(lambda: len(hook.got) == 3)
    references = [got.document["data"]["reference"] for got in hook.got]
    assert (sorted(references[:2]), references[2]) == (["R1", "R2"], "R0")


def test_an_example_of_a_type_is_posted_signed_and_recorded_nowhere(operator, hook):
    added = operator.add(hook.url)
    before = operator.server.get("/v1/balance", key=operator.account.keys["sk_live"]).body["position"]
    here = ("trigger", "verification.verified", operator.id, added["endpoint_id"])
    said = operator.says(*here)
    (got,) = hook.got
    assert got.verified_with(added["signers"][0]["secret"]) == said["body"]
    assert (said["status"], said["error"], got.id) == (200, "", said["event_id"])
    hook.answer = lambda got: 500
    assert operator.says(*here, status=1)["error"] == "refused"
    assert operator.says("trigger", "verification.sent", *here[2:], status=1)["error"]["code"] == "invalid_request"
    assert operator.server.get("/v1/balance", key=operator.account.keys["sk_live"]).body["position"] == before


def test_there_is_an_example_of_every_type_of_event():
    now = SystemClock().now()
    assert [type_of(topic) for topic in TYPES if not example(topic, at=now)] == []


def test_listen_forwards_what_a_webhook_would_post(operator, hook, tmp_path: Path):
    server, key = operator.server, operator.account.keys["sk_live"]
    with hooked() as webhook:
        operator.add(webhook.url)
        code = sent_code(server, key, "+14155550122")
        server.post("/v1/verify/check", {"phone_number": "+14155550122", "code": code}, key=key)
        wait_for(lambda: len(webhook.got) == 3)
        words = ["listen", "--forward-to", hook.url, "--url", server.base_url, "--after", "0", "--once"]
        by_variable = subprocess.run(
            [sys.executable, "-m", "interfaces.cli", *words, "--key", "env:SK"],
            cwd=ROOT,
            env=environment(tmp_path, SK=key),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert by_variable.returncode == 0, by_variable
        assert [(got.id, got.body) for got in hook.got] == [(got.id, got.body) for got in webhook.got]
        secret = next(line.split()[1] for line in by_variable.stderr.splitlines() if line.startswith("secret"))
        assert [got.verified_with(secret)["type"] for got in hook.got] == [
            "verification.code_requested",
            "verification.code_sent",
            "verification.verified",
        ]
        by_input = subprocess.run(
            [sys.executable, "-m", "interfaces.cli", *words, "--json", "--type", "verification.verified"],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            input=key + "\n",
        )
    (line,) = [json.loads(line) for line in by_input.stdout.splitlines()]
    assert (line["type"], line["status"], line["event_id"]) == ("verification.verified", 200, webhook.got[2].id)
    assert secret in by_input.stderr
    assert key not in by_input.stdout + by_input.stderr


def test_listen_goes_on_with_what_comes_next_until_it_is_stopped(operator, hook, tmp_path: Path):
    server, key = operator.server, operator.account.keys["sk_live"]
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "interfaces.cli", "listen", "--forward-to", hook.url, "--key", "env:SK"),
            *("--url", server.base_url, "--type", "account.credit_added"),
        ],
        cwd=ROOT,
        env=environment(tmp_path, SK=key),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as listening:
        assert listening.stderr is not None
        assert [listening.stderr.readline().split()[0] for _ in range(3)] == ["forwarding", "secret", "public_key"]
        count = 0

        def arrived() -> bool:
            nonlocal count
            count += 1
            server.books.administration.add_credit(operator.id, credits=1, reference=f"R{count}", by="test")
            return bool(hook.got)

        wait_for(arrived)
        listening.terminate()
        assert listening.wait(30) == 0


@pytest.mark.parametrize("key", ["", "sk_live_nonsense", "PK"])
def test_listen_takes_a_secret_key_only(operator, key, tmp_path: Path):
    given = operator.account.keys["pk_live"] if key == "PK" else key
    done = run("listen", "--forward-to", "http://127.0.0.1:1/", "--key", "env:SK", "--json", home=tmp_path, SK=given)
    assert (done.status, json.loads(done.stdout)["error"]["code"]) == (1, "invalid_api_key")
