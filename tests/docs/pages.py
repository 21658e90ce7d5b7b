"""The documents as data: their fenced blocks, tables, links, and the tests and files that they name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
TOP = tuple(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"))
PAGES = (*TOP, *sorted((ROOT / "docs").rglob("*.md")))
README, OPERATIONS, AUDITORS = ROOT / "README.md", ROOT / "docs" / "operations.md", ROOT / "docs" / "auditors.md"
BILLING = ROOT / "docs" / "billing.md"
WEBHOOKS = ROOT / "docs" / "webhooks.md"
TESTING = ROOT / "docs" / "testing.md"
MESSAGES = ROOT / "docs" / "messages.md"
_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
_TEST = re.compile(r"`(tests/[\w/]+\.py(?:::\w+)?)`")
_FILE = re.compile(
    r"`((?:application|bootstrap|docs|domain|interfaces|projections|tests|\.ci)/(?:[\w./-]*[./][\w-]*)?)`"
)


class Block(NamedTuple):
    """A fenced block; `info` is what stands after its fence."""

    page: str
    line: int
    info: str
    text: str


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(name(page), text.count("\n", 0, found.start()) + 1, found["info"], found["text"])
        for found in _FENCE.finditer(text)
    ]


def prose(text: str) -> str:
    """A document without its fenced blocks."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links(text: str) -> list[str]:
    return _LINK.findall(prose(text))


def named_tests(text: str) -> list[str]:
    return _TEST.findall(text)


def named_files(text: str) -> list[str]:
    return _FILE.findall(text)


def rows(page: Path, section: str) -> Iterator[list[str]]:
    """The cells of the first table below a heading, its head and rule left out."""
    below = page.read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]
