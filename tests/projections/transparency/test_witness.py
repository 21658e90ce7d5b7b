"""What a witness cosigns and what it refuses: C2SP tlog-witness, with requests that others made."""

import pytest

from projections.transparency.note import ED25519, Checkpoint, Verifier
from projections.transparency.proof import AddCheckpoint
from projections.transparency.witness import Logs, TwoHistories, WitnessRefused, must_continue, opened
from tests.support.merkle import vectors
from tests.support.witnesses import History

VECTORS = vectors("witness")
ORIGIN: str = VECTORS["origin"]
LOGS: Logs = {ORIGIN: [Verifier(ORIGIN, ED25519, bytes.fromhex(VECTORS["public_key"]))]}
ONE, THREE, FIVE = (VECTORS[name].encode() for name in ("one", "three", "five"))
FIRST, OTHER = History([b"%d" % n for n in range(300)]), History([b"%d" % n for n in (7, *range(1, 300))])
OURS: Logs = {FIRST.verifier.name: [FIRST.verifier]}


def asked(body: bytes, *, latest: Checkpoint | None = None, logs: Logs = LOGS) -> tuple[int, int | None]:
    """The status, and the size that it names."""
    try:
        must_continue(opened(body, logs), latest)
    except WitnessRefused as refused:
        return refused.status, refused.size
    return 200, None


def after(body: bytes) -> Checkpoint:
    return opened(body, LOGS).checkpoint


def test_the_requests_of_another_witnesses_tests_are_answered_as_there():
    assert asked(ONE) == (200, None)
    assert asked(THREE, latest=after(ONE)) == (200, None)
    assert asked(FIVE, latest=after(ONE)) == (200, None)
    assert asked(THREE, latest=after(FIVE)) == (409, 5)
    assert asked(THREE) == (409, 0)
    assert asked(ONE, latest=after(THREE)) == (409, 3)


def test_a_changed_signature_proof_or_origin_is_refused():
    assert asked(THREE.replace(b"UgIom2Vb", b"UgIom2Vc"), latest=after(ONE)) == (403, None)
    assert asked(THREE.replace(b"\n3\n", b"\n4\n"), latest=after(ONE)) == (403, None)
    assert asked(THREE.replace(b"KgIAAA", b"KgIAAB"), latest=after(ONE)) == (422, None)
    assert asked(THREE.replace(b"KgIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", b""), latest=after(ONE)) == (
        422,
        None,
    )
    assert asked(THREE.replace(ORIGIN.encode(), b"another"), latest=after(ONE)) == (404, None)
    assert asked(THREE.replace(b"old 1", b"old 4"), latest=after(ONE)) == (400, None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0",
        b"old 0\n\n",
        ONE.replace(b"old 0", b"old 00"),
        ONE.replace(b"old 0", b"old -1"),
        ONE.replace(b"old 0", b"0"),
        ONE.replace(b"old 0\n", b"old 0\nx\n"),
        ONE.replace(b"old 0\n", b"old 0\n" + b"KgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" * 64),
        ONE.replace(b"\n1\n", b"\n01\n"),
        ONE.replace(b"\xe2\x80\x94", b"\xff"),
        ONE.replace(b"\n", b"\r\n"),
    ],
)
def test_what_is_no_request_is_refused_before_anything_is_looked_up(body):
    assert asked(body, logs={}) == (400, None)


def test_a_first_checkpoint_needs_an_old_size_of_zero_and_no_proof():
    assert asked(FIRST.request(0, 100), logs=OURS) == (200, None)
    assert asked(FIRST.request(10, 100), logs=OURS) == (409, 0)
    with_path = AddCheckpoint(0, (bytes(32),), FIRST.note(100)).text()
    assert asked(with_path, logs=OURS) == (422, None)


def test_the_same_checkpoint_may_be_cosigned_again():
    assert asked(FIRST.request(100, 100), latest=FIRST.checkpoint(100), logs=OURS) == (200, None)


def test_two_trees_of_one_size_are_two_histories():
    with pytest.raises(TwoHistories):
        must_continue(opened(OTHER.request(100, 100), OURS), FIRST.checkpoint(100))


@pytest.mark.parametrize("size", [101, 256, 257, 300])
def test_what_does_not_continue_the_last_one_is_refused_at_every_size(size):
    assert asked(OTHER.request(100, size), latest=FIRST.checkpoint(100), logs=OURS) == (422, None)
    assert asked(FIRST.request(100, size), latest=FIRST.checkpoint(100), logs=OURS) == (200, None)


def test_a_log_that_changes_its_key_is_known_by_either():
    newer = History([b"%d" % n for n in range(300)], seed=b"\6" * 32)
    both: Logs = {FIRST.verifier.name: [newer.verifier, FIRST.verifier]}
    assert asked(FIRST.request(0, 100), logs=both) == (200, None)
    assert asked(newer.request(100, 200), latest=FIRST.checkpoint(100), logs=both) == (200, None)
    assert asked(newer.request(100, 200), latest=FIRST.checkpoint(100), logs=OURS) == (403, None)


def test_what_is_kept_of_a_note_are_the_signatures_of_the_logs_own_keys():
    stranger = "\N{EM DASH} stranger AAAAAAAAAAAAAAAA\n".encode()
    submitted = opened(FIRST.request(0, 100) + stranger, OURS)
    assert submitted.note == FIRST.note(100)
