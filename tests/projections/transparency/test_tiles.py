"""Paths and bundles of C2SP tlog-tiles."""

import pytest
from hypothesis import given, settings, strategies

from projections.transparency.tiles import (
    MalformedBundle,
    MalformedPath,
    TilePath,
    decode_bundle,
    encode_bundle,
    entries_path,
    parse_path,
    tile_path,
    tiles_of,
    width_at,
)

ENTRIES = strategies.lists(strategies.binary(max_size=50), min_size=1, max_size=256)


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        # C2SP/C2SP tlog-tiles.md; golang/mod sumdb/tlog/tlog_test.go, without its tile height
        (TilePath(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (TilePath(0, 1, 256), "tile/0/001"),
        (TilePath(0, 999, 256), "tile/0/999"),
        (TilePath(0, 1_000, 256), "tile/0/x001/000"),
        (TilePath(0, 1_000_000, 1), "tile/0/x001/x000/000.p/1"),
        (TilePath(0, 1, 5), "tile/0/001.p/5"),
        (TilePath(5, 123_456_078, 256), "tile/5/x123/x456/078"),
        (TilePath(5, 123_456_078, 2), "tile/5/x123/x456/078.p/2"),
        (TilePath(0, 3_057_500, 256), "tile/0/x003/x057/500"),
        (TilePath(None, 3_057_500, 256), "tile/entries/x003/x057/500"),
        (TilePath(0, 1234, 7), "tile/0/x001/234.p/7"),
        (TilePath(None, 0, 255), "tile/entries/000.p/255"),
        (TilePath(63, 2**63 - 1, 1), "tile/63/x009/x223/x372/x036/x854/x775/807.p/1"),
    ],
)
def test_a_tile_has_one_path(tile, path):
    written = (
        entries_path(tile.index, tile.width) if tile.level is None else tile_path(tile.level, tile.index, tile.width)
    )
    assert (written, parse_path(path)) == (path, tile)


@pytest.mark.parametrize(
    "path",
    [
        "tile/5/123/456/078",
        "tile/-1/123/456/078",
        "tile/0/1",
        "tile/0/0001",
        "tile/0/x000/001",
        "tile/0/x001/x234/67",
        "tile/00/001",
        "tile/64/001",
        "tile/01/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/05",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001/",
        "/tile/0/001",
        "tile/data/001",
        "tile/entries/",
        "tile/entries/x001",
        "tile/entries/001.p/999",
        "tile/0/X001/234",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile/0/x001/x009/x223/x372/x036/x854/x775/807",
        "tile/0/001.p/1.p/1",
        "tile//001",
        "tile/0/\u0660\u0660\u0661",
        "tile/0/001.p/\u0667",
    ],
)
def test_any_other_spelling_is_no_path(path):
    with pytest.raises(MalformedPath):
        parse_path(path)


@pytest.mark.parametrize("path", ["", "tile/0/001\n", "tile/0/001 ", "tile/0/ 01", "checkpoint", "tile/0/001.p/7\n"])
def test_blanks_and_other_files_are_no_path(path):
    with pytest.raises(MalformedPath):
        parse_path(path)


@pytest.mark.parametrize(
    ("level", "index", "width"), [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**63, 1), (0, 0, 0), (0, 0, 257)]
)
def test_no_tile_is_outside_its_bounds(level, index, width):
    with pytest.raises(MalformedPath):
        tile_path(level, index, width)


@settings(deadline=None)
@given(
    level=strategies.one_of(strategies.none(), strategies.integers(0, 63)),
    index=strategies.integers(0, 2**63 - 1),
    width=strategies.integers(1, 256),
)
def test_every_path_reads_back(level, index, width):
    path = entries_path(index, width) if level is None else tile_path(level, index, width)
    assert parse_path(path) == TilePath(level, index, width)


def test_the_tiles_of_a_tree_are_those_of_the_example_in_the_specification():
    # C2SP/C2SP tlog-tiles.md, "Partial Tiles"
    full = [(0, index, 256) for index in range(273)]
    assert [*tiles_of(70_000)] == [*full, (0, 273, 112), (1, 0, 256), (1, 1, 17), (2, 0, 1)]
    assert [*tiles_of(256)] == [(0, 0, 256), (1, 0, 1)]
    assert [*tiles_of(0)] == []


@settings(deadline=None)
@given(size=strategies.integers(0, 300_000))
def test_the_width_of_a_tile_follows_from_the_size(size):
    assert [(level, index, width_at(level, index, size)) for level, index, _ in tiles_of(size)] == [*tiles_of(size)]
    assert (width_at(0, size // 256 + 1, size), width_at(3, 0, size)) == (0, 0)


def test_a_bundle_is_lengths_and_entries():
    assert encode_bundle([b"one", b"", b"three"]) == b"\0\3one\0\0\0\5three"


@settings(deadline=None)
@given(entries=ENTRIES)
def test_a_bundle_reads_back(entries):
    assert decode_bundle(encode_bundle(entries)) == entries


@settings(deadline=None)
@given(bundle=strategies.binary(max_size=30))
def test_a_bundle_has_one_spelling(bundle):
    try:
        entries = decode_bundle(bundle)
    except MalformedBundle:
        return
    assert encode_bundle(entries) == bundle


@pytest.mark.parametrize("bundle", [b"", b"\0", b"\0\2a", b"\0\1ab", b"\0\1a\0", b"\0\0" * 257])
def test_a_bundle_that_is_cut_or_too_long_is_refused(bundle):
    with pytest.raises(MalformedBundle):
        decode_bundle(bundle)


@pytest.mark.parametrize("entries", [[], [b""] * 257, [b"a" * 65_536]])
def test_a_bundle_has_room_for_256_entries_of_65535_bytes(entries):
    with pytest.raises(MalformedBundle):
        encode_bundle(entries)
    largest = [b"a" * 65_535] * 256
    assert decode_bundle(encode_bundle(largest)) == largest
