"""What the pages of an account's events are made of: one event as it is hashed, its receipt, and every kind in its group."""

import json

from domain.events import TYPES
from interfaces.dashboard import trail
from projections.transparency.note import base64
from projections.transparency.tree import leaf_hash
from tests.http.customer import Customer, number
from tests.support.server import Server, wait_for


def test_an_event_is_shown_as_the_text_that_its_receipt_proves(server: Server) -> None:
    customer = Customer(server, server.open_account())
    customer.live.verified(number())
    events = customer.live.get("/v1/events").body["events"]
    recorder, log = server.books.recorder, customer.account_id
    last = events[-1]["event_id"]
    wait_for(lambda: customer.live.get(f"/v1/audit/proofs/{last}").status == 200)
    for event in events:
        shown = trail.event_at(recorder, log, event["position"])
        receipt = trail.receipt_at(recorder, log, event["position"])
        assert shown is not None
        assert receipt is not None
        assert (shown.event_id, shown.kind, json.loads(shown.data)) == (event["event_id"], event["type"], event["data"])
        assert (receipt.account.entry, receipt.event_id) == (shown.entry, shown.event_id)
        assert receipt.account.leaf_hash == base64(leaf_hash(shown.entry.encode()))


def test_beyond_the_log_there_is_no_event_and_no_receipt(server: Server) -> None:
    customer = Customer(server, server.open_account())
    recorder, log = server.books.recorder, customer.account_id
    for position in (-1, 0, 10_000):
        assert trail.event_at(recorder, log, position) is None
        assert trail.receipt_at(recorder, log, position) is None


def test_every_kind_of_event_is_in_one_group() -> None:
    kinds = [kind for _, group in trail.kind_groups() for kind in group]
    assert sorted(kinds) == sorted(event.__name__ for event in TYPES.values())
