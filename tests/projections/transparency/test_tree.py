"""Trees over tiles, judged by the text of RFC 6962 and by the probes of transparency-dev/merkle."""

from base64 import b64decode
from hashlib import sha256

import pytest
from hypothesis import given, settings, strategies

from projections.transparency.tiles import TILE_WIDTH, tiles_of
from projections.transparency.tree import (
    EMPTY_ROOT,
    Frontier,
    ProofRefused,
    consistency,
    extend,
    inclusion,
    leaf_hash,
    node_hash,
    root,
    verify_consistency,
    verify_inclusion,
)
from tests.support.merkle import Log, leaves, mth, path, subproof, vectors

MERKLE = vectors("merkle")
HASHES = [b64decode(text) for text in MERKLE["hashes"]]
INCLUSION = MERKLE["inclusion (name, index, size, leaf, root, proof, refused)"]
CONSISTENCY = MERKLE["consistency (name, old size, new size, old root, new root, proof, refused)"]

LEAVES = leaves(70_000)
GROWN = Log(LEAVES)  # 70,000 leaves: the example of C2SP tlog-tiles
SIZES = strategies.one_of(strategies.integers(0, 600), strategies.integers(0, 1_500))
EDGES = (0, 1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 65_792, 65_793, 70_000)


def test_hashes_are_those_of_rfc_6962():
    assert leaf_hash(b"L123456").hex() == MERKLE["leaf of L123456"]
    assert node_hash(b"N123", b"N456").hex() == MERKLE["node of N123 and N456"]
    assert sha256(b"").digest() == EMPTY_ROOT


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_that_others_publish(size):
    entries = [leaf_hash(bytes.fromhex(leaf)) for leaf in MERKLE["leaves"][:size]]
    log, frontier = Log(entries), Frontier()
    for entry in entries:
        frontier.add(entry)
    expected = bytes.fromhex(MERKLE["roots"][size])
    assert (log.root, root(log.read, size), frontier.root(), frontier.size) == (expected, expected, expected, size)


@pytest.mark.parametrize("probe", INCLUSION, ids=lambda probe: probe[0])
def test_inclusion_is_judged_as_others_judge_it(probe):
    _, index, size, leaf, root_, proof, refused = probe
    arguments = (HASHES[leaf], index, size, [HASHES[hash_] for hash_ in proof], HASHES[root_])
    if refused:
        with pytest.raises(ProofRefused):
            verify_inclusion(*arguments)
    else:
        verify_inclusion(*arguments)


@pytest.mark.parametrize("probe", CONSISTENCY, ids=lambda probe: probe[0])
def test_consistency_is_judged_as_others_judge_it(probe):
    _, old, new, old_root, new_root, proof, refused = probe
    # One of their probes calls twelve bytes a root. Here a root has 32.
    if refused or len(HASHES[old_root]) != 32:
        with pytest.raises(ProofRefused):
            verify_consistency(old, new, HASHES[old_root], HASHES[new_root], [HASHES[hash_] for hash_ in proof])
    else:
        verify_consistency(old, new, HASHES[old_root], HASHES[new_root], [HASHES[hash_] for hash_ in proof])


def test_the_probes_hold_both_verdicts():
    verdicts = {name: [probe[-1] for probe in probes] for name, probes in (("in", INCLUSION), ("con", CONSISTENCY))}
    assert {name: (found.count(False), found.count(True)) for name, found in verdicts.items()} == {
        "in": (6, 92),
        "con": (6, 92),
    }


@settings(deadline=None)
@given(steps=strategies.lists(SIZES, max_size=4))
def test_however_a_log_grew_its_tiles_and_root_are_the_same(steps):
    log, frontier = Log(), Frontier()
    for step in steps:
        log.grow(LEAVES[log.size : log.size + step])
    for leaf in LEAVES[: log.size]:
        frontier.add(leaf)
    once = Log(LEAVES[: log.size])
    assert (log.tiles, log.root) == (once.tiles, once.root)
    assert log.root == frontier.root() == mth(LEAVES[: log.size])
    widths = {(level, index): len(tile) // 32 for (level, index), tile in log.tiles.items()}
    assert widths == {(level, index): width for level, index, width in tiles_of(log.size)}


@settings(deadline=None)
@given(size=SIZES)
def test_an_older_root_is_found_in_the_tiles_of_a_grown_tree(size):
    assert root(GROWN.read, size) == mth(LEAVES[:size])


@pytest.mark.parametrize("size", EDGES)
def test_sizes_at_the_edges_of_tiles_have_the_roots_and_proofs_of_the_rfc(size):
    log, top = Log(LEAVES[:size]), mth(LEAVES[:size])
    assert (log.root, root(log.read, size), root(GROWN.read, size)) == (top, top, top)
    for index in {0, 255, 256, 65_535, 65_536, size - 1} & {*range(size)}:
        expected = path(index, LEAVES[:size])
        assert (inclusion(log.read, index, size), inclusion(GROWN.read, index, size)) == (expected, expected)
        verify_inclusion(LEAVES[index], index, size, expected, top)
    for old in {*EDGES} & {*range(1, size + 1)}:
        expected = subproof(old, LEAVES[:size])
        assert (consistency(log.read, old, size), consistency(GROWN.read, old, size)) == (expected, expected)
        verify_consistency(old, size, root(GROWN.read, old), top, expected)


@settings(deadline=None)
@given(size=SIZES.filter(bool), data=strategies.data())
def test_inclusion_proofs_are_those_of_the_rfc_and_hold(size, data):
    index = data.draw(strategies.integers(0, size - 1))
    expected = path(index, LEAVES[:size])
    assert inclusion(GROWN.read, index, size) == expected
    assert inclusion(Log(LEAVES[:size]).read, index, size) == expected
    verify_inclusion(LEAVES[index], index, size, expected, mth(LEAVES[:size]))


@settings(deadline=None)
@given(new=SIZES, data=strategies.data())
def test_consistency_proofs_are_those_of_the_rfc_and_hold(new, data):
    old = data.draw(strategies.integers(0, new))
    expected = subproof(old, LEAVES[:new]) if old else []
    assert consistency(GROWN.read, old, new) == expected
    assert consistency(Log(LEAVES[:new]).read, old, new) == expected
    verify_consistency(old, new, mth(LEAVES[:old]), mth(LEAVES[:new]), expected)


@settings(deadline=None)
@given(size=strategies.integers(1, 300), data=strategies.data())
def test_no_byte_of_an_inclusion_proof_can_be_another(size, data):
    index = data.draw(strategies.integers(0, size - 1))
    proof, root_ = path(index, LEAVES[:size]), mth(LEAVES[:size])
    for spoiled in spoilt([LEAVES[index], root_, *proof]):
        leaf, top, *rest = spoiled
        with pytest.raises(ProofRefused):
            verify_inclusion(leaf, index, size, rest, top)
    for number in (*range(index), *range(index + 1, size)):
        with pytest.raises(ProofRefused):
            verify_inclusion(LEAVES[index], number, size, proof, root_)
    for wrong in ([*proof, root_], [root_, *proof], proof[:-1] or [root_]):
        with pytest.raises(ProofRefused):
            verify_inclusion(LEAVES[index], index, size, wrong, root_)


@settings(deadline=None)
@given(new=strategies.integers(2, 300), data=strategies.data())
def test_no_byte_of_a_consistency_proof_can_be_another(new, data):
    old = data.draw(strategies.integers(1, new - 1))
    proof, old_root, new_root = subproof(old, LEAVES[:new]), mth(LEAVES[:old]), mth(LEAVES[:new])
    for spoiled in spoilt([old_root, new_root, *proof]):
        before, after, *rest = spoiled
        with pytest.raises(ProofRefused):
            verify_consistency(old, new, before, after, rest)
    for wrong in ([*proof, new_root], [old_root, *proof], proof[:-1]):
        with pytest.raises(ProofRefused):
            verify_consistency(old, new, old_root, new_root, wrong)


def test_a_fork_has_no_proof():
    forked = [*LEAVES[:400], LEAVES[0], *LEAVES[401:700]]
    proof = consistency(Log(forked).read, 500, 700)
    with pytest.raises(ProofRefused):
        verify_consistency(500, 700, mth(LEAVES[:500]), mth(forked), proof)


def test_what_tiles_hold_beyond_a_size_is_replaced_when_it_grows():
    changed, root_ = extend(GROWN.read, 300, [b"\7" * 32])
    assert changed == {(0, 1): b"".join(LEAVES[256:300]) + b"\7" * 32}
    assert root_ == mth([*LEAVES[:300], b"\7" * 32])


def test_growing_by_nothing_changes_nothing():
    assert extend(GROWN.read, 300, []) == ({}, mth(LEAVES[:300]))
    assert extend(Log().read, 0, []) == ({}, EMPTY_ROOT)


def test_growing_reads_only_the_right_edge():
    asked: set[tuple[int, int]] = set()

    def read(level: int, index: int) -> bytes:
        asked.add((level, index))
        return GROWN.read(level, index)

    extend(read, GROWN.size, LEAVES[:10])
    assert asked == {(0, 273), (1, 1), (2, 0)}


@pytest.mark.parametrize("short", [b"", b"\7" * 31, b"\7" * 32 * 3])
def test_a_tile_that_is_missing_or_short_is_a_lookup_error(short):
    tiles = Log(LEAVES[:TILE_WIDTH]).tiles | {(0, 0): short}
    for ask in (
        lambda: root(lambda level, index: tiles[level, index], 255),
        lambda: inclusion(lambda level, index: tiles[level, index], 0, 255),
        lambda: consistency(lambda level, index: tiles[level, index], 7, 255),
        lambda: extend(lambda level, index: tiles[level, index], 4, [LEAVES[0]]),
        lambda: root(lambda level, index: tiles[level, index], 1_000),
    ):
        with pytest.raises(LookupError):
            ask()


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda: root(GROWN.read, -1), "0 to 2"),
        (lambda: root(GROWN.read, 2**63), "0 to 2"),
        (lambda: extend(GROWN.read, 2**63 - 1, LEAVES[:1]), "0 to 2"),
        (lambda: extend(GROWN.read, 5, [b"short"]), "32 bytes"),
        (lambda: inclusion(GROWN.read, 5, 5), "none at index 5"),
        (lambda: inclusion(GROWN.read, -1, 5), "none at index -1"),
        (lambda: consistency(GROWN.read, 6, 5), "never one of 6"),
        (lambda: consistency(GROWN.read, -1, 5), "never one of -1"),
        (lambda: verify_inclusion(LEAVES[0], 0, 2**63, [], LEAVES[0]), "none at index 0"),
        (lambda: verify_inclusion(LEAVES[0], 1, 1, [], LEAVES[0]), "none at index 1"),
        (lambda: verify_inclusion(LEAVES[0][:31], 0, 1, [], LEAVES[0][:31]), "32 bytes"),
        (lambda: verify_consistency(6, 5, LEAVES[0], LEAVES[0], []), "never one of 6"),
        (lambda: verify_consistency(1, 2**63, LEAVES[0], LEAVES[0], []), "never one of 1"),
        (lambda: verify_consistency(1, 1, LEAVES[0][:31], LEAVES[0][:31], []), "32 bytes"),
        (lambda: verify_consistency(0, 5, LEAVES[0], LEAVES[0], []), "empty tree"),
        (lambda: verify_consistency(0, 0, LEAVES[0], LEAVES[0], []), "empty tree"),
        (lambda: verify_consistency(0, 0, EMPTY_ROOT, LEAVES[0], []), "one root"),
        (lambda: verify_consistency(5, 5, LEAVES[0], LEAVES[1], []), "one root"),
        (lambda: verify_consistency(5, 5, LEAVES[0], LEAVES[0], [LEAVES[0]]), "need no proof"),
        (lambda: verify_consistency(4, 5, LEAVES[0], LEAVES[0], []), "proof is empty"),
        (lambda: verify_consistency(0, 5, EMPTY_ROOT, LEAVES[0], [LEAVES[0]]), "need no proof"),
    ],
)
def test_what_no_tree_has_is_refused(ask, why):
    with pytest.raises(ValueError, match=why):
        ask()


def test_a_tree_may_have_2_to_the_63_leaves_less_one():
    proof = LEAVES[:63]
    top = LEAVES[100]
    for sibling in proof:
        top = node_hash(top, sibling)
    verify_inclusion(LEAVES[100], 0, 2**63 - 1, proof, top)
    verify_consistency(1, 2**63 - 1, LEAVES[100], top, proof)
    with pytest.raises(ProofRefused):
        verify_inclusion(LEAVES[100], 0, 2**62, proof, top)


def spoilt(hashes: list[bytes]) -> list[list[bytes]]:
    """The same hashes with one bit of one byte turned, for each byte."""
    return [
        [*hashes[:number], bytes([*hash_[:at], hash_[at] ^ 1 << at % 8, *hash_[at + 1 :]]), *hashes[number + 1 :]]
        for number, hash_ in enumerate(hashes)
        for at in range(32)
    ]
