"""All views of this version in their schema: made, judged and described here.

`tracking` says up to which position of each log all views have it. `revisions` says which fold made which view.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg

from projections.activity import Activity
from projections.balances import Balances
from projections.charges import Charges
from projections.key_uses import KeyUses
from projections.projection import LIVE, Projection
from projections.usage import Usage
from projections.verifications import Verifications

REBUILT: Final = "doneotp_rebuild"
"""Where views are built beside the live ones. Gone when that is done; whoever comes next drops what a kill left."""
RUNNER_LOCK: Final = 0x646F6E72  # "donr"
BATCH_LOCK: Final = 0x646F6E62  # "donb"
REBUILD_LOCK: Final = 0x646F6E75  # "donu"
_TRACKING: Final = "CREATE TABLE IF NOT EXISTS {schema}.tracking (log text PRIMARY KEY, position bigint NOT NULL)"
_REVISIONS: Final = (
    "CREATE TABLE IF NOT EXISTS doneotp_views.revisions (view text PRIMARY KEY, revision integer NOT NULL)"
)
_REVISED: Final = b"""
INSERT INTO doneotp_views.revisions (view, revision) VALUES (%s, %s)
ON CONFLICT (view) DO UPDATE SET revision = excluded.revision"""
_LAG: Final = b"""
SELECT coalesce(sum(t.position), 0)::bigint, coalesce(sum(h.position - coalesce(t.position, 0)), 0)::bigint
FROM doneotp.heads AS h LEFT JOIN doneotp_views.tracking AS t USING (log)"""

_LAG_OF_NONE: Final = b"SELECT 0::bigint, coalesce(sum(position), 0)::bigint FROM doneotp.heads"
_AHEAD: Final = b"""
SELECT 1 FROM doneotp_views.tracking AS t LEFT JOIN doneotp.heads AS h USING (log)
WHERE t.position > coalesce(h.position, 0) LIMIT 1"""
# For readers: the head of a log, and up to where views may be asked for it: nowhere before they are of this version.
REACH: Final = b"""
SELECT h.position, CASE WHEN (SELECT count(*) FROM doneotp_views.revisions WHERE view || ' ' || revision = ANY (%b)) = %b
    THEN coalesce(t.position, 0) ELSE 0 END
FROM doneotp.heads AS h LEFT JOIN doneotp_views.tracking AS t USING (log) WHERE h.log = %b"""

AnyProjection = Projection[Any]


def all_views() -> tuple[AnyProjection, ...]:
    """One of each."""
    return Balances(), Usage(), Activity(), Verifications(), Charges(), KeyUses()


class Status(NamedTuple):
    """Of a view: `position` is the sum over all logs, `digest` the SHA-256 of its rows in the order of their keys."""

    name: str
    position: int
    lag_events: int
    digest: str


def prepare(connection: psycopg.Connection[Any], views: Sequence[AnyProjection]) -> list[AnyProjection]:
    """Make what is missing, drop what another revision or a killed rebuild left; returns the views that have to be rebuilt."""
    missing: list[AnyProjection] = []
    drop_leftovers(connection)
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (BATCH_LOCK,))
        connection.execute("CREATE SCHEMA IF NOT EXISTS doneotp_views")
        if _is_ahead(connection):  # the ledger was restored to an earlier moment: this is another history
            drop_all(connection)
            connection.execute("CREATE SCHEMA doneotp_views")
        connection.execute(_TRACKING.format(schema=LIVE).encode())
        connection.execute(_REVISIONS.encode())
        is_new = connection.execute("SELECT 1 FROM doneotp_views.tracking LIMIT 1").fetchone() is None
        revisions = dict(connection.execute("SELECT view, revision FROM doneotp_views.revisions").fetchall())
        for view in views:
            if is_there(connection, view) and revisions.get(view.name) == view.revision:
                continue
            connection.execute(f"DROP TABLE IF EXISTS {LIVE}.{view.name}".encode())
            connection.execute("DELETE FROM doneotp_views.revisions WHERE view = %s", (view.name,))
            if is_new:
                view.create(connection, schema=LIVE)
                connection.execute(_REVISED, (view.name, view.revision))
            else:
                missing.append(view)
    return missing


def _is_ahead(connection: psycopg.Connection[Any]) -> bool:
    if connection.execute("SELECT to_regclass('doneotp_views.tracking')").fetchone() == (None,):
        return False
    return connection.execute(_AHEAD).fetchone() is not None


def is_there(connection: psycopg.Connection[Any], view: AnyProjection) -> bool:
    """Whether there is a live table of that name."""
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (f"{LIVE}.{view.name}",)).fetchone()
    return row == (True,)


def begin_rebuild(connection: psycopg.Connection[Any], views: Sequence[AnyProjection]) -> None:
    """Empty tables beside the live ones. Only who holds REBUILD_LOCK may."""
    with connection.transaction():
        connection.execute(f"DROP SCHEMA IF EXISTS {REBUILT} CASCADE".encode())
        connection.execute(f"CREATE SCHEMA {REBUILT}".encode())
        connection.execute(_TRACKING.format(schema=REBUILT).encode())
        for view in views:
            view.create(connection, schema=REBUILT)


def swap(connection: psycopg.Connection[Any], views: Sequence[AnyProjection]) -> None:
    """Put rebuilt views in the place of the live ones, in the caller's transaction, which holds BATCH_LOCK."""
    # In the order in which readers lock those that they read together.
    ordered = sorted(views, key=lambda view: view.name)
    for view in ordered:
        if is_there(connection, view):
            connection.execute(f"LOCK TABLE {LIVE}.{view.name} IN ACCESS EXCLUSIVE MODE".encode())
    for view in ordered:
        connection.execute(f"DROP TABLE IF EXISTS {LIVE}.{view.name}".encode())
        connection.execute(f"ALTER TABLE {REBUILT}.{view.name} SET SCHEMA {LIVE}".encode())
        connection.execute(_REVISED, (view.name, view.revision))
    connection.execute(f"DROP SCHEMA {REBUILT} CASCADE".encode())


def drop_all(connection: psycopg.Connection[Any]) -> None:
    """Forget all views, so that they are made again."""
    connection.execute("DROP SCHEMA IF EXISTS doneotp_views CASCADE")


def drop_leftovers(connection: psycopg.Connection[Any]) -> bool:
    """Drop what a killed rebuild left; False when there is nothing, or when one is at work."""
    if connection.execute("SELECT to_regnamespace(%s)", (REBUILT,)).fetchone() == (None,):
        return False
    with connection.transaction():
        if connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (REBUILD_LOCK,)).fetchone() != (True,):
            return False
        connection.execute(f"DROP SCHEMA IF EXISTS {REBUILT} CASCADE".encode())
    return True


def statuses(connection: psycopg.Connection[Any], views: Sequence[AnyProjection]) -> list[Status]:
    """How far each view is and what is in it, all at one moment."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        is_tracked = connection.execute("SELECT to_regclass('doneotp_views.tracking') IS NOT NULL").fetchone() == (
            True,
        )
        ((position, lag),) = connection.execute(_LAG if is_tracked else _LAG_OF_NONE).fetchall()
        return [
            Status(view.name, position, lag, digest(connection, view))
            if is_there(connection, view)
            else Status(view.name, 0, position + lag, "")
            for view in views
        ]


def digest(connection: psycopg.Connection[Any], view: AnyProjection, *, schema: str = LIVE) -> str:
    """SHA-256 over the canonical rows; memory does not grow with them. In the caller's transaction."""
    connection.execute("SET LOCAL TimeZone = 'UTC'")
    connection.execute("SET LOCAL DateStyle = 'ISO, YMD'")
    hashed = hashlib.sha256()
    with connection.cursor() as cursor, cursor.copy(view.canonical(schema=schema)) as copy:
        for block in copy:
            hashed.update(block)
    return hashed.hexdigest()
