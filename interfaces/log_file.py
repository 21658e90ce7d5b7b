"""A log file that only its owner reads, of a bounded size, which all processes of a server may write to at once.

A line that cannot be written is lost: logging never stops the server.
"""

import contextlib
import fcntl
import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Final

FILE_BYTES_MAX: Final = 10 * 1024 * 1024
FILES_MAX: Final = 5


class LogFile:
    """`path` and, older from number to number, `path.1` to `path.4`. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path, *, bytes_max: int = FILE_BYTES_MAX) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._bytes_max = bytes_max
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        with self._lock:
            self._open()

    def write(self, line: bytes) -> None:
        """Append a line, which ends with a newline: in one call, so that those of other processes do not tear it."""
        with self._lock, contextlib.suppress(OSError):
            if self._descriptor is None or not self._is_current(self._descriptor):
                self._open()
            assert self._descriptor is not None, "just opened"
            if os.fstat(self._descriptor).st_size + len(line) > self._bytes_max:
                self._turn(self._descriptor)
                self._open()
            os.write(self._descriptor, line)

    def close(self) -> None:
        """Until the next line."""
        with self._lock:
            self._close()

    def _open(self) -> None:
        self._close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        os.fchmod(self._descriptor, 0o600)

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file is still at its path: another process may have turned to a new one."""
        try:
            return os.path.samestat(self._path.lstat(), os.fstat(descriptor))
        except FileNotFoundError:
            return False

    def _turn(self, descriptor: int) -> None:
        """Make place for a new file. Whoever comes second finds that it has been done."""
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            if self._is_current(descriptor):
                names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, FILES_MAX))]
                for newer, older in reversed(list(pairwise(names))):
                    with contextlib.suppress(FileNotFoundError):
                        newer.replace(older)
        finally:
            os.close(directory)
