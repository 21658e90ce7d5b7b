"""A limit: what this Postgres stores when nothing is asked of it but the rows of 64 verifications per transaction."""

import os
import time
from typing import Final
from uuid import uuid4

import msgspec
import psycopg

FLOWS_PER_TRANSACTION: Final = 64
EVENTS_PER_FLOW: Final = 5
"""CodeRequested, CreditDebited, CodeSent, Verified, TokenRedeemed."""
_BODY_BYTES: Final = 300
_LOG: Final = "acct_bench"
_TOPIC: Final = "CodeRequested.v1"
_DROP: Final = "DROP SCHEMA IF EXISTS bench_raw CASCADE"
_CREATE: Final = "CREATE SCHEMA bench_raw"
_TABLE: Final = "CREATE TABLE bench_raw.events (LIKE doneotp.events INCLUDING ALL)"
_INSERT: Final = """
INSERT INTO bench_raw.events (log, position, stream, version, event_id, topic, body)
SELECT * FROM unnest(%b::text[], %b::bigint[], %b::text[], %b::integer[], %b::uuid[], %b::text[], %b::bytea[])"""


class RawInserts(msgspec.Struct, frozen=True, kw_only=True):
    """What was stored."""

    seconds: float
    verifications: int
    verifications_per_second: float


def measure(conninfo: str, *, seconds: float) -> RawInserts:
    """Insert for `seconds` into a table of the shape, keys and indexes of the ledger's, on one connection."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_DROP)
        connection.execute(_CREATE)
        connection.execute(_TABLE)
        try:
            return _insert(connection, seconds=seconds)
        finally:
            connection.execute(_DROP)


def _insert(connection: "psycopg.Connection[tuple[object, ...]]", *, seconds: float) -> RawInserts:
    verifications = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        rows = _rows(first_position=verifications * EVENTS_PER_FLOW + 1)
        connection.execute(_INSERT, rows, prepare=True, binary=True)
        verifications += FLOWS_PER_TRANSACTION
    return RawInserts(
        seconds=round(elapsed, 3),
        verifications=verifications,
        verifications_per_second=round(verifications / elapsed, 1),
    )


def _rows(*, first_position: int) -> list[list[object]]:
    count = FLOWS_PER_TRANSACTION * EVENTS_PER_FLOW
    streams = [os.urandom(13).hex() for _ in range(FLOWS_PER_TRANSACTION)]
    return [
        [_LOG] * count,
        list(range(first_position, first_position + count)),
        [streams[number // EVENTS_PER_FLOW] for number in range(count)],
        [number % EVENTS_PER_FLOW + 1 for number in range(count)],
        [uuid4() for _ in range(count)],
        [_TOPIC] * count,
        [os.urandom(_BODY_BYTES // 2).hex().encode() for _ in range(count)],
    ]
