"""What an audit finds: a stable name for programs, the place, and a sentence for people."""

from collections.abc import Callable
from typing import Final, NamedTuple

FINDINGS_MAX: Final = 1_000
Report = Callable[["Finding"], None]
"""Takes what was found."""


class Finding(NamedTuple):
    """One thing that is wrong. `log` is empty for the global log, `position` 0 and `file` empty where they do not apply."""

    name: str
    sentence: str
    log: str = ""
    position: int = 0
    file: str = ""

    @property
    def where(self) -> str:
        """The place in words."""
        at = f"{self.log} at {self.position}" if self.log and self.position else self.log
        return ", ".join(part for part in (at, self.file) if part) or "bundle"

    def document(self) -> dict[str, object]:
        """For `--json`."""
        return {"name": self.name, "where": self.where, "sentence": self.sentence} | {
            name: value
            for name, value in (("log", self.log), ("position", self.position), ("file", self.file))
            if value
        }


class Found(Exception):
    """A finding that ends what was being done."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.sentence)
        self.finding = finding


class Findings:
    """What was found: of one name in one log the first place only, at most `FINDINGS_MAX` in all."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], Finding] = {}

    def add(self, finding: Finding) -> None:
        """Keep it, unless the like was found at an earlier place."""
        kind = (finding.name, finding.log, "" if finding.position else finding.file)
        known = self._found.get(kind)
        is_new = known is None and len(self._found) < FINDINGS_MAX
        if is_new or (known is not None and finding.position < known.position):
            self._found[kind] = finding

    @property
    def all(self) -> list[Finding]:
        """In the order in which their kinds were found."""
        return list(self._found.values())
