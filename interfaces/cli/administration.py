"""The ledger for commands that administer: on a running or a stopped system, with refusals in words."""

import contextlib
import getpass
from collections.abc import Iterator
from concurrent.futures import TimeoutError as LedgerTimeout
from dataclasses import dataclass
from pathlib import Path

from domain.refusals import Refusal
from interfaces import bootstrap, secrets, settings
from interfaces.bootstrap import Books
from interfaces.cli import failures
from interfaces.cli.output import Refused
from interfaces.postgres.database import database
from interfaces.secrets import SecretUnusable


@dataclass(frozen=True, slots=True, repr=False)
class OpenDatabase:
    """How to reach the database, migrated, and what goes with it."""

    conninfo: str
    home: Path
    root: bytes


@contextlib.contextmanager
def open_database() -> Iterator[OpenDatabase]:
    """The configured database; raises Refused."""
    with failures.in_words():
        configured = settings.current()
        root = secrets.root(configured)
        with database(configured, serve=False) as conninfo:
            failures.make_ready(conninfo)
            yield OpenDatabase(conninfo, configured.home, root)


@contextlib.contextmanager
def open_books() -> Iterator[Books]:
    """Books on the configured database; raises Refused."""
    with open_database() as opened, books_on(opened) as books:
        yield books


@contextlib.contextmanager
def books_on(opened: OpenDatabase) -> Iterator[Books]:
    """Books on a database that is open; raises Refused."""
    try:
        with bootstrap.books(opened.conninfo, root=opened.root, readers_max=2) as books:
            yield books
    except SecretUnusable as error:
        raise Refused("cannot_start", f"{error}.", "Run ./doneotp doctor.") from None
    except Refusal as refusal:
        raise Refused(refusal.code, refusal.detail) from None
    except LedgerTimeout:
        raise Refused("service_unavailable", "The ledger did not answer in time.", "Run ./doneotp doctor.") from None


def operator() -> str:
    """Who is administering, for the event: the operating system's user name."""
    with contextlib.suppress(OSError, KeyError):
        return f"cli:{getpass.getuser()}"
    return "cli"
