"""The database's superuser, with triggers off, against a bundle that the real exporter writes.

Either what is sealed stays as it is, or all of it is thrown away and sealed anew by the real sealer with the real key, and with
no memory of what it signed before. Then only someone who kept a checkpoint can tell, and does.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from interfaces.sealing import FileMemory
from projections.transparency import exporter
from tests.projections.transparency.sealing import House
from tests.support.auditor import names

SEALED = ("trees", "tiles", "account_heads")
FIRST = "WHERE log = (SELECT log FROM doneotp.heads ORDER BY position DESC LIMIT 1)"
OTHER = "WHERE log IN (SELECT log FROM doneotp.heads ORDER BY position LIMIT 1)"
MOVE = """UPDATE doneotp.events SET position = position {by}, event_id =
(lpad(to_hex(position {by}), 12, '0') || substr(replace(event_id::text, '-', ''), 13))::uuid {of} AND position {where}"""
EDIT = f"""UPDATE doneotp.events
SET body = convert_to(replace(convert_from(body, 'UTF8'), '"credits":1000', '"credits":9000'), 'UTF8')
{FIRST} AND topic = 'CreditAdded.v1'"""
SWAP = f"""UPDATE doneotp.events AS e SET body = o.body, topic = o.topic, stream = o.stream, version = o.version + 1000
FROM doneotp.events AS o {FIRST.replace("log =", "e.log =")} AND o.log = e.log AND e.position + o.position = 41
AND e.position IN (20, 21)"""
GIFT = f"""INSERT INTO doneotp.events SELECT log, 20, stream, 99, (lpad(to_hex(20), 12, '0') || '80008000000000000000')::uuid,
topic, body, NULL FROM doneotp.events {FIRST} AND topic = 'CreditAdded.v1'"""

ATTACKS = {
    "edit": [EDIT],
    "delete in the middle": [
        f"DELETE FROM doneotp.events {FIRST} AND position = 20",
        MOVE.format(by="+ 1000000", of=FIRST, where="> 20"),
        MOVE.format(by="- 1000001", of=FIRST, where="> 1000000"),
        f"UPDATE doneotp.heads SET position = position - 1 {FIRST}",
    ],
    "delete the tail": [
        f"DELETE FROM doneotp.events {FIRST} AND position > 40",
        f"UPDATE doneotp.heads SET position = 40 {FIRST}",
    ],
    "delete an account": [
        *(f"DELETE FROM doneotp.{table} {OTHER}" for table in ("events", "trees", "tiles", "heads")),
    ],
    "insert back-dated": [
        MOVE.format(by="+ 1000000", of=FIRST, where=">= 20"),
        MOVE.format(by="- 999999", of=FIRST, where="> 1000000"),
        GIFT,
        f"UPDATE doneotp.heads SET position = position + 1 {FIRST}",
    ],
    "reorder": [SWAP],
}


@pytest.fixture
def house(conninfo: str, tmp_path: Path) -> Iterator[House]:
    """Recorded and sealed in three steps."""
    with House(conninfo, tmp_path).open() as opened:
        sealer = opened.sealer()
        for _ in range(3):
            opened.sends(7)
            sealer.once(opened.keys)
        yield opened


def exported(house: House, name: str) -> Path:
    directory = house.directory / name
    with house.connection.transaction():
        exporter.export(house.shelf, directory, progress=lambda _, __: None)
    return directory


def seal(house: House) -> None:
    """By the next sealer of the same home."""
    house.end_sealing()
    assert house.sealer().once(house.keys)


def seal_anew(house: House) -> None:
    """By a sealer that remembers nothing, with the key that signed before."""
    house.end_sealing()
    for table in SEALED:
        house.damage(f"DELETE FROM doneotp.{table}")
    forgetful = house.sealer(FileMemory(house.directory / "another-memory"))
    while forgetful.once(house.keys):
        pass


def test_what_is_left_alone_is_sound(house: House) -> None:
    """The negative control."""
    kept = house.tree().note
    assert names(exported(house, "before"), older=kept) == []
    house.sends(3)
    seal(house)
    assert names(exported(house, "after"), older=kept) == []


@pytest.mark.parametrize("attack", ATTACKS)
def test_under_the_seals_it_is_noticed_by_anybody(house: House, attack: str) -> None:
    for statement in ATTACKS[attack]:
        house.damage(statement)
    assert names(exported(house, "bundle")) != []


@pytest.mark.parametrize("attack", ATTACKS)
def test_sealed_anew_it_is_noticed_by_whoever_kept_a_checkpoint(house: House, attack: str) -> None:
    kept = house.tree().note
    for statement in ATTACKS[attack]:
        house.damage(statement)
    seal_anew(house)
    found = names(exported(house, "bundle"), older=kept)
    assert {"older-checkpoint-disagrees", "log-shorter-than-checkpoint"} & {*found}


def test_an_old_backup_is_noticed_by_whoever_kept_a_newer_checkpoint(house: House) -> None:
    for table in (*SEALED, "events", "heads"):
        house.rows(f"CREATE TABLE public.{table} AS TABLE doneotp.{table}".encode())
    house.sends(5)
    seal(house)
    kept = house.tree().note
    for table in (*SEALED, "events", "heads"):
        house.damage(f"DELETE FROM doneotp.{table}")
        house.damage(f"INSERT INTO doneotp.{table} SELECT * FROM public.{table}")
    restored = exported(house, "bundle")
    assert names(restored) == []
    assert names(restored, older=kept) == ["log-shorter-than-checkpoint"]
