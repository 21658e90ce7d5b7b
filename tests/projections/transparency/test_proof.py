"""Proofs as texts: C2SP tlog-proof and the request of C2SP tlog-witness."""

from base64 import b64encode
from hashlib import sha256

import pytest
from hypothesis import given, settings, strategies

from projections.transparency import ed25519
from projections.transparency.note import Checkpoint, NoteRefused, Verifier, open_checkpoint, sign
from projections.transparency.proof import AddCheckpoint, TlogProof
from projections.transparency.tree import EMPTY_ROOT, ProofRefused, consistency, inclusion, verify_consistency
from tests.support.merkle import Log, leaves, vectors

NOTES = vectors("notes")
ONE, TWO = sha256(b"hash1").digest(), sha256(b"hash2").digest()
ORIGIN = "example.com/log"
SEED = b"\5" * 32
VERIFIER = Verifier.parse(Verifier(ORIGIN, 1, ed25519.public_key(SEED)).vkey())
HASHES = strategies.lists(strategies.binary(min_size=32, max_size=32), max_size=63).map(tuple)
LEAVES = leaves(700)


def text(value: bytes) -> str:
    return b64encode(value).decode()


def sealed(log: Log, *, origin: str = ORIGIN) -> bytes:
    checkpoint = Checkpoint(origin, log.size, log.root).text()
    return sign(
        checkpoint, name=ORIGIN, public_key=VERIFIER.public_key, sign=lambda message: ed25519.sign(SEED, message)
    )


@pytest.mark.parametrize(
    ("proof", "written"),
    [
        # transparency-dev/formats at 0b850f1, proof/tlog_proof_test.go
        (
            TlogProof(5, (ONE, TWO), b"test checkpoint\n"),
            f"c2sp.org/tlog-proof@v1\nindex 5\n{text(ONE)}\n{text(TWO)}\n\ntest checkpoint\n",
        ),
        (
            TlogProof(10, (ONE,), b"checkpoint data\n", b"extra information"),
            f"c2sp.org/tlog-proof@v1\nextra {text(b'extra information')}\nindex 10\n{text(ONE)}\n\ncheckpoint data\n",
        ),
        (TlogProof(0, (), b"checkpoint\n"), "c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n"),
    ],
)
def test_a_proof_is_written_as_others_write_it(proof, written):
    assert (proof.text(), TlogProof.parse(written.encode())) == (written.encode(), proof)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "c2sp.org/tlog-proof@v1\n",
        "c2sp.org/tlog-proof@v1\nindex 0",
        "c2sp.org/tlog-proof@v1\nindex 0\n",
        "c2sp.org/tlog-proof@v1\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v2\nindex 0\n\ncheckpoint\n",
        "wrong-header\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra !!notbase64!!\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra \nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra YQ==\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra YQ==\nextra YQ==\nindex 0\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\nextra YQ==\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\n\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex notanumber\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\n5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nextra YQ==\n5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex -5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 05\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex  5\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 9223372036854775807\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\r\nindex 0\r\n\r\ncheckpoint\r\n",
        "c2sp.org/tlog-proof@v1\nindex 0\r\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n!!notbase64!!\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{text(bytes(64))}\n\ncheckpoint\n",
        f"c2sp.org/tlog-proof@v1\nindex 0\n{text(ONE)[:-1]}\n\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + f"{text(ONE)}\n" * 64 + "\ncheckpoint\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n" + "a" * 65 * 1024 + "\n",
        "c2sp.org/tlog-proof@v1\nindex 0\n\n" + "a" * 2_000_000 + "\n",
        "c2sp.org/tlog-proof@v1\nindex \N{ARABIC-INDIC DIGIT FIVE}\n\ncheckpoint\n",
    ],
)
def test_a_proof_in_any_other_spelling_is_refused(written):
    with pytest.raises(ProofRefused):
        TlogProof.parse(written.encode())


@settings(deadline=None)
@given(index=strategies.integers(0, 2**63 - 2), path=HASHES, extra=strategies.binary(max_size=50))
def test_every_proof_reads_back(index, path, extra):
    proof = TlogProof(index, path, b"checkpoint\n", extra)
    assert TlogProof.parse(proof.text()) == proof


@settings(deadline=None)
@given(size=strategies.integers(1, 700), data=strategies.data())
def test_a_proof_shows_that_a_leaf_is_in_the_log(size, data):
    index = data.draw(strategies.integers(0, size - 1))
    log = Log(LEAVES[:size])
    proof = TlogProof(index, tuple(inclusion(log.read, index, size)), sealed(log))
    found = TlogProof.parse(proof.text()).verify(LEAVES[index], [VERIFIER], origin=ORIGIN)
    assert found == Checkpoint(ORIGIN, size, log.root)


@settings(deadline=None)
@given(at=strategies.integers(0, 10_000), bit=strategies.integers(0, 7))
def test_no_bit_of_a_proof_can_be_another(at, bit):
    log = Log(LEAVES)
    written = bytearray(TlogProof(300, tuple(inclusion(log.read, 300, 700)), sealed(log)).text())
    written[at % len(written)] ^= 1 << bit
    with pytest.raises((ProofRefused, NoteRefused)):
        TlogProof.parse(bytes(written)).verify(LEAVES[300], [VERIFIER], origin=ORIGIN)


def test_a_proof_holds_for_its_own_leaf_log_and_key_only():
    log = Log(LEAVES)
    proof = TlogProof(300, tuple(inclusion(log.read, 300, 700)), sealed(log))
    stranger = Verifier(ORIGIN, 1, ed25519.public_key(b"\6" * 32))
    for leaf, verifier, origin in (
        (LEAVES[301], VERIFIER, ORIGIN),
        (LEAVES[300], stranger, ORIGIN),
        (LEAVES[300], VERIFIER, "example.com/log/acct_a"),
    ):
        with pytest.raises((ProofRefused, NoteRefused)):
            proof.verify(leaf, [verifier], origin=origin)


def test_a_request_to_a_witness_is_written_as_the_specification_writes_it():
    written = NOTES["c2sp"]["request"].encode()
    request = AddCheckpoint.parse(written)
    assert (request.old, len(request.path), request.text()) == (20_852_014, 4, written)
    assert request.checkpoint.decode().startswith(NOTES["c2sp"]["checkpoint"])


def test_the_requests_that_another_witness_accepts_hold_here():
    found = NOTES["sigsum"]
    size, root = 0, EMPTY_ROOT
    for written in found["requests"]:
        request = AddCheckpoint.parse(written.encode())
        checkpoint = open_checkpoint(request.checkpoint, [Verifier.parse(found["vkey"])], origin=found["origin"])
        verify_consistency(request.old, checkpoint.size, root, checkpoint.root, request.path)
        assert (request.old, request.text()) == (size, written.encode())
        size, root = checkpoint.size, checkpoint.root
    assert size == 5


def test_the_requests_that_another_witness_refuses_do_not_hold_here():
    """FiloSottile/torchwood at 341dc2f, cmd/litewitness/testdata/litewitness.txt: its 403 and 422."""
    found = NOTES["sigsum"]
    first, second, _ = (request.encode() for request in found["requests"])
    verifiers = [Verifier.parse(found["vkey"])]
    root = open_checkpoint(AddCheckpoint.parse(first).checkpoint, verifiers, origin=found["origin"]).root
    for part, instead in ((b"x6go=", b"x6gx="), (b"e562 UgIo", b"e563 UgIo"), (b"e562\n3\n", b"e563\n3\n")):
        spoiled = AddCheckpoint.parse(second.replace(part, instead))
        with pytest.raises(NoteRefused):
            open_checkpoint(spoiled.checkpoint, verifiers, origin=found["origin"])
    for lines in (b"", b"KgEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nKgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABA=\n"):
        begin, end = second.index(b"KgE"), second.index(b"\n\n") + 1
        spoiled = AddCheckpoint.parse(second[:begin] + lines + second[end:])
        checkpoint = open_checkpoint(spoiled.checkpoint, verifiers, origin=found["origin"])
        with pytest.raises(ProofRefused):
            verify_consistency(1, 3, root, checkpoint.root, spoiled.path)


@settings(deadline=None)
@given(old=strategies.integers(0, 700), data=strategies.data())
def test_a_request_shows_that_the_log_has_only_grown(old, data):
    log = Log(LEAVES[:old])
    old_root = log.root
    log.grow(LEAVES[old : data.draw(strategies.integers(old, 700))])
    request = AddCheckpoint(old, tuple(consistency(log.read, old, log.size)), sealed(log))
    found = AddCheckpoint.parse(request.text())
    checkpoint = open_checkpoint(found.checkpoint, [VERIFIER], origin=ORIGIN)
    assert (found, checkpoint.root) == (request, log.root)
    verify_consistency(found.old, checkpoint.size, old_root, checkpoint.root, found.path)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "old 1",
        "old 1\n",
        "old 01\n\ncheckpoint\n",
        "old -1\n\ncheckpoint\n",
        "old  1\n\ncheckpoint\n",
        "old 1 \n\ncheckpoint\n",
        "old 1\r\n\ncheckpoint\n",
        "old 9223372036854775808\n\ncheckpoint\n",
        "old\n\ncheckpoint\n",
        "new 1\n\ncheckpoint\n",
        "1\n\ncheckpoint\n",
        f"old 1\n{text(ONE)} \n\ncheckpoint\n",
        f"old 1\n{text(ONE)[:-2]}\n\ncheckpoint\n",
        f"old 1\n{text(ONE[:31])}\n\ncheckpoint\n",
        "old 1\n" + f"{text(ONE)}\n" * 64 + "\ncheckpoint\n",
    ],
)
def test_a_request_in_any_other_spelling_is_refused(written):
    with pytest.raises(ProofRefused):
        AddCheckpoint.parse(written.encode())


@pytest.mark.parametrize("index", [-1, 2**63 - 1])
def test_an_index_is_that_of_a_leaf(index):
    with pytest.raises(ProofRefused):
        TlogProof(index, (), b"checkpoint\n")


@pytest.mark.parametrize("old", [-1, 2**63])
def test_a_size_is_that_of_a_tree(old):
    with pytest.raises(ProofRefused):
        AddCheckpoint(old, (), b"checkpoint\n")
