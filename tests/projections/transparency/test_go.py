"""Go's transparency log code opens our notes, reads our tiles, makes the same proofs and gives the same verdicts."""

import json
import os
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from projections.transparency import ed25519
from projections.transparency.note import Checkpoint, NoteRefused, Verifier, open_note, sign, vkey
from projections.transparency.tiles import tile_path, tiles_of
from projections.transparency.tree import ProofRefused, consistency, inclusion, verify_consistency, verify_inclusion
from tests.support.merkle import Log, leaves, mth, path, subproof

ORIGIN = "example.com/log"
SEED = b"\5" * 32
SIZE = 70_000
SIZES = [1, 2, 3, 255, 256, 257, 1_000, 65_535, 65_536, 65_537, 69_999, SIZE]

Judge = Callable[..., Any]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """The judge, built from what the Go toolchain carries with it: nothing is fetched."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go")
    root = subprocess.run([go, "env", "GOROOT"], check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    carried = Path(root) / "src" / "cmd" / "vendor" / "golang.org" / "x" / "mod" / "sumdb"
    if not carried.is_dir():
        pytest.skip("this Go does not carry golang.org/x/mod/sumdb")
    home = tmp_path_factory.mktemp("judge")
    for package in ("note", "tlog"):
        shutil.copytree(carried / package, home / "mod" / "sumdb" / package)
    (home / "mod" / "go.mod").write_text("module golang.org/x/mod\n\ngo 1.23\n")
    (home / "go.mod").write_text(
        "module judge\n\ngo 1.23\n\nrequire golang.org/x/mod v0.0.0\n\nreplace golang.org/x/mod => ./mod\n"
    )
    shutil.copy(Path(__file__).with_name("judge.go"), home)
    offline = {"GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off", "GO111MODULE": "on"}
    subprocess.run([go, "build", "-o", "judge", "."], check=True, cwd=home, env=os.environ | offline, timeout=240)

    def ask(**question: Any) -> Any:
        done = subprocess.run([home / "judge"], input=json.dumps(question), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def log() -> Log:
    return Log(leaves(SIZE))


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory, log: Log) -> Path:
    """The log as C2SP tlog-tiles lays it out."""
    home = tmp_path_factory.mktemp("log")
    for level, index, width in tiles_of(log.size):
        place = home / tile_path(level, index, width)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(log.tiles[level, index])
    (home / "checkpoint").write_bytes(sealed(log))
    (home / "vkey").write_text(vkey(ORIGIN, ed25519.public_key(SEED)) + "\n")
    return home


def sealed(log: Log) -> bytes:
    checkpoint = Checkpoint(ORIGIN, log.size, log.root).text()
    return sign(
        checkpoint, name=ORIGIN, public_key=ed25519.public_key(SEED), sign=lambda message: ed25519.sign(SEED, message)
    )


def text(value: bytes) -> str:
    return b64encode(value).decode()


def holds(check: Callable[..., None], *arguments: Any) -> bool:
    try:
        check(*arguments)
    except ProofRefused:
        return False
    return True


def test_go_opens_the_checkpoint_and_finds_its_root_in_the_tiles(judge, directory, log):
    found = judge(Directory=str(directory))
    assert (found["Text"], found["Root"]) == (Checkpoint(ORIGIN, SIZE, log.root).text(), text(log.root))


def test_go_finds_a_spoiled_tile(judge, directory, log, tmp_path):
    shutil.copytree(directory, tmp_path, dirs_exist_ok=True)
    spoiled = tmp_path / tile_path(1, 0)
    spoiled.write_bytes(bytes(32) + spoiled.read_bytes()[32:])
    with pytest.raises(AssertionError, match="inconsistent tile"):
        judge(Directory=str(tmp_path), Inclusion=[[0, SIZE]])


def test_go_makes_the_same_proofs_from_the_tiles(judge, directory, log):
    places = [(index, size) for size in SIZES for index in sorted({0, size // 3, size - 1})]
    growths = [(old, new) for new in SIZES for old in SIZES if old <= new]
    found = judge(Directory=str(directory), Inclusion=places, Consistency=growths)
    ours = [[text(hash_) for hash_ in inclusion(log.read, index, size)] for index, size in places]
    assert [proof or [] for proof in found["Inclusion"]] == ours
    ours = [[text(hash_) for hash_ in consistency(log.read, old, new)] for old, new in growths]
    assert [proof or [] for proof in found["Consistency"]] == ours


def test_go_gives_the_same_verdict_on_right_and_wrong_inclusion_proofs(judge, directory):
    asked = []
    for size in range(1, 14):
        some = leaves(size)
        root = mth(some)
        for index in range(size):
            proof = path(index, some)
            asked += [
                (some[index], at, width, proof, root) for width in range(1, 15) for at in range(min(width, size + 1))
            ]
            asked += [(some[index], index, size, wrong, root) for wrong in (proof[1:], proof[:-1], [*proof, root])]
    records = [
        {"Leaf": text(leaf), "Index": index, "Size": size, "Proof": [*map(text, proof)], "Root": text(top)}
        for leaf, index, size, proof, top in asked
    ]
    verdicts = [holds(verify_inclusion, *arguments) for arguments in asked]
    assert judge(Directory=str(directory), Records=records)["Records"] == verdicts
    assert {*verdicts} == {True, False}


def test_go_gives_the_same_verdict_on_right_and_wrong_consistency_proofs(judge, directory):
    asked = []
    for new in range(1, 14):
        some = leaves(new)
        for old in range(1, new + 1):
            proof = subproof(old, some)
            before, after = mth(some[:old]), mth(some)
            asked += [(at, width, before, after, proof) for width in range(1, 15) for at in range(1, width + 1)]
            wrongs = (proof[1:], proof[:-1], [*proof, some[0]], [some[0], *proof])
            asked += [(old, new, before, after, wrong) for wrong in wrongs]
    trees = [
        {"Old": old, "New": new, "OldRoot": text(before), "NewRoot": text(after), "Proof": [*map(text, proof)]}
        for old, new, before, after, proof in asked
    ]
    verdicts = [holds(verify_consistency, *arguments) for arguments in asked]
    assert judge(Directory=str(directory), Trees=trees)["Trees"] == verdicts
    assert {*verdicts} == {True, False}


def test_go_opens_every_note_that_we_open(judge, directory, log):
    """We refuse more: a second spelling of base64 that Go reads, for one."""
    whole = sealed(log)
    notes = [
        whole,
        whole.replace(b"\n", b"\r\n"),
        whole + b"\n",
        whole + whole,
        whole[:-1],
        whole.replace(b"=\n", b"\n"),
    ]
    for at in range(len(whole)):
        notes += [whole[:at] + whole[at + 1 :], whole[:at] + b"\n" + whole[at:]]
        notes += [bytes([*whole[:at], whole[at] ^ 1 << bit, *whole[at + 1 :]]) for bit in range(8)]
    verifiers = [Verifier(ORIGIN, 1, ed25519.public_key(SEED))]

    def opens(note: bytes) -> bool:
        try:
            open_note(note, verifiers)
        except NoteRefused:
            return False
        return True

    ours = [opens(note) for note in notes]
    theirs = judge(Directory=str(directory), Notes=[text(note) for note in notes])["Notes"]
    assert [note for note, we, they in zip(notes, ours, theirs, strict=True) if we and not they] == []
    assert (ours[0], sum(ours)) == (True, 1)
