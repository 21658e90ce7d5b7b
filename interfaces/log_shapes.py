"""What may be in a log line: named fields, each of a known shape, and of an exception its type and our own frames.

Trusted is this table and nobody who logs: a message text, an exception's words, a number, code, key, token or address has
no shape in it and is dropped.
"""

import errno
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final

FRAMES_MAX: Final = 8
_CAUSES_MAX: Final = 10
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


def shaped_line(level: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The line that may be written of what was given; whatever else was given is counted."""
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
        error = (
            sys.exc_info()[1] if value is True else value[1] if isinstance(value, tuple) and len(value) == 3 else value
        )
        if not isinstance(error, BaseException):
            yield name, value or None
            continue
        first = _first_cause(error)
        yield "error_type", type(error).__name__
        yield "cause_type", None if first is error else type(first).__name__
        number = first.errno if isinstance(first, OSError) else None
        yield "errno", None if number is None else errno.errorcode.get(number)
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
