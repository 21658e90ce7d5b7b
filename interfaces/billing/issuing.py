"""The event that closes a month, whoever closes it."""

from datetime import datetime
from hashlib import sha256

from domain.events import StatementIssued
from projections.statements.sheet import Statement


def issued_at(statement: Statement, now: datetime, *, by: str) -> StatementIssued:
    """The event that fixes a statement. What it hashes is the statement as it will be from then on: closed."""
    closed = statement.closed()
    return StatementIssued(
        at=now,
        period=closed.period,
        tree_size=closed.tree_size,
        root=closed.root,
        credits=closed.credits,
        added=closed.added,
        opening_balance=closed.opening_balance,
        closing_balance=closed.closing_balance,
        sha256=sha256(closed.csv()).hexdigest(),
        by=by,
    )
