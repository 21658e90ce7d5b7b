"""A Postgres of our own below DONEOTP_HOME: a child process, reached over a Unix socket, gone when we are.

Trusted are the operating system's users (peer authentication); there is no password and no TCP port. The data directory
is the child's working directory, and `/proc/self/cwd` names it to Postgres: so nobody has to be let through its parents.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Final

import psycopg
from psycopg.pq import PGconn, Ping

from interfaces.postgres import binaries, child, leftovers
from interfaces.postgres.binaries import USER, EmbeddedUnavailable, User
from interfaces.secrets import DATA, sync_directory

MAJOR_VERSION: Final = "18"
STOP_SECONDS_MAX: Final = 60.0
_QUIT_SECONDS_MAX: Final = 10.0
_INITDB_SECONDS_MAX: Final = 300.0
_ORPHANS_LOOK_SECONDS: Final = 0.2
_ORPHANS_SECONDS_MAX: Final = 30.0
_REPORT_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 0.05
_LOG_BYTES_MAX: Final = 10 * 1024 * 1024
_LOGS_KEPT: Final = 5
_PORT: Final = 5432
_SOCKET_NAME: Final = f".s.PGSQL.{_PORT}"
_IS_LINUX: Final = sys.platform == "linux"
_SOCKET_PATH_MAX: Final = 107 if _IS_LINUX else 103
_MARK: Final = "doneotp.initialised"
_ORPHANS: Final = ("pre-existing shared memory block", 'lock file "postmaster.pid" already exists')
"""What Postgres says while processes of a server that was killed are still ending."""
_CONFIGURATION: Final = {
    "listen_addresses": "",
    "port": str(_PORT),
    "max_connections": "500",  # a server of 64 workers, each with a handful, and those who administer
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "timezone": "UTC",
    # What is given here, no ALTER SYSTEM can undo.
    "fsync": "on",
    "full_page_writes": "on",
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
    """One server for one DONEOTP_HOME; whoever starts it holds the lock that says so (see database.py).

    A thread of its own starts the child and waits for it; Linux ends the child with that thread, whatever ends us. When the
    child ends unasked, it is started again after `restart_seconds`, if any.
    """

    def __init__(self, home: Path, *, report: Callable[[str], None], restart_seconds: float | None = None) -> None:
        self._home = home
        self._data = home / DATA
        self._report = report
        self._restart_seconds = restart_seconds
        self._lock = threading.Lock()  # over the next two
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = threading.Event()  # a new one for every start
        self._keeper: threading.Thread | None = None

    def start(self) -> None:
        """Return once connections are answered, however long recovery takes; raises EmbeddedUnavailable."""
        assert self._keeper is None, "stopped before it is started again"
        try:
            self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_made = self._is_made()
            user = self._user()
            programs = binaries.directory(user)
            if not is_made:
                self._initialise(programs, user)
            self._refuse_other_version()
            self._authenticate(user)
        except OSError as error:
            raise EmbeddedUnavailable(f"{error.filename or self._home} cannot be used: {error.strerror}") from None
        command = [programs / "postgres", *self._options()]
        answering: Future[None] = Future()
        self._stopping = threading.Event()
        self._keeper = threading.Thread(
            target=self._keep, args=(command, user, answering), name="doneotp-postgres", daemon=True
        )
        try:
            self._keeper.start()
            answering.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Shut down fast and wait for it. May be called again."""
        if self._keeper is None:
            return
        self._stopping.set()
        with self._lock:
            process = self._process
        if process is not None:
            _end(process, until_ended=self._keeper.join)
        with contextlib.suppress(RuntimeError):  # it has not begun: then it will find that it need not
            self._keeper.join()
        self._keeper = self._process = None

    # The parts of a start.

    def _is_made(self) -> bool:
        if (self._data / _MARK).exists():
            return True
        if self._data.exists():
            raise EmbeddedUnavailable(f"{self._data} is not a database that doneotp made; move it away")
        return False

    def _user(self) -> User | None:
        """Who runs Postgres: None is ourselves; for root, whoever owns the data, or else a user made for it."""
        try:
            owner = self._data.lstat()
        except FileNotFoundError:
            return None if os.geteuid() != 0 else binaries.service_user()
        if owner.st_uid == os.geteuid() != 0:
            return None
        if os.geteuid() == 0 and owner.st_uid != 0:
            return User(_user_name(owner.st_uid), owner.st_uid, owner.st_gid)
        name = _user_name(owner.st_uid)
        fix = f"run: chown -R {USER} {self._data}" if owner.st_uid == 0 == os.geteuid() else f"start as {name}"
        raise EmbeddedUnavailable(f"{self._data} belongs to {name}; {fix}")

    def _initialise(self, programs: Path, user: User | None) -> None:
        """initdb beside, then rename: an interrupted one is begun again."""
        new = self._home / f"{DATA}.new"
        until = time.monotonic() + _ORPHANS_SECONDS_MAX
        while new.exists() and time.monotonic() < until:
            shutil.rmtree(new, ignore_errors=True)  # what an interrupted one left may still be writing there
            time.sleep(_LOOK_SECONDS)
        new.mkdir(mode=0o700)
        if user is not None:
            os.chown(new, user.uid, user.gid)
        self._report("making the database")
        command: list[str | Path] = [
            programs / "initdb",
            *("-D", _as_seen_by_child(new)),
            *("--username", USER, "--auth", "peer", "--encoding", "UTF8", "--locale-provider", "builtin"),
            *("--builtin-locale", "C.UTF-8", "--locale", "C", "--data-checksums"),
        ]
        with self._log().open("ab") as log:
            begun = log.tell()
            process = _spawn(command, new, user, log)
            try:
                status = process.wait(timeout=_INITDB_SECONDS_MAX)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # it has children of its own
                process.wait()
                if isinstance(error, subprocess.TimeoutExpired):
                    raise EmbeddedUnavailable(f"initdb takes too long:\n{self._log_since(begun)}") from None
                raise
        if status != 0:
            raise EmbeddedUnavailable(f"initdb failed:\n{self._log_since(begun)}")
        (new / _MARK).touch(mode=0o600)
        # What will be committed under this name must be found under it after a power cut.
        sync_directory(new)
        new.rename(self._data)
        sync_directory(self._home)

    def _refuse_other_version(self) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != MAJOR_VERSION:
            raise EmbeddedUnavailable(
                f"{self._data} was written by Postgres {found}; this version brings {MAJOR_VERSION}"
            )

    def _authenticate(self, user: User | None) -> None:
        """Who may connect: the user who started us, the one who runs Postgres, and root, who could become either."""
        names = {_user_name(os.geteuid()), _user_name(0), *([] if user is None else [user.name])}
        self._write("pg_hba.conf", "local all all peer map=doneotp\n", user)
        self._write("pg_ident.conf", "".join(f'doneotp "{name}" {USER}\n' for name in sorted(names)), user)

    def _write(self, name: str, text: str, user: User | None) -> None:
        """A new file in place of the old: as root we must not write through a link that the other user may have put there."""
        aside = self._data / f"{name}.new"
        aside.unlink(missing_ok=True)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            if user is not None:
                os.fchown(descriptor, user.uid, user.gid)
        aside.rename(self._data / name)

    def _options(self) -> list[str]:
        seen = _as_seen_by_child(self._data)
        options = ["-D", seen, "-c", f"unix_socket_directories={seen}"]
        for name, value in _CONFIGURATION.items():
            options += ["-c", f"{name}={value}"]
        return options

    # The keeper's thread.

    def _keep(self, command: list[str | Path], user: User | None, answering: "Future[None]") -> None:
        while not self._stopping.is_set():
            try:
                self._run(command, user, answering)
            except (EmbeddedUnavailable, OSError, psycopg.Error) as error:
                if not answering.done():
                    is_ours = isinstance(error, EmbeddedUnavailable)
                    answering.set_exception(
                        error if is_ours else EmbeddedUnavailable(f"Postgres did not start: {error}")
                    )
                    return
                self._report(f"Postgres did not start again: {error}")
            if self._restart_seconds is None:
                return
            if not self._stopping.is_set():
                self._report("Postgres ended unasked; it is started again")
                self._stopping.wait(self._restart_seconds)

    def _run(self, command: list[str | Path], user: User | None, answering: "Future[None]") -> None:
        """One life of the child, from its start to its end."""
        until = time.monotonic() + _ORPHANS_SECONDS_MAX
        while True:
            self._end_leftover()
            with self._log().open("ab") as log, self._lock:
                if self._stopping.is_set():
                    return
                begun = log.tell()
                self._process = process = _spawn(command, self._data, user, log)
            if self._comes_up(process):
                break
            said = self._log_since(begun)
            if not any(sign in said for sign in _ORPHANS) or time.monotonic() > until:
                raise EmbeddedUnavailable(f"Postgres did not start:\n{said}")
            time.sleep(_ORPHANS_LOOK_SECONDS)
        try:
            self._make_database()
        except BaseException:
            _end(process, until_ended=process.wait)
            raise
        if not answering.done():
            answering.set_result(None)
        process.wait()

    def _comes_up(self, process: "subprocess.Popen[bytes]") -> bool:
        """Wait until it lets clients in; False when it ends instead."""
        target = conninfo(self._home, database="postgres").encode()
        reported = time.monotonic()
        while process.poll() is None:
            if PGconn.ping(target) == Ping.OK:
                return True
            if time.monotonic() - reported > _REPORT_SECONDS:
                reported = time.monotonic()
                self._report("the database is recovering")
            time.sleep(_LOOK_SECONDS)
        return self._stopping.is_set()

    def _make_database(self) -> None:
        if self._stopping.is_set():
            return
        with psycopg.connect(conninfo(self._home, database="postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = 'doneotp'").fetchone() is None:
                connection.execute("CREATE DATABASE doneotp")
            # An error is for the client who caused it: its message may quote a value, so the log does not get it.
            if connection.execute("SHOW log_min_messages").fetchone() != ("log",):
                connection.execute(f"ALTER ROLE {USER} SET log_min_messages = log".encode())

    def _end_leftover(self) -> None:
        """End a Postgres that an earlier process left in this data directory."""
        until = time.monotonic() + STOP_SECONDS_MAX
        reported = False
        while (pid := _listener(self._data)) is not None:
            if not reported:
                reported = True
                self._report("waiting for an earlier Postgres to stop")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT if time.monotonic() < until else signal.SIGKILL)
            time.sleep(0.2)
        if _IS_LINUX:
            leftovers.end(self._data, report=self._report)

    # Its log.

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

    def _log_since(self, begun: int) -> str:
        with self._log().open("rb") as log:
            log.seek(begun)
            return "\n".join(log.read().decode(errors="replace").splitlines()[-15:])


_held_directories: dict[str, int] = {}


def conninfo(home: Path, *, database: str = "doneotp") -> str:
    """How to reach the embedded server of a home; a path that libpq would not take goes through a held descriptor."""
    directory = str(home / DATA)
    if len(os.fsencode(f"{directory}/{_SOCKET_NAME}")) > _SOCKET_PATH_MAX or "," in directory:
        if not _IS_LINUX:
            raise EmbeddedUnavailable(
                f"{directory} is too long for a Unix socket, or has a comma; set another DONEOTP_HOME"
            )
        directory = f"/proc/self/fd/{_held(directory)}"
    return psycopg.conninfo.make_conninfo(host=directory, port=_PORT, user=USER, dbname=database, connect_timeout=5)


def _held(directory: str) -> int:
    descriptor = _held_directories.get(directory)
    if descriptor is not None and os.path.samestat(os.fstat(descriptor), os.stat(directory)):  # noqa: PTH116 - as fstat
        return descriptor
    if descriptor is not None:
        os.close(descriptor)
    _held_directories[directory] = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    return _held_directories[directory]


def _as_seen_by_child(directory: Path) -> str:
    return "/proc/self/cwd" if _IS_LINUX else str(directory)


def _spawn(
    command: list[str | Path], working_directory: Path, user: User | None, log: IO[bytes]
) -> "subprocess.Popen[bytes]":
    """Start a program that ends with the calling thread, as `user`, in its directory."""
    uid, gid = (os.geteuid(), os.getegid()) if user is None else (user.uid, user.gid)
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-I", "-S", child.__file__, str(os.getpid()), str(uid), str(gid), *map(str, command)],
        cwd=working_directory,
        env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", **kept},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        umask=0o077,
    )


def _end(process: "subprocess.Popen[bytes]", *, until_ended: Callable[[float], object]) -> None:
    """End a server: fast, else at once, else by force. `until_ended` waits so many seconds for its end."""
    for number, seconds in (
        (signal.SIGINT, STOP_SECONDS_MAX),
        (signal.SIGQUIT, _QUIT_SECONDS_MAX),
        (signal.SIGKILL, 5),
    ):
        process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            until_ended(seconds)
        if process.returncode is not None:
            return


def _listener(data: Path) -> int | None:
    """The process that listens on the socket in a data directory, if there is one."""
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        directory = f"/proc/self/fd/{descriptor}" if _IS_LINUX else str(data)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(5)
            client.connect(f"{directory}/{_SOCKET_NAME}")
            if not _IS_LINUX:
                return int((data / "postmaster.pid").read_text().split("\n", 1)[0])
            pid, _, _ = struct.unpack(
                "3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            )
    except (FileNotFoundError, ConnectionRefusedError):
        return None
    finally:
        os.close(descriptor)
    if pid == 0:
        raise EmbeddedUnavailable(f"another container runs Postgres in {data}")
    return int(pid)


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        if os.geteuid() == 0 and uid != 0:
            return str(uid)
        raise EmbeddedUnavailable(
            f"user id {uid} has no name, which Postgres needs; set DONEOTP_DATABASE_URL"
        ) from None
