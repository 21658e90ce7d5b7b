"""Making views in a test: batches of given events, runners that report nothing, and what is in a view."""

from collections import Counter
from typing import Any

import psycopg

from domain.events import ACCOUNT_EVENTS, Event
from projections.facts import Batch, Fact, stream_of
from projections.projection import LIVE
from projections.runner import Runner
from projections.views import AnyProjection, all_views, digest, prepare

LOG = "acct_a"


def batch(*events: Event, log: str = LOG) -> Batch:
    """The events as a log that begins with them."""
    versions: Counter[str] = Counter()
    facts = []
    for position, event in enumerate(events, 1):
        stream = "" if type(event) in ACCOUNT_EVENTS else stream_of(event.verification_id)  # type: ignore[attr-defined]
        versions[stream] += 1
        facts.append(Fact(position, stream, versions[stream], event))
    return {log: facts}


def named(view: AnyProjection, *rows: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Rows with the names of their columns."""
    return [dict(zip(view.columns, row, strict=True)) for row in rows]


def no_poison(log: str, position: int) -> None:
    raise AssertionError(f"event {position} of {log} was passed over")


def runner(connection: psycopg.Connection[Any], **more: Any) -> Runner:
    """A runner of all views, which are made when they are not there."""
    assert prepare(connection, all_views()) == []
    return Runner(connection, all_views(), **{"on_poison": no_poison, **more})


def catch_up(connection: psycopg.Connection[Any], **more: Any) -> int:
    """Turns until nothing is left; how many."""
    running = runner(connection, **more)
    turns = 1
    while running.turn().is_full:
        turns += 1
    return turns


def digests(connection: psycopg.Connection[Any], *, schema: str = LIVE) -> dict[str, str]:
    with connection.transaction():
        return {view.name: digest(connection, view, schema=schema) for view in all_views()}


def tracked(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Up to where the views have each log."""
    return dict(connection.execute("SELECT log, position FROM doneotp_views.tracking").fetchall())


def contents(connection: psycopg.Connection[Any], view: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM doneotp_views.{view} ORDER BY 1, 2, 3".encode()).fetchall()
