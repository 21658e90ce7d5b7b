"""Lists: what an account allows and blocks. A number is posted, kept as a keyed hash, and shown by its mask."""

from collections.abc import Awaitable, Callable
from typing import Final, cast, get_args

from litestar import Response

from domain.lists import ENTRIES_MAX, TYPES, Effect, Kind
from domain.refusals import InvalidRequest
from interfaces import listed
from interfaces.dashboard.visit import Visit, in_office

KINDS: Final = {
    "number": "Number, whole",
    "prefix": "Prefix of numbers",
    "country": "Country, two letters",
    "type": "Kind of numbers",
    "ip": "Address or network",
    "origin": "Origin of a page",
}


async def page(visit: Visit) -> Response[bytes]:
    """Both sides. Those of an account are for its test keys, too."""
    lists = visit.account.lists
    return visit.html(
        "lists.html",
        title="Lists",
        sides=(("allowed", listed.entries(lists.allowed)), ("blocked", listed.entries(lists.blocked))),
        kinds=KINDS,
        types=sorted(TYPES),
        most=ENTRIES_MAX,
    )


def _change(effect: Effect) -> Callable[[Visit], Awaitable[Response[bytes]]]:
    async def change(visit: Visit) -> Response[bytes]:
        kind = visit.form.get("kind", "")
        if kind not in get_args(Kind):
            raise InvalidRequest("kind must be one of those in the list.")
        values = [line.strip() for line in visit.form.get("values", "").splitlines() if line.strip()]
        changed = await in_office(
            visit.office.administration.change_lists,
            visit.account_id,
            effect=effect,
            kind=cast("Kind", kind),
            values=values,
            by=visit.by,
        )
        return visit.back("lists", "changed" if changed else "same")

    return change


ACTS: Final = {effect: _change(effect) for effect in get_args(Effect)}
