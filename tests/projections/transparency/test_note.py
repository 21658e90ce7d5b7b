"""Signed notes, checkpoints and cosignatures of C2SP: others' notes open here, and nothing opens in a second spelling."""

from base64 import b64encode

import pytest
from hypothesis import given, settings, strategies

from projections.transparency import ed25519
from projections.transparency.note import (
    COSIGNATURE,
    ED25519,
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    Checkpoint,
    NoteRefused,
    Opened,
    Signature,
    Verifier,
    add_cosignatures,
    cosign,
    open_checkpoint,
    open_note,
    sign,
    vkey,
)
from projections.transparency.tree import EMPTY_ROOT
from tests.support.merkle import vectors

NOTES = vectors("notes")
TEXT, PETER, ENOCH = (NOTES["peter"][name] for name in ("text", "peter", "enoch"))
PETERS, ENOCHS = (Verifier.parse(key) for key in NOTES["vkeys"][:2])
SEED = bytes.fromhex(NOTES["peter"]["seed"])
WITNESS_SEED = b"\7" * 32
WITNESS = Verifier("witness.example/w1", COSIGNATURE, ed25519.public_key(WITNESS_SEED))
CHECKPOINT = NOTES["c2sp"]["checkpoint"]


def key(seed: bytes):
    """The arguments by which a key signs."""
    return {"public_key": ed25519.public_key(seed), "sign": lambda message: ed25519.sign(seed, message)}


def signed(text: str) -> bytes:
    return sign(text, name="PeterNeumann", **key(SEED))


def cosigned(text: str, *, timestamp: int = 1_679_315_147) -> str:
    return cosign(text, name=WITNESS.name, timestamp=timestamp, **key(WITNESS_SEED))


def signature_of(line: str, verifier: Verifier, *, timestamp: int | None = None) -> Signature:
    return Signature(verifier.name, verifier.key_id, timestamp, line.rstrip("\n"))


@pytest.mark.parametrize("text", NOTES["vkeys"])
def test_the_keys_of_others_read_and_write_back(text):
    assert Verifier.parse(text).vkey() == text


@pytest.mark.parametrize("text", NOTES["vkeys refused"])
def test_what_others_refuse_as_a_key_is_refused(text):
    with pytest.raises(NoteRefused):
        Verifier.parse(text)


def test_no_part_of_a_key_and_no_other_character_in_it_is_a_key():
    text = NOTES["vkeys"][0]
    parts = {text[begin:end] for begin in range(len(text)) for end in range(begin + 1, len(text) + 1)} - {text}
    spoiled = {text[:at] + chr(ord(text[at]) + 1) + text[at + 1 :] for at in range(len(text))}
    for wrong in parts | spoiled | {text + "\n", text + "=", text.replace("c74f", "C74F"), text.replace("+c7", "+0c7")}:
        with pytest.raises(NoteRefused):
            Verifier.parse(wrong)


def test_a_key_is_a_name_an_id_and_a_type_before_the_bytes():
    assert vkey("PeterNeumann", ed25519.public_key(SEED)) == NOTES["vkeys"][0]
    assert Verifier("PeterNeumann", ED25519, ed25519.public_key(SEED)) == PETERS
    assert Verifier.parse(WITNESS.vkey()) == WITNESS


@pytest.mark.parametrize(
    "name", ["", "a b", "a+b", "a\nb", "a\N{NO-BREAK SPACE}b", "a\x7fb", "a\x85b", "a\ud800b", "\N{EM SPACE}"]
)
def test_a_name_without_blanks_plus_and_control_characters_is_asked_for(name):
    with pytest.raises(NoteRefused):
        vkey(name, PETERS.public_key)


@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(32), b"\xff" * 32])
def test_a_key_that_is_no_point_or_of_small_order_is_refused(public_key):
    with pytest.raises(NoteRefused):
        vkey("name", public_key)


def test_a_note_is_signed_as_others_sign_it():
    assert signed(TEXT) == f"{TEXT}\n{PETER}".encode()


def test_the_notes_of_others_open():
    opened = open_note(f"{TEXT}\n{PETER}{ENOCH}", [PETERS])
    assert opened == Opened(TEXT, (signature_of(PETER, PETERS),))
    both = open_note(f"{TEXT}\n{PETER}{ENOCH}".encode(), [ENOCHS, PETERS])
    assert both == Opened(TEXT, (signature_of(PETER, PETERS), signature_of(ENOCH, ENOCHS)))
    example = NOTES["c2sp"]
    assert open_note(example["note"], [Verifier.parse(example["vkey"])]).text == "This is an example message.\n"


def test_the_checkpoints_of_the_go_checksum_database_open():
    found = NOTES["sumdb"]
    verifiers = [Verifier.parse(found["vkey"])]
    checkpoints = [open_checkpoint(note, verifiers, origin=found["origin"]) for note in found["notes"]]
    assert [checkpoint.size for checkpoint in checkpoints] == found["sizes"]
    assert [
        note.startswith(checkpoint.text()) for note, checkpoint in zip(found["notes"], checkpoints, strict=True)
    ] == [True] * 2
    with pytest.raises(NoteRefused, match="another log"):
        open_checkpoint(found["notes"][0], verifiers, origin="example.com/other")


def test_a_note_that_nobody_trusted_signed_is_refused():
    for verifiers in ([], [ENOCHS], [Verifier("PeterNeumann", COSIGNATURE, PETERS.public_key)]):
        with pytest.raises(NoteRefused):
            open_note(f"{TEXT}\n{PETER}", verifiers)


def test_a_signature_of_a_trusted_key_that_does_not_hold_refuses_the_whole_note():
    spoiled = ENOCH.replace("BzmZa0S", "BzmZa0T")
    assert open_note(f"{TEXT}\n{PETER}{spoiled}", [PETERS]).text == TEXT
    for verifiers in ([PETERS, ENOCHS], [ENOCHS]):
        with pytest.raises(NoteRefused):
            open_note(f"{TEXT}\n{PETER}{spoiled}", verifiers)
    for text in (TEXT.replace("you", "You"), TEXT + "more\n", "\n" + TEXT):
        with pytest.raises(NoteRefused):
            open_note(f"{text}\n{PETER}", [PETERS])


def test_two_verifiers_of_one_key_are_an_error_of_the_caller():
    with pytest.raises(ValueError, match="two verifiers"):
        open_note(f"{TEXT}\n{PETER}", [PETERS, PETERS])


def test_a_faster_verifier_may_be_handed_in():
    asked = []

    def verify(*question: bytes) -> bool:
        asked.append(question)
        return True

    spoiled = PETER.replace("ZJkuBS9", "ZJkuBS8")
    assert open_note(f"{TEXT}\n{spoiled}", [Verifier.parse(NOTES["vkeys"][0], verify=verify)]).text == TEXT
    assert [question[:2] for question in asked] == [(PETERS.public_key, TEXT.encode())]
    longer = f"— PeterNeumann {b64encode(PETERS.key_id + bytes(65)).decode()}\n"
    with pytest.raises(NoteRefused):
        open_note(f"{TEXT}\n{longer}", [Verifier.parse(NOTES["vkeys"][0], verify=verify)])
    assert len(asked) == 1


@pytest.mark.parametrize(
    "note",
    [
        b"",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}\n{PETER[:-1]}".encode(),
        f"{TEXT}{PETER}".encode(),
        f"\x01{TEXT}\n{PETER}".encode(),
        f"\x7f{TEXT}\n{PETER}".encode(),
        f"\x85{TEXT}\n{PETER}".encode(),
        b"\xff" + f"{TEXT}\n{PETER}".encode(),
        f"{TEXT}\n{PETER}".replace("\n", "\r\n").encode(),
        f"{TEXT}\n{PETER}".replace("=\n", "=\r\n").encode(),
        f"{TEXT}\n{PETER}\n".encode(),
        f"{TEXT}\n{PETER}Unexpected line.\n".encode(),
        f"{TEXT}\n{PETER}{PETER}".encode(),
        f"{TEXT}\n{PETER}{ENOCH}{ENOCH}".encode(),
        f"{TEXT}\n{PETER}{PETER.replace('ZJkuBS9', 'ZJkuBS8')}".encode(),
        f"{TEXT}\n{PETER.replace('PeterNeumann', 'Bad Name')}".encode(),
        f"{TEXT}\n{PETER}{PETER.replace('PeterNeumann', 'Bad+Name')}".encode(),
        f"{TEXT}\n{PETER}{PETER.replace('PeterNeumann', '')}".encode(),
        f"{TEXT}\n{PETER}{ENOCH[2:]}".encode(),
        f"{TEXT}\n{PETER[2:]}".encode(),
        f"{TEXT}\n{PETER}- {ENOCH[2:]}".encode(),
        f"{TEXT}\n{PETER}—{ENOCH[2:]}".encode(),
        f"{TEXT}\n{PETER}— name  {ENOCH.split()[-1]}\n".encode(),
        f"{TEXT}\n{PETER}— name {ENOCH.split()[-1]} \n".encode(),
        f"{TEXT}\n{PETER}— name AAAAAA==\n".encode(),
        f"{TEXT}\n{PETER}— name AAAAAA\n".encode(),
        f"{TEXT}\n{PETER}— name\n".encode(),
        f"{TEXT}\n{PETER.replace('nAM=', 'nAN=')}".encode(),
        f"{TEXT}\n{PETER.replace('nAM=', 'nAM')}".encode(),
        f"{TEXT}\n{PETER.replace('nAM=', 'nAM==')}".encode(),
        f"{TEXT}\n{PETER.replace('x08go/', 'x08go_')}".encode(),
        f"{TEXT}\n{PETER[:60]}ABCD{PETER[60:]}".encode(),
        f"{TEXT}\n{PETER}{''.join(f'— name{number} AAAAAAA=' + chr(10) for number in range(SIGNATURES_MAX))}".encode(),
        f"{'a' * NOTE_BYTES_MAX}\n\n{PETER}".encode(),
    ],
)
def test_a_note_in_any_other_spelling_is_refused(note):
    with pytest.raises(NoteRefused):
        open_note(note, [PETERS])


def signed_as_it_is(text: str, *, blank: str = "\n") -> bytes:
    """A note whose signature holds, over a text that `sign` may refuse."""
    signature = PETERS.key_id + ed25519.sign(SEED, text.encode())
    return f"{text}{blank}— PeterNeumann {b64encode(signature).decode()}\n".encode()


@pytest.mark.parametrize("character", ["\0", "\t", "\r", "\x1f", "\x7f", "\x85", "\x9f"])
def test_a_control_character_is_refused_even_where_the_signature_holds(character):
    assert open_note(signed_as_it_is("text\n"), [PETERS]).text == "text\n"
    with pytest.raises(NoteRefused, match="a blank line"):
        open_note(signed_as_it_is(f"te{character}xt\n"), [PETERS])
    with pytest.raises(NoteRefused):
        signed(f"te{character}xt\n")


def test_a_blank_line_is_before_the_signatures_even_where_they_hold():
    assert open_note(signed_as_it_is("\n"), [PETERS]).text == "\n"
    with pytest.raises(NoteRefused, match="a blank line"):
        open_note(signed_as_it_is("\n").removeprefix(b"\n\n"), [PETERS])
    with pytest.raises(NoteRefused, match="a blank line"):
        open_note(signed_as_it_is("text\n", blank=""), [PETERS])


def test_a_lone_surrogate_is_no_text():
    with pytest.raises(NoteRefused):
        open_note(f"\ud800{TEXT}\n{PETER}", [PETERS])


def test_a_note_may_have_many_signatures_of_others_and_blank_lines_in_its_text():
    others = "".join(f"— name{number} AAAAAAA=\n" for number in range(SIGNATURES_MAX - 1))
    assert open_note(f"{TEXT}\n{others}{PETER}", [PETERS]).text == TEXT
    text = "\nfirst\n\n\n— last\n"
    assert open_note(signed(text), [PETERS]).text == text


@settings(deadline=None)
@given(
    lines=strategies.lists(
        strategies.text(strategies.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=30)
    )
)
def test_every_text_without_control_characters_can_be_signed_and_opens_again(lines):
    text = "\n".join([*lines, ""]) or "\n"
    assert open_note(signed(text), [PETERS]).text == text


@pytest.mark.parametrize("text", ["", "text", "text\n\r"])
def test_a_text_that_does_not_end_with_a_newline_is_not_signed(text):
    with pytest.raises(NoteRefused, match="newline"):
        signed(text)


@settings(deadline=None)
@given(at=strategies.integers(0, 1_000), bit=strategies.integers(0, 7))
def test_no_bit_of_a_note_can_be_another(at, bit):
    note = bytearray(signed(CHECKPOINT))
    note[at % len(note)] ^= 1 << bit
    with pytest.raises(NoteRefused):
        open_note(bytes(note), [PETERS])


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
