"""Signed notes of C2SP: others' notes open here, and nothing opens in a second spelling."""

from base64 import b64encode

import pytest
from hypothesis import given, settings, strategies

from projections.transparency import ed25519
from projections.transparency.note import (
    COSIGNATURE,
    ED25519,
    NOTE_BYTES_MAX,
    SIGNATURES_MAX,
    NoteRefused,
    Opened,
    Verifier,
    open_checkpoint,
    open_note,
    vkey,
)
from tests.support.notes import (
    CHECKPOINT,
    ENOCH,
    ENOCHS,
    NOTES,
    PETER,
    PETERS,
    SEED,
    TEXT,
    WITNESS,
    signature_of,
    signed,
)


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
