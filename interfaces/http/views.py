"""Reading views exactly: what they have up to a position, and beyond it the tail of the log itself."""

from typing import Any, Final

from eventsourcing.persistence import ProgrammingError

from application.ports import Record
from domain.refusals import ServiceUnavailable
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.projection import Projection
from projections.views import REACH

TAIL_MAX: Final = 20_000
"""Events that a read folds by itself. Where views are further behind it is refused: they are being made."""
_NOT_THERE: Final = ("UndefinedTable", "UndefinedColumn", "InvalidSchemaName")


def reach(recorder: PostgresLogRecorder, log: str, *views: type[Projection[Any]]) -> int:
    """The position up to which all of `views` have the log. Raises ServiceUnavailable when the tail is too long."""
    wanted = [f"{view.name} {view.revision}" for view in views]
    try:
        rows = recorder.execute(REACH, (wanted, len(wanted), log))
    except ProgrammingError as error:
        if not _is_missing(error):
            raise
        rows = [(recorder.heads([log]).get(log, 0), 0)]
    head, reached = rows[0] if rows else (0, 0)
    if head - reached > TAIL_MAX:
        raise ServiceUnavailable(retry_after_seconds=1)
    return int(reached)


def rows(recorder: PostgresLogRecorder, statement: bytes, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
    """Rows of a view that was there a moment ago; raises ServiceUnavailable when somebody has dropped it."""
    try:
        return recorder.execute(statement, parameters)
    except ProgrammingError as error:
        if not _is_missing(error):
            raise
        raise ServiceUnavailable(retry_after_seconds=1) from None


def tail(recorder: PostgresLogRecorder, log: str, *, after: int, most: int = TAIL_MAX) -> list[Record]:
    """What comes after a position that `reach` gave: all that was there when it did."""
    return list(recorder.select_log(log, after=after, limit=min(most, TAIL_MAX)))


def _is_missing(error: ProgrammingError) -> bool:
    return str(error).startswith(_NOT_THERE)
