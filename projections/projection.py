"""What a projection is: a table, and a pure fold from what earlier events left in it to the rows that a batch makes."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import psycopg

from projections.arrays import array
from projections.facts import Batch

LIVE = "doneotp_views"
"""The schema of the views. It may be dropped at any time."""

Row = tuple[Any, ...]
State = TypeVar("State")


class Rows(NamedTuple):
    """What a batch came to, each row with all columns in their order. `changed` rows were there before."""

    fresh: Sequence[Row]
    changed: Sequence[Row] = ()


class Projection(ABC, Generic[State]):
    """A view. All that it knows comes from events; `fold` has no clock, no randomness and no database.

    `columns` are names and types, the first `key_columns` of them the key. A new `revision` makes every database build the
    view again.
    """

    name: ClassVar[str]
    revision: ClassVar[int]
    columns: ClassVar[Mapping[str, str]]
    key_columns: ClassVar[int]
    indexes: ClassVar[Sequence[str]] = ()

    @abstractmethod
    def load(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str) -> State:
        """What the fold has to know from before the batch."""

    @abstractmethod
    def fold(self, before: State, batch: Batch) -> Rows:
        """The rows of a batch; raises Poisoned for an event that it cannot take."""

    def project(self, connection: psycopg.Connection[Any], batch: Batch, *, schema: str = LIVE) -> None:
        """Bring the view from before the batch to after it, in the caller's transaction."""
        self.store(connection, self.fold(self.load(connection, batch, schema=schema), batch), schema=schema)

    def store(self, connection: psycopg.Connection[Any], rows: Rows, *, schema: str) -> None:
        """Write the rows of a batch."""
        if rows.fresh:
            with connection.cursor() as cursor, cursor.copy(self._copy(schema)) as copy:
                for row in rows.fresh:
                    copy.write_row(row)
        if rows.changed:
            connection.execute(self._update(schema), [array(column) for column in zip(*rows.changed, strict=True)])

    def create(self, connection: psycopg.Connection[Any], *, schema: str) -> None:
        """Make the table, which must not be there."""
        key = ", ".join(list(self.columns)[: self.key_columns])
        columns = ", ".join(f"{name} {type_}" for name, type_ in self.columns.items())
        connection.execute(
            f"CREATE TABLE {schema}.{self.name} ({columns}, PRIMARY KEY ({key})) WITH (fillfactor = 80)".encode()
        )
        for index in self.indexes:
            connection.execute(index.format(table=f"{schema}.{self.name}").encode())

    def canonical(self, *, schema: str = LIVE) -> bytes:
        """The statement that gives all rows in the order of their keys, as text that depends on nothing else."""
        key = ", ".join(list(self.columns)[: self.key_columns])
        columns = ", ".join(self.columns)
        return f"COPY (SELECT {columns} FROM {schema}.{self.name} ORDER BY {key}) TO STDOUT".encode()  # noqa: S608 - our names

    def arrays(self) -> str:
        """Placeholders for one array a column."""
        return ", ".join(f"%s::{type_.partition(' ')[0]}[]" for type_ in self.columns.values())

    def _copy(self, schema: str) -> bytes:
        return f"COPY {schema}.{self.name} ({', '.join(self.columns)}) FROM STDIN".encode()

    def _update(self, schema: str) -> bytes:
        names = list(self.columns)
        sets = ", ".join(f"{name} = n.{name}" for name in names[self.key_columns :])
        matches = " AND ".join(f"v.{name} = n.{name}" for name in names[: self.key_columns])
        given = f"unnest({self.arrays()}) AS n ({', '.join(names)})"
        return f"UPDATE {schema}.{self.name} AS v SET {sets} FROM {given} WHERE {matches}".encode()  # noqa: S608 - our names
