"""Connections to Postgres that cannot hang: every statement has a deadline, also when the network swallows the answer.

Errors leave here as eventsourcing's PersistenceError, without the statement's parameters.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from eventsourcing import persistence
from psycopg.types.numeric import Int8BinaryDumper

from interfaces.postgres import arrays

STATEMENT_SECONDS_MAX: Final = 5.0
"""A request may meet this twice, when it is recorded and when that is looked up again, and its caller still waits."""
STALE_SECONDS_MAX: Final = 1.0
_OPTIONS: Final = (
    "-c statement_timeout=4500 -c lock_timeout=2000 -c idle_in_transaction_session_timeout=4500 "
    # Every statement here looks rows up by a key. A plan made while a table was small must not become a scan of a large one.
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)
_UNREPLICATED: Final = "canceling wait for synchronous replication"


def connect(conninfo: str) -> psycopg.Connection[Any]:
    """A connection in autocommit mode whose statements end within STATEMENT_SECONDS_MAX; raises PersistenceError."""
    with translated():
        connection = psycopg.connect(
            conninfo,
            autocommit=True,
            connect_timeout=5,
            options=_OPTIONS,
            tcp_user_timeout=5000,
            application_name="doneotp",
        )
    # One integer type for parameters, or every magnitude of a number would make a prepared statement of its own.
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    arrays.register(connection)
    connection.prepare_threshold = 1
    return connection


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into eventsourcing's; the text keeps what the server said, without parameters."""
    try:
        yield
    except psycopg.Error as error:
        # What has no name of its own is an answer that libpq could not read: the connection is at fault, not the statement.
        kind: type[persistence.PersistenceError] = persistence.OperationalError
        for cls, translation in _TRANSLATIONS:
            if isinstance(error, cls):
                kind = translation
                break
        raise kind(f"{type(error).__name__} {error.sqlstate or ''}".strip()) from None


_TRANSLATIONS: Final = (
    (psycopg.InterfaceError, persistence.InterfaceError),
    (psycopg.OperationalError, persistence.OperationalError),
    (psycopg.DataError, persistence.DataError),
    (psycopg.IntegrityError, persistence.IntegrityError),
    (psycopg.InternalError, persistence.InternalError),
    (psycopg.ProgrammingError, persistence.ProgrammingError),
    (psycopg.NotSupportedError, persistence.NotSupportedError),
)


_CONNECTION_ERRORS: Final = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)
"""After these another connection may fare better: InternalError is what a server says that has become a standby."""


class Line:
    """One connection, remade when it breaks, for one caller at a time."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._connection: psycopg.Connection[Any] | None = None
        self._lock = threading.Lock()
        self._notices: list[str] = []

    def execute(self, statement: bytes, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Rows of one statement, in a transaction of its own. Raises PersistenceError; then the outcome is unknown."""
        with self._lock, translated():
            connection = self._open()
            try:
                with _WATCHDOG.over(connection):
                    rows = connection.execute(statement, parameters, binary=True)
                    answer = rows.fetchall() if rows.description else []
                if self._notices:
                    raise psycopg.OperationalError("the standby did not confirm")
            except psycopg.Error as error:
                if connection.closed or error.sqlstate is None or isinstance(error, _CONNECTION_ERRORS):
                    self._drop()
                raise
            return answer

    @property
    def is_open(self) -> bool:
        """Whether there is a connection, which may have died unnoticed."""
        return self._connection is not None

    def close(self) -> None:
        """Let go of the connection; the next statement opens another."""
        with self._lock:
            self._drop()

    def _open(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = connect(self._conninfo)
            self._connection.add_notice_handler(self._notice)
        return self._connection

    def _drop(self) -> None:
        self._notices.clear()
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None

    def _notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        # The commit is on this server but not on the standby it was promised to: not a success.
        if (diagnostic.message_primary or "").startswith(_UNREPLICATED):
            self._notices.append(_UNREPLICATED)


class Lines:
    """A few lines for callers on many threads; waiting for one has a limit."""

    def __init__(self, conninfo: str, *, size_max: int, wait_seconds: float = 5.0) -> None:
        self._wait_seconds = wait_seconds
        self._free = threading.BoundedSemaphore(size_max)
        self._idle = [Line(conninfo) for _ in range(size_max)]

    def execute(self, statement: bytes, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """As Line.execute, on a line that is free; OperationalError when none becomes free in time.

        The statement must be one that may be executed twice: it is, when its connection died while nobody used it.
        """
        if not self._free.acquire(timeout=self._wait_seconds):
            raise persistence.OperationalError("no database connection is free")
        line = self._idle.pop()
        try:
            was_open, begun = line.is_open, time.monotonic()
            try:
                return line.execute(statement, parameters)
            except (persistence.OperationalError, persistence.InterfaceError):
                if not was_open or time.monotonic() - begun > STALE_SECONDS_MAX:
                    raise
            return line.execute(statement, parameters)
        finally:
            self._idle.append(line)
            self._free.release()

    def close(self) -> None:
        """Let go of the idle connections."""
        for line in self._idle:
            line.close()


class _Watchdog:
    """Cuts the socket of a statement that outlives its deadline: libpq itself would wait for ever."""

    def __init__(self) -> None:
        self._deadlines: dict[psycopg.Connection[Any], float] = {}
        self._started = False
        self._starting = threading.Lock()

    @contextlib.contextmanager
    def over(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        if not self._started:
            self._start()
        self._deadlines[connection] = time.monotonic() + STATEMENT_SECONDS_MAX
        try:
            yield
        finally:
            self._deadlines.pop(connection, None)

    def _start(self) -> None:
        with self._starting:
            if not self._started:
                threading.Thread(target=self._watch, name="doneotp-watchdog", daemon=True).start()
                self._started = True

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            now = time.monotonic()
            for connection, deadline in list(self._deadlines.items()):
                if now > deadline and self._deadlines.pop(connection, None) is not None:
                    with contextlib.suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as cut:
                        cut.shutdown(socket.SHUT_RDWR)


_WATCHDOG: Final = _Watchdog()
