"""Events with their places, read from the ledger for many logs at once and decoded once."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import psycopg

from domain.codec import UnreadableEvent, decode
from domain.events import Event
from projections.arrays import array

_READ: Final = b"""
SELECT w.log, e.position, e.stream, e.version, e.topic, e.body
FROM unnest(%s::text[], %s::bigint[], %s::bigint[]) AS w (log, after, until)
CROSS JOIN LATERAL (
    SELECT position, stream, version, topic, body FROM doneotp.events AS e
    WHERE e.log = w.log AND e.position > w.after AND e.position <= w.until ORDER BY e.position) AS e"""


class Fact(NamedTuple):
    """An event with its place in its log and in its stream; the account's own stream has no name."""

    position: int
    stream: str
    version: int
    event: Event


class Stretch(NamedTuple):
    """The part of a log after a position, up to and with another."""

    log: str
    after: int
    until: int


Batch = dict[str, list[Fact]]
"""Facts by log, in the order of their positions."""


class Poisoned(Exception):
    """The event at `position` of `log` cannot be read or folded."""

    def __init__(self, log: str, position: int) -> None:
        super().__init__("an event cannot be projected")
        self.log = log
        self.position = position


def read(connection: psycopg.Connection[Any], stretches: Sequence[Stretch]) -> Batch:
    """All facts of the stretches; raises Poisoned."""
    rows = connection.execute(
        _READ,
        (
            array([stretch.log for stretch in stretches]),
            array([stretch.after for stretch in stretches]),
            array([stretch.until for stretch in stretches]),
        ),
        binary=True,
    )
    batch: Batch = {stretch.log: [] for stretch in stretches}
    for log, position, stream, version, topic, body in rows:
        try:
            batch[log].append(Fact(position, stream, version, decode(topic, body)))
        except UnreadableEvent:
            raise Poisoned(log, position) from None
    return batch


def stream_of(verification_id: str) -> str:
    """The stream that a verification is in, which its id carries: `ver_`, 22 characters of stream, 12 of its own."""
    return verification_id[4:26]
