"""Where the server's CPU goes: py-spy's samples for the places, the kernel's counts per thread for the weights.

A sampler alone takes a waiting thread for a working one now and then; the kernel does not. So the samples of a thread
only divide the CPU time that the kernel says this thread used.
"""

import contextlib
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Final

import msgspec

RULES: Final = (
    ("garbage collection", ("gc_collect",)),
    ("token signing and checking", ("application/tokens.py", "jwt/", "cryptography/")),
    ("phone numbers", ("domain/phone.py", "phonenumbers/")),
    ("code and stream derivation", ("application/keyring.py", "domain/code.py")),
    ("Postgres client", ("interfaces/postgres/", "psycopg/", "psycopg_binary/")),
    ("event encoding", ("domain/codec.py", "application/mapper.py")),
    ("decide and evolve", ("domain/",)),
    ("group commit writer and ledger", ("application/writer.py", "application/ledger.py")),
    ("commands and dispatch", ("application/",)),
    ("projections", ("projections/",)),
    ("inbox", ("interfaces/sms/", "interfaces/web/")),
    ("HTTP handlers of DoneOTP", ("interfaces/http/",)),
    ("Litestar", ("litestar/",)),
    ("HTTP server (uvicorn, httptools)", ("uvicorn/", "httptools/")),
    ("event loop and sockets (uvloop)", ("uvloop/", "loop.c", "asyncio/")),
)
"""Part, and where its frames begin. A sample belongs to the part of its innermost frame that has one."""
OTHER: Final = "everything else"
SAMPLES_PER_SECOND: Final = 100
_FUNCTIONS_SHOWN: Final = 25
_ROOTS: Final = (
    "/site-packages/",  # first: the libraries are below the checkout, too
    f"{Path(__file__).resolve().parents[2]}/",
    f"/python{sys.version_info.major}.{sys.version_info.minor}/",
)
_THREAD: Final = re.compile(r"thread \((\d+)\)(?:: )?(.*)")
_IDLE: Final = re.compile(
    r"(pthread_cond_|take_gil|epoll_wait|poll |sem_|futex).*"
    r"|Condition\.wait \(threading\.py.*|.*select \(selectors\.py.*|Queue\.get \(queue\.py.*"
)


class Sample(msgspec.Struct, frozen=True):
    """One distinct stack of a thread, outermost frame first, and how often it was seen at work."""

    thread: int
    thread_name: str
    frames: tuple[str, ...]
    count: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """CPU seconds by part, by thread and by function (its own time), each descending."""

    cpu_seconds: float
    samples: int
    parts: dict[str, float]
    threads: dict[str, float]
    functions: dict[str, float]


class Unwatchable(Exception):
    """The process may not be watched, or is gone. The text is what the sampler said."""


def is_available() -> bool:
    """Whether py-spy is installed beside this interpreter, and there is a kernel that counts per thread."""
    return _sampler() is not None and Path("/proc/self/task").is_dir()


def record(pid: int, *, seconds: int) -> Profile:
    """Watch a process; raises Unwatchable."""
    sampler = _sampler()
    assert sampler is not None
    with tempfile.TemporaryDirectory(prefix="doneotp-profile-") as folder:
        stacks = Path(folder) / "stacks"
        options = [
            "--threads",
            "--native",
            "--full-filenames",
            "--rate",
            str(SAMPLES_PER_SECOND),
            "--duration",
            str(seconds),
        ]
        before = _thread_seconds(pid)
        done = subprocess.run(  # noqa: S603 - a program beside our own interpreter
            [sampler, "record", "--pid", str(pid), "--format", "raw", "--output", str(stacks), *options],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode != 0:
            raise Unwatchable(" ".join(done.stderr.split())[-500:])
        after = _thread_seconds(pid)
        samples = read(stacks.read_text())
    return weigh(samples, {thread: after[thread] - before.get(thread, 0.0) for thread in after})


def read(text: str) -> list[Sample]:
    """Samples of threads at work, from py-spy's raw format; what waits is left out."""
    samples = []
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        first, *places = stack.split(";")
        thread = _THREAD.fullmatch(first)
        frames = tuple(map(_relative, places))
        if thread is not None and frames and not _is_idle(frames):
            samples.append(Sample(int(thread[1]), thread[2], frames, int(count)))
    return samples


def weigh(samples: list[Sample], thread_seconds: dict[int, float]) -> Profile:
    """Divide each thread's CPU time among its samples."""
    seen: Counter[int] = Counter()
    names: dict[int, str] = {}
    for sample in samples:
        seen[sample.thread] += sample.count
        names[sample.thread] = sample.thread_name
    parts: dict[str, float] = defaultdict(float)
    functions: dict[str, float] = defaultdict(float)
    threads: dict[str, float] = defaultdict(float)
    for thread, seconds in thread_seconds.items():
        threads[names.get(thread, "never seen at work")] += seconds
        if thread not in seen:
            parts[OTHER] += seconds
    for sample in samples:
        seconds = thread_seconds.get(sample.thread, 0.0) * sample.count / seen[sample.thread]
        parts[part_of(sample.frames)] += seconds
        functions[_function(sample.frames)] += seconds
    return Profile(
        cpu_seconds=sum(thread_seconds.values()),
        samples=seen.total(),
        parts=_descending(parts),
        threads=_descending(threads),
        functions=dict(itertools.islice(_descending(functions).items(), _FUNCTIONS_SHOWN)),
    )


def part_of(frames: tuple[str, ...]) -> str:
    """The part of the innermost frame that belongs to one."""
    for frame in reversed(frames):
        name, _, place = frame.partition(" (")
        for part, beginnings in RULES:
            if place.startswith(beginnings) or name.startswith(beginnings):
                return part
    return OTHER


def _relative(frame: str) -> str:
    """A frame without the directories of this machine: below the project, a library, or else the file's name alone."""
    name, parenthesis, place = frame.partition(" (")
    if not place.startswith("/"):
        return frame
    for root in _ROOTS:
        _, found, below = place.rpartition(root)
        if found:
            return name + parenthesis + below
    return name + parenthesis + place.rpartition("/")[2]


def _descending(seconds: dict[str, float]) -> dict[str, float]:
    return dict(sorted(seconds.items(), key=lambda item: item[1], reverse=True))


def _is_idle(frames: tuple[str, ...]) -> bool:
    innermost_python = next((frame for frame in reversed(frames) if ".py:" in frame), "")
    return any(_IDLE.match(frame) for frame in (*frames[-3:], innermost_python))


def _function(frames: tuple[str, ...]) -> str:
    innermost = next((frame for frame in reversed(frames) if ".py:" in frame), frames[-1])
    name, _, place = innermost.partition(" (")
    return f"{name} ({place.rpartition(':')[0]})"


def _thread_seconds(pid: int) -> dict[int, float]:
    seconds = {}
    for stat in Path("/proc").glob(f"{pid}/task/*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread may end while we look
            fields = stat.read_text().rpartition(")")[2].split()
            seconds[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    if not seconds:
        raise Unwatchable("the process is gone")
    return seconds


def _sampler() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")
