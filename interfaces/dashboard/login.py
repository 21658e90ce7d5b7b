"""Signing in: by password, and a code where there is a second factor, or by a link that counts once."""

from typing import Any, Final

from litestar import Request, Response

from interfaces import logs
from interfaces.dashboard import door, rendering
from interfaces.dashboard.operators import Operator
from interfaces.dashboard.visit import Office, in_office
from interfaces.http import addresses

_REFUSED: Final = "Name, password or code is wrong."
_TICKET_REFUSED: Final = (
    "This link was used, or is older than 15 minutes. Ask for another: ./doneotp operators link NAME"
)
_NAME_MAX: Final = 40


def page(office: Office, request: Request[Any, Any, Any]) -> Response[bytes]:
    """The form. A link only opens it: what looks at links ahead of people must not use them up."""
    door.require_private(office, request)
    query = request.query_params
    return _form(ticket=query.get("ticket", "")[:100], next_=door.ours(query.get("next", "")))


async def sign_in(office: Office, request: Request[Any, Any, Any]) -> Response[bytes]:
    """Begin a session, always a new one; what the browser had before ends."""
    door.require_private(office, request)
    fields = await door.form(office, request, session=False)
    name, ticket = fields.get("name", "").strip().lower()[:_NAME_MAX], fields.get("ticket", "")[:100]
    next_ = door.ours(fields.get("next", ""))
    address = addresses.mask(addresses.caller(request.scope, office.desk.trusted_proxies))
    wait = 0 if ticket else office.throttle.wait_seconds(name, address)  # nobody guesses a ticket
    if wait:
        complaint = f"Too many tries. Wait {(wait + 59) // 60} minutes."
        return _form(next_=next_, name=name, complaint=complaint, status=429, wait=wait)
    if ticket:
        name = await in_office(office.sessions.redeem, ticket)
        if not name:
            return _form(next_=next_, complaint=_TICKET_REFUSED, status=403)
    elif not await _is_known(office, name, fields.get("password", ""), fields.get("code", "")):
        logs.log.warning("login_refused")
        return _form(next_=next_, name=name, complaint=_REFUSED, status=403)
    else:
        office.throttle.forget(name, address)
    before = door.token(office, request)
    if before:
        await in_office(office.sessions.end, before)
    token = await in_office(office.sessions.begin, name)
    logs.log.info("operator_signed_in_by_link" if ticket else "operator_signed_in_by_password")
    answer = rendering.redirect(next_)
    answer.headers["set-cookie"] = door.cookie(office, request, token)
    return answer


async def sign_out(office: Office, request: Request[Any, Any, Any]) -> Response[bytes]:
    """End the session, here and in the browser."""
    await door.form(office, request, session=True)
    await in_office(office.sessions.end, door.token(office, request))
    logs.log.info("operator_signed_out")
    answer = rendering.redirect("/dashboard/login")
    answer.headers["set-cookie"] = door.cookie(office, request, "")
    return answer


async def _is_known(office: Office, name: str, password: str, code: str) -> bool:
    found: Operator | None = await in_office(office.operators.find, name)
    fits = await office.passwords.fits("" if found is None else found.password, password)
    if found is None or not fits:
        return False
    if found.totp is None:
        return True
    step = office.totp.step(found.totp, name, code, now=office.desk.clock.now())
    return step is not None and await in_office(office.operators.use_step, name, step)


def _form(
    *, next_: str, ticket: str = "", name: str = "", complaint: str = "", status: int = 200, wait: int = 0
) -> Response[bytes]:
    answer = rendering.html(
        "login.html", status=status, ticket=ticket, name=name, complaint=complaint, next=next_, title="Sign in"
    )
    if wait:
        answer.headers["retry-after"] = str(wait)
    return answer
