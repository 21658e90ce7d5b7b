"""Processes that an earlier server left in a data directory: they end before a new one begins. Linux alone can tell them.

Who calls this holds the lock of the home, so none of them is anybody's server.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_LOCK_FILES: Final = ("postmaster.pid", ".s.PGSQL.5432.lock")
_PATIENCE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.05


def end(data: Path, *, report: Callable[[str], None]) -> None:
    """Return when nothing of an earlier server runs: a server shuts down fast, processes without one are cut off."""
    begun = time.monotonic()
    if running(data):
        report("waiting for an earlier Postgres to stop")
    while left := running(data):
        server = _server(data)
        if server in left and time.monotonic() - begun < _PATIENCE_SECONDS:
            _signal([server], signal.SIGINT)
        else:
            _signal(left, signal.SIGQUIT)
        time.sleep(_POLL_SECONDS)
    # Their number may be somebody else's by now, or a zombie's, and Postgres would take that for a server.
    for name in _LOCK_FILES:
        (data / name).unlink(missing_ok=True)


def running(data: Path) -> list[int]:
    """Processes of Postgres whose working directory this is: a number in a file alone may be somebody else's by now."""
    wanted = data.stat()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):  # gone, or a zombie
                is_ours = (entry / "comm").read_text() == "postgres\n"
                if is_ours and os.path.samestat((entry / "cwd").stat(), wanted):
                    found.append(int(entry.name))
    return found


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _server(data: Path) -> int:
    """The process that the pid file names; 0 when there is none."""
    try:
        return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return 0
