"""The bytes that are hashed: they say what happened in one spelling, and nothing else reads as an entry."""

import json
from uuid import UUID

import pytest
from hypothesis import given, settings, strategies

from projections.transparency.entry import (
    ENTRY_BYTES_MAX,
    Entry,
    Head,
    MalformedEntry,
    decode,
    decode_head,
    encode,
    encode_head,
)

LOG = "acct_abcdefgh234567ab"
EVENT_ID = UUID("00000000-000c-8abc-9def-0123456789ab")
BODY = b'{"at":"2026-11-24T12:00:00Z","send":1}'
WRITTEN = (
    b'{"log":"acct_abcdefgh234567ab","position":12,"stream":"qrst-uv_3","version":3,'
    b'"event_id":"00000000-000c-8abc-9def-0123456789ab","type":"CodeSent.v1",'
    b'"data":{"at":"2026-11-24T12:00:00Z","send":1}}'
)
HEAD = b'{"log":"acct_abcdefgh234567ab-test","size":120,"root":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="}'

JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.integers(-(2**63), 2**64)
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(strategies.characters(codec="utf-8"), max_size=10),
    lambda inner: (
        strategies.lists(inner, max_size=3) | strategies.dictionaries(strategies.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_an_entry_is_the_event_with_its_body_as_it_was_stored():
    assert encode(LOG, 12, "qrst-uv_3", 3, EVENT_ID, "CodeSent.v1", BODY) == WRITTEN
    assert encode(LOG, 12, "qrst-uv_3", 3, EVENT_ID.bytes, "CodeSent.v1", BODY) == WRITTEN
    data = {"at": "2026-11-24T12:00:00Z", "send": 1}
    assert decode(WRITTEN) == Entry(LOG, 12, "qrst-uv_3", 3, str(EVENT_ID), "CodeSent.v1", BODY, data)


@settings(deadline=None)
@given(
    log=strategies.sampled_from([LOG, f"{LOG}-test"]),
    position=strategies.integers(1, 2**48 - 1),
    stream=strategies.from_regex(r"[0-9A-Za-z_-]{0,40}", fullmatch=True),
    version=strategies.integers(1, 2**63 - 1),
    random=strategies.binary(min_size=10, max_size=10),
    data=strategies.dictionaries(strategies.text(strategies.characters(codec="utf-8"), max_size=5), JSON, max_size=4),
    spaced=strategies.booleans(),
)
def test_every_entry_reads_back_and_has_one_spelling(*, log, position, stream, version, random, data, spaced):
    event_id = UUID(bytes=position.to_bytes(6, "big") + random)
    body = json.dumps(data, ensure_ascii=spaced, separators=None if spaced else (",", ":")).encode()
    entry = encode(log, position, stream, version, event_id, "Verified.v2", body)
    assert decode(entry) == Entry(log, position, stream, version, str(event_id), "Verified.v2", body, data)
    found = decode(entry)
    again = encode(found.log, found.position, found.stream, found.version, UUID(found.event_id), found.type, found.body)
    assert again == entry
    said = {name: value for name, value in found._asdict().items() if name != "body"}
    assert json.loads(entry) == said


@settings(deadline=None)
@given(at=strategies.integers(0, len(WRITTEN) - 1), byte=strategies.integers(0, 255))
def test_an_entry_with_another_byte_says_something_else_or_nothing(at, byte):
    spoiled = WRITTEN[:at] + bytes([byte]) + WRITTEN[at + 1 :]
    try:
        found = decode(spoiled)
    except MalformedEntry:
        return
    arguments = (found.log, found.position, found.stream, found.version, UUID(found.event_id), found.type, found.body)
    assert encode(*arguments) == spoiled


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (b'"position":12', b'"position":012'),
        (b'"position":12', b'"position":0'),
        (b'"position":12', b'"position":13'),
        (b'"position":12', b'"position":12.0'),
        (b'"position":12', '"position":\N{ARABIC-INDIC DIGIT ONE}\N{ARABIC-INDIC DIGIT TWO}'.encode()),
        (b'"version":3', b'"version":0'),
        (b'"version":3', b'"version":9223372036854775808'),
        (b'"version":3', b'"version": 3'),
        (b"8abc", b"8ABC"),
        (b"8abc-9def", b"8abc9def-"),
        (b"acct_abcdefgh234567ab", b"acct_"),
        (b"acct_abcdefgh234567ab", b"acct_abcdefgh234567ab-live"),
        (b"acct_abcdefgh234567ab", "acct_\N{LATIN SMALL LETTER E WITH ACUTE}".encode()),
        (b"acct_abcdefgh234567ab", b"acct_a\\u0062"),
        (b"qrst-uv_3", b"qrst/3"),
        (b"CodeSent.v1", b"CodeSent"),
        (b"CodeSent.v1", b"CodeSent.v01"),
        (b'"log"', b'"extra":1,"log"'),
        (b'"data":', b'"extra":1,"data":'),
        (b'"data":', b'"data": '),
        (BODY, b"[]"),
        (BODY, b"{}{}"),
        (BODY, b'{}},"data":{'),
        (BODY, b"{} "),
        (BODY, b'{"a":1,}'),
        (BODY, b'{"a":1,"a":2}'),
        (BODY, b'{"a":{"b":1,"b":1}}'),
        (BODY, b'{"a":NaN}'),
        (BODY, b'{"a":-Infinity}'),
        (BODY, b'{"a":1e999}'),
        (BODY, b'{"a":"\\ud800"}'),
        (BODY, b'{"a":"\xff"}'),
        (BODY, b'{"a":"\n"}'),
        (BODY, b"{" + b'"a":[' * 5_000 + b"]" * 5_000 + b"}"),
        (BODY, b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"),
        (BODY, b'{"a":' + b"9" * 5_000 + b"}"),
        (BODY, b'{"a":"' + b"a" * ENTRY_BYTES_MAX + b'"}'),
        (b"}}", b"}}\n"),
        (b"}}", b"}"),
    ],
)
def test_what_no_encoder_wrote_is_refused(part, instead):
    assert part in WRITTEN
    with pytest.raises(MalformedEntry):
        decode(WRITTEN.replace(part, instead))


@pytest.mark.parametrize(
    "entry", [b"", b"{}", b"null", HEAD, b" " + WRITTEN, b"\xef\xbb\xbf" + WRITTEN, WRITTEN + b" "]
)
def test_other_bytes_are_no_entry(entry):
    with pytest.raises(MalformedEntry):
        decode(entry)


@pytest.mark.parametrize(
    "changed",
    [
        {"log": "acct_"},
        {"log": 'acct_a","position":1,"x":"'},
        {"position": 13},
        {"position": 0},
        {"position": -12},
        {"stream": 'a"b'},
        {"stream": "a\n"},
        {"version": 0},
        {"version": 2**63},
        {"event_id": b"short"},
        {"event_id": b"\0" * 17},
        {"topic": "CodeSent.v1\n"},
        {"body": b'{"a":"' + b"a" * ENTRY_BYTES_MAX + b'"}'},
    ],
)
def test_values_that_no_event_has_are_not_written(changed):
    values = {
        "log": LOG,
        "position": 12,
        "stream": "",
        "version": 3,
        "event_id": EVENT_ID,
        "topic": "CodeSent.v1",
        "body": BODY,
    }
    with pytest.raises(MalformedEntry):
        encode(**values | changed)


def test_the_largest_entry_fills_a_length_of_two_bytes():
    room = ENTRY_BYTES_MAX - len(encode(LOG, 12, "", 3, EVENT_ID, "CodeSent.v1", b'{"a":""}'))
    body = b'{"a":"' + b"a" * room + b'"}'
    entry = encode(LOG, 12, "", 3, EVENT_ID, "CodeSent.v1", body)
    assert (len(entry), decode(entry).body) == (65_535, body)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"a":', "}")])
def test_a_body_is_nested_64_deep_at_most_whatever_python_reads(opened, closed):
    def nested(depth: int) -> bytes:
        inner = opened * (depth - 1) + "{}" * (opened != "[") + closed * (depth - 1)
        return WRITTEN.replace(BODY, f'{{"a":{inner}}}'.encode())

    deepest = 64 - (opened != "[")
    assert json.loads(nested(deepest))["data"] == decode(nested(deepest)).data
    with pytest.raises(MalformedEntry, match="64 deep"):
        decode(nested(deepest + 1))
    wide = WRITTEN.replace(BODY, b'{"a":"' + b"[{" * 200 + b'","b":[' + b"[]," * 200 + b"[]]}")
    assert len(decode(wide).data["b"]) == 201


def test_positions_versions_and_sizes_have_a_last_one():
    last = b"\xff" * 16
    entry = encode(LOG, 2**48 - 1, "", 2**63 - 1, last, "CodeSent.v1", b"{}")
    assert decode(entry)[:5] == (LOG, 2**48 - 1, "", 2**63 - 1, "ffffffff-ffff-ffff-ffff-ffffffffffff")
    assert decode_head(encode_head(LOG, 2**63 - 1, last * 2)) == Head(LOG, 2**63 - 1, last * 2)


def test_a_head_is_the_log_its_size_and_its_root():
    assert encode_head(f"{LOG}-test", 120, b"\7" * 32) == HEAD
    assert decode_head(HEAD) == Head(f"{LOG}-test", 120, b"\7" * 32)


@settings(deadline=None)
@given(size=strategies.integers(1, 2**63 - 1), root=strategies.binary(min_size=32, max_size=32))
def test_every_head_reads_back(size, root):
    assert decode_head(encode_head(LOG, size, root)) == Head(LOG, size, root)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        (b"120", b"0120"),
        (b"120", b"0"),
        (b"120", b"-1"),
        (b"120", b"9223372036854775808"),
        (b"Bwc=", b"Bwd="),
        (b"Bwc=", b"Bwc"),
        (b"Bwc=", b"Bwc=="),
        (b"Bwc=", b"B_c="),
        (b'"size"', b' "size"'),
        (b"acct_", b"user_"),
        (b'="}', b'="}\n'),
    ],
)
def test_a_head_in_another_spelling_is_refused(part, instead):
    with pytest.raises(MalformedEntry):
        decode_head(HEAD.replace(part, instead))


@pytest.mark.parametrize(
    ("log", "size", "root"), [("", 1, b"\7" * 32), (LOG, 0, b"\7" * 32), (LOG, 2**63, b"\7" * 32), (LOG, 1, b"")]
)
def test_a_head_that_no_log_has_is_not_written(log, size, root):
    with pytest.raises(MalformedEntry):
        encode_head(log, size, root)
