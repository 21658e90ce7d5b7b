"""Arrays as Postgres spells them (section 8.15.2 of its manual): one parameter for a column of thousands of values."""

from collections.abc import Sequence
from datetime import date, datetime


def array(values: Sequence[str | int | date | datetime | None]) -> str:
    """For a cast such as `%s::bigint[]`."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: str | int | date | datetime | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return str(value)
