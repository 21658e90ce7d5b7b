"""`audit export`, `prove`, `checkpoint`, `keys`, `rotate-key` as they are typed, on a running and on a stopped system."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projections.transparency.note import Verifier, open_checkpoint, open_note
from projections.transparency.proof import TlogProof
from projections.transparency.tree import leaf_hash
from tests.support.load import under_load
from tests.support.log_reader import LogReader, assert_proves
from tests.support.postgres import Cluster
from tests.support.server import Ended, run, serving

PLENTY = 100_000


class Place:
    """A home with a database elsewhere, which a server may or may not be running on."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.more = {"DONEOTP_DATABASE_URL": url}

    def run(self, *words: str) -> Ended:
        return run("audit", *words, home=self.home, **self.more)

    def told(self, *words: str) -> Any:
        """The document of a command that must succeed."""
        ended = self.run(*words, "--json")
        assert (ended.status, ended.stderr) == (0, ""), ended
        return json.loads(ended.stdout)

    def refused(self, *words: str) -> str:
        """The code of a refusal."""
        ended = self.run(*words, "--json")
        assert (ended.status, ended.stderr) == (1, ""), ended
        return str(json.loads(ended.stdout)["error"]["code"])


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    with cluster.database() as name:
        yield Place(tmp_path / "home", cluster.url(name))


@pytest.fixture
def stopped(place: Place) -> Place:
    """Somebody served here, was used, and stopped, perhaps before all was sealed."""
    with serving(place.home, more=place.more) as server:
        server.open_account()
        server.stop()
    return place


def test_a_bundle_written_under_load_is_sound_and_continues_the_one_before(place: Place, tmp_path: Path) -> None:
    with serving(place.home, more=place.more) as server:
        account = server.open_account(PLENTY)
        older = tmp_path / "older"
        with under_load(server, account) as load:
            load.reach(20)
            older.write_text(place.told("checkpoint")["checkpoint"]["note"])
            load.reach(60)
            said = place.told("export", str(tmp_path / "bundle"))
            load.reach(20)
        verdict = place.told("verify", str(tmp_path / "bundle"), "--checkpoint", str(older))
        assert (verdict["ok"], verdict["findings"]) == (True, [])
        assert verdict["checkpoint"]["size"] == said["size"] > 3
        assert server.get("/v1/balance", key=account.keys["sk_live"]).status == 200


def test_a_stopped_system_seals_what_is_recorded_before_it_tells(stopped: Place, tmp_path: Path) -> None:
    checkpoint = stopped.told("checkpoint")["checkpoint"]
    keys = [Verifier.parse(vkey) for vkey in stopped.told("keys")["vkeys"]]
    opened = open_checkpoint(checkpoint["note"], keys, origin=keys[0].name)
    assert (opened.size, opened.root.hex()) == (checkpoint["size"], checkpoint["root"])
    assert stopped.run("checkpoint").stdout == checkpoint["note"]
    assert stopped.run("keys").stdout.splitlines() == [key.vkey() for key in keys]
    bundle = tmp_path / "bundle"
    assert stopped.told("export", str(bundle)) == {
        "directory": str(bundle),
        "origin": keys[0].name,
        "size": opened.size,
        "root": checkpoint["root"],
    }
    assert (bundle / "checkpoint").read_text() == checkpoint["note"]
    assert stopped.told("verify", str(bundle))["ok"]
    assert sorted(path.name for path in bundle.parent.iterdir() if "partial" in path.name) == []


def test_the_bundle_of_one_account_has_nothing_of_another(place: Place, tmp_path: Path) -> None:
    with serving(place.home, more=place.more) as server:
        mine, other = server.open_account(), server.open_account()
        bundle = tmp_path / "bundle"
        place.told("export", str(bundle), "--account", mine.account_id)
        assert place.told("verify", str(bundle))["ok"]
        assert sorted(path.name for path in (bundle / "accounts").iterdir()) == [
            mine.account_id,
            f"{mine.account_id}-test",
        ]
        held = b"".join(path.read_bytes() for path in bundle.rglob("*") if path.is_file())
        assert (mine.account_id.encode() in held, other.account_id.encode() in held) == (True, False)
        nobody = f"acct_{'a' * 16}"
        assert place.refused("export", str(tmp_path / "none"), "--account", nobody) == "not_found"
        assert not (tmp_path / "none").exists()


def test_where_something_is_no_bundle_is_written(stopped: Place, tmp_path: Path) -> None:
    full, file = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine").write_text("mine")
    file.write_text("mine")
    assert [stopped.refused("export", str(path)) for path in (full, file)] == ["directory_not_empty"] * 2
    assert [path.read_text() for path in (full / "mine", file)] == ["mine", "mine"]
    assert stopped.refused("export", str(file / "below")) == "cannot_write"
    empty = tmp_path / "empty"
    empty.mkdir()
    place = empty.stat().st_ino
    assert stopped.told("export", str(empty))["directory"] == str(empty)
    assert (empty.stat().st_ino, (empty / "checkpoint").is_file()) == (place, True), "somebody may stand in it"


def test_a_receipt_is_the_one_that_the_server_gives(place: Place, tmp_path: Path) -> None:
    with serving(place.home, more=place.more) as server:
        account = server.open_account()
        key = account.keys["sk_live"]
        reader = LogReader(server, log=account.account_id, key=key)
        reader.sealed(6)
        for event in server.get("/v1/events", key=key).body["events"]:
            receipt = place.told("prove", event["event_id"])
            assert_proves(receipt, event, reader=reader)
        kept = tmp_path / "receipt.json"
        assert place.told("prove", event["event_id"], "--out", str(kept)) == {
            "path": str(kept),
            "event_id": event["event_id"],
            "position": event["position"],
        }
        written = json.loads(kept.read_text())
        proof = TlogProof.parse(written["account"]["proof"].encode())
        proof.verify(leaf_hash(written["account"]["entry"].encode()), reader.verifiers, origin=reader.origin)
        changed = event["event_id"][:-1] + ("0" if event["event_id"][-1] != "0" else "1")
        assert [place.refused("prove", event_id) for event_id in (changed, "x")] == ["not_found"] * 2
        assert place.refused("prove", event["event_id"], "--out", str(tmp_path)) == "cannot_write"


def test_a_new_key_signs_beside_the_last_one_and_an_old_checkpoint_still_counts(place: Place, tmp_path: Path) -> None:
    with serving(place.home, more=place.more) as server:
        server.open_account()
        reader = LogReader(server)
        first = reader.verifiers[0]
        older = tmp_path / "older"
        older.write_text(place.told("checkpoint")["checkpoint"]["note"])
        vkey = place.told("rotate-key")["vkey"]
        assert place.told("keys")["vkeys"] == [vkey, first.vkey()]
        server.open_account()
        note = place.told("checkpoint")["checkpoint"]["note"]
        for trusted in (first, Verifier.parse(vkey)):
            assert len(open_note(note, [trusted]).signatures) == 1
        bundle = tmp_path / "bundle"
        place.told("export", str(bundle))
        assert place.told("verify", str(bundle), "--checkpoint", str(older))["ok"]
        assert (bundle / "vkey").read_text().splitlines() == [vkey, first.vkey()]
        assert LogReader(server).checkpoint().size >= 4


def test_an_empty_installation_has_nothing_to_show(place: Place) -> None:
    assert place.refused("checkpoint") == "not_sealed"
