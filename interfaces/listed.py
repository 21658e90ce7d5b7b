"""Lists as people are shown them: plain where the entry is plain, masked where only a keyed hash is kept."""

from typing import NamedTuple

from domain.lists import Buckets, Lists


class Entry(NamedTuple):
    """One of a list. `value` takes it off again, and is empty where nobody but who typed it knows it."""

    kind: str
    text: str
    value: str


def entries(buckets: Buckets) -> list[Entry]:
    """All of one side, by kind."""
    found: list[Entry] = []
    for bucket, held in sorted(buckets.items()):
        kind, _, length = bucket.partition("/")
        found += sorted(_entry("ip" if length else kind, length, text) for text in held.values())
    return found


def shown(lists: Lists) -> dict[str, dict[str, list[str]]]:
    """What is on the lists, by kind, as it may be shown."""
    return {"allowed": _by_kind(lists.allowed), "blocked": _by_kind(lists.blocked)}


def _by_kind(buckets: Buckets) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in entries(buckets):
        found.setdefault(entry.kind, []).append(entry.text)
    return found


def _entry(kind: str, length: str, text: str) -> Entry:
    if kind == "ip" and not text.endswith(f"/{length}"):
        return Entry(kind, f"{text} (one /{length} in it)", "")
    return Entry(kind, text, "" if kind == "number" else text)
