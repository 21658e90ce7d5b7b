"""What must hold in every log, whatever happened: checked from its events alone."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.support.server import Server


def log_of(server: Server, key: str) -> list[dict[str, Any]]:
    """All events of a key's log."""
    events: list[dict[str, Any]] = []
    after = 0
    while True:
        page = server.get(f"/v1/events?after={after}&limit=1000", key=key).body
        events += page["events"]
        if page["next"] == after:
            return events
        after = page["next"]


def assert_sound(events: Sequence[dict[str, Any]]) -> None:
    """Dense positions and versions, debits beside their requests, refunds once, never below zero, five guesses at most."""
    assert [event["position"] for event in events] == list(range(1, len(events) + 1))
    versions: Counter[str] = Counter()
    for event in events:
        versions[event["stream"]] += 1
        assert event["version"] == versions[event["stream"]]
    available = 0
    debits: Counter[tuple[str, int]] = Counter()
    refunds: Counter[tuple[str, int]] = Counter()
    failures: Counter[str] = Counter()
    verified: Counter[str] = Counter()
    redeemed: Counter[str] = Counter()
    for before, event in zip([{"type": "", "data": {}}, *events], events, strict=False):
        data = event["data"]
        match event["type"]:
            case "CreditAdded":
                available += data["credits"]
            case "CreditDebited":
                available -= data["credits"]
                assert before["type"] == "CodeRequested"
                assert before["data"]["verification_id"] == data["verification_id"]
                assert before["data"]["send"] == data["send"]
                debits[data["verification_id"], data["send"]] += 1
            case "CreditRefunded":
                available += data["credits"]
                refunds[data["verification_id"], data["send"]] += 1
            case "AttemptFailed":
                failures[data["verification_id"]] += 1
            case "Verified":
                verified[data["verification_id"]] += 1
            case "TokenRedeemed":
                redeemed[data["token_id"]] += 1
            case _:
                pass
        assert available >= 0
    assert all(count == 1 for counts in (debits, refunds, verified, redeemed) for count in counts.values())
    assert refunds.keys() <= debits.keys()
    assert all(count <= 5 for count in failures.values())
