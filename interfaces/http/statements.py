"""Statements over HTTP: what an account's messages cost in a month, as JSON or as the very CSV that the command line writes."""

import asyncio
import time
from typing import Any, Final

import msgspec

from domain import periods
from domain.keys import account_of
from domain.refusals import InvalidRequest, ServiceUnavailable
from interfaces.http import views
from interfaces.http.calls import Call, Content, Context, Query
from interfaces.http.desk import in_thread
from interfaces.http.problems import HttpRefusal
from interfaces.http.reads import READS
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.balances import Balances
from projections.charges import Charges
from projections.statements.bills import Bills, Listed
from projections.statements.sheet import Statement
from projections.transparency import tree
from projections.transparency.shelf import Shelf

WAIT_SECONDS_MAX: Final = 4.0
"""What was accepted is sealed by then; a statement is of nothing else."""
LOOK_SECONDS: Final = 0.1
_SEALED: Final = b"""
SELECT h.position, coalesce(t.noted_size, 0)
FROM doneotp.heads AS h LEFT JOIN doneotp.trees AS t USING (log) WHERE h.log = %b"""
_NO_BILLS: Final = "Test keys never appear in bills."
_CSV: Final = "text/csv"
_JSON: Final = "application/json"


class Statements(msgspec.Struct, frozen=True, kw_only=True):
    """Every month of the account, as of the first `position` events of its log."""

    statements: list[Listed]
    position: int


class StatementLine(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one kind (`charge`, `refund`, `correction`), day (UTC), country and price."""

    kind: str
    day: str
    country: str
    rate_card: str
    unit_credits: int
    messages: int
    units: int
    credits: int
    line: str


class StatementTotal(msgspec.Struct, frozen=True, kw_only=True):
    """The sums; closing_balance = opening_balance + added - credits. `conversion_bp` is in basis points."""

    messages: int
    units: int
    credits: int
    added: int
    verifications: int
    verified: int
    conversion_bp: int
    opening_balance: int
    closing_balance: int


class StatementDocument(msgspec.Struct, frozen=True, kw_only=True):
    """What a month comes to after the first `tree_size` events of the log, whose RFC 6962 root (hex) is `root`."""

    account: str
    period: str
    status: str
    currency: str
    tree_size: int
    root: str
    lines_sha256: str
    lines: list[StatementLine]
    total: StatementTotal


async def statements(context: Context) -> Statements:
    """What each month cost, oldest first. A closed one never changes."""
    size = await _size(context)
    listed = await in_thread(lambda: _bills(context, size).listed())
    return Statements(statements=listed, position=size)


async def statement(context: Context) -> Content:
    """The statement of a month, such as 2026-11 (UTC): JSON, or CSV where `Accept` asks for text/csv."""
    found = await sheet_of(context)
    if _wants_csv(context.request.headers.get("accept", "")):
        return Content(found.csv(), _CSV)
    return Content(found.json(), _JSON)


async def sheet_of(context: Context) -> Statement:
    """The statement itself; raises not_found."""
    period = context.request.path_params["period"]
    periods.begin(period)
    size = await _size(context)
    found: Statement | None = await in_thread(lambda: _bills(context, size).statement(period))
    if found is None:
        raise HttpRefusal("not_found", "There is nothing in this period.")
    return found


async def _size(context: Context) -> int:
    """How much of the log a statement is of: all there is now, once it is sealed and in the views, or what was asked for."""
    recorder, log = context.desk.recorder, context.identity.log
    if account_of(log) != log:
        raise HttpRefusal("not_found", _NO_BILLS)
    asked = context.number("tree_size", default=0, least=1, most=2**53)
    until, wanted = time.monotonic() + WAIT_SECONDS_MAX, asked
    while True:
        head, ready = await in_thread(_ready, recorder, log)
        wanted = wanted or head
        if asked > head:
            raise InvalidRequest(f"tree_size must be at most {head}, what the log has.")
        if ready >= wanted:
            return asked or int(ready)
        if time.monotonic() > until:
            raise ServiceUnavailable(retry_after_seconds=1)
        await asyncio.sleep(LOOK_SECONDS)


def _ready(recorder: PostgresLogRecorder, log: str) -> tuple[int, int]:
    """The log's head, and up to where it is sealed and in the views."""
    ((head, sealed),) = recorder.execute(_SEALED, (log,))
    return head, min(sealed, views.reach(recorder, log, Balances, Charges))


def _bills(context: Context, size: int) -> Bills:
    recorder, log = context.desk.recorder, context.identity.log
    shelf = Shelf(recorder.execute)

    def execute(statement: bytes, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return views.rows(recorder, statement, parameters)

    return Bills(execute, lambda wanted: tree.root(shelf.reader(log), wanted), log, size)


def _wants_csv(accept: str) -> bool:
    """Whether CSV is named, and JSON is not preferred to it (RFC 9110, section 12.5.1)."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (word.strip() for word in part.split(";"))
        quality = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        weights[name] = float(quality) if quality.replace(".", "", 1).isdigit() and quality.isascii() else 0.0
    csv = weights.get(_CSV, 0.0)
    return csv > 0 and csv >= weights.get(_JSON, 0.0)


_TREE_SIZE: Final = Query(
    "tree_size", {"type": "integer", "minimum": 1, "maximum": 2**53}, "As of so many events of the log."
)
_PERIOD: Final = Query(
    "period", {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])$"}, "A month, UTC, such as 2026-11."
)

CALLS: Final = (
    Call(
        "GET",
        "/v1/statements",
        "What each month cost",
        "sk",
        (*READS, "not_found"),
        Statements,
        statements,
        query=(_TREE_SIZE,),
    ),
    Call(
        "GET",
        "/v1/statements/{period:str}",
        "The statement of a month",
        "sk",
        (*READS, "not_found"),
        StatementDocument,
        statement,
        query=(_TREE_SIZE,),
        places=(_PERIOD,),
        also=(_CSV,),
    ),
)
