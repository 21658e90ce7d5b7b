"""Verifications: newest first, by state, and those of one number, which is in no address and in no log."""

from typing import Final

from litestar import Response

from application.history import Detail, details
from application.ports import Record
from domain import phone
from domain.refusals import InvalidPhoneNumber, InvalidRequest
from interfaces.dashboard.visit import Visit
from interfaces.http import reads
from interfaces.http.desk import in_thread

ROWS: Final = 50
FOUND_MAX: Final = 2_000
"""Events of one number that a search looks through, from the newest back."""


async def page(visit: Visit) -> Response[bytes]:
    """A page of them."""
    status, day = visit.query("status"), visit.query("day")
    asked = {"limit": str(ROWS)} | ({"status": status} if status else {})
    if visit.query("cursor"):
        asked["cursor"] = visit.query("cursor")
    elif day:
        until = await reads.balance(visit.reading(at=f"{day}T23:59:59.999999Z"))
        asked["cursor"] = str(until.position + 1)
    found = await reads.verifications(visit.reading(**asked))
    return _shown(visit, found.verifications, status=status, day=day, cursor=found.cursor or "", searched=False)


async def search(visit: Visit) -> Response[bytes]:
    """Those of a number: its stream is named by a keyed hash, so that the number itself is nowhere to be found."""
    try:
        number = phone.parse(visit.form.get("number", "").strip())
    except InvalidPhoneNumber as refusal:
        raise InvalidRequest(refusal.detail) from None
    desk = visit.office.desk
    stream = desk.keyring.stream_of(visit.log, number.e164)
    now = await reads.log_time(visit.reading())

    def read() -> list[Detail]:
        events = desk.recorder.select_events(f"{visit.log}/{stream}", desc=True, limit=FOUND_MAX)
        records = [event for event in reversed(events) if isinstance(event, Record)]
        return list(reversed(details(records, now=now).values()))

    return _shown(visit, await in_thread(read), status="", day="", cursor="", searched=True)


def _shown(
    visit: Visit, listed: list[Detail], *, status: str, day: str, cursor: str, searched: bool
) -> Response[bytes]:
    return visit.html(
        "verifications.html",
        title="Verifications",
        listed=listed,
        statuses=reads.STATUSES,
        wanted=status,
        day=day,
        cursor=cursor,
        searched=searched,
    )
