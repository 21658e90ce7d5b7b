"""Logs: JSON lines through one door, which lets out nothing but named fields of a known shape.

Trusted is the table of shapes and nobody who calls: a message text, an exception's words, a number, code, key, token or
address has no shape in it and is not written, whoever logs it. What libraries log comes through the same door.
"""

import contextlib
import errno
import logging
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Final, cast

import msgspec
import structlog
from structlog.typing import EventDict, FilteringBoundLogger

FILE_BYTES_MAX: Final = 10 * 1024 * 1024
FILES_MAX: Final = 5
FRAMES_MAX: Final = 8
LIBRARY_LINES_MAX: Final = 20
LIBRARY_WINDOW_SECONDS: Final = 10.0
"""A library that says the same thing for every request of an attacker gets so many lines a window; the rest are counted."""
_CAUSES_MAX: Final = 10
_PLACES_MAX: Final = 1_000
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_ROOT: Final = Path(__file__).resolve().parents[1]
_WORDS: Final = r"[a-z]{1,20}(?:_[a-z]{1,20}){0,7}"
_REASON_PART: Final = r"(?:[a-z]{1,20}|[1-5](?:xx|[0-9]{2}))"
_OUR_FRAME: Final = re.compile(r"(?:application|domain|interfaces|projections)(?:/[a-z_]{1,40}){1,4}\.py:[0-9]{1,5}")


def _text(pattern: str) -> Callable[[Any], str | None]:
    matches = re.compile(pattern).fullmatch
    return lambda value: value if type(value) is str and matches(value) else None


def _whole(most: int, *, least: int = 0) -> Callable[[Any], int | None]:
    return lambda value: value if type(value) is int and least <= value <= most else None


def _measure(most: float) -> Callable[[Any], float | None]:
    return lambda value: round(float(value), 1) if type(value) in (int, float) and 0 <= value <= most else None


def _frames(value: Any) -> list[str] | None:
    is_ours = type(value) is list and all(type(frame) is str and _OUR_FRAME.fullmatch(frame) for frame in value)
    return value[-FRAMES_MAX:] if is_ours else None


SHAPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "event": _text(_WORDS),
    "request_id": _text(r"req_[0-9a-z_.-]{1,48}"),
    "route": _text(r"other|(?:/(?:v1|[a-z._-]{1,32}|\{[a-z_]{1,32}(?::[a-z]{1,8})?\})){1,8}|/"),
    "status": _whole(599, least=100),
    "code": _text(_WORDS),
    "duration_ms": _measure(99_999.0),
    "error_type": _text(r"[A-Za-z_]{2,48}"),
    "cause_type": _text(r"[A-Za-z_]{2,48}"),
    "errno": _text(r"E[A-Z0-9]{1,15}"),
    "frames": _frames,
    "log": _text(r"acct_[a-z2-7]{16}(?:-test)?"),
    "position": _whole(999_999_999),
    "part": _text(_WORDS),
    "worker": _whole(999),
    "workers": _whole(999),
    "pid": _whole(2**22),
    "port": _whole(65_535),
    "provider": _text(r"[a-z]{2,20}"),
    "reason": _text(rf"{_REASON_PART}(?:_{_REASON_PART}){{0,7}}"),
    "count": _whole(999_999_999),
    "seconds": _measure(99_999.0),
    "signal": _text(r"SIG[A-Z]{2,8}"),
    "version": _text(r"[0-9]{1,3}(?:\.[0-9]{1,3}){1,2}"),
    "migration": _text(r"[0-9]{4}_[a-z_]{1,60}"),
    "logger": _text(r"[a-z_]{1,32}(?:\.[a-z_]{1,32}){0,5}"),
    "place": _text(r"[a-z_]{1,40}[0-9]{0,2}[a-z_]{0,40}\.py:[0-9]{1,5}"),
}
"""Every field that can be in a line, beside `ts`, `level` and `dropped_fields`. A value of another shape is dropped."""


class _PrivateFile(RotatingFileHandler):
    """A file that only its owner reads. A line that cannot be written is lost: logging never stops the server."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_MAX - 1, encoding="utf-8")

    def _open(self) -> TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self.baseFilename, flags, 0o600)
        os.fchmod(descriptor, 0o600)
        return os.fdopen(descriptor, "a", encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name logging gives it
        """Nothing: what logging would do is print the record."""


class _Door:
    """Where lines leave: the file, and standard error from warnings on."""

    def __init__(self) -> None:
        self.threshold = _LEVELS["info"]
        self.file: _PrivateFile | None = None

    def write(self, level: str, fields: dict[str, Any]) -> None:
        """One line, of fields that have been through `_shaped`."""
        if self.file is not None:
            self.file.handle(logging.makeLogRecord({"msg": msgspec.json.encode(fields).decode()}))
        if _LEVELS[level] >= _LEVELS["warning"]:
            rest = " ".join(f"{name}={_human(value)}" for name, value in fields.items() if name not in _HEAD)
            with contextlib.suppress(OSError, ValueError, AttributeError):  # closed, or not there at all
                sys.stderr.write(f"{fields['ts']} {level} {fields['event']} {rest}".rstrip() + "\n")

    # structlog calls the method that the caller called.
    debug = info = warning = error = critical = write


class _Library(logging.Handler):
    """The handler of the root logger: what a library says becomes where, how bad, and which exception."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._window_ends = 0.0
        self._lines: dict[tuple[str, int], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Never reads the message nor its arguments."""
        now = time.monotonic()
        if now >= self._window_ends or len(self._lines) >= _PLACES_MAX:
            suppressed = sum(max(0, count - LIBRARY_LINES_MAX) for count in self._lines.values())
            self._lines.clear()
            self._window_ends = now + LIBRARY_WINDOW_SECONDS
            if suppressed:
                _emit("warning", {"event": "library_lines_suppressed", "count": suppressed})
        place = record.pathname, record.lineno
        self._lines[place] = self._lines.get(place, 0) + 1
        if self._lines[place] > LIBRARY_LINES_MAX:
            return
        fields = {"event": "library", "logger": record.name, "place": f"{record.filename}:{record.lineno}"}
        _emit(_level_name(record.levelno), {**fields, "error": record.exc_info[1] if record.exc_info else None})

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name logging gives it
        """Nothing: what logging would do is print the record."""


_HEAD: Final = frozenset({"ts", "level", "event"})
_DOOR: Final = _Door()
_LIBRARY: Final = _Library()
_BEFORE: Final[list[tuple[list[logging.Handler], int]]] = []


def _shaped(level: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The line that may be written of what was given."""
    fields: dict[str, Any] = {
        "ts": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": level,
        "event": "unnamed",
    }
    dropped = 0
    for name, value in _unfolded(given):
        shape = SHAPES.get(name)
        shaped = None if shape is None else shape(value)
        if shaped is not None:
            fields[name] = shaped
        elif value is not None:
            dropped += 1
    if dropped:
        fields["dropped_fields"] = dropped
    return fields


def _unfolded(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields, with an exception as its type, its first cause's type, its errno and the frames in our own code."""
    for name, value in given.items():
        if name not in ("error", "exc_info"):
            yield name, value
            continue
        error = sys.exc_info()[1] if value is True else value[1] if isinstance(value, tuple) else value
        if not isinstance(error, BaseException):
            yield name, value or None
            continue
        first = _first_cause(error)
        yield "error_type", type(error).__name__
        yield "cause_type", None if first is error else type(first).__name__
        yield "errno", errno.errorcode.get(getattr(first, "errno", None) or 0)
        yield "frames", _our_frames(error.__traceback__) or None


def _first_cause(error: BaseException) -> BaseException:
    for _ in range(_CAUSES_MAX):
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None:
            break
        error = cause
    return error


def _our_frames(trace: TracebackType | None) -> list[str]:
    frames = []
    for frame, line in traceback.walk_tb(trace):
        path = frame.f_code.co_filename
        if path.startswith(f"{_ROOT}/"):
            place = f"{path[len(str(_ROOT)) + 1 :]}:{line}"
            if _OUR_FRAME.fullmatch(place):
                frames.append(place)
    return frames[-FRAMES_MAX:]


def _emit(level: str, given: Mapping[str, Any]) -> None:
    if _LEVELS[level] >= _DOOR.threshold:
        _DOOR.write(level, _shaped(level, given))


def _let_out(_logger: object, level: str, given: EventDict) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The one structlog processor: what comes out of it is what is written."""
    level = level if level in _LEVELS else "info"
    if _LEVELS[level] < _DOOR.threshold:
        raise structlog.DropEvent
    return (level, _shaped(level, given)), {}


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
    """Something that should not happen, in a part of the server that goes on."""
    log.error("failure", part=part, error=error, **fields)


def configure(path: Path | None, level: str = "info") -> None:
    """Send everything that is logged in this process through the door: to `path`, a file of this process alone, and stderr.

    Raises OSError when the file cannot be opened and ValueError on an unknown level. Frameworks must be kept from
    configuring logging of their own.
    """
    if level not in _LEVELS:
        raise ValueError(f"level must be one of {', '.join(_LEVELS)}")
    close()
    if path is not None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _DOOR.file = _PrivateFile(path)
    _DOOR.threshold = _LEVELS[level]
    structlog.configure(processors=[_let_out], logger_factory=lambda *_: _DOOR, cache_logger_on_first_use=False)
    root = logging.getLogger()
    _BEFORE.append((list(root.handlers), root.level))
    root.handlers[:] = [_LIBRARY]
    root.setLevel(logging.WARNING)
    for logger in logging.Logger.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
    logging.captureWarnings(True)  # noqa: FBT003
    sys.excepthook = lambda _type, error, _trace: _uncaught("process", error)
    threading.excepthook = lambda given: _uncaught("thread", given.exc_value)
    sys.unraisablehook = lambda given: _uncaught("finalizer", given.exc_value)


def close() -> None:
    """Close the file and leave standard error; the root logger and the hooks are as they were before `configure`."""
    if _DOOR.file is not None:
        _DOOR.file.close()
        _DOOR.file = None
    _DOOR.threshold = _LEVELS["info"]
    root = logging.getLogger()
    while _BEFORE:
        root.handlers[:], level = _BEFORE.pop()
        root.setLevel(level)
    logging.captureWarnings(False)  # noqa: FBT003
    sys.excepthook = sys.__excepthook__
    threading.excepthook = threading.__excepthook__
    sys.unraisablehook = sys.__unraisablehook__


def _uncaught(part: str, error: BaseException | None) -> None:
    if error is not None and not isinstance(error, (KeyboardInterrupt, SystemExit)):
        failure(part, error)
