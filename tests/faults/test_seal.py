"""The seal under faults: the process that seals is killed in mid-load, and a database goes back to an old backup.

`--kills N` says how often the process is killed; every day it is twice.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from interfaces.sealing import FILE
from projections.audit.bundle import Bundle
from projections.audit.verify import Older, verify
from tests.support.load import under_load
from tests.support.log_reader import LogReader
from tests.support.postgres import copy_home
from tests.support.server import Ended, Server, run, serving, wait_for

PLENTY = 1_000_000
pytestmark = pytest.mark.timeout(0)  # as long as the kills that are asked for; every wait has a limit of its own


def projector_of(server: Server) -> psutil.Process:
    """The process that seals; waits for it to be there."""

    def found() -> list[psutil.Process]:
        children = psutil.Process(server.pid).children()
        return [child for child in children if "interfaces.cli.projector" in " ".join(child.cmdline())]

    wait_for(found)
    return found()[0]


def exported(server: Server, target: Path, **more: str) -> Ended:
    return run("audit", "export", str(target), home=server.home, **more)


def test_a_killed_sealer_goes_on_and_every_checkpoint_that_anybody_kept_still_counts(serve, tmp_path: Path, kills):
    server = serve()
    account = server.open_account(PLENTY)
    reader, kept = LogReader(server), []
    with under_load(server, account) as load:
        for turn in range(kills):
            kept.append(reader.note())
            time.sleep(0.13 * (1 + turn % 7))
            projector_of(server).kill()
            load.reach(10)
            size = reader.checkpoint().size
            reader.sealed(size + 2)
    assert load.lost() == set()
    bundle = tmp_path / "bundle"
    ended = exported(server, bundle, DONEOTP_DATABASE_URL=server.environment["DONEOTP_DATABASE_URL"])
    assert ended.status == 0, ended
    older = [Older(f"kept {number}", note) for number, note in enumerate(kept)]
    assert verify(Bundle(bundle), older=older, vkeys=None).findings == []


def in_log(server: Server) -> list[dict[str, Any]]:
    lines = (server.home / "logs" / "server.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line.get("part") == "sealer"]


@pytest.fixture
def restored(tmp_path: Path) -> tuple[Server, Path, bytes]:
    """A server on a database that went back, what was signed last before that, and more events than there were."""
    home, backup = tmp_path / "home", tmp_path / "backup"
    with serving(home) as server:
        account = server.open_account(PLENTY)
        LogReader(server, log=account.account_id, key=account.keys["sk_live"]).sealed(6)
        server.stop()
    copy_home(home / "postgres", backup)
    with serving(home) as server:
        reader = LogReader(server)
        for _ in range(3):
            server.open_account()
            reader.sealed(reader.checkpoint().size + 2)
        server.stop()
    note = (home / FILE).read_bytes()
    shutil.rmtree(home / "postgres")
    copy_home(backup, home / "postgres")
    return Server(home), home, note


def end(server: Server) -> None:
    if server.process.poll() is None:
        server.stop()


def test_a_restored_backup_is_not_signed_and_is_told_loudly(restored: tuple[Server, Path, bytes]) -> None:
    server, home, note = restored
    try:
        server.wait_ready()
        for _ in range(4):  # as many logs as were lost, and more: the trees are as large as those that were signed
            server.open_account()
        wait_for(lambda: [line for line in in_log(server) if line["error_type"] == "Forked"])
        ended = run("audit", "checkpoint", "--json", home=home)
        assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, "log_forked")
        assert "docs/auditors.md" in json.loads(ended.stdout)["error"]["fix"]
        assert (home / FILE).read_bytes() == note
        # What the server publishes is what was signed before the backup was made: old, and true.
        assert LogReader(server).checkpoint().size < int(note.split(b"\n")[1])
    finally:
        end(server)


def test_without_the_file_outside_a_restored_backup_is_signed_a_second_time(
    restored: tuple[Server, Path, bytes], tmp_path: Path
) -> None:
    """The negative control: nobody here remembers. Whoever kept a checkpoint does."""
    server, home, note = restored
    (home / FILE).unlink()
    try:
        server.wait_ready()
        for _ in range(4):
            server.open_account()
        reader = LogReader(server)
        reader.sealed(int(note.split(b"\n")[1]) + 1)
        assert run("audit", "checkpoint", home=home).status == 0
        assert exported(server, tmp_path / "bundle").status == 0
        found = verify(Bundle(tmp_path / "bundle"), older=[Older("kept", note)], vkeys=None).findings
        assert [finding.name for finding in found] != []
    finally:
        end(server)
