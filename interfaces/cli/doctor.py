"""`doctor`: looks at everything a start needs, and says of each problem what mends it. Changes nothing, makes nothing."""

import argparse
import contextlib
import errno
import os
import pwd
import shlex
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import PGconn, Ping

from interfaces import secrets, serving, settings
from interfaces.cli import seal_check
from interfaces.cli.output import emit
from interfaces.postgres import binaries, durability, migrate
from interfaces.postgres.binaries import EmbeddedUnavailable
from interfaces.postgres.database import DatabaseUnavailable, database, serving_pid
from interfaces.postgres.migrate import MigrationRefused
from interfaces.secrets import DATA, SecretUnusable
from interfaces.settings import Settings, SettingsError

FREE_BYTES_MIN: Final = 1024**3
CLOCK_SECONDS_MAX: Final = 2.0
_NOT_YET: Final = "not made yet"
_FACTS: Final = "SELECT clock_timestamp(), pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, and what was found; a problem has a fix."""

    name: str
    status: Literal["ok", "problem"]
    detail: str
    fix: str = ""


def run(arguments: argparse.Namespace) -> int:
    """Exit status 1 when there is a problem."""
    found = list(findings())
    healthy = all(finding.status == "ok" for finding in found)
    lines = []
    for finding in found:
        lines.append(f"{'ok' if finding.status == 'ok' else 'PROBLEM':8} {finding.name:11} {finding.detail}")
        if finding.fix:
            lines.append(f"{'':8} {'fix:':>11} {finding.fix}")
    lines.append("all is well" if healthy else "not all is well")
    emit(arguments, {"healthy": healthy, "checks": msgspec.to_builtins(found)}, "\n".join(lines))
    return 0 if healthy else 1


def findings() -> Iterator[Finding]:
    """Everything, in the order in which a start would meet it."""
    try:
        configured = settings.current()
    except SettingsError as error:
        yield from (
            _problem("settings", problem, "set or unset it; ./doneotp config shows all") for problem in error.problems
        )
        return
    yield _ok("settings", f"{len(settings.SETTINGS)} settings, none misspelt")
    yield _home(configured.home)
    yield _secret(configured)
    yield _disk(configured.home)
    yield _port(configured)
    yield from _database(configured)


def _home(home: Path) -> Finding:
    there = _existing(home)
    try:
        state = there.stat()
    except OSError as error:
        return _problem("home", f"{there}: {error.strerror}", "start as the user it belongs to, or set DONEOTP_HOME")
    if not stat.S_ISDIR(state.st_mode):
        return _problem("home", f"{there} is not a directory", "set another DONEOTP_HOME")
    if not os.access(there, os.W_OK | os.X_OK):
        fix = "start as the user it belongs to, or set DONEOTP_HOME"
        return _problem("home", f"{there} belongs to {_user(state.st_uid)}, and we cannot write there", fix)
    if there != home:
        return _ok("home", f"{home}: {_NOT_YET}")
    if state.st_mode & 0o022:
        return _problem("home", f"{home} can be written to by others", f"run: chmod 700 {shlex.quote(str(home))}")
    return _ok("home", str(home))


def _secret(configured: Settings) -> Finding:
    if configured.secret_key is not None:
        return _ok("secret key", "from the environment")
    path = secrets.kept_at(configured.home)
    try:
        if not path.exists() and not (configured.home / DATA).exists():
            return _ok("secret key", f"{path}: {_NOT_YET}")
        secrets.root(configured)
    except SecretUnusable as error:
        return _refused("secret key", error, fix="make the file yours, or set DONEOTP_SECRET_KEY")
    except OSError as error:
        return _problem("secret key", f"{path}: {error.strerror}", "start as the user it belongs to")
    return _ok("secret key", f"{path}, readable by its owner alone")


def _disk(home: Path) -> Finding:
    there = _existing(home)
    try:
        free = shutil.disk_usage(there).free
    except OSError as error:
        return _problem("disk", f"{there}: {error.strerror}", "set another DONEOTP_HOME")
    detail = f"{free / 1024**3:.1f} GiB free at {there}"
    return _ok("disk", detail) if free >= FREE_BYTES_MIN else _problem("disk", detail, "make room: at least 1 GiB")


def _port(configured: Settings) -> Finding:
    address = f"{configured.host}:{configured.port}"
    pid = serving_pid(configured.home)
    if pid is not None:
        return _ok("port", f"a server is running, process {pid}")
    if configured.port == 0:
        return _ok("port", "whichever is free")
    try:
        serving.listen(configured.host, configured.port).close()
    except OSError as error:
        free = "set another DONEOTP_PORT; 0 picks a free one"
        fix = free if error.errno in (errno.EADDRINUSE, errno.EACCES) else "set another DONEOTP_HOST"
        return _problem("port", f"cannot listen on {address}: {error.strerror}", fix)
    return _ok("port", f"{address} is free")


def _database(configured: Settings) -> Iterator[Finding]:
    if configured.database_url is None and not (configured.home / DATA).exists():
        yield _embedded_to_be()
        return
    try:
        # An embedded one that is stopped is started to be looked at, and stopped again.
        with database(configured, serve=False, report=lambda _: None) as conninfo, _connected(conninfo) as connection:
            kind = "embedded" if configured.database_url is None else "at DONEOTP_DATABASE_URL"
            version = connection.info.server_version
            yield _ok("database", f"Postgres {version // 10_000}.{version % 10_000}, {kind}")
            yield from _facts(connection)
            yield from _durability(connection)
            migrations = _migrations(connection)
            yield migrations
            if migrations.status == "ok" and not migrate.is_empty(connection):
                yield _seal(connection, configured)
    except (EmbeddedUnavailable, DatabaseUnavailable) as error:
        yield _refused("database", error, fix="read logs/postgres.log in DONEOTP_HOME")
    except psycopg.OperationalError:
        yield _unreachable(configured)
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        yield _problem("database", said, "give the role of DONEOTP_DATABASE_URL the right to do this")


def _embedded_to_be() -> Finding:
    try:
        programs = binaries.location()
    except EmbeddedUnavailable as error:
        return _refused("database", error, fix="set DONEOTP_DATABASE_URL")
    return _ok("database", f"embedded: {_NOT_YET}, its programs are in {programs}")


def _unreachable(configured: Settings) -> Finding:
    url = configured.database_url or ""
    parts = conninfo_to_dict(url)
    place = f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}"
    if PGconn.ping(url.encode()) == Ping.OK:
        detail = (
            f"Postgres at {place} does not let {parts.get('user', 'us')} into {parts.get('dbname', 'the database')}"
        )
        return _problem("database", detail, "check user, password and database in DONEOTP_DATABASE_URL")
    return _problem("database", f"nothing answers at {place}", "start it, or correct DONEOTP_DATABASE_URL")


def _facts(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    before = time.time()
    row = connection.execute(_FACTS).fetchone()
    after = time.time()
    assert row is not None, "a SELECT without FROM has a row"
    at, is_read_only = row
    if is_read_only:
        yield _problem("writable", "the database takes no writes", "point DONEOTP_DATABASE_URL at the primary")
    else:
        yield _ok("writable", "the database takes writes")
    # What the answer took to come is not the clock's fault.
    apart = max(before - at.timestamp(), at.timestamp() - after, 0.0)
    detail = f"ours and the database's are {apart:.1f} s apart"
    if apart > CLOCK_SECONDS_MAX:
        yield _problem("clock", detail, "let both machines keep time by NTP")
    else:
        yield _ok("clock", detail)


def _durability(connection: psycopg.Connection[Any]) -> Iterator[Finding]:
    problems = durability.problems(connection)
    yield from (_problem("durability", problem.what, problem.fix) for problem in problems)
    if not problems:
        yield _ok("durability", "what is committed is on disk")


def _migrations(connection: psycopg.Connection[Any]) -> Finding:
    try:
        waiting = migrate.pending(connection)
    except MigrationRefused as error:
        return _refused("migrations", error, fix="restore the source")
    if not waiting:
        return _ok("migrations", "up to date")
    if migrate.is_empty(connection):
        return _ok("migrations", f"{_NOT_YET}: serve makes the tables")
    return _problem("migrations", f"{', '.join(waiting)} not applied", "start serve again, which applies them")


def _seal(connection: psycopg.Connection[Any], configured: Settings) -> Finding:
    detail, fix = seal_check.examine(connection, configured)
    return _problem("seal", detail, fix) if fix else _ok("seal", detail)


@contextlib.contextmanager
def _connected(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        yield connection


def _existing(path: Path) -> Path:
    """The path, or as much of it as is there."""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            place.lstat()
            return place
    return path


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user id {uid}"


def _refused(name: str, error: Exception, *, fix: str) -> Finding:
    """A refusal whose sentence may end with what mends it."""
    what, _, own = str(error).partition("; ")
    return _problem(name, what, own or fix)


def _ok(name: str, detail: str) -> Finding:
    return Finding(name, "ok", detail)


def _problem(name: str, detail: str, fix: str) -> Finding:
    return Finding(name, "problem", detail, fix)
