"""`projections`: status, rebuild."""

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import psycopg

from interfaces import projecting, settings
from interfaces.cli import failures
from interfaces.cli.output import Refused, emit
from interfaces.postgres.database import database
from projections.rebuild import RebuildRefused, rebuild, total
from projections.views import all_views, statuses

_BAR: Final = 40


def status(arguments: argparse.Namespace) -> int:
    """Show how far the views are and what is in them."""
    with _connected() as connection:
        found = [view._asdict() for view in statuses(connection, all_views())]
    lines = [
        f"{row['name']:14} position {row['position']:>12}  lag {row['lag_events']:>9}  {row['digest'] or 'not built'}"
        for row in found
    ]
    emit(arguments, {"projections": found}, "\n".join(lines))
    return 0


def rebuild_(arguments: argparse.Namespace) -> int:
    """Build views again beside the live ones, then swap."""
    with _connected() as connection:
        begun = time.monotonic()
        missing = {view.name for view in projecting.catch_up(connection, on_poison=_warn)}
        views = [view for view in all_views() if arguments.name in (None, view.name) or view.name in missing]
        with _progress(total(connection)) as progress:
            try:
                events = rebuild(connection, views, on_step=progress)
            except RebuildRefused as refused:
                raise Refused("rebuild_refused", f"{refused}.", "Look at ./doneotp projections status.") from None
        seconds = time.monotonic() - begun
        names = {view.name for view in views}
        found = [view._asdict() for view in statuses(connection, all_views()) if view.name in names]
    document = {"projections": found, "events": events, "seconds": round(seconds, 3)}
    emit(arguments, document, f"rebuilt {', '.join(sorted(names))} from {events} events in {seconds:.1f} s")
    return 0


@contextlib.contextmanager
def _connected() -> Iterator[psycopg.Connection[Any]]:
    """A connection to the configured database, migrated; raises Refused."""
    with failures.in_words():
        configured = settings.current()
        with database(configured, serve=False) as conninfo:
            failures.make_ready(conninfo)
            with projecting.connect(conninfo, statement_seconds_max=0) as connection:
                yield connection


def _warn(log: str, position: int) -> None:
    print(f"doneotp: event {position} of {log} cannot be read: the views end before it", file=sys.stderr)


@contextlib.contextmanager
def _progress(events: int) -> Iterator[Callable[[int], None]]:
    """Draws a bar on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return

    def draw(done: int) -> None:
        share = min(1.0, done / events) if events else 1.0
        bar = "#" * round(share * _BAR)
        print(f"\r{bar:{_BAR}} {share:4.0%} {done:,} of {events:,} events", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        print(f"\r{'':{_BAR + 60}}\r", end="", file=sys.stderr, flush=True)
