"""A Postgres of our own below DONEOTP_HOME: a child process, reached over a Unix socket, gone when we are.

Trusted are the operating system's users (peer authentication); there is no password and no TCP port. The data directory
is the child's working directory, and `/proc/self/cwd` names it to Postgres: so nobody has to be let through its parents.
"""

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from interfaces.postgres import binaries
from interfaces.postgres.binaries import USER, EmbeddedUnavailable

MAJOR_VERSION: Final = "18"
STOP_SECONDS_MAX: Final = 60.0
_LOG_BYTES_MAX: Final = 10 * 1024 * 1024
_LOGS_KEPT: Final = 5
_REPORT_SECONDS: Final = 5.0
_SOCKET_PATH_MAX: Final = 100
_PORT: Final = 5432
_IS_LINUX: Final = sys.platform == "linux"
_PR_SET_PDEATHSIG: Final = 1
_MARK: Final = "doneotp.initialised"
_CONFIGURATION: Final = {
    "listen_addresses": "",
    "port": str(_PORT),
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    # Nothing that a client said may reach a log: no statement, no parameter, no row in the detail of an error.
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


class EmbeddedPostgres:
    """One server for one DONEOTP_HOME; whoever starts it holds the lock that says so (see database.py)."""

    def __init__(self, home: Path, *, report: Callable[[str], None]) -> None:
        self._home = home
        self._data = home / "postgres"
        self._report = report
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once connections are answered, however long recovery takes; raises EmbeddedUnavailable.

        Call it from a thread that lives as long as the server shall: Linux ties the child to it.
        """
        user = binaries.service_user()
        programs = binaries.directory(user)
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (self._data / _MARK).exists():
            self._initialise(programs, user)
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != MAJOR_VERSION:
            raise EmbeddedUnavailable(
                f"{self._data} was written by Postgres {found}; this version brings {MAJOR_VERSION}"
            )
        self._stop_leftover()
        self._authenticate(user)
        with self._log().open("ab") as log:
            self._process = self._spawn([programs / "postgres", *self._options()], self._data, user, log)
        self._wait()

    def stop(self) -> None:
        """Shut down fast and wait for it. May be called again."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait()

    @property
    def is_running(self) -> bool:
        """Whether the child lives."""
        return self._process is not None and self._process.poll() is None

    def _initialise(self, programs: Path, user: pwd.struct_passwd | None) -> None:
        """initdb beside, then rename: an interrupted one is begun again."""
        if self._data.exists():
            raise EmbeddedUnavailable(f"{self._data} is not a database that doneotp made; move it away")
        new = self._home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if user is not None:
            os.chown(new, user.pw_uid, user.pw_gid)
        self._report("making the database")
        command = [
            programs / "initdb",
            "-D",
            _as_seen_by_child(new),
            *("--username", USER, "--auth", "peer", "--encoding", "UTF8", "--locale-provider", "builtin"),
            *("--builtin-locale", "C.UTF-8", "--locale", "C", "--data-checksums"),
        ]
        with self._log().open("ab") as log:
            if self._spawn(command, new, user, log).wait(timeout=300) != 0:
                raise EmbeddedUnavailable(f"initdb failed:\n{self._log_tail()}")
        (new / _MARK).touch(mode=0o600)
        new.rename(self._data)

    def _authenticate(self, user: pwd.struct_passwd | None) -> None:
        """Operating system users who may connect: the one who started us, and the one who runs Postgres."""
        names = {_user_name(os.geteuid()), USER if user is not None else _user_name(os.geteuid())}
        (self._data / "pg_hba.conf").write_text("local all all peer map=doneotp\n")
        (self._data / "pg_ident.conf").write_text("".join(f'doneotp "{name}" {USER}\n' for name in sorted(names)))

    def _options(self) -> list[str]:
        seen = _as_seen_by_child(self._data)
        options = ["-D", seen, "-c", f"unix_socket_directories={seen}"]
        for name, value in _CONFIGURATION.items():
            options += ["-c", f"{name}={value}"]
        return options

    def _spawn(
        self, command: list[Any], working_directory: Path, user: pwd.struct_passwd | None, log: Any
    ) -> subprocess.Popen[bytes]:
        identity: dict[str, Any] = {}
        if user is not None:
            identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return subprocess.Popen(  # noqa: S603 - our own words
            [str(word) for word in command],
            cwd=working_directory,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
            preexec_fn=_die_with_parent if _IS_LINUX else None,  # noqa: PLW1509 - one system call, nothing that locks
            **identity,
        )

    def _wait(self) -> None:
        process = self._process
        assert process is not None, "started before it is waited for"
        target = conninfo(self._home, database="postgres")
        reported = time.monotonic()
        while True:
            if process.poll() is not None:
                self._process = None
                raise EmbeddedUnavailable(f"Postgres did not start:\n{self._log_tail()}")
            try:
                with psycopg.connect(target, autocommit=True, connect_timeout=5) as connection:
                    if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'doneotp'").fetchone() is None:
                        connection.execute("CREATE DATABASE doneotp")
                    return
            except psycopg.OperationalError:
                if time.monotonic() - reported > _REPORT_SECONDS:
                    reported = time.monotonic()
                    self._report("the database is recovering")
                time.sleep(0.05)

    def _stop_leftover(self) -> None:
        """End a Postgres that an earlier process left in this data directory."""
        try:
            pid = int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        while _is_postgres_of(pid, self._data):
            self._report("waiting for an earlier Postgres to stop")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            time.sleep(0.5)

    def _log(self) -> Path:
        """The log file; a full one makes room for a new one."""
        path = self._home / "logs" / "postgres.log"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.exists() and path.stat().st_size > _LOG_BYTES_MAX:
            for number in range(_LOGS_KEPT - 1, 0, -1):
                older = path.with_suffix(f".log.{number}")
                if older.exists():
                    older.rename(path.with_suffix(f".log.{number + 1}"))
            path.rename(path.with_suffix(".log.1"))
        if not path.exists():
            path.touch(mode=0o600)
        return path

    def _log_tail(self) -> str:
        return "\n".join(self._log().read_text(errors="replace").splitlines()[-15:])


_held_directories: dict[Path, int] = {}


def conninfo(home: Path, *, database: str = "doneotp") -> str:
    """How to reach the embedded server of a home. A path too long for a socket goes through a held descriptor."""
    directory = str(home / "postgres")
    if len(directory) > _SOCKET_PATH_MAX:
        if not _IS_LINUX:
            raise EmbeddedUnavailable(f"DONEOTP_HOME is too long for a Unix socket: {home}")
        if home not in _held_directories:
            _held_directories[home] = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        directory = f"/proc/self/fd/{_held_directories[home]}"
    return psycopg.conninfo.make_conninfo(host=directory, port=_PORT, user=USER, dbname=database)


def _as_seen_by_child(directory: Path) -> str:
    return "/proc/self/cwd" if _IS_LINUX else str(directory)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise EmbeddedUnavailable(
            f"user id {uid} has no name, which Postgres needs; set DONEOTP_DATABASE_URL"
        ) from None


def _is_postgres_of(pid: int, data: Path) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False
    if not _IS_LINUX:
        return True
    try:
        return Path(f"/proc/{pid}/cwd").samefile(data) and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


_libc: Final = ctypes.CDLL(None) if _IS_LINUX else None


def _die_with_parent() -> None:
    assert _libc is not None, "only on Linux"
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
