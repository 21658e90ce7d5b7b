"""What a database superuser with triggers off could do, and who notices.

`leave` is the adversary that leaves hash tiles and checkpoints as they were; `rebuild` makes all tiles anew but cannot sign;
`steal` has the signer's key; `resign` signs with a key of its own and puts that into the bundle.
"""

import shutil
from pathlib import Path

import pytest

from projections.transparency import tiles
from tests.support.auditor import Desk, names
from tests.support.bundles import BundleWriter, Log, Signer, changed, entry, files_of, write_account_bundle
from tests.support.given import added
from tests.support.traffic import whole

Logs = dict[str, list[bytes]]


def renumbered(entries: list[bytes]) -> list[bytes]:
    """The same events with positions, versions and ids as if nothing had ever been otherwise."""
    from projections.transparency.entry import decode

    versions: dict[str, int] = {}
    made = []
    for position, old in enumerate(map(decode, entries), 1):
        versions[old.stream] = versions.get(old.stream, 0) + 1
        made.append(entry(old.log, position, old.stream, versions[old.stream], topic=old.type, body=old.body))
    return made


def edit(logs: Logs) -> Logs:
    return {**logs, "acct_first": changed(logs["acct_first"], 1, b'"credits":1', b'"credits":2')}


def delete_middle(logs: Logs) -> Logs:
    first = logs["acct_first"]
    return {**logs, "acct_first": renumbered([*first[:300], *first[301:]])}


def delete_tail(logs: Logs) -> Logs:
    return {**logs, "acct_first": logs["acct_first"][:-3]}


def delete_account(logs: Logs) -> Logs:
    return {log: entries for log, entries in logs.items() if log != "acct_second"}


def insert_back_dated(logs: Logs) -> Logs:
    first = logs["acct_first"]
    gift = Log("acct_first").entry("", added(10**6))
    return {**logs, "acct_first": renumbered([*first[:300], gift, *first[300:]])}


def reorder(logs: Logs) -> Logs:
    first = logs["acct_first"]
    return {**logs, "acct_first": renumbered([*first[:300], first[301], first[300], *first[302:]])}


def restore_old(logs: Logs) -> Logs:
    return {log: list(whole(log, events=len(entries) // 2)) for log, entries in logs.items()}


ATTACKS = (edit, delete_middle, delete_tail, delete_account, insert_back_dated, reorder, restore_old)


def leave(before: BundleWriter, after: BundleWriter) -> Path:
    """Entries of after, everything else of before."""
    for tree in [Path(), *(Path("accounts") / log for log in after.trees)]:
        if tree != Path():
            shutil.rmtree(before.directory / tree / "tile" / "entries")
            shutil.copytree(after.directory / tree / "tile" / "entries", before.directory / tree / "tile" / "entries")
    for log in before.trees.keys() - after.trees.keys():
        shutil.rmtree(before.directory / "accounts" / log)
    return before.directory


def rebuild(before: BundleWriter, after: BundleWriter) -> Path:
    """Tiles and entries of after, checkpoints of before."""
    for file in before.directory.rglob("checkpoint"):
        place = after.directory / file.relative_to(before.directory)
        if place.parent.is_dir():
            shutil.copy(file, place)
    return after.directory


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("hand", [leave, rebuild])
def test_who_cannot_sign_is_noticed_by_anybody(desk: Desk, attack, hand):
    before, after = desk.bundle(), desk.bundle(attack(desk.logs))
    assert names(before.directory) == []
    assert names(hand(before, after)) != []


@pytest.mark.parametrize("attack", ATTACKS)
def test_who_has_the_key_is_noticed_by_whoever_kept_a_checkpoint(desk: Desk, attack):
    before, after = desk.bundle(), desk.bundle(attack(desk.logs))
    found = names(after.directory, older=before.checkpoint())
    # Some of them break the ledger's own rules too; that is told beside it.
    of_history = [name for name in found if "checkpoint" in name or "log" in name]
    shorter = attack is delete_account
    assert of_history == ["log-shorter-than-checkpoint" if shorter else "older-checkpoint-disagrees"]


@pytest.mark.parametrize("attack", ATTACKS)
def test_who_signs_with_another_key_is_noticed_with_a_kept_key_or_checkpoint(desk: Desk, attack):
    before, after = desk.bundle(), desk.bundle(attack(desk.logs), signer=Signer(seed=2))
    assert "older-checkpoint-refused" in names(after.directory, older=before.checkpoint())
    known = names(after.directory, vkeys=Signer().vkey)
    assert known.count("checkpoint-refused") == 1
    assert {"vkey-differs", "checkpoint-refused acct_first"} <= {*known}


def test_what_grew_since_is_no_attack(desk: Desk):
    """The negative control: an older checkpoint of the same history is content."""
    old = restore_old(desk.logs)
    writer = desk.bundle(old)
    kept, seen = writer.checkpoint(), desk.room / "grown"
    grown = BundleWriter(seen)
    for step in range(4):
        for log, entries in old.items():
            grown.append(log, entries[len(entries) * step // 4 : len(entries) * (step + 1) // 4])
        grown.seal()
    for log, entries in desk.logs.items():
        grown.append(log, entries[len(old[log]) :])
    grown.close()
    assert names(seen, older=kept) == []
    assert names(writer.directory, older=grown.checkpoint()) == ["log-shorter-than-checkpoint"]
    assert names(seen, older=writer.signer.sign("", 1, b"\0" * 32)) == ["older-checkpoint-disagrees"]
    account = writer.trees["acct_first"]
    assert names(seen, older=writer.signer.sign("acct_first", account.size, account.root)) == []
    wrong = writer.signer.sign("acct_first", account.size, b"\0" * 32)
    assert names(seen, older=wrong) == ["older-checkpoint-disagrees acct_first"]
    longer = writer.signer.sign("acct_first", 10**6, account.root)
    assert names(seen, older=longer) == ["log-shorter-than-checkpoint acct_first"]


def test_the_first_changed_entry_is_named(desk: Desk):
    before, after = desk.bundle(), desk.bundle(edit(desk.logs))
    assert names(leave(before, after)) == ["entry-changed acct_first 2"]


def test_with_tiles_rebuilt_the_first_sealed_range_is_named(desk: Desk):
    """Heads are sealed at a quarter, a half, three quarters and the whole of 700."""
    logs = {**desk.logs, "acct_first": changed(desk.logs["acct_first"], 400, b'"at":"2026', b'"at":"2025')}
    before, after = desk.bundle(), desk.bundle(logs)
    directory = rebuild(before, after)
    shutil.rmtree(directory / "tile")
    shutil.copytree(before.directory / "tile", directory / "tile")
    assert names(directory) == ["head-disagrees acct_first 351"]


def test_a_cut_tail_is_named_with_the_positions_that_are_gone(desk: Desk):
    directory = desk.bundle().directory
    last = directory / "accounts/acct_first" / tiles.entries_path(2, 700 - 512)
    last.unlink()
    assert names(directory) == ["missing-file acct_first 513"]


def test_a_missing_account_is_named(desk: Desk):
    directory = desk.bundle().directory
    shutil.rmtree(directory / "accounts/acct_second")
    assert names(directory) == ["log-missing acct_second"]


def test_an_account_that_was_never_sealed_is_named(desk: Desk):
    writer = desk.bundle()
    other = desk.bundle({"acct_third": list(whole("acct_third", events=20))})
    shutil.copytree(other.directory / "accounts/acct_third", writer.directory / "accounts/acct_third")
    assert names(writer.directory) == ["log-not-sealed acct_third"]


@pytest.mark.parametrize("is_whole", [True, False])
def test_every_flipped_bit_is_noticed(desk: Desk, is_whole):
    """One bit of one byte of every file, at a place that is another one in each."""
    writer = desk.bundle()
    directory = writer.directory if is_whole else write_account_bundle(desk.room / "one", writer, "acct_second")
    unnoticed = []
    for number, file in enumerate(files_of(directory)):
        content = file.read_bytes()
        at = number * 7919 % len(content)
        flipped = bytearray(content)
        flipped[at] ^= 1 << number % 8
        file.write_bytes(flipped)
        if not names(directory):
            unnoticed.append((file.relative_to(directory), at))
        file.write_bytes(content)
    assert unnoticed == []
    assert names(directory) == []
