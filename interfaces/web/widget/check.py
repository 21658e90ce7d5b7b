"""What has to hold for the widget's files: sizes, languages, country table, and types where tsc is at hand."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from interfaces.web.widget import countries

FOLDER: Final = Path(__file__).parent
SCRIPT_BYTES_MAX: Final = 12_288
CHALLENGE_BYTES_MAX: Final = 2_048
LANGUAGE_BYTES_MAX: Final = 1_023
_ENGLISH: Final = re.compile(r"^const ENGLISH = \{\n(.*?)^\};$", re.MULTILINE | re.DOTALL)
_SENTENCE: Final = re.compile(r'^  (\w+): "(.*)",$', re.MULTILINE)
_FIGURE: Final = re.compile(r"\{\w\}")
_TYPES: Final = ("--checkJs", "--allowJs", "--strict", "--noImplicitAny", "false", "--noEmit", "--target", "es2022")
_MODULE: Final = ("--module", "esnext", "--moduleDetection", "legacy")


def packed(path: Path) -> int:
    """Bytes of a file as gzip, as it is served."""
    return len(gzip.compress(path.read_bytes(), 9, mtime=0))


def faults() -> Iterator[str]:
    """A sentence for everything that does not hold."""
    script = countries.WIDGET.read_text()
    size = packed(countries.WIDGET)
    if size > SCRIPT_BYTES_MAX:
        yield f"widget.js has {size} bytes as gzip, {size - SCRIPT_BYTES_MAX} too many"
    size = packed(FOLDER / "challenge.js")
    if size > CHALLENGE_BYTES_MAX:
        yield f"challenge.js has {size} bytes as gzip, {size - CHALLENGE_BYTES_MAX} too many"
    if countries.renewed(script) != script:
        yield "the country table is not that of libphonenumber: run interfaces/web/widget/countries.py"
    block = _ENGLISH.search(script)
    assert block is not None, "the English sentences are there"
    english = [sentence for _, sentence in _SENTENCE.findall(block[1])]
    spoken = set(re.findall("[a-z]{2}", re.findall(r'^const LANGUAGES = "([a-z ]*)"', script, re.MULTILINE)[0])) - {
        "en"
    }
    if {path.stem for path in FOLDER.glob("??.json")} != spoken:
        yield "the languages of widget.js are not those of the files"
    for path in sorted(FOLDER.glob("??.json")):
        sentences = json.loads(path.read_text())
        if packed(path) > LANGUAGE_BYTES_MAX:
            yield f"{path.name} has {packed(path)} bytes as gzip"
        if [sorted(_FIGURE.findall(one)) for one in sentences] != [sorted(_FIGURE.findall(one)) for one in english]:
            yield f"{path.name} has not the sentences of the English, or not their figures"


def type_faults() -> str:
    """What tsc says against the JSDoc types."""
    tsc = shutil.which("tsc")
    if tsc is None:
        print("skipped: types of widget.js, there is no tsc: npm install --global typescript@5.9.3")  # noqa: T201
        return ""
    files = [str(FOLDER / name) for name in ("widget.js", "widget.d.ts", "challenge.js")]
    done = subprocess.run([tsc, *_TYPES, *_MODULE, *files], check=False, capture_output=True, text=True)  # noqa: S603 - ours
    return done.stdout if done.returncode else ""


if __name__ == "__main__":
    found = [*faults(), *filter(None, [type_faults()])]
    print("\n".join(found))  # noqa: T201
    sys.exit(1 if found else 0)
