"""Reads a bundle directory that anybody may have made: plain files of expected names and bounded size, nothing else.

Paths are built from names that were checked before; a link is never followed. Every refusal is a Finding.
"""

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from projections.audit.findings import Finding, Found
from projections.transparency import tiles

LOG_NAME: Final = re.compile(r"acct_[0-9A-Za-z]{1,64}(?:-test)?", re.ASCII)
NOTE_BYTES_MAX: Final = 1 << 20
TILE_BYTES_MAX: Final = 256 * 32
ENTRIES_BYTES_MAX: Final = 256 * (2 + 65_535)
DOCUMENT_BYTES_MAX: Final = 1 << 20
_FLAGS: Final = os.O_RDONLY | sum(
    getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")
)
"""Not every system has all of these."""
DEPTH_MAX: Final = 12
"""Directories below each other: the deepest tile of a tree of 2^63 needs no more."""


class Bundle:
    """One bundle. Paths are relative to its root, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._directories: dict[str, bool] = {"": True}

    def read(self, path: str, *, bytes_max: int) -> bytes:
        """The file's bytes; raises Found when it is missing, not a plain file or too big."""
        if not self._has_directory(path.rpartition("/")[0]):
            raise Found(Finding("missing-file", f"There is no {path}.", file=path))
        try:
            handle = os.open(self.root / path, _FLAGS)
        except FileNotFoundError:
            raise Found(Finding("missing-file", f"There is no {path}.", file=path)) from None
        except (OSError, ValueError):
            raise Found(not_plain(path)) from None
        try:
            about = os.fstat(handle)
            if not stat.S_ISREG(about.st_mode):
                raise Found(not_plain(path))
            if about.st_size > bytes_max:
                raise Found(Finding("file-too-big", f"{path} has more than {bytes_max} bytes.", file=path))
            with os.fdopen(os.dup(handle), "rb") as file:
                return file.read(bytes_max)
        except OSError:
            raise Found(Finding("unreadable-file", f"{path} cannot be read.", file=path)) from None
        finally:
            os.close(handle)

    def has(self, path: str) -> bool:
        """Whether something of that name is there."""
        return os.path.lexists(self.root / path)

    def logs(self) -> list[str]:
        """The names below `accounts/` that are names of logs, sorted; whatever else is there, `walk` meets."""
        if not self._has_directory("accounts"):
            return []
        with os.scandir(self.root / "accounts") as found:
            return sorted(one.name for one in found if LOG_NAME.fullmatch(one.name))

    def walk(self, path: str = "", depth: int = 0) -> Iterator[str | Finding]:
        """Every plain file's path; a Finding for every link, socket, device, and directory that leads too deep."""
        if depth > DEPTH_MAX:
            yield unexpected(path)
            return
        try:
            with os.scandir(self.root / path) as found:
                inside = sorted(found, key=lambda one: one.name)
        except OSError:
            yield Finding("unreadable-file", f"{printable(path)} cannot be read.", file=printable(path))
            return
        for one in inside:
            name = f"{path}/{one.name}" if path else one.name
            if one.is_dir(follow_symlinks=False):
                yield from self.walk(name, depth + 1)
            elif one.is_file(follow_symlinks=False):
                yield name
            else:
                yield not_plain(name)

    def _has_directory(self, path: str) -> bool:
        """Whether this is a directory all the way down, with no link on the way."""
        if path not in self._directories:
            above = path.rpartition("/")[0]
            try:
                plain = stat.S_ISDIR(os.lstat(self.root / path).st_mode)
            except (OSError, ValueError):
                plain = False
            self._directories[path] = plain and self._has_directory(above)
        return self._directories[path]


class TreeFiles:
    """The files of one tree: the global log's at the bundle's root, an account's below `accounts/`."""

    def __init__(self, bundle: Bundle, log: str) -> None:
        self.bundle = bundle
        self.log = log
        self.prefix = f"accounts/{log}/" if log else ""

    def entries(self, index: int, width: int) -> list[bytes]:
        """The entries of one bundle of entries; raises Found unless there are exactly `width`."""
        path = self.prefix + tiles.entries_path(index, width)
        raw = self.bundle.read(path, bytes_max=ENTRIES_BYTES_MAX)
        try:
            found = tiles.decode_bundle(raw)
        except tiles.MalformedBundle:
            raise Found(Finding("entries-malformed", f"{path} is no bundle of entries.", self.log, 0, path)) from None
        if len(found) != width:
            sentence = f"{path} has {len(found)} entries instead of {width}."
            raise Found(Finding("wrong-width", sentence, self.log, 0, path))
        return found

    def tile(self, level: int, index: int, width: int) -> bytes:
        """The hashes of one tile; raises Found unless there are exactly `width`."""
        path = self.prefix + tiles.tile_path(level, index, width)
        found = self.bundle.read(path, bytes_max=TILE_BYTES_MAX)
        if len(found) != 32 * width:
            sentence = f"{path} has {len(found)} bytes instead of {32 * width}."
            raise Found(Finding("wrong-width", sentence, self.log, 0, path))
        return found


def unexpected(path: str) -> Finding:
    """A file that has no place in a bundle of this size."""
    name = printable(path)
    return Finding("unexpected-file", f"{name} does not belong in this bundle.", file=name)


def not_plain(path: str) -> Finding:
    """A link, a socket, a device."""
    name = printable(path)
    return Finding("not-a-plain-file", f"{name} is not a plain file.", file=name)


def printable(path: str) -> str:
    """A name from a stranger's disk, safe to print."""
    return path.encode("ascii", "backslashreplace").decode() if path.isprintable() else ascii(path)[1:-1]
