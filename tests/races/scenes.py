"""What callers do in a race, and what is told of how it ended."""

from collections import Counter
from collections.abc import Callable, Sequence

from tests.support.server import Answer, Server

NUMBER = "+14155552671"
Call = Callable[[], Answer]


def send(server: Server, key: str, number: str = NUMBER, **headers: str) -> Call:
    return lambda: server.post("/v1/verify/send", {"phone_number": number}, key=key, headers=headers)


def check(server: Server, key: str, code: str, number: str = NUMBER) -> Call:
    return lambda: server.post("/v1/verify/check", {"phone_number": number, "code": code}, key=key)


def redeem(server: Server, key: str, token: str) -> Call:
    return lambda: server.post("/v1/verify/validate-token", {"token": token}, key=key)


def cancel(server: Server, key: str, verification_id: str) -> Call:
    return lambda: server.post(f"/v1/verifications/{verification_id}/cancel", key=key)


def wrong(right: str, count: int) -> list[str]:
    """So many different codes, none of them right."""
    return [f"{(int(right) + offset) % 1_000_000:06}" for offset in range(1, count + 1)]


def told(answers: Sequence[Answer]) -> Counter[tuple[int, str | None]]:
    """How many answers were of which status and code."""
    return Counter((answer.status, answer.body.get("code")) for answer in answers)


def sent_code(server: Server, key: str, number: str = NUMBER) -> str:
    """Send, and take the code of this very verification: the inbox is shared by all accounts."""
    verification_id = send(server, key, number)().body["verification_id"]
    return code_of(server, verification_id)


def code_of(server: Server, verification_id: str) -> str:
    """The code of the newest message of a verification, waiting for it."""
    after = ""
    for _ in range(200):  # the inbox is shared, and holds more than one answer does
        page = server.get(f"/inbox/messages?limit=1000{after}").body
        for message in reversed(page["messages"]):
            if message["verification_id"] == verification_id:
                return str(message["code"])
        after = f"&after={page['cursor']}"
    raise AssertionError("the message does not come")
