"""What must not be in any file of the source: where packages come from is for each machine to say."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REGISTRIES = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|crates|proxy\.golang|repo1?\.maven(?:\.apache)?|deb\.debian|maven)\.(?:org|com|io|net)\b"
)


def committed() -> list[Path]:
    """All files that are in the source or could be by the next commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT, timeout=60).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def lines_with(pattern: re.Pattern[str], text: str) -> list[str]:
    return [line for line in text.splitlines() if pattern.search(line)]


def found_in_source(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    found = {str(path.relative_to(ROOT)): lines_with(pattern, path.read_text(errors="replace")) for path in committed()}
    return {path: lines for path, lines in found.items() if lines}


def test_no_file_names_a_package_registry() -> None:
    assert found_in_source(REGISTRIES) == {}


def test_a_registry_would_be_found() -> None:
    hosts = [
        f"https://{name}/simple" for name in ("pypi." + "org", "files.pythonhosted." + "org", "registry.npmjs." + "org")
    ]
    assert lines_with(REGISTRIES, "\n".join([*hosts, "the Go proxy, npm and the wheel index"])) == hosts
