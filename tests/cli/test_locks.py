"""The two lock files against pyproject.toml and against each other."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DECLARED = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-dev.lock": PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"],
}


def entries(lock: str) -> dict[str, str]:
    """Name to the whole entry: the pinned requirement and its hashes."""
    found = re.split(r"^(?=[a-z0-9])", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return {canonicalize_name(Requirement(entry.split("\\")[0]).name): entry for entry in found if entry.strip()}


def pins(lock: str) -> dict[str, str]:
    return {name: entry.split("\\")[0].strip() for name, entry in entries(lock).items()}


@pytest.mark.parametrize("lock", DECLARED)
def test_every_dependency_is_locked_at_a_version_that_pyproject_allows(lock: str) -> None:
    locked = {name: Requirement(pin) for name, pin in pins(lock).items()}
    disagreeing = []
    for text in DECLARED[lock]:
        declared = Requirement(text)
        pinned = locked.get(canonicalize_name(declared.name))
        agreed = (
            pinned is not None
            and str(pinned.marker) == str(declared.marker)
            and declared.specifier.contains(next(iter(pinned.specifier)).version)
        )
        if not agreed:
            disagreeing.append(text)
    assert disagreeing == []


@pytest.mark.parametrize("lock", DECLARED)
def test_every_locked_package_has_one_exact_version_and_hashes(lock: str) -> None:
    loose = [
        name for name, pin in pins(lock).items() if [part.operator for part in Requirement(pin).specifier] != ["=="]
    ]
    without_hash = [
        name for name, entry in entries(lock).items() if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry)
    ]
    assert (loose, without_hash) == ([], [])


def test_the_development_lock_holds_all_of_the_other_with_the_same_versions_and_hashes() -> None:
    def substance(lock: str) -> dict[str, tuple[str, list[str]]]:
        return {name: (entry.split("\\")[0], re.findall(r"sha256:\w+", entry)) for name, entry in entries(lock).items()}

    smaller, larger = substance("requirements.lock"), substance("requirements-dev.lock")
    assert {name: larger.get(name) for name in smaller} == smaller
