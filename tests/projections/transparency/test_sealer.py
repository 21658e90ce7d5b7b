"""The sealer: what was recorded becomes trees and signed checkpoints, and nothing that does not continue them is signed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces import sealing
from interfaces.sealing import FileMemory, LogKeys
from projections.transparency import sealer as sealers
from projections.transparency.entry import MalformedEntry, decode, decode_head, encode, encode_head
from projections.transparency.note import Checkpoint, NoteRefused, open_note
from projections.transparency.sealer import Forked, Signer, require_readable
from projections.transparency.tree import (
    Frontier,
    consistency,
    inclusion,
    leaf_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.projections.transparency.sealing import FILE, House


@pytest.fixture
def house(conninfo: str, tmp_path: Path) -> Iterator[House]:
    with House(conninfo, tmp_path).open() as opened:
        yield opened


def root_of(entries: list[bytes]) -> bytes:
    frontier = Frontier()
    for entry in entries:
        frontier.add(leaf_hash(entry))
    return frontier.root()


def test_every_log_has_a_tree_over_its_entries_and_the_global_log_one_over_their_heads(house: House) -> None:
    sealer, log = house.sealer(), house.desk.log
    house.sends(5)
    assert sealer.once(house.keys) == 17  # two AccountOpened, CreditAdded, four KeyIssued, and ten of the sends
    house.sends(300)
    assert sealer.once(house.keys) == 600
    entries = house.shelf.events(log, after=0, limit=10_000)
    assert [decode(entry).position for entry in entries] == list(range(1, 617))
    heads = house.shelf.heads(begin=0, limit=10)
    first, of_tests, second = (decode_head(head) for head in heads)
    assert [(head.log, head.size) for head in (first, of_tests, second)] == [(log, 16), (f"{log}-test", 1), (log, 616)]
    assert (first.root, second.root) == (root_of(entries[:16]), root_of(entries))
    assert house.checkpoint(log) == Checkpoint(f"{house.keys.origin}/{log}", 616, root_of(entries))
    assert house.checkpoint() == Checkpoint(house.keys.origin, 3, root_of(heads))
    assert (house.directory / FILE).read_bytes() == house.tree().note


def test_whatever_is_sealed_can_be_proved_from_the_tiles(house: House) -> None:
    sealer, log = house.sealer(), house.desk.log
    sizes = [0]
    for count in (1, 130, 0, 3, 140):
        house.sends(count)
        sealer.once(house.keys)
        sizes.append(house.tree(log).size)
    read, whole = house.shelf.reader(log), house.tree(log)
    entries = house.shelf.events(log, after=0, limit=10_000)
    for index, entry in enumerate(entries):
        verify_inclusion(leaf_hash(entry), index, whole.size, inclusion(read, index, whole.size), whole.root)
    for old in sizes:
        proof = consistency(read, old, whole.size)
        verify_consistency(old, whole.size, root(read, old), whole.root, proof)


def test_when_nothing_is_new_nothing_is_sealed(house: House) -> None:
    sealer = house.sealer()
    assert sealer.once(house.keys) == 7
    before = house.rows(b"SELECT * FROM doneotp.trees ORDER BY log")
    assert sealer.once(house.keys) == 0
    assert house.rows(b"SELECT * FROM doneotp.trees ORDER BY log") == before


def test_one_sealer_is_at_work_and_another_takes_over_when_it_is_gone(house: House) -> None:
    first, second = house.sealer(), house.sealer()
    assert (first.once(house.keys), second.once(house.keys)) == (7, None)
    house.sends(1)
    house.end_sealing()
    assert second.once(house.keys) == 2


def test_much_is_sealed_in_parts_and_every_log_has_its_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealers, "EVENTS_MAX", 4)
    other = house.desk.administration.open_account(name="Other", credits=1, by="test").account_id
    house.sends(20)
    sealer, sealed = house.sealer(), []
    while step := sealer.once(house.keys):
        assert step <= 4
        sealed.append(step)
    assert sum(sealed) == 7 + 7 + 40
    logs = [decode_head(head).log for head in house.shelf.heads(begin=0, limit=100)]
    assert logs.index(other) < len(logs) - 5, "the busy log kept the other waiting to the end"
    assert {house.tree(log).size for log in (house.desk.log, other)} == {46, 6}


def signatures(note: bytes) -> int:
    return len(note.decode().rpartition("\n\n")[2].splitlines())


class Interrupted(Exception):
    pass


class Failing(FileMemory):
    """Ends the sealer before or after a checkpoint is kept, as a power cut would."""

    after = False

    def keep(self, note: bytes, checkpoint: Checkpoint) -> None:
        if self.after:
            super().keep(note, checkpoint)
        raise Interrupted


class FailingLate(Failing):
    after = True


@pytest.mark.parametrize("failing", [Failing, FailingLate])
def test_a_sealer_that_was_cut_off_is_continued_with_the_same_bytes(house: House, failing: type[Failing]) -> None:
    memory = failing(house.directory / FILE)
    first = house.sealer(memory)
    with pytest.raises(Interrupted):
        first.once(house.keys)
    assert (house.tree().size, house.tree().note) == (2, b"")
    kept = (house.directory / FILE).read_bytes() if failing.after else b""
    house.end_sealing()
    house.sealer().once(house.keys)
    assert house.tree().note == (kept or (house.directory / FILE).read_bytes())
    assert house.checkpoint().size == 2


DAMAGE = {
    "the tail is cut": (
        "DELETE FROM doneotp.events WHERE log = '{log}' AND position > 10",
        "UPDATE doneotp.heads SET position = 10 WHERE log = '{log}'",
    ),
    "the tail is cut and written anew": (
        "UPDATE doneotp.events SET body = '{{}}' WHERE log = '{log}' AND position >= 16",
    ),
    "the tail is gone and the head as it was": ("DELETE FROM doneotp.events WHERE log = '{log}' AND position > 16",),
    "a hole": ("DELETE FROM doneotp.events WHERE log = '{log}' AND position = 17",),
    "a tile is gone": ("DELETE FROM doneotp.tiles WHERE log = '{log}'",),
    "a tile of the log over all logs is gone": ("DELETE FROM doneotp.tiles WHERE log = ''",),
    "the log over all logs is cut": (
        "DELETE FROM doneotp.account_heads WHERE index = 1",
        "UPDATE doneotp.trees SET size = 1, root = (SELECT root FROM doneotp.account_heads) WHERE log = ''",
    ),
}


@pytest.mark.parametrize("statements", DAMAGE.values(), ids=DAMAGE)
def test_what_does_not_continue_what_was_sealed_is_not_signed(house: House, statements: tuple[str, ...]) -> None:
    house.sends(5)
    sealer = house.sealer()
    sealer.once(house.keys)
    note = house.tree().note
    house.sends(2)
    for statement in statements:
        house.damage(statement.format(log=house.desk.log))
    with pytest.raises(Forked):
        sealer.once(house.keys)
    assert ((house.directory / FILE).read_bytes(), house.tree().note) == (note, note)


def test_a_restored_backup_is_not_signed_a_second_time(house: House) -> None:
    """The database goes back as one, and new events follow: only what is kept outside can tell."""
    house.sends(1)
    sealer = house.sealer()
    sealer.once(house.keys)
    tables = ("trees", "tiles", "account_heads")
    for table in tables:
        house.rows(f"CREATE TABLE old_{table} AS SELECT * FROM doneotp.{table}".encode())
    house.sends(1)
    sealer.once(house.keys)
    kept = (house.directory / FILE).read_bytes()
    for table in tables:
        house.damage(f"DELETE FROM doneotp.{table}")
        house.damage(f"INSERT INTO doneotp.{table} SELECT * FROM old_{table}")
    house.damage(f"UPDATE doneotp.events SET body = '{{}}' WHERE log = '{house.desk.log}' AND position = 9")
    house.damage(f"UPDATE doneotp.events SET body = '{{}}' WHERE log = '{house.desk.log}' AND position = 10")
    with pytest.raises(Forked, match="heads"):
        sealer.once(house.keys)
    assert (house.directory / FILE).read_bytes() == kept


class Forgetful(FileMemory):
    """The known-bad setting: nothing is remembered outside the database."""

    def last(self, keys: Signer) -> None:
        return None


def test_without_a_memory_outside_the_fork_would_be_signed(house: House) -> None:
    house.sends(1)
    sealer = house.sealer(Forgetful(house.directory / FILE))
    sealer.once(house.keys)
    first = house.checkpoint()
    for table in ("trees", "tiles", "account_heads"):
        house.damage(f"DELETE FROM doneotp.{table}")
    house.damage(f"UPDATE doneotp.events SET body = '{{}}' WHERE log = '{house.desk.log}' AND position = 8")
    sealer.once(house.keys)
    second = house.checkpoint()
    assert (first.size, second.size) == (2, 2)
    assert first.root != second.root


def test_a_file_outside_that_is_not_ours_is_not_believed(house: House) -> None:
    (house.directory / FILE).write_bytes(b"whatever")
    with pytest.raises(Forked, match="is not a checkpoint of this log"):
        house.sealer().once(house.keys)


def test_a_new_key_signs_beside_the_last_one_and_then_alone(house: House) -> None:
    sealer = house.sealer()
    sealer.once(house.keys)
    first = house.keys.verifiers[0]
    sealing.rotate(house.desk.keyring, house.rows)
    keys = LogKeys(house.desk.keyring, house.rows)
    assert sealer.once(keys) == 0
    assert signatures(house.tree().note) == 2
    assert house.checkpoint().size == 2, "whoever trusts the old key can still open it"
    assert [verifier.vkey() for verifier in keys.verifiers] == house.shelf.vkeys()[::-1]
    sealing.rotate(house.desk.keyring, house.rows)
    newest = LogKeys(house.desk.keyring, house.rows)
    sealer.once(newest)
    assert signatures(house.tree().note) == 2
    house.keys = newest
    assert house.checkpoint().size == 2
    with pytest.raises(NoteRefused, match="no key that is trusted"):
        open_note(house.tree().note, [first])


def test_a_head_is_written_in_one_spelling(house: House) -> None:
    house.sealer().once(house.keys)
    for head in house.shelf.heads(begin=0, limit=10):
        assert encode_head(*decode_head(head)) == head


SOUND_BODIES = [
    b'{"at":"2026-11-24T12:00:00Z","send":1}',
    '{"metadata":{"größe":1.5,"no":null,"yes":true}}'.encode(),
    b'{ "at" : 1 }',
    b'{"at":1e3}',
    b'{"at":"\\u0041"}',
    b'{"a":' * 64 + b"1" + b"}" * 64,
    b"{}",
]
BAD_BODIES = [
    b'{"at":1,"at":2}',
    b'{"at":{"x":1,"x":1}}',
    b'{"at":"\\ud800"}',
    b'{"at":NaN}',
    b'{"at":1e999}',
    b'{"at":"\xff"}',
    b'{"at":1}{"at":1}',
    b'{"a":' * 65 + b"1" + b"}" * 65,
    b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    b"[1]",
    b"1",
    b"",
    b'{"at":',
]


@pytest.mark.parametrize("body", SOUND_BODIES)
def test_what_an_auditor_reads_is_sealed(body: bytes) -> None:
    event = encode("acct_abc", 1, "", 1, (1).to_bytes(6) + bytes(10), "CreditAdded.v1", body)
    assert decode(event).body == body
    require_readable(event)


@pytest.mark.parametrize("body", BAD_BODIES)
def test_what_an_auditor_refuses_is_not_sealed(body: bytes) -> None:
    event = encode("acct_abc", 1, "", 1, (1).to_bytes(6) + bytes(10), "CreditAdded.v1", body)
    with pytest.raises(MalformedEntry):
        decode(event)
    with pytest.raises(MalformedEntry):
        require_readable(event)
