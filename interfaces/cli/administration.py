"""The ledger for commands that administer: on a running or a stopped system, with refusals in words."""

import contextlib
import getpass
from collections.abc import Iterator
from concurrent.futures import TimeoutError as LedgerTimeout

from domain.refusals import Refusal
from interfaces import bootstrap, secrets, settings
from interfaces.bootstrap import Books
from interfaces.cli import failures
from interfaces.cli.output import Refused
from interfaces.postgres.database import database


@contextlib.contextmanager
def open_books() -> Iterator[Books]:
    """Books on the configured database, migrated; raises Refused."""
    try:
        with failures.in_words():
            configured = settings.current()
            root = secrets.root(configured)
            with database(configured, serve=False) as conninfo:
                failures.make_ready(conninfo)
                with bootstrap.books(conninfo, root=root, readers_max=2) as books:
                    yield books
    except Refusal as refusal:
        raise Refused(refusal.code, refusal.detail) from None
    except LedgerTimeout:
        raise Refused("service_unavailable", "The ledger did not answer in time.", "Run ./doneotp doctor.") from None


def operator() -> str:
    """Who is administering, for the event: the operating system's user name."""
    with contextlib.suppress(OSError, KeyError):
        return f"cli:{getpass.getuser()}"
    return "cli"
