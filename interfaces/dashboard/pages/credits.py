"""Credits: the balance as the ledger has it now, and adding to it once for each reference."""

from typing import Final

from litestar import Response

from domain.account import CREDITS_MAX
from domain.refusals import InvalidRequest
from interfaces.dashboard.visit import Visit, in_office
from interfaces.http import reads, reports

ROWS: Final = 1_000
"""Events looked through for those that moved credits."""
_MOVES: Final = ("CreditAdded", "CreditDebited", "CreditRefunded")


async def page(visit: Visit) -> Response[bytes]:
    """The balance, and the newest moves."""
    asked = {"limit": str(ROWS)} | ({"cursor": visit.query("cursor")} if visit.query("cursor") else {})
    balance = await reads.balance(visit.reading())
    found = await reports.activity(visit.reading(**asked))
    moves = [entry for entry in found.activity if entry.what in _MOVES]
    return visit.html(
        "credits.html", title="Credits", balance=balance, moves=moves, cursor=found.cursor or "", most=CREDITS_MAX
    )


async def add(visit: Visit) -> Response[bytes]:
    """Add, once per reference."""
    reference = visit.form.get("reference", "").strip()
    if not reference:
        raise InvalidRequest("reference must be your invoice or order.")
    added = await in_office(
        visit.office.administration.add_credit,
        visit.account_id,
        credits=visit.number("credits", most=CREDITS_MAX),
        reference=reference,
        by=visit.by,
    )
    return visit.back("credits", "added" if added else "there")
