"""What leaves through the log, and above all what does not, whoever logs it and whatever goes wrong."""

import asyncio
import fcntl
import json
import logging
import multiprocessing
import os
import re
import stat
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from domain import phone as phones
from domain.refusals import InvalidPhoneNumber
from interfaces import logs
from interfaces.log_file import LogFile
from interfaces.log_shapes import SHAPES

ROOT = Path(__file__).resolve().parents[1]
TIMESTAMP = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z")
SECRETS = {
    "number": "+14155552671",
    "number without plus": "14155552671",
    "number with spaces": "+1 415 555 2671",
    "masked number": "+1415****2671",
    "code": "493812",
    "key": "sk_live_" + "abcdefghijklmnop" + "q2r3s4t5u6v7w2x3y4z5a6b7c2" + "d3e4f5g",
    "token": "tok_eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ2ZXJfMSJ9.c2lnbmF0dXJl",
    "verification": "ver_" + "a2b3c4d5" * 5 + "ab",
    "address": "203.0.113.7",
    "other address": "2001:db8::7",
    "sentence": "493812 is your verification code.",
    "line": "ok\n493812",
    "database": "postgresql://user:secret@host/db",
}
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Lines]:
    """Configures logs; reads what was written so far, without the time, which is checked here."""
    path = tmp_path / "logs" / "server.log"
    logs.configure(path, "debug")

    def read() -> list[dict[str, Any]]:
        found = [json.loads(line) for line in path.read_text().splitlines()]
        assert all(TIMESTAMP.fullmatch(line.pop("ts")) for line in found)
        return found

    yield read
    logs.close()


def written(path: Path) -> str:
    return "".join(each.read_text() for each in sorted(path.parent.iterdir()))


def test_a_line_is_json_with_the_fields_that_have_the_right_shape(lines: Lines, capsys) -> None:
    fields = {
        "request_id": "req_0a1b2c3d4ff",
        "route": "/v1/verifications/{verification_id}/cancel",
        "status": 503,
        "code": "service_unavailable",
        "duration_ms": 12.345,
        "log": "acct_abcdefghijklmnop-test",
        "position": 493_811,
        "worker": 0,
        "pid": 4_711,
        "provider": "webhook",
        "reason": "http_5xx",
        "count": 3,
        "signal": "SIGTERM",
        "version": "18.6.3",
    }
    logs.log.info("request_failed", **fields)
    assert lines() == [{"level": "info", "event": "request_failed", **fields, "duration_ms": 12.3}]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_field_lets_a_secret_out(lines: Lines, tmp_path, capsys, secret: str) -> None:
    for name in SHAPES:
        if name == "event":
            logs.log.warning(secret)
        else:
            logs.log.warning("something", **{name: secret})
        logs.log.warning("something", **{name: [secret]} if name != "event" else {"count": {"of": secret}})
    logs.log.warning("something", **{secret: 1}, phone_number=secret, exception=secret, exc_info=secret)
    logs.log.warning("said %s", secret)
    logs.log.bind(to=secret, log=secret).warning("something")
    out = written(tmp_path / "logs" / "server.log") + "".join(capsys.readouterr())
    assert secret not in out.replace(r"\n", "\n")
    assert len(lines()) == 2 * len(SHAPES) + 3


def test_what_has_no_shape_is_dropped_and_counted(lines: Lines) -> None:
    logs.log.info("sent", to="+14155552671", text="493812", count=1)
    logs.log.info("Sent to +14155552671")
    logs.log.info("sent", count=True, status=99, pid=-1, duration_ms=float("nan"), provider=None, worker=None)
    assert lines() == [
        {"level": "info", "event": "sent", "count": 1, "dropped_fields": 2},
        {"level": "info", "event": "unnamed", "dropped_fields": 1},
        {"level": "info", "event": "sent", "dropped_fields": 4},
    ]


def test_a_phone_number_is_no_number_to_count_with(lines: Lines) -> None:
    for name in SHAPES:
        if name != "event":
            logs.log.info("counted", **{name: 14_155_552_671})
    assert lines() == [{"level": "info", "event": "counted", "dropped_fields": 1}] * (len(SHAPES) - 1)


def raised() -> BaseException:
    try:
        try:
            phones.parse("+14155552671 is no number 493812")
        except InvalidPhoneNumber as inner:
            raise ConnectionRefusedError(111, "to +14155552671") from inner
    except OSError as error:
        return error
    raise AssertionError("it was raised")


def test_an_exception_is_its_type_its_cause_and_our_frames_and_none_of_its_words(lines: Lines) -> None:
    logs.log.error("send_failed", error=raised())
    try:
        phones.parse("+14155552671 is no number 493812")
    except InvalidPhoneNumber:
        logs.log.exception("parse_failed")
    first, second = lines()
    assert first == {
        "level": "error",
        "event": "send_failed",
        "error_type": "ConnectionRefusedError",
        "cause_type": "InvalidPhoneNumber",
    }
    frames = second.pop("frames")
    assert [re.sub(r"[0-9]+", "N", frame) for frame in frames] == ["domain/phone.py:N"]
    assert second == {"level": "error", "event": "parse_failed", "error_type": "InvalidPhoneNumber"}


def test_an_error_of_the_operating_system_keeps_its_symbol(lines: Lines) -> None:
    logs.failure("dispatcher", FileNotFoundError(2, "No such file", "/home/+14155552671"), request_id="req_1")
    assert lines() == [
        {
            "level": "error",
            "event": "failure",
            "part": "dispatcher",
            "error_type": "FileNotFoundError",
            "errno": "ENOENT",
            "request_id": "req_1",
        }
    ]


def test_warnings_and_worse_are_on_standard_error_for_people(lines: Lines, capsys) -> None:
    logs.log.info("serving", pid=1)
    logs.log.warning("drain_timed_out", count=2)
    logs.failure("writer", ValueError("493812"))
    out, err = capsys.readouterr()
    assert (out, TIMESTAMP.sub("T", err)) == (
        "",
        "T warning drain_timed_out count=2\nT error failure part=writer error_type=ValueError\n",
    )


def test_lines_below_the_level_are_not_written(tmp_path, capsys) -> None:
    path = tmp_path / "server.log"
    logs.configure(path, "error")
    logs.log.warning("nothing")
    logs.log.error("something")
    logging.getLogger("uvicorn.error").warning("nothing")
    logs.close()
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["something"]
    assert capsys.readouterr().err.count("\n") == 1


def test_a_level_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="level must be one of debug, info, warning, error, critical"):
        logs.configure(None, "loud")


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "litestar", "asyncio", "psycopg.pool", "aiohttp.client", "+14155552671", "py.warnings"]
)
def test_a_library_says_who_where_and_how_bad_and_nothing_else(lines: Lines, tmp_path, capsys, name: str) -> None:
    library = logging.getLogger(name)
    library.info("not even this")
    library.warning("sent %s to +14155552671", "493812", extra={"code": "493812"})
    try:
        raise KeyError("+14155552671")
    except KeyError:
        library.exception("cannot find +14155552671", stack_info=True)
    found = lines()
    places = [line.pop("place") for line in found]
    assert all(re.fullmatch(r"test_logs\.py:[0-9]+", place) for place in places)
    who = {"dropped_fields": 1} if name.startswith("+") else {"logger": name}
    assert found == [
        {"level": "warning", "event": "library", **who},
        {"level": "error", "event": "library", "error_type": "KeyError", **who},
    ]
    everything = written(tmp_path / "logs" / "server.log") + "".join(capsys.readouterr())
    assert [secret for secret in ("4155552671", "493812", "cannot find") if secret in everything] == []


def test_a_librarys_own_handlers_are_taken_away(tmp_path, capsys) -> None:
    library = logging.getLogger("uvicorn.error")
    library.addHandler(logging.StreamHandler(sys.stderr))
    library.propagate = False
    logs.configure(tmp_path / "server.log")
    library.error("to +14155552671")
    logs.close()
    assert "4155552671" not in capsys.readouterr().err
    assert json.loads((tmp_path / "server.log").read_text())["logger"] == "uvicorn.error"


def test_a_record_that_cannot_be_formatted_does_not_print_itself(tmp_path, capsys) -> None:
    logs.configure(tmp_path / "server.log")  # here, where pytest's own handler is taken away too
    logging.getLogger("uvicorn.error").error("%d", "+14155552671")
    logs.close()
    assert "4155552671" not in "".join(capsys.readouterr())
    assert json.loads((tmp_path / "server.log").read_text())["event"] == "library"


def test_what_structlog_gives_to_others_goes_through_the_same_door(lines: Lines) -> None:
    structlog.get_logger("elsewhere").info("sent", to="+14155552671")
    assert lines() == [{"level": "info", "event": "sent", "dropped_fields": 1}]


def test_a_task_that_nobody_awaits_and_a_thread_that_dies_say_only_their_types(lines: Lines, capsys) -> None:
    async def act() -> None:
        async def fail() -> None:
            raise ValueError("+14155552671")

        task = asyncio.create_task(fail())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(act())

    def die() -> None:
        raise LookupError("493812")

    thread = threading.Thread(target=die)
    thread.start()
    thread.join()
    found = [{name: line.get(name) for name in ("event", "logger", "part", "error_type")} for line in lines()]
    assert found == [
        {"event": "library", "logger": "asyncio", "part": None, "error_type": "ValueError"},
        {"event": "failure", "logger": None, "part": "thread", "error_type": "LookupError"},
    ]
    everything = "".join(capsys.readouterr())
    assert [secret for secret in ("4155552671", "493812") if secret in everything] == []


def test_a_warning_is_not_printed_with_its_words(tmp_path, capsys) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logs.configure(tmp_path / "server.log")  # again, because pytest keeps warnings for itself
        warnings.warn("+14155552671", stacklevel=1)
        logs.close()
    found = json.loads((tmp_path / "server.log").read_text())
    assert (found["event"], found["logger"]) == ("library", "py.warnings")
    assert "4155552671" not in capsys.readouterr().err


def test_a_process_that_dies_of_an_exception_says_only_its_type(tmp_path) -> None:
    path = tmp_path / "server.log"
    program = (
        "import sys, pathlib\n"
        "from interfaces import logs\n"
        "logs.configure(pathlib.Path(sys.argv[1]))\n"
        "raise ValueError('+14155552671')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.sub(r"^\S+ ", "", done.stderr) == "error failure part=process error_type=ValueError\n"
    assert json.loads(path.read_text())["error_type"] == "ValueError"


def test_before_it_is_configured_the_log_is_as_strict(tmp_path) -> None:
    program = "from interfaces import logs\nlogs.log.warning('sent', to='+14155552671')\nlogs.log.info('sent')\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
    assert re.sub(r"^\S+ ", "", done.stderr) == "warning sent dropped_fields=1\n"


def test_what_fails_all_the_time_is_written_so_often_and_then_counted(lines: Lines, monkeypatch) -> None:
    for _ in range(50):
        logs.failure("writer", ConnectionResetError())
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    logs.failure("sweep", ConnectionResetError())
    assert [len([line for line in lines() if line["event"] == event]) for event in ("failure", "library")] == [21, 20]
    monkeypatch.setattr(logs._REPEATS, "_window_ends", 0.0)
    logs.failure("writer", ConnectionResetError())
    assert lines()[-2:] == [
        {"level": "warning", "event": "repeats_swallowed", "count": 60},
        {"level": "error", "event": "failure", "part": "writer", "error_type": "ConnectionResetError"},
    ]


@pytest.fixture(autouse=True)
def _no_memory_of_other_tests(monkeypatch) -> None:
    monkeypatch.setattr(logs, "_REPEATS", logs._Repeats())


def test_closing_gives_everything_back_as_it_was(tmp_path) -> None:
    def state() -> list[object]:
        root = logging.getLogger()
        hooks: list[object] = [sys.excepthook, threading.excepthook, sys.unraisablehook, warnings.showwarning]
        return [*hooks, root.level, list(root.handlers)]

    before = state()
    logs.configure(tmp_path / "one.log")
    logs.configure(tmp_path / "two.log")
    during = state()
    logs.close()
    assert state() == before
    assert [one == other for one, other in zip(before, during, strict=True)].count(True) <= 1


def test_the_file_and_its_directory_are_their_owners_alone_even_if_they_were_not(tmp_path) -> None:
    path = tmp_path / "logs" / "server.log"
    file = LogFile(path)
    file.write(b"{}\n")
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path.parent, path)]
    file.close()
    path.chmod(0o644)
    LogFile(path).close()
    assert [*modes, stat.S_IMODE(path.stat().st_mode), path.read_bytes()] == [0o700, 0o600, 0o600, b"{}\n"]


def test_a_link_in_the_place_of_the_file_is_refused(tmp_path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "server.log").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        LogFile(tmp_path / "server.log")


def test_files_turn_when_they_are_full_and_five_are_kept(tmp_path) -> None:
    file = LogFile(tmp_path / "server.log", bytes_max=40)
    for number in range(100):
        file.write(b"%03d\n" % number)
    file.close()
    assert {each.name: [int(line) for line in each.read_text().splitlines()] for each in tmp_path.iterdir()} == {
        "server.log": list(range(90, 100)),
        "server.log.1": list(range(80, 90)),
        "server.log.2": list(range(70, 80)),
        "server.log.3": list(range(60, 70)),
        "server.log.4": list(range(50, 60)),
    }
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_a_file_that_somebody_moved_away_is_made_again(tmp_path) -> None:
    path = tmp_path / "server.log"
    file = LogFile(path)
    file.write(b"one\n")
    path.rename(tmp_path / "moved")
    file.write(b"two\n")
    path.unlink()
    file.write(b"three\n")
    file.close()
    assert [path.read_text(), (tmp_path / "moved").read_text()] == ["three\n", "one\n"]


def test_a_line_that_cannot_be_written_is_lost_and_the_next_one_is_not(tmp_path) -> None:
    directory = tmp_path / "logs"
    file = LogFile(directory / "server.log")
    (directory / "server.log").unlink()
    directory.rename(tmp_path / "gone")
    file.write(b"lost\n")
    (tmp_path / "gone").rename(directory)
    file.write(b"kept\n")
    file.close()
    assert (directory / "server.log").read_text() == "kept\n"


def test_of_two_that_find_a_file_full_only_one_turns_it(tmp_path) -> None:
    path = tmp_path / "server.log"
    first, second = LogFile(path), LogFile(path)
    first.write(b"old\n")
    stale = second._descriptor
    assert stale is not None
    first._turn(stale)
    first.write(b"new\n")
    second._turn(stale)
    first.close()
    second.close()
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "server.log": "new\n",
        "server.log.1": "old\n",
    }


def test_whoever_turns_a_file_waits_for_the_other_who_does(tmp_path) -> None:
    file = LogFile(tmp_path / "server.log", bytes_max=4)
    file.write(b"old\n")
    turning = threading.Thread(target=file.write, args=(b"new\n",))
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX)
    turning.start()
    turning.join(0.1)
    during = (turning.is_alive(), [each.name for each in tmp_path.iterdir()])
    os.close(directory)
    turning.join(10)
    file.close()
    assert during == (True, ["server.log"])
    assert {each.name for each in tmp_path.iterdir()} == {"server.log", "server.log.1"}


def _write_many(path: str, name: str) -> None:
    file = LogFile(Path(path), bytes_max=8_000)
    for number in range(400):
        file.write(f"{name}-{number:03d}-{'x' * 20}\n".encode())
    file.close()


def test_processes_that_share_a_file_tear_and_lose_no_line(tmp_path) -> None:
    path = tmp_path / "server.log"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(str(path), name)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    # 1,200 lines of 27 bytes are 32,400 bytes: five files of 8,000 have room for all of them.
    found = sorted(line for each in tmp_path.iterdir() for line in each.read_text().splitlines())
    assert found == sorted(f"{name}-{number:03d}-{'x' * 20}" for name in "abc" for number in range(400))
    assert max(each.stat().st_size for each in tmp_path.iterdir()) <= 8_000 + 3 * 27
