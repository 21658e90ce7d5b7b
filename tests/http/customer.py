"""A customer of the running server, and what holds for every answer that the server gives to anybody."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from application.accounts import OpenedAccount
from interfaces.http.problems import KINDS
from tests.support.server import Answer, Server

PROBLEM_FIELDS = ("type", "title", "status", "detail", "code", "request_id")
SETTLES_SECONDS_MAX = 15.0
TOKEN_CODES = {"invalid_token", "token_expired", "token_already_redeemed", "token_phone_mismatch"}
_REQUEST_ID = re.compile(r"req_[0-9a-z]{10,40}")
_SEEN: set[str] = set()
_NUMBERS = (f"+1212{number}" for number in count(2_000_001))


class Like:
    """Equal to every text that fits a pattern: the part of an answer that chance decides."""

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and self.pattern.fullmatch(other) is not None

    def __hash__(self) -> int:
        return hash(self.pattern)

    def __repr__(self) -> str:
        return f"Like({self.pattern.pattern!r})"


VERIFICATION_ID = Like(r"ver_[A-Za-z0-9_-]{34}")
TOKEN = Like(r"tok_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")
CODE = Like(r"[0-9]{6}")
MOMENT = Like(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?Z")
EVENT_ID = Like(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def number() -> str:
    """A number that no other test uses."""
    return next(_NUMBERS)


def mask(e164: str) -> str:
    """How a North American number is shown."""
    return f"{e164[:5]}****{e164[-4:]}"


def wrong(code: str) -> str:
    """Another code of the same length."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


def honest(answer: Answer, *, base_url: str, secrets: tuple[str, ...] = ()) -> Answer:
    """The answer, after what every answer owes; `secrets` are what no error may repeat."""
    request_id = answer.headers["x-request-id"]
    assert _REQUEST_ID.fullmatch(request_id), request_id
    assert request_id not in _SEEN, "a request id came twice"
    _SEEN.add(request_id)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status < 500 or answer.status == 503, answer
    if answer.status < 400:
        return answer
    problem = answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    kind = KINDS[problem["code"]]
    assert [problem[name] for name in ("type", "title", "status", "request_id")] == [
        f"{base_url}/errors/{problem['code']}",
        kind.title,
        answer.status,
        request_id,
    ]
    assert kind.status == answer.status
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert ("www-authenticate" in answer.headers) == (answer.status == 401)
    assert answer.headers.get("www-authenticate", "Bearer") == "Bearer"
    assert ("retry-after" in answer.headers) == (answer.status in (429, 503))
    if answer.status in (429, 503):
        assert problem["retry_after"] == int(answer.headers["retry-after"]) >= 1
    assert (problem.get("valid") is False) == (problem["code"] in TOKEN_CODES)
    for secret in secrets:
        assert secret not in answer.text, "an error repeats what it was given"
    return answer


def refusal(answer: Answer) -> tuple[Any, ...]:
    """Status and code of a refusal and, where it has any, its extras; seconds to wait are checked where they matter."""
    assert answer.status >= 400, answer
    extras = {
        name: value for name, value in answer.body.items() if name not in (*PROBLEM_FIELDS, "retry_after", "valid")
    }
    return (answer.status, answer.body["code"], extras) if extras else (answer.status, answer.body["code"])


class Side:
    """One of the two logs of an account, with its secret key at hand and its public one beside it."""

    def __init__(self, server: Server, *, account_id: str, key: str, public: str) -> None:
        self.server = server
        self.account_id = account_id
        self.key = key
        self.public = public

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
    ) -> Answer:
        """One request, whose answer is checked for what every answer owes. `key=""` sends none."""
        used = self.key if key is None else key
        answer = self.server.request(method, path, body, key=used, headers=headers)
        return honest(answer, base_url=self.server.base_url, secrets=(*filter(None, [used]), *secrets))

    def get(self, path: str, *, key: str | None = None) -> Answer:
        return self.ask("GET", path, key=key)

    def send(
        self, phone_number: Any, *, key: str | None = None, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Answer:
        body = {"phone_number": phone_number, **fields}
        return self.ask("POST", "/v1/verify/send", body, key=key, headers=headers, secrets=_texts(phone_number))

    def check(
        self,
        phone_number: Any,
        code: Any,
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> Answer:
        body = {"phone_number": phone_number, "code": code, **fields}
        return self.ask("POST", "/v1/verify/check", body, key=key, headers=headers, secrets=_texts(phone_number))

    def redeem(
        self, token: Any, *, key: str | None = None, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Answer:
        body = {"token": token, **fields}
        return self.ask("POST", "/v1/verify/validate-token", body, key=key, headers=headers, secrets=_texts(token))

    def cancel(self, verification_id: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        return self.ask("POST", f"/v1/verifications/{verification_id}/cancel", headers=headers)

    def verification(self, verification_id: str) -> Answer:
        return self.get(f"/v1/verifications/{verification_id}")

    def advance(self, *, seconds: int) -> None:
        """Move the test clock."""
        assert self.ask("POST", "/v1/test/clock/advance", {"seconds": seconds}).status == 200

    def sent(self, phone_number: str, **fields: Any) -> tuple[str, str]:
        """Send, which must work: the verification's id and the code that arrived."""
        answer = self.send(phone_number, **fields)
        assert answer.status == 200, answer
        return answer.body["verification_id"], self.server.code_for(phone_number)

    def verified(self, phone_number: str) -> str:
        """Send and check, which must work: the token."""
        _, code = self.sent(phone_number)
        answer = self.check(phone_number, code)
        assert answer.status == 200, answer
        return str(answer.body["token"])

    def guess(self, phone_number: str, code: str, *, times: int) -> None:
        """Wrong guesses, each of which must count."""
        for _ in range(times):
            assert refusal(self.check(phone_number, wrong(code)))[:2] == (400, "wrong_code")

    def log(self) -> list[dict[str, Any]]:
        """All events of this side, and on the way that their positions are dense."""
        events: list[dict[str, Any]] = []
        while True:
            page = self.get(f"/v1/events?after={len(events)}&limit=1000").body
            events += page["events"]
            assert [event["position"] for event in events] == list(range(1, len(events) + 1))
            if len(page["events"]) < 1_000:
                return events

    def settled(self) -> list[dict[str, Any]]:
        """All events, once what became of every message is among them."""
        until = time.monotonic() + SETTLES_SECONDS_MAX
        while True:
            log = self.log()
            types = [event["type"] for event in log]
            if types.count("CodeRequested") == types.count("CodeSent") + types.count("SendFailed"):
                return log
            assert time.monotonic() < until, types
            time.sleep(0.01)

    def types(self) -> list[str]:
        """What happened, without the opening of the account."""
        opening = ("AccountOpened", "KeyIssued", "CreditAdded", "ClockAdvanced")
        return [event["type"] for event in self.log() if event["type"] not in opening]

    def balance(self) -> dict[str, int]:
        """The four figures."""
        body = self.get("/v1/balance").body
        return {name: body[name] for name in ("available", "debited", "refunded", "added")}


class Customer:
    """An account on the server, with both its sides."""

    def __init__(self, server: Server, opened: OpenedAccount) -> None:
        keys = {str(kind): key for kind, key in opened.keys.items()}
        self.server = server
        self.account_id = opened.account_id
        self.keys = keys
        self.live = Side(server, account_id=opened.account_id, key=keys["sk_live"], public=keys["pk_live"])
        self.test = Side(server, account_id=opened.account_id, key=keys["sk_test"], public=keys["pk_test"])


def inbox(server: Server, phone_number: str) -> Iterator[dict[str, Any]]:
    """All messages to a number, oldest first."""
    cursor = ""
    while True:
        page = server.get(f"/inbox/messages?after={cursor}&limit=1000").body
        yield from (message for message in page["messages"] if message["to"] == phone_number)
        if len(page["messages"]) < 1_000:
            return
        cursor = page["cursor"]


def _texts(value: Any) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) and len(value) > 8 else ()


def same(first: Answer, second: Answer) -> bool:
    """Whether two answers are the same but for the name of the request."""
    return (first.status, _unnamed(first)) == (second.status, _unnamed(second))


def _unnamed(answer: Answer) -> str:
    if answer.status < 400:
        return answer.text
    return json.dumps(answer.body | {"request_id": ""})
