"""What keeps a command from its database, in words: for everything that opens one, the same sentence and the same fix."""

import contextlib
from collections.abc import Iterator

import psycopg

from interfaces.cli.output import Refused
from interfaces.postgres import durability, migrate
from interfaces.postgres.binaries import EmbeddedUnavailable
from interfaces.postgres.database import AlreadyServing, DatabaseUnavailable
from interfaces.postgres.migrate import MigrationRefused
from interfaces.secrets import SecretUnusable
from interfaces.settings import SettingsError


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """Raises Refused for every failure to start."""
    try:
        yield
    except SettingsError as error:
        raise Refused("settings_invalid", "\n".join(error.problems), "Run ./doneotp config.") from None
    except AlreadyServing as error:
        raise Refused(
            "already_serving", f"{error}.", "Stop it, or set another DONEOTP_HOME and DONEOTP_PORT."
        ) from None
    except (SecretUnusable, EmbeddedUnavailable, DatabaseUnavailable, MigrationRefused) as error:
        raise Refused("cannot_start", str(error), "Run ./doneotp doctor.") from None
    except psycopg.OperationalError:
        raise Refused("database_unreachable", "The database does not answer.", "Check DONEOTP_DATABASE_URL.") from None


def make_ready(conninfo: str) -> None:
    """Bring a database up to date that will keep what it acknowledges; raises Refused for one that would not."""
    with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
        problems = durability.problems(connection)
    if problems:
        raise Refused(
            "database_forgetful",
            "; ".join(problem.what for problem in problems) + ".",
            "; ".join(problem.fix for problem in problems),
        )
    migrate.up(conninfo)
