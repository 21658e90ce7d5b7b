"""The bytes that are hashed: one event of a log, or one account's head in the global log, as JSON in one spelling only."""

import json
import re
from binascii import a2b_base64, b2a_base64
from typing import Any, Final, NamedTuple, NoReturn, Protocol

ENTRY_BYTES_MAX: Final = 65_535  # what the u16 length of a C2SP entry bundle can say
SIZE_MAX: Final = 2**63 - 1
NESTING_MAX: Final = 64  # objects and lists within each other in a body: where Python gives up depends on its version

_EVENT: Final = re.compile(
    r'\{"log":"(acct_[0-9A-Za-z]{1,64}(?:-test)?)","position":([1-9][0-9]{0,14}),"stream":"([0-9A-Za-z_.-]{0,128})",'
    r'"version":([1-9][0-9]{0,18}),"event_id":"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",'
    r'"type":"([A-Za-z][0-9A-Za-z]{0,63}\.v[1-9][0-9]{0,3})","data":(?=\{).*\}\}',
    re.DOTALL,
)
_HEAD: Final = re.compile(
    rb'\{"log":"(acct_[0-9A-Za-z]{1,64}(?:-test)?)","size":([1-9][0-9]{0,18}),"root":"([0-9A-Za-z+/]{43}=)"\}'
)


class MalformedEntry(ValueError):
    """Bytes that no log of DoneOTP holds, or values that no entry can. Says nothing of what a body holds."""


class Entry(NamedTuple):
    """One event of a log. `stream` is '' for the account's own; `body` is what was stored, `data` what it says."""

    log: str
    position: int
    stream: str
    version: int
    event_id: str
    type: str
    body: bytes
    data: dict[str, Any]


class Head(NamedTuple):
    """The tree of one log as it was at one seal: `root` is the 32 bytes of its Merkle tree hash."""

    log: str
    size: int
    root: bytes


class Identifier(Protocol):
    """What a `uuid.UUID` has of interest here."""

    @property
    def bytes(self) -> bytes: ...


def encode(  # noqa: PLR0917 - the columns of an event, in their order
    log: str, position: int, stream: str, version: int, event_id: Identifier | bytes, topic: str, body: bytes
) -> bytes:
    """The entry of an event, with the body as it was stored. The body is not read: `decode` is who refuses a bad one.

    `event_id` is 16 bytes, or what has them as `.bytes`. Raises MalformedEntry when the rest does not fit the format.
    """
    digits = (event_id if isinstance(event_id, bytes) else event_id.bytes).hex()
    written = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
    frame = (
        f'{{"log":"{log}","position":{position},"stream":"{stream}","version":{version},'
        f'"event_id":"{written}","type":"{topic}","data":'
    )
    if not _EVENT.fullmatch(frame + "{}}") or int(digits[:12], 16) != position or version > SIZE_MAX:
        raise MalformedEntry("these values are not those of an event")
    entry = b"%b%b}" % (frame.encode(), body)
    if len(entry) > ENTRY_BYTES_MAX:
        raise MalformedEntry(f"an entry has at most {ENTRY_BYTES_MAX} bytes, this one {len(entry)}")
    return entry


def is_at(entry: bytes, log: str, position: int) -> bool:
    """Whether what `encode` made is the event at this position of this log."""
    return entry.startswith(b'{"log":"%b","position":%d,' % (log.encode(), position))


def decode(entry: bytes) -> Entry:
    """The event of an entry; raises MalformedEntry unless these are the very bytes that `encode` gives for it.

    The body must be a JSON object in UTF-8 that reads in one way only: no name twice in an object, no lone surrogate,
    no NaN, no number beyond a float, and nothing nested more than 64 deep.
    """
    if len(entry) > ENTRY_BYTES_MAX:
        raise MalformedEntry(f"an entry has at most {ENTRY_BYTES_MAX} bytes, this one {len(entry)}")
    try:
        text = entry.decode()
        match = _EVENT.fullmatch(text)
        if match is None:
            raise MalformedEntry("not the entry of an event")
        log, position, stream, version, event_id, type_ = match.groups()
        begin = match.end(6) + len('","data":')  # all before the body is ASCII: characters are bytes
        data, end = _READ(text, begin)
        if end != len(text) - 1:
            raise MalformedEntry("the body of an entry is not one JSON object")
        if text.count("{") + text.count("[") > NESTING_MAX and _depth(data) > NESTING_MAX:
            raise MalformedEntry(f"the body of an entry is nested more than {NESTING_MAX} deep")
        if "\\" in text:
            json.dumps(data, ensure_ascii=False).encode()  # a lone surrogate can be written as an escape only
    except MalformedEntry:
        raise
    except (ValueError, RecursionError):
        raise MalformedEntry("not the entry of an event") from None
    place, turn = int(position), int(version)
    if int(event_id[:8] + event_id[9:13], 16) != place or turn > SIZE_MAX:
        raise MalformedEntry("the event id of an entry does not carry its position")
    return Entry(log, place, stream, turn, event_id, type_, entry[begin:-1], data)


def encode_head(log: str, size: int, root: bytes) -> bytes:
    """The entry that a sealed log has in the global log; raises MalformedEntry for a size or root that none can have."""
    entry = b'{"log":"%b","size":%d,"root":"%b"}' % (log.encode(), size, b2a_base64(root, newline=False))
    decode_head(entry)
    return entry


def decode_head(entry: bytes) -> Head:
    """The head of one log; raises MalformedEntry unless these are the very bytes that `encode_head` gives for it."""
    match = _HEAD.fullmatch(entry)
    if match is None:
        raise MalformedEntry("not the entry of a head")
    log, size, root = match[1].decode(), int(match[2]), a2b_base64(match[3])
    if size > SIZE_MAX or b2a_base64(root, newline=False) != match[3]:
        raise MalformedEntry("not the entry of a head")
    return Head(log, size, root)


def _depth(value: Any) -> int:
    """How many objects and lists are within each other."""
    depth, inner = 0, [value]
    while inner := [one for one in inner if isinstance(one, dict | list)]:
        depth += 1
        inner = [deeper for one in inner for deeper in (one.values() if isinstance(one, dict) else one)]
    return depth


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


def _float(digits: str) -> float:
    number = float(digits)
    if number - number != 0:
        raise ValueError("a number beyond a float")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_READ: Final = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_constant).raw_decode
