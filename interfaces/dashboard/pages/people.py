"""Operators and members: for operators of the whole installation."""

from typing import Any, Final

from litestar import Response

from domain.refusals import StateConflict
from interfaces import logs
from interfaces.dashboard import rendering
from interfaces.dashboard.operators import ROLES
from interfaces.dashboard.visit import Visit, in_office
from interfaces.http.problems import HttpRefusal


async def page(visit: Visit) -> Response[bytes]:
    """All of them."""
    _require(visit)
    return visit.html(
        "people.html", title="Operators", people=await in_office(visit.office.operators.all), roles=ROLES, link=""
    )


async def add(visit: Visit) -> Response[bytes]:
    """One more, or one more account of one."""
    _require(visit)
    await in_office(_add, visit)
    logs.log.info("operator_added")
    return rendering.redirect("/dashboard/people?done=added")


async def remove(visit: Visit) -> Response[bytes]:
    """End one, or a membership of one."""
    _require(visit)
    name, account_id = visit.form.get("name", ""), visit.form.get("account", "")
    if account_id:
        await in_office(visit.office.operators.leave, name, account_id)
    elif name == visit.operator.name:
        raise StateConflict("Nobody removes themselves.")
    else:
        await in_office(visit.office.operators.remove, name)
    logs.log.info("operator_removed")
    return rendering.redirect("/dashboard/people?done=removed")


async def link(visit: Visit) -> Response[bytes]:
    """A link for one sign-in of somebody, in this answer alone."""
    _require(visit)
    name = visit.form.get("name", "")
    if await in_office(visit.office.operators.find, name) is None:
        raise HttpRefusal("not_found", "There is no operator of this name.")
    path = f"/dashboard/login?ticket={await in_office(visit.office.sessions.ticket, name)}"
    logs.log.info("operator_link_made")
    people = await in_office(visit.office.operators.all)
    return visit.html("people.html", title="Operators", people=people, roles=ROLES, link=path)


def _add(visit: Visit) -> None:
    operators, form = visit.office.operators, visit.form
    name, role, account_id = form.get("name", "").strip().lower(), form.get("role", ""), form.get("account", "").strip()
    if not account_id:
        operators.add(name, role=role)
        return
    visit.office.administration.account(account_id)
    if operators.find(name) is None:
        operators.add(name, role="")
    operators.join(name, account_id, role=role)


def _require(visit: Visit) -> None:
    if visit.operator.role != "operator":
        raise HttpRefusal("key_scope_forbidden", "Only an operator of the whole installation sees who the others are.")


ACTS: Final[dict[str, Any]] = {"add": add, "remove": remove, "link": link}
