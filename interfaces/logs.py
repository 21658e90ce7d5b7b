"""Logs: JSON lines through one door, which lets out nothing but the fields in `log_shapes`, whoever logs.

What libraries log, and what nobody caught, comes through the same door: by its place and type, never by its words.
"""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

from interfaces.log_file import LogFile
from interfaces.log_shapes import shaped_line

REPEATS_MAX: Final = 20
REPEATS_WINDOW_SECONDS: Final = 10.0
"""What fails for every request, or as long as the database is away, is written so many times a window; the rest is counted."""
_COMPLAINTS_MAX: Final = 1_000
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_HEAD: Final = frozenset({"ts", "level", "event"})


class _Door:
    """Where lines leave: the file, and standard error from warnings on."""

    def __init__(self) -> None:
        self.threshold = _LEVELS["info"]
        self.file: LogFile | None = None

    def write(self, level: str, fields: dict[str, Any]) -> None:
        """One line, of fields that have been through `shaped_line`."""
        if self.file is not None:
            self.file.write(msgspec.json.encode(fields) + b"\n")
        if _LEVELS[level] >= _LEVELS["warning"]:
            rest = " ".join(f"{name}={_human(value)}" for name, value in fields.items() if name not in _HEAD)
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there at all
                sys.stderr.write(f"{fields['ts']} {level} {fields['event']} {rest}".rstrip() + "\n")

    # structlog calls the method that the caller called.
    debug = info = warning = error = critical = write


class _Repeats:
    """Lets the same complaint through so many times a window, and counts the rest."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._window_ends = 0.0
        self._times: dict[object, int] = {}

    def admits(self, complaint: object) -> tuple[bool, int]:
        """Whether to write it, and how many of any kind the last window swallowed."""
        now, swallowed = time.monotonic(), 0
        with self._lock:
            if now >= self._window_ends or len(self._times) >= _COMPLAINTS_MAX:
                swallowed = sum(max(0, times - REPEATS_MAX) for times in self._times.values())
                self._times.clear()
                self._window_ends = now + REPEATS_WINDOW_SECONDS
            self._times[complaint] = self._times.get(complaint, 0) + 1
            return self._times[complaint] <= REPEATS_MAX, swallowed


class _Library(logging.Handler):
    """The handler of the root logger: what a library says becomes where, how bad, and which exception."""

    def emit(self, record: logging.LogRecord) -> None:
        """Never reads the message nor its arguments."""
        fields = {"event": "library", "logger": record.name, "place": f"{record.filename}:{record.lineno}"}
        error = record.exc_info[1] if record.exc_info else None
        _complain(_level_name(record.levelno), {**fields, "error": error}, kind=(record.pathname, record.lineno))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name logging gives it
        """Nothing: what logging would do is print the record."""


_DOOR: Final = _Door()
_REPEATS: Final = _Repeats()
_LIBRARY: Final = _Library(logging.WARNING)
_UNDO: Final = contextlib.ExitStack()


def _complain(level: str, given: Mapping[str, Any], *, kind: object) -> None:
    is_written, swallowed = _REPEATS.admits(kind)
    if swallowed:
        _write("warning", {"event": "repeats_swallowed", "count": swallowed})
    if is_written:
        _write(level, given)


def _write(level: str, given: Mapping[str, Any]) -> None:
    if _LEVELS[level] >= _DOOR.threshold:
        _DOOR.write(level, shaped_line(level, given))


def _let_out(_logger: object, level: str, given: EventDict) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The one structlog processor: what comes out of it is what is written."""
    level = level if level in _LEVELS else "info"
    if _LEVELS[level] < _DOOR.threshold:
        raise structlog.DropEvent
    return (level, shaped_line(level, given)), {}


def _human(value: object) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _level_name(number: int) -> str:
    return next((name for name, least in reversed(_LEVELS.items()) if number >= least), "debug")


log: Final = cast(
    "FilteringBoundLogger",
    structlog.wrap_logger(
        _DOOR, processors=[_let_out], wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG)
    ),
)
"""`log.info("event_in_words", field=value)`; an exception goes in as `error=`. Safe before `configure`, too."""


def failure(part: str, error: BaseException, **fields: Any) -> None:
    """Something that should not happen, in a part of the server that goes on. What happens all the time is counted."""
    _complain("error", {"event": "failure", "part": part, "error": error, **fields}, kind=(part, type(error)))


def configure(path: Path | None, level: str = "info") -> None:
    """Send everything that is logged in this process through the door: to `path` and, from warnings on, to stderr.

    Raises OSError when the file cannot be opened and ValueError on an unknown level. Frameworks must be kept from
    configuring logging of their own.
    """
    if level not in _LEVELS:
        raise ValueError(f"level must be one of {', '.join(_LEVELS)}")
    close()
    if path is not None:
        _DOOR.file = LogFile(path)
    _DOOR.threshold = _LEVELS[level]
    structlog.configure(processors=[_let_out], logger_factory=lambda *_: _DOOR, cache_logger_on_first_use=False)
    _UNDO.callback(structlog.reset_defaults)
    _route_libraries()
    for module, name, hook in (
        (sys, "excepthook", lambda _type, error, _trace: _uncaught("process", error)),
        (threading, "excepthook", lambda given: _uncaught("thread", given.exc_value)),
        (sys, "unraisablehook", lambda given: _uncaught("finalizer", given.exc_value)),
    ):
        _UNDO.callback(setattr, module, name, getattr(module, name))
        setattr(module, name, hook)


def close() -> None:
    """Close the file and leave standard error; the root logger and the hooks are as they were before `configure`."""
    _UNDO.close()
    if _DOOR.file is not None:
        _DOOR.file.close()
        _DOOR.file = None
    _DOOR.threshold = _LEVELS["info"]


def _route_libraries() -> None:
    root = logging.getLogger()
    _UNDO.callback(root.setLevel, root.level)
    _UNDO.callback(setattr, root, "handlers", root.handlers)
    root.handlers = [_LIBRARY]
    root.setLevel(logging.WARNING)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
    logging.captureWarnings(True)  # noqa: FBT003
    _UNDO.callback(logging.captureWarnings, False)  # noqa: FBT003


def _uncaught(part: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        failure(part, error)
