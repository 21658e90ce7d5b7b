"""What a killed server leaves behind is no obstacle, whatever its number has become; and what a log must not keep."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from interfaces.postgres import leftovers
from interfaces.postgres.embedded import EmbeddedPostgres, conninfo
from tests.support.server import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@pytest.fixture
def server(home: Path) -> Iterator[EmbeddedPostgres]:
    made = EmbeddedPostgres(home, report=lambda text: None)
    yield made
    made.stop()


def test_a_pid_file_that_names_somebody_else_by_now_is_no_obstacle(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    files = [home / "postgres" / name for name in ("postmaster.pid", ".s.PGSQL.5432.lock")]
    texts = [file.read_text() for file in files]
    os.kill(int(texts[0].split("\n", 1)[0]), signal.SIGKILL)
    wait_for(lambda: leftovers.running(home / "postgres") == [])
    server.stop()
    owner = (home / "postgres").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=owner) as somebody_else:
        for file, text in zip(files, texts, strict=True):
            file.write_text(f"{somebody_else.pid}\n{text.partition(chr(10))[2]}")
        server.start()
        with psycopg.connect(conninfo(home)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert somebody_else.poll() is None
        somebody_else.kill()


def test_a_value_that_an_error_quotes_is_not_in_the_log(home: Path, server: EmbeddedPostgres) -> None:
    server.start()
    log = home / "logs" / "postgres.log"
    for is_kept in (False, True):
        with psycopg.connect(conninfo(home), autocommit=True) as connection:
            with pytest.raises(psycopg.DataError):
                connection.execute("SELECT %s::text::integer", ("telltale",))
            assert ("telltale" in log.read_text()) == is_kept
            connection.execute("ALTER ROLE doneotp RESET log_min_messages")  # as it comes, Postgres would keep it
