"""`audit export`, `prove`, `checkpoint`, `keys`, `rotate-key`: what is sealed, from a running or a stopped system."""

import argparse
import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from application.keyring import Keyring
from domain import keys as api_keys
from interfaces import projecting, sealing
from interfaces.cli.administration import OpenDatabase, open_database
from interfaces.cli.output import Refused, emit
from interfaces.secrets import SecretUnusable
from projections.audit.cli import Progress
from projections.rebuild import RebuildRefused, rebuild
from projections.transparency import exporter, receipts
from projections.transparency.receipts import NotSealed, Receipt, checkpoint_in
from projections.transparency.sealer import Forked, Sealer
from projections.transparency.shelf import GLOBAL, Shelf

SEAL_SECONDS_MAX: Final = 60.0
TURNS_MAX: Final = 20
"""How often views are brought up to what is sealed, while more is being sealed."""
_HEADS: Final = b"SELECT log, position FROM doneotp.heads"
_BEHIND: Final = b"""
SELECT count(*) FROM unnest(%b::text[], %b::bigint[]) AS w (log, position)
LEFT JOIN doneotp.trees AS t USING (log) WHERE coalesce(t.noted_size, 0) < w.position"""
_OUTRUN: Final = b"""
SELECT log FROM doneotp.trees LEFT JOIN doneotp_views.tracking AS t USING (log)
WHERE log <> '' AND coalesce(t.position, 0) < noted_size LIMIT 1000"""
_LOG_OF: Final = b"""
SELECT h.log FROM doneotp.heads AS h JOIN doneotp.events AS e ON e.log = h.log AND e.position = %b WHERE e.event_id = %b"""


def export(arguments: argparse.Namespace) -> int:
    """Write a bundle: first beside its place, so that nobody finds half of one."""
    target = Path(arguments.directory).absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Refused("directory_not_empty", f"{target} is there already.", "Name a directory that is not there yet.")
    aside = target.with_name(f".{target.name}.partial")
    progress = Progress("exporting")
    try:
        with open_database() as opened, sealed(opened, with_views=True) as shelf:
            logs = None if arguments.account is None else _logs_of(shelf, arguments.account)
            shutil.rmtree(aside, ignore_errors=True)
            found = exporter.export(shelf, aside, logs=logs, progress=progress)
        _move(aside, target)
    except OSError as error:
        raise Refused("cannot_write", f"{error.filename or target} cannot be written: {error.strerror}.") from None
    finally:
        progress.end()
        shutil.rmtree(aside, ignore_errors=True)
    document = {"directory": str(target), "origin": found.origin, "size": found.size, "root": found.root.hex()}
    emit(
        arguments,
        document,
        f"{target}\ncheckpoint  {found.origin}, size {found.size}, root {found.root.hex()}\n"
        f"check it    ./doneotp audit verify {target}   or, elsewhere:  python3 doneotp-audit.pyz verify {target}",
    )
    return 0


def _move(aside: Path, target: Path) -> None:
    """Into a directory that is there, whoever stands in it; the checkpoint last, without which there is no bundle."""
    if not target.exists():
        aside.replace(target)
        return
    for part in sorted(aside.iterdir(), key=lambda path: path.name == "checkpoint"):
        part.replace(target / part.name)


def prove(arguments: argparse.Namespace) -> int:
    """Write the receipt of an event."""
    try:
        event_id = UUID(arguments.event_id).bytes
    except ValueError:
        raise Refused("not_found", "That is not the id of an event.") from None
    with _sealed() as shelf:
        found = _receipt(shelf, event_id)
    text = json.dumps(msgspec.to_builtins(found), indent=2) + "\n"
    if arguments.out:
        _write(Path(arguments.out), text)
        emit(arguments, {"path": arguments.out, "event_id": found.event_id, "position": found.position}, arguments.out)
    else:
        emit(arguments, msgspec.to_builtins(found), text.rstrip("\n"))
    return 0


def checkpoint(arguments: argparse.Namespace) -> int:
    """Print the signed checkpoint of all that is recorded now."""
    with _sealed() as shelf:
        found = shelf.trees([GLOBAL]).get(GLOBAL)
    if found is None or not found.note:
        raise Refused("not_sealed", "Nothing is sealed yet.", "Open an account first.")
    last = checkpoint_in(found.note)
    document = {"origin": last.origin, "size": last.size, "root": last.root.hex(), "note": found.note.decode()}
    emit(arguments, {"ok": True, "checkpoint": document, "findings": []}, found.note.decode().rstrip("\n"))
    return 0


def keys(arguments: argparse.Namespace) -> int:
    """Print the vkeys, newest first."""
    with _sealed() as shelf:
        vkeys = shelf.vkeys()
    emit(arguments, {"vkeys": vkeys}, "\n".join(vkeys))
    return 0


def rotate_key(arguments: argparse.Namespace) -> int:
    """Begin to sign with a new key."""
    with open_database() as opened, projecting.connect(opened.conninfo) as connection, _in_words():
        vkey = sealing.rotate(Keyring(opened.root), sealing.executing(connection))
    emit(
        arguments,
        {"vkey": vkey},
        f"{vkey}\nTell those who verify; checkpoints are signed by this key and the last one.",
    )
    return 0


@contextlib.contextmanager
def _sealed() -> Iterator[Shelf]:
    with open_database() as opened, sealed(opened) as shelf:
        yield shelf


@contextlib.contextmanager
def sealed(opened: OpenDatabase, *, with_views: bool = False) -> Iterator[Shelf]:
    """All that was recorded when this began, sealed, and seen as of one moment; the views have it too, if asked for."""
    with _in_words():
        with projecting.connect(opened.conninfo) as connection:  # and let go of it: others seal while we read
            _seal(opened, connection)
        with projecting.connect(opened.conninfo, statement_seconds_max=0) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            for turn in range(TURNS_MAX if with_views else 1):
                unreadable = bring_up(opened) if with_views else set()
                with connection.transaction():
                    shelf = Shelf(sealing.executing(connection))
                    if with_views and turn + 1 < TURNS_MAX and _outrun(shelf, unreadable):
                        continue  # more was sealed between the two
                    yield shelf
                return


def bring_up(opened: OpenDatabase) -> set[str]:
    """Bring all views up to what is recorded; the logs with an event that cannot be read, where they end."""
    unreadable: dict[str, int] = {}
    with projecting.connect(opened.conninfo, statement_seconds_max=0) as connection:
        missing = projecting.catch_up(connection, on_poison=unreadable.__setitem__)
        if missing:
            try:
                rebuild(connection, missing, on_step=lambda _: None)
            except RebuildRefused as refused:
                raise Refused("views_not_built", f"Views are not built: {refused}.", "Try again.") from None
    return {*unreadable}


def _outrun(shelf: Shelf, unreadable: set[str]) -> bool:
    return any(log not in unreadable for (log,) in shelf.execute(_OUTRUN, ()))


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except NotSealed as error:
        raise Refused("not_sealed", str(error), "Try again.") from None
    except SecretUnusable as error:
        raise Refused("cannot_start", f"{error}.", "Run ./doneotp doctor.") from None
    except Forked as error:
        raise Refused(
            "log_forked",
            f"What is recorded does not continue what was signed: {error}.",
            "Do not restart anything. Compare the database with its backups, and read docs/auditors.md.",
        ) from None


def _seal(opened: OpenDatabase, connection: psycopg.Connection[Any]) -> None:
    """Seal what is recorded now, or wait for the server that does."""
    execute = sealing.executing(connection)
    rows = execute(_HEADS, ())
    wanted = ([log for log, _ in rows], [position for _, position in rows])
    keyring, memory = Keyring(opened.root), sealing.FileMemory(opened.home / sealing.FILE)
    sealer = Sealer(connection, memory)
    until = time.monotonic() + SEAL_SECONDS_MAX
    while execute(_BEHIND, wanted) != [(0,)]:
        if time.monotonic() > until:
            raise Refused(
                "not_sealed", "What is recorded is not being sealed.", "Read logs/server.log in DONEOTP_HOME."
            )
        signer = sealing.LogKeys(keyring, execute)
        try:
            if sealer.once(signer) is None:
                sealer.examine(signer)  # who seals may be refusing to, for as long as we wait
                time.sleep(0.1)
        except OSError as error:
            raise Refused("cannot_write", f"{error.filename} cannot be used: {error.strerror}.") from None


def _logs_of(shelf: Shelf, account: str) -> list[str]:
    """Both logs of an account, as far as there are two."""
    found = shelf.trees([api_keys.log_of(account, mode="live"), api_keys.log_of(account, mode="test")])
    if account not in found:
        raise Refused("not_found", "There is no such account.", "Run ./doneotp accounts list.")
    return sorted(found)


def _receipt(shelf: Shelf, event_id: bytes) -> Receipt:
    for (log,) in shelf.execute(_LOG_OF, (receipts.position_in(event_id), UUID(bytes=event_id))):
        found = receipts.receipt(shelf, log, event_id)
        if found is not None:
            return found
    raise Refused("not_found", "There is no event of this id.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise Refused("cannot_write", f"{path} cannot be written: {error.strerror}.") from None
