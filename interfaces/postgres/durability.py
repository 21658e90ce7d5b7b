"""Refuse a Postgres that may forget what it has acknowledged, or that cannot hold what we write."""

from typing import Any, Final

import msgspec
import psycopg

SERVER_VERSION_MIN: Final = 150_000
_MUST_BE_ON: Final = ("fsync", "full_page_writes")


class Problem(msgspec.Struct, frozen=True):
    """What is wrong, and what mends it."""

    what: str
    fix: str


def problems(connection: psycopg.Connection[Any]) -> list[Problem]:
    """What of this server, as this role sees this database, would not do."""
    found = []
    version = connection.info.server_version
    if version < SERVER_VERSION_MIN:
        found.append(Problem(f"Postgres {version // 10_000} is too old", "use Postgres 15 or later"))
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        found.append(Problem(f"the database's encoding is {encoding}", "make the database anew with ENCODING 'UTF8'"))
    for name in (*_MUST_BE_ON, "synchronous_commit"):
        value = str(connection.execute("SELECT current_setting(%s)", (name,)).fetchone()[0])  # type: ignore[index]
        if value == "off":
            found.append(
                Problem(
                    f"{name} is off: acknowledged verifications could be lost",
                    f"set {name} = on for the server, the database and the role",
                )
            )
    return found
