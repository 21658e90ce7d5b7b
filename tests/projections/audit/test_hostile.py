"""Bundles made to hurt whoever reads them: each gives findings, none a traceback, and no file outside is ever read."""

import os
import random
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.events import CreditRefunded, Event, RateCardAdopted
from domain.rates import FLAT, RateCard
from projections.audit.bundle import Bundle
from projections.audit.replay import replay
from projections.audit.verify import verify
from projections.transparency.entry import encode_head
from tests.support.auditor import Desk, names
from tests.support.bundles import BundleWriter, Log, Signer, entry, files_of, write_account_bundle, write_bundle
from tests.support.clock import NOON
from tests.support.given import added, debited, moment, opened, requested
from tests.support.traffic import whole

FIRST = "accounts/acct_first"


def write(path: Path, content: bytes = b"?") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "path",
    [
        "notes.txt",
        "accounts/readme",
        "accounts/acct_x y/checkpoint",
        f"{FIRST}/head",
        f"{FIRST}/tile/0/003",
        f"{FIRST}/tile/0/002.p/187",
        f"{FIRST}/tile/3/000.p/1",
        f"{FIRST}/tile/entries/003.p/1",
        f"{FIRST}/tile/entries/x000/000",
        "tile/0/000.p/11",
        "tile/0/00\N{ARABIC-INDIC DIGIT ONE}",
        "tile/zero/000",
        "schemas/readme.md",
        "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o",
        "accounts/line\nbreak/checkpoint",
    ],
)
def test_a_file_without_a_place_is_named(desk: Desk, path):
    directory = desk.bundle().directory
    write(directory / path)
    assert names(directory) == ["unexpected-file"]


def test_a_rate_card_is_the_one_of_its_name(desk: Desk):
    directory = desk.bundle().directory
    write(directory / f"ratecards/{FLAT.id}.json", FLAT.content())
    assert names(directory) == []
    write(directory / f"ratecards/{FLAT.id}.json", FLAT.content().replace(b"1", b"2"))
    assert names(directory) == ["card-differs"]


def test_a_link_is_not_followed(desk: Desk):
    directory = desk.bundle().directory
    (directory / "tile/0/009").symlink_to("/etc/hostname")
    assert names(directory) == ["not-a-plain-file"]
    (directory / "checkpoint").rename(desk.room / "kept")
    (directory / "checkpoint").symlink_to(desk.room / "kept")
    assert "not-a-plain-file" in names(directory)


def test_a_directory_that_is_a_link_is_not_entered(desk: Desk):
    directory = desk.bundle().directory
    (directory / FIRST).rename(desk.room / "elsewhere")
    (directory / FIRST).symlink_to(desk.room / "elsewhere")
    assert {"missing-file acct_first", "not-a-plain-file"} <= {*names(directory)}


def test_a_pipe_does_not_keep_anybody_waiting(desk: Desk):
    directory = desk.bundle().directory
    (directory / "vkey").unlink()
    os.mkfifo(directory / "vkey")
    assert "not-a-plain-file" in names(directory)


def test_a_huge_file_is_not_read(desk: Desk):
    directory = desk.bundle().directory
    for path in ("checkpoint", f"{FIRST}/tile/0/000", f"{FIRST}/tile/entries/000"):
        content = (directory / path).read_bytes()
        with (directory / path).open("r+b") as file:
            file.truncate(1 << 40)
        assert any(name.startswith("file-too-big") for name in names(directory)), path
        (directory / path).write_bytes(content)


def test_a_name_in_the_global_log_is_never_a_path(desk: Desk):
    writer = BundleWriter(desk.room / "made")
    writer.total.append([encode_head("acct_x", 1, bytes(32)).replace(b"acct_x", b"../../etc")])
    writer.close()
    assert names(writer.directory) == ["head-malformed"]


def test_heads_must_grow(desk: Desk):
    writer = BundleWriter(desk.room / "made")
    writer.append("acct_first", desk.logs["acct_first"][:20])
    writer.seal()
    writer.total.append([encode_head("acct_first", 10, bytes(32))])
    writer.close()
    assert names(writer.directory) == ["heads-grow acct_first 10"]


@pytest.mark.parametrize("size", [1, 700 * 10**9, 2**63 - 1])
def test_a_size_that_was_made_up_costs_nothing(desk: Desk, size):
    writer = desk.bundle()
    (writer.directory / "checkpoint").write_bytes(Signer().sign("", size, bytes(32)))
    assert names(writer.directory) != []
    (writer.directory / "checkpoint").write_bytes(writer.checkpoint())
    (writer.directory / FIRST / "checkpoint").write_bytes(Signer().sign("acct_first", size, bytes(32)))
    assert names(writer.directory) == ["account-checkpoint-differs acct_first"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"\xff" * 40,
        b"[" * 60_000,
        b'{"log":"acct_first","position":1,"stream":"","version":1,"event_id":"00000000-0001-8000-8000-000000000000",'
        b'"type":"AccountOpened.v1","data":' + b'{"a":' * 10_000 + b"1" + b"}" * 10_001,
    ],
)
def test_an_entry_that_is_none_is_named(desk: Desk, raw):
    logs = {**desk.logs, "acct_first": [*desk.logs["acct_first"][:9], raw]}
    assert names(desk.bundle(logs).directory) == ["entry-malformed acct_first 10"]
    replayed = replay(Bundle(desk.bundle(logs).directory))
    assert [(found.name, found.position) for found in replayed.findings] == [("entry-malformed", 10)]


@pytest.mark.parametrize("depth", [100, 800, 960, 990])
def test_a_deep_body_is_named(desk: Desk, depth):
    body = b'{"at":' + b"[" * depth + b'"\\u002b14155552671"' + b"]" * depth + b"}"
    deep = [entry("acct_x", 1, "", 1, topic="AccountResumed.v1", body=body)]
    found = {name.split()[0] for name in names(desk.bundle({"acct_x": deep}, seals=1).directory)}
    assert found & {"entry-malformed", "numbers-masked"}


def test_a_body_of_the_wrong_shape_is_named(desk: Desk):
    for body in (b"{}", b'{"at":{}}', b'{"at":"2026-11-01T12:00:00Z","verification_id":[]}', b'{"verification_id":7}'):
        odd = [
            entry("acct_x", 1, "", 1, topic="AccountOpened.v1", body=body),
            entry("acct_x", 2, "", 2, topic="Verified.v1", body=body),
            entry("acct_x", 3, "", 3, topic="CreditDebited.v1", body=body),
        ]
        found = names(desk.bundle({"acct_x": odd}, seals=1).directory)
        assert {name.split()[0] for name in found} <= {"event-fields-valid", "event-fields-known", "opened-first"}
        assert found


def test_a_log_made_to_be_slow_is_not(desk: Desk):
    """So many refunds, debits and rate cards of one verification that anything quadratic would be felt."""
    log, card = Log("acct_x"), RateCard(per="message", prices={"*": 1})
    log.add(("", replace(opened(), account_id="acct_x")), ("", added(10**6)), ("s", requested()), ("", debited()))
    many: list[tuple[str, Event]] = []
    for send in range(15_000):
        refund = CreditRefunded(at=NOON, verification_id="ver_1", send=send, credits=1, reason="twice")
        waits = RateCardAdopted(
            at=NOON, rate_card=card.id, per=card.per, prices=card.prices, effective_from=moment(-send)
        )
        many += [("", debited(send=send)), ("", refund), ("", waits)]
    found = names(desk.bundle({"acct_x": log.add(*many).entries}, seals=1).directory)
    assert found == ["debit-pays-one-request acct_x 5"]


def test_a_bundle_of_nothing_is_no_bundle(tmp_path: Path):
    assert names(tmp_path) == ["missing-file", "missing-file"]
    assert [found.name for found in replay(Bundle(tmp_path)).findings] == ["missing-file"]


def test_keys_are_those_of_one_log(desk: Desk):
    directory = desk.bundle().directory
    two = Signer().vkey + Signer(origin="other.example/log").vkey
    for vkey in (b"", b"\n", b"nonsense", b"\xff", two, Signer().vkey * 2):
        (directory / "vkey").write_bytes(vkey)
        assert "vkey-malformed" in names(directory)
        assert "vkey-malformed" in names(directory, vkeys=vkey)
    (directory / "vkey").write_bytes(Signer(seed=2).vkey + Signer().vkey)  # rotated, newest first
    assert names(directory) == []


def test_a_bundle_of_one_account_proves_its_head(desk: Desk):
    writer = desk.bundle()
    one = write_account_bundle(desk.room / "one", writer, "acct_second")
    assert names(one) == []
    assert names(one, older=writer.checkpoint()) == []
    account = writer.trees["acct_second"]
    assert names(one, older=Signer().sign("acct_second", account.size, account.root)) == []
    assert names(one, older=Signer().sign("", 3, bytes(32))) == ["older-checkpoint-not-comparable"]
    assert names(one, older=Signer().sign("", 10**6, bytes(32))) == ["log-shorter-than-checkpoint"]
    assert names(one, older=Signer().sign("acct_first", 3, bytes(32))) == ["log-missing acct_first"]
    shutil.copy(one / "accounts/acct_second/head", desk.room / "head")
    (one / "accounts/acct_second/head").write_bytes(writer.head_proof("acct_first"))
    assert names(one) == ["head-proof-refused acct_second"]


def test_whatever_is_done_to_its_files_a_bundle_gives_a_verdict(desk: Desk, tmp_path: Path):
    """Cut, doubled, swapped, emptied, overwritten, made a directory: many times over, from a seed."""
    logs = {log: list(whole(log, events=events)) for log, events in (("acct_first", 300), ("acct_second", 40))}
    writer = write_bundle(tmp_path / "small", logs)
    chance = random.Random(7)
    for _ in range(150):
        file = chance.choice(files_of(writer.directory))
        content = file.read_bytes()
        at = chance.randrange(len(content))
        other = chance.choice(files_of(writer.directory)).read_bytes()
        made = chance.choice(
            [content[:at], content * 2, other, b"", content[:at] + chance.randbytes(9) + content[at + 9 :], None]
        )
        file.unlink()
        if made is None:
            file.mkdir()
        else:
            file.write_bytes(made)
        unused = made is None and file.parent.name == "schemas"  # of a type of which there is no event
        assert (made == content) == verify(Bundle(writer.directory)).ok or unused
        replay(Bundle(writer.directory))
        if made is None:
            file.rmdir()
        file.write_bytes(content)
    assert verify(Bundle(writer.directory)).ok
