"""The accounts that an operator sees, and the first page."""

import asyncio
from typing import Any, Final

from litestar import Response

from application.accounts import ReadAccount
from domain.refusals import InvalidRequest
from interfaces.dashboard import rendering
from interfaces.dashboard.visit import Visit, in_office
from interfaces.http.desk import in_thread
from interfaces.http.problems import HttpRefusal

ROWS: Final = 50
_LIVE: Final = b"""
SELECT log FROM doneotp.heads WHERE right(log, 5) <> '-test' AND log > %b ORDER BY log LIMIT %b"""


async def first(visit: Visit) -> Response[bytes]:
    """Straight to the only account, where there is one."""
    ids = await _ids(visit, after="", most=2)
    return rendering.redirect(f"/dashboard/a/{ids[0]}/overview" if len(ids) == 1 else "/dashboard/accounts")


async def page(visit: Visit) -> Response[bytes]:
    """All of them, a page at a time."""
    ids = await _ids(visit, after=visit.query("after"), most=ROWS + 1)
    found = await asyncio.gather(*(visit.office.desk.writer.ask(ReadAccount(one)) for one in ids[:ROWS]))
    rows = [(one, account, visit.operator.role_in(one)) for one, account in zip(ids, found, strict=False)]
    after = ids[ROWS - 1] if len(ids) > ROWS else ""
    return visit.html("accounts.html", title="Accounts", rows=rows, after=after)


async def open_(visit: Visit) -> Response[bytes]:
    """One more account; the answer has its keys, and nothing else ever will."""
    if visit.operator.role != "operator":
        raise HttpRefusal("key_scope_forbidden", "Only an operator of the whole installation opens accounts.")
    name = visit.form.get("name", "").strip()
    if not name:
        raise InvalidRequest("name must say what people call the account.")
    opened = await in_office(visit.office.administration.open_account, name=name, credits=0, by=visit.by)
    return visit.html("opened.html", title="Account opened", opened=opened)


async def _ids(visit: Visit, *, after: str, most: int) -> list[str]:
    if visit.operator.role:
        rows = await in_thread(visit.office.desk.recorder.execute, _LIVE, (after, most))
        return [str(log) for (log,) in rows]
    return [one for one in sorted(visit.operator.memberships) if one > after][:most]


ACTS: Final[dict[str, Any]] = {"open": open_}
