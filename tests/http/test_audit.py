"""The transparency log over HTTP, read by somebody who trusts its keys and nothing else."""

from base64 import b64decode
from collections.abc import Callable
from itertools import combinations_with_replacement

import pytest

from domain.events import ACCOUNT_EVENTS, VERIFICATION_EVENTS
from projections.transparency.entry import decode
from projections.transparency.note import Checkpoint, open_checkpoint
from projections.transparency.proof import TlogProof
from projections.transparency.tiles import decode_bundle, entries_path, tile_path, tiles_of
from projections.transparency.tree import (
    ProofRefused,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.http.customer import Customer, number, refusal
from tests.support.log_reader import LogReader, assert_proves, unsealed
from tests.support.server import Server, wait_for

SEALED_SECONDS_MAX = 4.0
ELSEWHERE = {
    *{"RateCardAdopted", "StatementIssued", "ListChanged", "SendUnconfirmed"},
    *{"TemplateChanged", "TemplateRemoved", "WordingChanged", "SenderChanged", "SenderRemoved"},
    *(kind.__name__ for kind in ACCOUNT_EVENTS if kind.__name__.startswith("Webhook")),
}
"""What only administration and lost answers of providers write: none of it differs from the rest in its proof."""
PROVIDER_DOWN, UNDELIVERED = "provider_down", "undelivered"


@pytest.fixture
def customer(server: Server) -> Customer:
    """An account whose both logs are sealed."""
    opened = Customer(server, server.open_account())
    for side in (opened.live, opened.test):
        log = opened.account_id if side is opened.live else f"{opened.account_id}-test"
        LogReader(server, log=log, key=side.key).sealed(1)
    return opened


def live(customer: Customer) -> LogReader:
    return LogReader(customer.server, log=customer.account_id, key=customer.live.key)


def test_anybody_opens_the_checkpoint_with_the_key_that_is_served(customer: Customer) -> None:
    reader = LogReader(customer.server)
    checkpoint = reader.checkpoint()
    assert checkpoint.size >= 2
    assert root(reader.reading(checkpoint.size), checkpoint.size) == checkpoint.root
    assert customer.server.get("/v1/audit/checkpoint").headers["content-type"].startswith("text/plain")


def test_an_account_opens_its_own_checkpoint_with_its_secret_key(customer: Customer) -> None:
    reader = live(customer)
    sealed = reader.sealed(6)
    asked = reader.get(f"/v1/audit/checkpoint?account={customer.account_id}")
    assert open_checkpoint(asked.content, reader.verifiers, origin=reader.origin).size >= sealed.size
    entries = decode_bundle(reader.get(f"{reader.prefix}/{entries_path(0, sealed.size)}").content)
    assert [decode(entry).position for entry in entries] == list(range(1, sealed.size + 1))
    assert reader.tile(0, 0, sealed.size).content == b"".join(map(leaf_hash, entries))
    assert root(reader.reading(sealed.size), sealed.size) == sealed.root


def test_a_test_key_reads_the_test_log_and_not_the_live_one(customer: Customer) -> None:
    own = LogReader(customer.server, log=f"{customer.account_id}-test", key=customer.test.key)
    assert own.checkpoint() == own.sealed(1)
    asked = own.get(f"/v1/audit/checkpoint?account={customer.account_id}").content
    assert open_checkpoint(asked, own.verifiers, origin=own.origin) == own.checkpoint()


def test_no_other_key_gets_anything_of_an_account(customer: Customer) -> None:
    other = Customer(customer.server, customer.server.open_account())
    paths = [
        f"/v1/audit/checkpoint?account={customer.account_id}",
        f"/v1/audit/consistency?account={customer.account_id}",
        f"/v1/audit/accounts/{customer.account_id}/checkpoint",
        f"/v1/audit/accounts/{customer.account_id}/{tile_path(0, 0, 1)}",
        f"/v1/audit/accounts/{customer.account_id}/{entries_path(0, 1)}",
    ]
    expected = {
        "": (401, "missing_api_key"),
        customer.live.public: (403, "key_scope_forbidden"),
        customer.test.public: (403, "key_scope_forbidden"),
        other.live.key: (404, "not_found"),
        other.test.key: (404, "not_found"),
    }
    for key, answer in expected.items():
        assert {path: refusal(customer.live.ask("GET", path, key=key)) for path in paths} == dict.fromkeys(
            paths, answer
        )
    for path in paths[2:]:
        assert refusal(customer.live.ask("GET", path, key=customer.test.key)) == (404, "not_found")
        of_tests = path.replace(customer.account_id, f"{customer.account_id}-test")
        assert refusal(customer.live.ask("GET", of_tests)) == (404, "not_found")
    assert {path: customer.live.ask("GET", path).status for path in paths[:3]} == dict.fromkeys(paths[:3], 200)


@pytest.mark.parametrize("key", ["", "sk_live", "sk_test", "pk_live"])
def test_entries_of_the_log_over_all_logs_are_served_to_nobody(customer: Customer, key: str) -> None:
    size = LogReader(customer.server).checkpoint().size
    paths = [entries_path(0, width) for width in (1, 2, min(size, 256))]
    answers = [customer.live.ask("GET", f"/v1/audit/{path}", key=customer.keys.get(key, "")) for path in paths]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * len(paths)


def test_a_tile_is_served_at_every_width_that_is_sealed_and_at_no_other(customer: Customer) -> None:
    for _ in range(3):
        customer.live.sent(number())
    reader = live(customer)
    size = reader.sealed(6 + 3 * 2).size
    whole = reader.tile(0, 0, size).content
    assert [reader.tile(0, 0, width).content for width in range(1, size + 1)] == [
        whole[: 32 * width] for width in range(1, size + 1)
    ]
    refused = [tile_path(0, 0, 256), tile_path(0, 1, 1), tile_path(1, 0, 1), entries_path(0), entries_path(1, 1)]
    refused += [
        "tile/0/000.p/0",
        "tile/00/000.p/1",
        "tile/0/0.p/1",
        "tile/0/000.p/256",
        "tile/64/000",
        "tile/0/000.p/01",
    ]
    refused += ["tile/0/../0/000.p/1", "tile/entries/000.p/0", "tile/", "tile/x", "tile/0/x000/000.p/1"]
    assert {path: reader.get(f"{reader.prefix}/{path}").status for path in refused} == dict.fromkeys(refused, 404)


def test_full_tiles_and_those_above_them_are_the_tree(customer_with: Callable[[int], Customer]) -> None:
    customer = customer_with(1_000)
    books = customer.server.books
    for place in range(260):
        books.administration.add_credit(customer.account_id, credits=1, reference=f"R{place}", by="test")
    reader = live(customer)
    checkpoint = reader.sealed(266)
    read = reader.reading(checkpoint.size)
    assert [(level, index) for level, index, _ in tiles_of(checkpoint.size)] == [(0, 0), (0, 1), (1, 0)]
    assert root(read, checkpoint.size) == checkpoint.root
    entries = decode_bundle(reader.get(f"{reader.prefix}/{entries_path(0)}").content)
    assert b"".join(map(leaf_hash, entries)) == read(0, 0)
    assert [decode(entry).position for entry in entries] == list(range(1, 257))


def everything(customer: Customer) -> None:
    """One event of every kind, but those that only billing writes."""
    it, books, account = customer.live, customer.server.books, customer.account_id
    first = number()
    _, code = it.sent(first)
    it.guess(first, code, times=1)
    it.redeem(it.check(first, code).body["token"])
    cancelled, _ = it.sent(number())
    it.cancel(cancelled)
    for scenario in customer.test.get("/v1/test/scenarios", key="").body["scenarios"]:
        if scenario["outcome"] in (PROVIDER_DOWN, UNDELIVERED):
            customer.test.send(scenario["number"])
    customer.test.advance(seconds=1)
    administration = books.administration
    administration.change_policy(account, changes={"code_digits": 8}, by="test")
    administration.change_lists(account, effect="block", kind="country", values=["TR"], by="test")
    key_id, _ = administration.issue_key(account, kind="pk_live", name="", origins=(), by="test")
    administration.restrict_key(account, key_id=key_id, name="web", origins=("https://shop.example",), by="test")
    administration.revoke_key(account, key_id=key_id, by="test")
    administration.suspend(account, reason="test", by="test")
    administration.resume(account, by="test")


def test_every_kind_of_event_has_a_receipt_that_proves_it(customer: Customer) -> None:
    everything(customer)
    wait_for(lambda: {"SendFailed", "DeliveryReported"} <= set(customer.test.types()))
    seen = set()
    for side, name in ((customer.live, customer.account_id), (customer.test, f"{customer.account_id}-test")):
        reader = LogReader(customer.server, log=name, key=side.key)
        log = side.settled()
        reader.sealed(len(log))
        for event in log:
            receipt = side.get(f"/v1/audit/proofs/{event['event_id']}")
            assert receipt.status == 200, receipt
            assert_proves(receipt.body, event, reader=reader)
        seen |= {event["type"] for event in log}
    kinds = {kind.__name__ for kind in (*VERIFICATION_EVENTS, *ACCOUNT_EVENTS)}
    assert kinds - seen - ELSEWHERE <= {"CreditRefunded"}, "a test log pays nothing, and so gets nothing back"


def test_a_receipt_proves_its_own_event_alone(customer: Customer) -> None:
    """The negative control: what proves one entry is refused for another, and for one that was touched."""
    reader, log = live(customer), customer.live.log()
    reader.sealed(len(log))
    first, second = (customer.live.get(f"/v1/audit/proofs/{event['event_id']}").body for event in log[:2])
    proof = TlogProof.parse(first["account"]["proof"].encode())
    entry = first["account"]["entry"].encode()
    proof.verify(leaf_hash(entry), reader.verifiers, origin=reader.origin)
    for other in (second["account"]["entry"].encode(), entry.replace(b"Test", b"Best")):
        with pytest.raises(ProofRefused):
            proof.verify(leaf_hash(other), reader.verifiers, origin=reader.origin)


def test_an_event_that_is_nobodys_or_somebody_elses_has_no_receipt(customer: Customer) -> None:
    other = Customer(customer.server, customer.server.open_account())
    foreign = other.live.log()[0]["event_id"]
    of_tests = customer.test.log()[0]["event_id"]
    own = customer.live.log()[0]["event_id"]
    changed = own[:-1] + ("0" if own[-1] != "0" else "1")
    never = "0000ffffffff" + own.replace("-", "")[12:]
    for event_id in (foreign, of_tests, changed, never, "x", "0" * 32, own[:-1], "%00"):
        assert refusal(customer.live.get(f"/v1/audit/proofs/{event_id}")) == (404, "not_found"), event_id
    assert refusal(customer.live.get(f"/v1/audit/proofs/{own}", key="")) == (401, "missing_api_key")
    assert refusal(customer.live.get(f"/v1/audit/proofs/{own}", key=customer.live.public)) == (
        403,
        "key_scope_forbidden",
    )
    assert customer.live.get(f"/v1/audit/proofs/{own}").status == 200


def test_what_is_not_sealed_yet_is_neither_proved_nor_served(serve: Callable[..., Server]) -> None:
    customer = Customer(server := serve(), server.open_account())
    reader = live(customer)
    size = reader.sealed(6).size
    with unsealed(customer.server.conninfo):
        customer.live.sent(number())
        event = customer.live.log()[size]
        assert refusal(customer.live.get(f"/v1/audit/proofs/{event['event_id']}")) == (404, "not_found")
        assert (reader.tile(0, 0, size).status, reader.tile(0, 0, size + 1).status) == (200, 404)
        assert reader.get(f"{reader.prefix}/{entries_path(0, size + 1)}").status == 404
        fresh = server.open_account()
        missing = LogReader(server, log=fresh.account_id, key=fresh.keys["sk_live"])
        assert missing.get(f"{missing.prefix}/checkpoint").status == 404
    reader.sealed(size + 1)
    assert_proves(customer.live.get(f"/v1/audit/proofs/{event['event_id']}").body, event, reader=reader)
    missing.sealed(6)


def test_what_was_accepted_is_sealed_within_four_seconds(customer: Customer) -> None:
    for _ in range(3):
        customer.live.sent(number())
        event_id = customer.live.log()[-1]["event_id"]
        wait_for(
            lambda path=f"/v1/audit/proofs/{event_id}": customer.live.get(path).status == 200,  # type: ignore[misc]
            seconds=SEALED_SECONDS_MAX,
        )


def test_between_any_two_sizes_the_log_has_only_grown(customer: Customer) -> None:
    customer.live.verified(number())
    reader = live(customer)
    sealed = reader.sealed(len(customer.live.settled()))
    read = reader.reading(sealed.size)
    for old, new in combinations_with_replacement(range(sealed.size + 1), 2):
        body = customer.live.get(f"/v1/audit/consistency?account={customer.account_id}&from={old}&to={new}").body
        roots = b64decode(body["from_root"]), b64decode(body["to_root"])
        assert (body["from"], body["to"], body["origin"]) == (old, new, reader.origin)
        assert roots == (root(read, old), root(read, new))
        verify_consistency(old, new, *roots, [b64decode(hash_) for hash_ in body["hashes"]])


def test_the_log_over_all_logs_continues_every_checkpoint_that_somebody_kept(customer: Customer) -> None:
    reader = LogReader(customer.server)
    kept: list[Checkpoint] = [reader.checkpoint()]
    for _ in range(3):
        customer.live.sent(number())
        kept.append(reader.sealed(kept[-1].size + 1))
    for old in kept:
        body = customer.server.get(f"/v1/audit/consistency?from={old.size}").body
        hashes = [b64decode(hash_) for hash_ in body["hashes"]]
        verify_consistency(old.size, body["to"], old.root, b64decode(body["to_root"]), hashes)
        if 0 < old.size < body["to"]:
            with pytest.raises(ProofRefused):
                verify_consistency(old.size, body["to"], bytes(32), b64decode(body["to_root"]), hashes)


@pytest.mark.parametrize(
    "query",
    [
        "from=-1",
        "from=x",
        "to=x",
        "from=2&to=1",
        "to=9007199254740992",
        "from=1.0",
        "from=",
        "to=%D9%A1",
        "from=" + "9" * 400,
    ],
)
def test_sizes_that_are_none_are_refused(customer: Customer, query: str) -> None:
    assert refusal(customer.live.get(f"/v1/audit/consistency?{query}", key="")) == (400, "invalid_request")


def test_the_head_of_an_account_is_provable_without_seeing_any_other(customer: Customer) -> None:
    """The path through the log over all logs is made of public tiles: anybody can check it, and nobody learns a name."""
    reader = live(customer)
    log = customer.live.log()
    reader.sealed(len(log))
    whole = customer.live.get(f"/v1/audit/proofs/{log[-1]['event_id']}").body["log"]
    public = LogReader(customer.server)
    read = public.reading(whole["size"])
    leaf = read(0, whole["index"] // 256)[32 * (whole["index"] % 256) :][:32]
    assert leaf == leaf_hash(whole["entry"].encode()) == b64decode(whole["leaf_hash"])
    verify_inclusion(
        leaf, whole["index"], whole["size"], [b64decode(h) for h in whole["hashes"]], root(read, whole["size"])
    )
