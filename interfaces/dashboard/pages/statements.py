"""Statements: every month, open or closed, to read, to download and to close."""

import importlib
from datetime import timedelta
from typing import Final

from litestar import Response

from domain.refusals import StateConflict
from interfaces.billing.issuing import issued_at
from interfaces.dashboard import rendering
from interfaces.dashboard.visit import Visit, in_office
from interfaces.http import statements as reader
from projections.statements.sheet import Statement

GRACE: Final = timedelta(hours=24)
"""How long after its end a month stays open: what `billing close` does unless told otherwise."""


async def page(visit: Visit) -> Response[bytes]:
    """All months, or one: as a page, or as a file where the address ends so."""
    if visit.is_test:
        return visit.html("statements.html", title="Statements", months=[])
    if not visit.item:
        found = await reader.statements(visit.reading())
        return visit.html("statements.html", title="Statements", months=list(reversed(found.statements)))
    period, _, form = visit.item.partition(".")
    sheet = await reader.sheet_of(visit.reading(item=period))
    if form == "csv":
        return _file(sheet.csv(), "text/csv", visit.item)
    if form == "pdf":
        return _file(await in_office(_pdf, sheet), "application/pdf", visit.item)
    return visit.html("statement.html", title=f"Statement {period}", sheet=sheet)


async def close(visit: Visit) -> Response[bytes]:
    """Fix the bill of the first month that is open."""
    if visit.is_test:
        raise StateConflict("Test keys never appear in bills.")
    listed = (await reader.statements(visit.reading())).statements
    period = visit.form.get("period", "")
    first = next((one.period for one in listed if one.status != "closed"), "")
    if period != first or not first:
        raise StateConflict("Months are closed one after the other, beginning with the first that is open.")
    before = max((one.period for one in listed if one.status == "closed"), default="")
    sheet = await reader.sheet_of(visit.reading(item=period))
    await in_office(
        visit.office.administration.issue_statement,
        visit.account_id,
        lambda now: issued_at(sheet, now, by=visit.by),
        closed_period=before,
        grace=GRACE,
    )
    return visit.back("statements", "closed")


def _pdf(sheet: Statement) -> bytes:
    module = importlib.import_module("interfaces.billing.pdf")  # typesetting takes its time to load
    written: bytes = module.pdf(sheet)
    return written


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    headers = rendering.HEADERS | {"content-disposition": f'attachment; filename="statement-{name}"'}
    return Response(content, media_type=media_type, headers=headers)
