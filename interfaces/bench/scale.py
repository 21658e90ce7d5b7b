"""How the read side grows: ledgers of different lengths, and what it takes to seal, view, export, verify and replay each.

Every step runs in a process of its own, so that its memory is its own. What is measured is the real code on a Postgres of its
own; what is not is how the events came in.
"""

import hashlib
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import msgspec
import psycopg

from application.keyring import Keyring
from domain.codec import encode
from domain.events import TOPICS
from interfaces import projecting, sealing
from interfaces.bench.traffic import story
from interfaces.postgres import embedded, migrate
from interfaces.postgres.embedded import EmbeddedPostgres
from projections.audit.cli import main as audit
from projections.rebuild import rebuild
from projections.runner import Runner
from projections.transparency import exporter
from projections.transparency.sealer import Sealer
from projections.transparency.shelf import Shelf
from projections.views import all_views, prepare

ROOT: Final = b"a root that no installation has ."
SHARES: Final = {"acct_first": 6, "acct_second": 3, "acct_second-test": 1}
"""Tenths of the events in each log: one busy, one less so, and a test log."""
_COPY: Final = b"COPY doneotp.events (log, position, stream, version, event_id, topic, body) FROM STDIN (FORMAT BINARY)"
_TYPES: Final = ["text", "int8", "text", "int4", "uuid", "text", "bytea"]
_SIZES: Final = """
SELECT sum(pg_total_relation_size(c.oid)) FILTER (WHERE n.nspname = 'doneotp' AND c.relname = 'events'),
       sum(pg_total_relation_size(c.oid)) FILTER (WHERE n.nspname = 'doneotp' AND c.relname IN ('tiles', 'account_heads')),
       sum(pg_total_relation_size(c.oid)) FILTER (WHERE n.nspname = 'doneotp_views')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r'"""
_KIB: Final = 1 if sys.platform == "darwin" else 1024  # what getrusage counts memory in


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: seconds by the clock and of this process's CPU, events a second, its largest memory in MB."""

    name: str
    seconds: float
    cpu_seconds: float
    events_per_second: int
    memory_mb: int


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """One ledger. Bytes are per event: the events with their indexes, tiles and heads, views, and the bundle."""

    events: int
    steps: list[Step]
    ledger_bytes: int
    seal_bytes: int
    view_bytes: int
    bundle_bytes: int


class StepFailed(Exception):
    """A step ended otherwise than well; the text names it."""


def measure(events: int, folder: Path, *, say: Callable[[str], None]) -> Size:
    """Fill a ledger of so many events below `folder`, do everything with it, and take it away again. Raises StepFailed."""
    home, bundle = folder / "home", folder / "bundle"
    server = EmbeddedPostgres(home, report=lambda _: None)
    server.start()
    try:
        conninfo = embedded.conninfo(home)
        migrate.up(conninfo)
        steps = []
        for name, work in (
            ("fill", lambda: _fill(conninfo, events)),
            ("seal", lambda: _seal(conninfo, folder / "last-checkpoint")),
            ("project", lambda: _project(conninfo)),
            ("rebuild", lambda: _rebuild(conninfo)),
            ("export", lambda: _export(conninfo, bundle)),
            ("verify", lambda: _audit("verify", bundle)),
            ("replay", lambda: _audit("replay", bundle)),
        ):
            say(f"{events:,} events: {name}")
            steps.append(_timed(name, work, events=events))
        with psycopg.connect(conninfo) as connection:
            sizes = connection.execute(_SIZES.encode()).fetchone()
        assert sizes is not None, "an aggregate has one row"
        bundled = sum(path.stat().st_size for path in bundle.rglob("*") if path.is_file())
        ledger, seal, view = (int(size) // events for size in sizes)
        return Size(
            events=events,
            steps=steps,
            ledger_bytes=ledger,
            seal_bytes=seal,
            view_bytes=view,
            bundle_bytes=bundled // events,
        )
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(bundle, ignore_errors=True)


def text(sizes: Sequence[Size]) -> str:
    """As Markdown tables."""
    lines = ["| events | step | s | CPU s | events/s | MB |", "|---:|---|---:|---:|---:|---:|"]
    for size in sizes:
        lines += [
            f"| {size.events:,} | {step.name} | {step.seconds:.1f} | {step.cpu_seconds:.1f} "
            f"| {step.events_per_second:,} | {step.memory_mb} |"
            for step in size.steps
        ]
    lines += ["", "| events | ledger | tiles and heads | views | bundle |", "|---:|---:|---:|---:|---:|"]
    lines += [
        f"| {size.events:,} | {size.ledger_bytes} | {size.seal_bytes} | {size.view_bytes} | {size.bundle_bytes} |"
        for size in sizes
    ]
    return "\n".join([*lines, "", "Bytes are per event."])


def _timed(name: str, work: Callable[[], None], *, events: int) -> Step:
    """Do the work in a child process."""
    begun = time.monotonic()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        status = 1
        try:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - this is where the process ends
            traceback.print_exc()
        finally:
            os._exit(status)
    _, ended, usage = os.wait4(pid, 0)
    if ended:
        raise StepFailed(f"{name} failed")
    seconds = time.monotonic() - begun
    return Step(
        name=name,
        seconds=round(seconds, 2),
        cpu_seconds=round(usage.ru_utime + usage.ru_stime, 2),
        events_per_second=int(events / seconds),
        memory_mb=usage.ru_maxrss * _KIB // 1_000_000,
    )


def _fill(conninfo: str, events: int) -> None:
    with psycopg.connect(conninfo) as connection, connection.cursor() as cursor:
        with cursor.copy(_COPY) as copy:
            copy.set_types(_TYPES)
            for log, share in SHARES.items():
                for row in _rows(log, events * share // 10):
                    copy.write_row(row)
        cursor.execute("INSERT INTO doneotp.heads SELECT log, max(position) FROM doneotp.events GROUP BY log")
        cursor.execute("ANALYZE")


def _rows(log: str, count: int) -> Iterator[tuple[Any, ...]]:
    versions: dict[str, int] = {}
    for position, (stream, event) in enumerate(story(log, events=count), 1):
        versions[stream] = versions.get(stream, 0) + 1
        raw = bytearray(position.to_bytes(6, "big") + hashlib.sha256(f"{log} {position}".encode()).digest()[:10])
        raw[6], raw[8] = 0x80 | raw[6] & 0x0F, 0x80 | raw[8] & 0x3F
        yield log, position, stream, versions[stream], UUID(bytes=bytes(raw)), TOPICS[type(event)], encode(event)


def _seal(conninfo: str, memory: Path) -> None:
    with projecting.connect(conninfo) as connection:
        sealer, keyring = Sealer(connection, sealing.FileMemory(memory)), Keyring(ROOT)
        while sealer.once(sealing.LogKeys(keyring, sealing.executing(connection))):
            pass
    memory.unlink()


def _project(conninfo: str) -> None:
    with projecting.connect(conninfo) as connection:
        prepare(connection, all_views())
        runner = Runner(connection, all_views(), on_poison=_refuse)
        while runner.turn().is_full:
            pass


def _rebuild(conninfo: str) -> None:
    with projecting.connect(conninfo) as connection:
        rebuild(connection, all_views(), on_step=lambda _: None)


def _export(conninfo: str, bundle: Path) -> None:
    with projecting.connect(conninfo) as connection:
        exporter.export(Shelf(sealing.executing(connection)), bundle, progress=lambda _done, _all: None)


def _audit(word: str, bundle: Path) -> None:
    if audit([word, str(bundle), "--json"]):
        raise StepFailed(word)


def _refuse(log: str, position: int) -> None:
    raise StepFailed(f"{log} cannot be read from {position} on")
