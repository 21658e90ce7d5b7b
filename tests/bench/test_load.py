"""The load generator against a service of a few lines that answers as the contract says, and against one that does not."""

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
import uvicorn

from interfaces.bench.job import Job, Outcome
from interfaces.bench.load import drive
from interfaces.bench.phones import mask

Answer = tuple[int, dict[str, Any]]


class Service:
    """send, check, validate-token and the inbox, all in memory. `refuse` may answer in their place."""

    def __init__(self, refuse: Callable[[str, int], Answer | None] = lambda path, count: None) -> None:
        self.keys: set[str] = set()
        self.verified: list[str] = []
        self.redeemed: list[str] = []
        self._messages: list[dict[str, str]] = []
        self._refuse = refuse
        self._count = itertools.count(1)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        body = (await receive())["body"]
        status, answer = self._refuse(scope["path"], next(self._count)) or self._answer(
            scope, json.loads(body or b"{}")
        )
        raw = json.dumps(answer).encode()
        headers = [(b"content-length", str(len(raw)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": raw})

    def _answer(self, scope: dict[str, Any], body: dict[str, str]) -> Answer:
        self.keys |= {value.decode() for name, value in scope["headers"] if name == b"authorization"}
        match scope["path"]:
            case "/v1/verify/send":
                self._messages.append({"to": body["phone_number"], "code": body["phone_number"][-6:], "text": "…"})
                return 200, {"status": "pending", "verification_id": "ver_1", "expires_in": 300, "resend_in": 30}
            case "/v1/verify/check":
                assert body["code"] == body["phone_number"][-6:]
                self.verified.append(body["phone_number"])
                return 200, {"status": "verified", "token": "tok_" + body["phone_number"]}
            case "/v1/verify/validate-token":
                phone = body["token"].removeprefix("tok_")
                self.redeemed.append(phone)
                return 200, {"valid": True, "phone_number": mask(phone)}
            case "/inbox/messages":
                query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
                begin = int(query["after"][0] or "0")
                page = self._messages[begin : begin + int(query["limit"][0])]
                return 200, {"messages": page, "cursor": str(begin + len(page))}
            case _:
                return 200, {}


def drive_against(service: Service, **options: Any) -> Outcome:
    """Drive a short job against a service in a thread of this process."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        config = uvicorn.Config(service, lifespan="off", access_log=False, log_level="critical", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            return asyncio.run(drive(job(listener.getsockname()[1], **options)))
        finally:
            server.should_exit = True
            thread.join()


def job(port: int, **options: Any) -> Job:
    given: dict[str, Any] = {
        "kind": "flow",
        "clients": 4,
        "seconds": 0.3,
        "warmup_seconds": 0.1,
        "keys": ("sk_live_a", "sk_live_b"),
    }
    return Job(port=port, server_pid=os.getpid(), **(given | options))


def test_every_flow_that_begins_ends_with_a_number_and_a_key_of_its_own():
    service = Service()
    outcome = drive_against(service, first_number=1_000)
    assert outcome.errors == {}
    assert outcome.flows_ever == len(service.redeemed) == len(set(service.verified))
    assert sorted(service.redeemed) == sorted(service.verified)
    assert 0 < outcome.flows < outcome.flows_ever
    assert service.keys == {"Bearer sk_live_a", "Bearer sk_live_b"}
    assert outcome.next_number == 1_000 + outcome.flows_ever
    assert outcome.inbox_after == str(outcome.flows_ever)


def test_each_step_of_the_flow_is_timed_and_only_requests_are_counted_as_such():
    outcome = drive_against(Service())
    counts = {step: latency.count for step, latency in outcome.latencies.items()}
    assert list(counts) == ["send", "code", "check", "validate"]
    assert outcome.requests == counts["send"] + counts["check"] + counts["validate"]
    assert counts["validate"] == outcome.flows


def test_a_call_is_repeated_on_every_connection():
    outcome = drive_against(Service(), kind="call", path="/v1/bench/noop", clients=8)
    assert (outcome.errors, outcome.flows_ever) == ({}, 0)
    assert outcome.requests == outcome.latencies["call"].count > 8


@pytest.mark.parametrize(
    ("path", "answer", "error"),
    [
        ("/v1/verify/send", (429, {"code": "prefix_send_limit"}), "send: prefix_send_limit"),
        ("/v1/verify/check", (500, {}), "check: 500"),
        ("/v1/verify/check", (200, {"status": "verified"}), "check: unexpected_answer"),
        (
            "/v1/verify/validate-token",
            (200, {"valid": True, "phone_number": "+1415****0000"}),
            "validate: wrong_number",
        ),
        ("/v1/verify/validate-token", (200, {"valid": False}), "validate: unexpected_answer"),
        ("/inbox/messages", (503, {"code": "overloaded"}), "inbox: overloaded"),
        ("/inbox/messages", (200, {"messages": [{}], "cursor": ""}), "inbox: unexpected_answer"),
    ],
)
def test_whatever_is_not_as_it_should_be_is_counted_by_call_and_code(path, answer, error):
    refused = itertools.count()
    service = Service(lambda asked, _: answer if asked == path and next(refused) < 3 else None)
    outcome = drive_against(service, seconds=0.4)
    assert outcome.errors == {error: 3}
    assert outcome.flows_ever == len(service.redeemed) > 0


def test_a_server_that_fails_and_hangs_up_is_two_errors_and_the_other_clients_go_on():
    def fail_once(path: str, count: int) -> Answer | None:
        assert not (path == "/v1/verify/check" and failures and failures.pop()), "uvicorn answers 500 and closes"
        return None

    failures = [True]
    outcome = drive_against(Service(fail_once))
    assert outcome.errors == {"check: 500": 1, "check: connection_lost": 1}
    assert outcome.flows_ever > 3


def test_as_a_process_it_reads_a_job_and_writes_an_outcome_and_only_that():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(Service(), lifespan="off", access_log=False, log_level="critical", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            done = subprocess.run(
                [sys.executable, "-m", "interfaces.bench.load"],
                input=msgspec.json.encode(job(listener.getsockname()[1])),
                capture_output=True,
                check=True,
                timeout=60,
            )
        finally:
            server.should_exit = True
            thread.join()
    outcome = msgspec.json.decode(done.stdout, type=Outcome)
    assert (outcome.errors, done.stderr) == ({}, b"")
    assert outcome.flows > 0
