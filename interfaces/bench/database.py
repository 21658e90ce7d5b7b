"""The database under the server that is measured: how much it holds and has written, and accounts to load it with."""

import contextlib
from collections.abc import Iterator
from typing import Final

import msgspec
import psycopg

_MEASURE: Final = """
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint, coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = 'doneotp' AND c.relkind IN ('r', 'm')"""


class Written(msgspec.Struct, frozen=True):
    """Bytes of write-ahead log since the cluster began, and bytes of the ledger's tables with their indexes."""

    wal_bytes: int
    table_bytes: int


def written(conninfo: str) -> Written:
    """As of now."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(_MEASURE).fetchone()
    assert row is not None
    return Written(*row)


def described(conninfo: str) -> tuple[str, str]:
    """Version, and how it makes a commit durable."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version'),"
            " concat_ws(' ', 'fsync', current_setting('fsync'), 'synchronous_commit', current_setting('synchronous_commit'))"
        ).fetchone()
    assert row is not None
    return row[0], row[1]


def make_schema(conninfo: str, name: str) -> None:
    """An empty schema."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        identifier = psycopg.sql.Identifier(name)
        connection.execute(psycopg.sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(identifier))
        connection.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(identifier))


@contextlib.contextmanager
def holding(conninfo: str, lock: int) -> Iterator[None]:
    """An advisory lock, taken from whoever holds it: as long as the context lasts, the work behind it rests."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        while connection.execute("SELECT pg_try_advisory_lock(%s)", (lock,)).fetchone() != (True,):
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks"
                " WHERE locktype = 'advisory' AND objid = %s AND granted AND pid <> pg_backend_pid()",
                (lock,),
            )
        yield
