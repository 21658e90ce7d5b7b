"""Servers to measure, each a child process: the real one, started as a user starts it, and the small ones of the limits.

All that they write is in one scratch directory, which goes when the run ends.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from interfaces.bench import processes
from interfaces.bench.http1 import request
from interfaces.postgres.embedded import conninfo

START_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 30.0
_LOOK_SECONDS: Final = 0.05
_BACKLOG: Final = 1_024


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A server that answers."""

    pid: int
    port: int
    keys: tuple[str, ...] = ("none",)
    postgres_pid: int | None = None
    conninfo: str = ""


class StartFailed(Exception):
    """A server did not start or did not stop as it should. The text is what it said last."""


@contextlib.contextmanager
def service(home: Path, *, workers: int) -> Iterator[Served]:
    """`serve` with a home, a database and a port of its own; raises StartFailed."""
    ready = home.parent / "ready.json"
    ready.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DONEOTP_")}
    environment |= {
        "DONEOTP_HOME": str(home),
        "DONEOTP_PORT": "0",
        "DONEOTP_READY_FILE": str(ready),
    }
    command = [sys.executable, "-m", "interfaces.cli", "serve", "--noop", "--workers", str(workers)]
    with _running(command, log=home.parent / "serve.log", environment=environment) as process:
        _wait_for(ready, process, log=home.parent / "serve.log")
        answer = json.loads(ready.read_text())
        yield Served(
            pid=process.pid,
            port=urlsplit(answer["base_url"]).port or 80,
            keys=(answer["sk_live"],),
            postgres_pid=_postgres(process.pid),
            conninfo=conninfo(home),
        )


@contextlib.contextmanager
def limit(module: str, *arguments: str, folder: Path) -> Iterator[Served]:
    """One of the small servers, on a socket that listens before it starts."""
    with socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG) as listener:
        listener.set_inheritable(True)
        command = [sys.executable, "-m", module, str(listener.fileno()), *arguments]
        log = folder / f"{module.rpartition('.')[2]}.log"
        with _running(command, log=log, environment=dict(os.environ), descriptors=(listener.fileno(),)) as process:
            port = listener.getsockname()[1]
            _wait_for_an_answer(port, log=log)
            yield Served(pid=process.pid, port=port)


@contextlib.contextmanager
def _running(
    command: list[str], *, log: Path, environment: dict[str, str], descriptors: tuple[int, ...] = ()
) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, pass_fds=descriptors
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode not in (0, -signal.SIGTERM):
        raise StartFailed(f"{' '.join(command[1:4])} ended with {process.returncode}: {_last_words(log)}")


def _wait_for(ready: Path, process: "subprocess.Popen[bytes]", *, log: Path) -> None:
    until = time.monotonic() + START_SECONDS_MAX
    while not ready.exists():
        if process.poll() is not None:
            raise StartFailed(f"serve ended with {process.returncode} before it was ready: {_last_words(log)}")
        if time.monotonic() > until:
            raise StartFailed(f"serve was not ready after {START_SECONDS_MAX:g} s: {_last_words(log)}")
        time.sleep(_LOOK_SECONDS)


def _wait_for_an_answer(port: int, *, log: Path) -> None:
    """The socket takes connections before anyone answers them; a load must not begin then."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=START_SECONDS_MAX) as connection:
            connection.sendall(request("GET", "/"))
            answered = connection.recv(1)
    except OSError:
        answered = b""
    if not answered:
        raise StartFailed(f"a server of the limits did not answer: {_last_words(log)}")


def _last_words(log: Path) -> str:
    return log.read_text(errors="replace")[-500:].strip() or "it said nothing"


def _postgres(server_pid: int) -> int | None:
    tree = processes.tree(server_pid, processes=processes.table())
    pids = {process.pid for process in tree if process.name == "postgres"}
    roots = [process.pid for process in tree if process.pid in pids and process.parent not in pids]
    return roots[0] if roots else None
