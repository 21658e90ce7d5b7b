"""Checkpoints and their cosignatures: C2SP tlog-checkpoint, tlog-cosignature and the answer of tlog-witness."""

from base64 import b64encode

import pytest

from projections.transparency import ed25519
from projections.transparency.note import Checkpoint, NoteRefused, Opened, add_cosignatures, open_checkpoint, open_note
from projections.transparency.tree import EMPTY_ROOT
from tests.support.notes import CHECKPOINT, NOTES, PETERS, WITNESS, WITNESS_SEED, cosigned, signature_of, signed


def test_a_checkpoint_is_origin_size_and_root():
    found = Checkpoint("example.com/behind-the-sofa", 20_852_163, bytes.fromhex(NOTES["c2sp"]["root"]))
    assert (Checkpoint.parse(CHECKPOINT), found.text()) == (found, CHECKPOINT)
    extended = Checkpoint(found.origin, found.size, found.root, ("first line", "second line"))
    assert Checkpoint.parse(CHECKPOINT + "first line\nsecond line\n") == extended
    empty = Checkpoint("example.com/log", 0, EMPTY_ROOT)
    assert Checkpoint.parse(empty.text()) == empty


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("20852163", "020852163"),
        ("20852163", "+20852163"),
        ("20852163", "-1"),
        ("20852163", "20_852_163"),
        ("20852163", " 20852163"),
        ("20852163", "0x13e2e43"),
        ("20852163", "9223372036854775808"),
        ("20852163", "3438945738945739845734895735"),
        ("20852163", "\N{ARABIC-INDIC DIGIT SEVEN}"),
        ("20852163", "0"),
        ("q2I=", "q2J="),
        ("q2I=", "q2I"),
        ("q2I=", "q2I=="),
        ("q2I=", "q2IA"),
        ("CsUY", ""),
        ("CsUY", " CsUY"),
        ("example.com/behind-the-sofa", ""),
        ("example.com/behind-the-sofa", "example.com\r"),
        ("example.com/behind-the-sofa", "example.com\x9f"),
        ("\nCsUY", "\n\nCsUY"),
        ("q2I=\n", "q2I="),
        ("q2I=\n", "q2I=\n\n"),
        ("q2I=\n", "q2I=\nextension\n\n"),
        ("q2I=\n", "q2I=\r\n"),
        (CHECKPOINT, "example.com/behind-the-sofa\n20852163\n"),
        (CHECKPOINT, ""),
    ],
)
def test_a_checkpoint_in_any_other_spelling_is_refused(part, instead):
    assert part in CHECKPOINT
    with pytest.raises(NoteRefused):
        Checkpoint.parse(CHECKPOINT.replace(part, instead))


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 1, bytes(32), ()),
        ("a\nb", 1, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 2**63, bytes(32), ()),
        ("a", 1, bytes(31), ()),
        ("a", 0, bytes(32), ()),
        ("a", 1, bytes(32), ("",)),
        ("a", 1, bytes(32), ("b\n",)),
    ],
)
def test_a_checkpoint_that_no_log_has_cannot_be_made(origin, size, root, extensions):
    with pytest.raises(NoteRefused):
        Checkpoint(origin, size, root, extensions)


def test_a_cosignature_is_the_time_and_a_signature_over_it_and_the_checkpoint():
    line = cosigned(CHECKPOINT)
    # C2SP/C2SP tlog-cosignature.md, "Ed25519 signed message"
    message = b"cosignature/v1\ntime 1679315147\n" + CHECKPOINT.encode()
    material = WITNESS.key_id + (1_679_315_147).to_bytes(8, "big") + ed25519.sign(WITNESS_SEED, message)
    assert line == f"— witness.example/w1 {b64encode(material).decode()}\n"
    opened = open_note(f"{CHECKPOINT}\n{line}", [WITNESS])
    assert opened == Opened(CHECKPOINT, (signature_of(line, WITNESS, timestamp=1_679_315_147),))


def test_a_cosignature_is_for_a_checkpoint_only():
    with pytest.raises(NoteRefused):
        cosigned("no checkpoint\n")
    material = WITNESS.key_id + bytes(8) + ed25519.sign(WITNESS_SEED, b"cosignature/v1\ntime 0\nno checkpoint\n")
    with pytest.raises(NoteRefused):
        open_note(f"no checkpoint\n\n— {WITNESS.name} {b64encode(material).decode()}\n", [WITNESS])


@pytest.mark.parametrize("timestamp", [-1, 2**63])
def test_a_cosignature_has_a_time_that_fits(timestamp):
    with pytest.raises(NoteRefused):
        cosigned(CHECKPOINT, timestamp=timestamp)


def test_a_cosignature_beyond_2_to_the_63_is_refused():
    message = f"cosignature/v1\ntime {2**63}\n{CHECKPOINT}".encode()
    material = WITNESS.key_id + (2**63).to_bytes(8, "big") + ed25519.sign(WITNESS_SEED, message)
    with pytest.raises(NoteRefused, match="time"):
        open_note(f"{CHECKPOINT}\n— {WITNESS.name} {b64encode(material).decode()}\n", [WITNESS])


def test_a_checkpoint_that_only_witnesses_signed_is_not_the_logs():
    origin = "example.com/behind-the-sofa"
    with pytest.raises(NoteRefused, match="no key of the log"):
        open_checkpoint(f"{CHECKPOINT}\n{cosigned(CHECKPOINT)}", [PETERS, WITNESS], origin=origin)
    both = signed(CHECKPOINT) + cosigned(CHECKPOINT).encode()
    assert open_checkpoint(both, [PETERS, WITNESS], origin=origin) == Checkpoint.parse(CHECKPOINT)


def test_the_cosignatures_of_known_witnesses_are_added_to_the_note():
    note, line = signed(CHECKPOINT), cosigned(CHECKPOINT)
    unknown = line.replace(WITNESS.name, "witness.example/w2")
    added = add_cosignatures(note, f"{unknown}{line}".encode(), [WITNESS])
    assert added == note + line.encode()
    assert add_cosignatures(added, line.encode(), [WITNESS]) == added
    assert len(open_note(added, [PETERS, WITNESS]).signatures) == 2


def test_an_answer_that_is_no_cosignature_of_a_known_witness_is_refused():
    note, line = signed(CHECKPOINT), cosigned(CHECKPOINT)
    other = CHECKPOINT.replace("20852163", "20852164")
    for answer in (
        "",
        "\n",
        line[:-1],
        line.replace(WITNESS.name, "w2"),
        cosigned(other),
        cosigned(CHECKPOINT, timestamp=0),
    ):
        with pytest.raises(NoteRefused):
            add_cosignatures(note, answer.encode(), [WITNESS])
    own = note.decode().split("\n\n")[1]
    with pytest.raises(NoteRefused):
        add_cosignatures(note, own.encode(), [PETERS])
