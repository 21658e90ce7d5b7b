"""What the documents name is there, and what they must not say is not."""

import ast
import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, links, name, named_files, named_tests

ELSEWHERE = ("http://", "https://", "mailto:")
STRAY = re.compile(
    r"(?<![\w.~/-])/(?:home|mnt|private|root|tmp|Users|work)/\w"  # a path of somebody's machine
    r"|\b(?:TO" + r"DO|FIX" + r"ME|TBD)\b"
    r"|\b(?:issue|ticket|PR) ?#?\d+\b|(?<![\w&/])#\d+\b",
)


def functions_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def is_there(test: str) -> bool:
    """Whether a test id such as `tests/a/test_b.py::test_c`, or a test file, exists."""
    file, _, function = test.partition("::")
    path = ROOT / file
    return path.is_file() and (not function or function in functions_in(path))


def broken(links_of_page: list[str], *, page: Path) -> list[str]:
    lost = []
    for link in links_of_page:
        path, _, anchor = link.partition("#")
        target = page if not path else page.parent / path
        if not target.exists() or (anchor and anchor not in anchors(target.read_text())):
            lost.append(link)
    return lost


def stray_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if STRAY.search(line)]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_test_that_is_named_exists(page: Path) -> None:
    assert [test for test in named_tests(page.read_text()) if not is_there(test)] == []


def test_a_test_that_does_not_exist_is_noticed() -> None:
    here = f"tests/docs/{Path(__file__).name}"
    text = f"`{here}::test_a_test_that_does_not_exist_is_noticed`, `{here}::test_nothing`, `tests/docs/test_none.py`"
    assert [test for test in named_tests(text) if not is_there(test)] == [
        f"{here}::test_nothing",
        "tests/docs/test_none.py",
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_file_that_is_named_exists(page: Path) -> None:
    assert [file for file in named_files(page.read_text()) if not (ROOT / file).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere_in_the_source(page: Path) -> None:
    inside = [link for link in links(page.read_text()) if not link.startswith(ELSEWHERE)]
    assert broken(inside, page=page) == []


def test_a_link_that_leads_nowhere_is_noticed() -> None:
    given = ["CHANGELOG.md", "docs/glossary.md#log", "docs/glossary.md#nothing", "docs/none.md", "#guarantees", "#none"]
    assert broken(given, page=ROOT / "README.md") == ["docs/glossary.md#nothing", "docs/none.md", "#none"]


def test_every_document_can_be_reached_from_the_first() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        inside = [link.partition("#")[0] for link in links(page.read_text()) if not link.startswith(ELSEWHERE)]
        waiting.extend((page.parent / link).resolve() for link in inside if link)
    assert [name(page) for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_document_speaks_of_the_project_alone(page: Path) -> None:
    assert stray_lines(page.read_text()) == []


def test_what_is_not_of_the_project_would_be_found() -> None:
    strays = ["see /" + "home/ann/notes", "TO" + "DO: more", "as in #" + "12", "issue 7"]
    fine = ["`/healthz` and `/v1/test/clock/advance`", "[key](#key)", "`~/.local/share/doneotp`", "&#39;"]
    assert stray_lines("\n".join([*strays, *fine])) == strays


def test_decisions_are_numbered_without_a_gap_and_one_page_long() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(path.name[:4]) for path in decisions]
    titles = [path.read_text().splitlines()[0].partition(".")[0] for path in decisions]
    assert numbers == list(range(1, len(decisions) + 1))
    assert titles == [f"# {number}" for number in numbers]
    assert [name(path) for path in decisions if len(path.read_text().splitlines()) > 60] == []
    parts = ("**What hurt.**", "**What we chose.**", "**What it costs.**")
    assert [name(path) for path in decisions if any(part not in path.read_text() for part in parts)] == []
