"""One's own sign-in: password and second factor. Either needs the password that there is."""

from typing import Any, Final

from litestar import Response

from domain.refusals import InvalidRequest
from interfaces import logs
from interfaces.dashboard import door, passwords, rendering
from interfaces.dashboard.visit import Visit, in_office

_WRONG: Final = "That is not your password."


async def page(visit: Visit) -> Response[bytes]:
    """What there is to change."""
    return visit.html("me.html", title="Your sign-in", sealed="", secret="", picture="")


async def change(visit: Visit) -> Response[bytes]:
    """Another password: all sessions end, and this browser gets a new one."""
    await _require_password(visit)
    await in_office(_change, visit, visit.form.get("new", ""))
    logs.log.info("operator_password_changed")
    token = await in_office(visit.office.sessions.begin, visit.operator.name)
    answer = rendering.redirect("/dashboard/me?done=password")
    answer.headers["set-cookie"] = door.cookie(visit.office, visit.request, token)
    return answer


async def begin(visit: Visit) -> Response[bytes]:
    """Show a new secret. It counts once a code of it has come back; until then only the page has it, encrypted."""
    totp, name = visit.office.totp, visit.operator.name
    sealed = totp.new(name)
    secret = totp.secret(sealed, name) or ""
    spelled = " ".join(secret[at : at + 4] for at in range(0, len(secret), 4))
    return visit.html(
        "me.html", title="Your sign-in", sealed=sealed.hex(), secret=spelled, picture=totp.picture(sealed, name)
    )


async def confirm(visit: Visit) -> Response[bytes]:
    """Turn the second factor on."""
    await _require_password(visit)
    try:
        sealed = bytes.fromhex(visit.form.get("sealed", ""))
    except ValueError:
        raise InvalidRequest("The form is damaged: begin again.") from None
    name = visit.operator.name
    step = visit.office.totp.step(sealed, name, visit.form.get("code", ""), now=visit.office.desk.clock.now())
    if step is None:
        raise InvalidRequest("The code does not fit: go back, and type the one that is shown now.")
    await in_office(visit.office.operators.set_totp, name, sealed, step=step)
    logs.log.info("operator_totp_on")
    return rendering.redirect("/dashboard/me?done=totp")


async def off(visit: Visit) -> Response[bytes]:
    """Turn it off."""
    await _require_password(visit)
    await in_office(visit.office.operators.set_totp, visit.operator.name, None)
    logs.log.info("operator_totp_off")
    return rendering.redirect("/dashboard/me?done=no_totp")


def _change(visit: Visit, password: str) -> None:
    visit.office.operators.set_password(visit.operator.name, passwords.hashed(password))


async def _require_password(visit: Visit) -> None:
    """Who has none came by a link from the machine itself."""
    wait = visit.office.throttle.wait_seconds(visit.operator.name, "its own session")
    if wait:
        raise InvalidRequest("Too many tries. Wait ten minutes.")
    kept = visit.operator.password
    if kept and not await visit.office.passwords.fits(kept, visit.form.get("password", "")):
        raise InvalidRequest(_WRONG)
    visit.office.throttle.forget(visit.operator.name, "its own session")


ACTS: Final[dict[str, Any]] = {"password": change, "totp": begin, "totp-on": confirm, "totp-off": off}
