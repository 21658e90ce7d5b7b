"""Webhooks: the endpoints of a log, what signs for them, and each delivery with its attempts."""

from datetime import timedelta
from typing import Final, NamedTuple, cast, get_args

from litestar import Response

from domain import webhooks
from domain.refusals import InvalidRequest, StateConflict
from domain.webhooks import EVERY_ACCOUNT, EVERY_VERIFICATION, NAMES, OVERLAP_SECONDS_MAX, Endpoint
from interfaces.dashboard.visit import Visit, in_office
from interfaces.http.problems import HttpRefusal
from interfaces.webhooks import reads, signing
from interfaces.webhooks.outbound import why_unreachable
from interfaces.webhooks.reads import Delivery, Fare, Status

ROWS: Final = 50
STATUSES: Final = get_args(Status)
OVERLAP_HOURS: Final = 24
_POSITION_DIGITS_MAX: Final = 15
_UNKNOWN_FARE: Final = Fare(failures=0, waiting=0, next_at=None)


class Row(NamedTuple):
    """An endpoint, how it fares, and the numbers of the secrets that sign now, newest first."""

    endpoint: Endpoint
    fare: Fare
    secrets: tuple[int, ...]


async def page(visit: Visit) -> Response[bytes]:
    """All endpoints, or the deliveries to one."""
    return await (_deliveries(visit) if visit.item else _endpoints(visit))


async def add(visit: Visit) -> Response[bytes]:
    """One more endpoint; the answer has what its posts are verified with."""
    url = visit.form.get("url", "").strip()
    reason = why_unreachable(url, visit.office.reach)
    if reason:
        raise InvalidRequest(
            f"Nothing is posted there: {reason}. It must be https, on the port 443 or one from 1024 on, and public."
        )
    types = tuple(visit.form.get("types", "").split()) or (EVERY_VERIFICATION,)
    return await _endpoints(
        visit, new=await in_office(visit.office.webhooks.add, visit.log, url=url, types=types, by=visit.by)
    )


async def rotate(visit: Visit) -> Response[bytes]:
    """Sign with another secret; the answer has it."""
    hours = visit.number("hours", most=OVERLAP_SECONDS_MAX // 3_600)
    rotated = await in_office(
        visit.office.webhooks.rotate,
        visit.log,
        endpoint_id=visit.form.get("endpoint", ""),
        overlap=timedelta(hours=hours),
        by=visit.by,
    )
    return await _endpoints(visit, new=rotated)


async def disable(visit: Visit) -> Response[bytes]:
    """Post nothing more to one."""
    changed = await in_office(
        visit.office.webhooks.disable,
        visit.log,
        endpoint_id=visit.form.get("endpoint", ""),
        reason=visit.form.get("reason", "").strip() or "by the operator",
        by=visit.by,
    )
    return visit.back("webhooks", "disabled" if changed else "same")


async def enable(visit: Visit) -> Response[bytes]:
    """Post to one again."""
    changed = await in_office(
        visit.office.webhooks.enable, visit.log, endpoint_id=visit.form.get("endpoint", ""), by=visit.by
    )
    return visit.back("webhooks", "enabled" if changed else "same")


async def remove(visit: Visit) -> Response[bytes]:
    """End one."""
    await in_office(visit.office.webhooks.remove, visit.log, endpoint_id=visit.form.get("endpoint", ""), by=visit.by)
    return visit.back("webhooks", "removed")


async def replay(visit: Visit) -> Response[bytes]:
    """Deliver one event once more, with the bytes of the first time."""
    position = visit.number("position", most=10**_POSITION_DIGITS_MAX - 1)
    endpoint = await in_office(visit.office.webhooks.endpoint, visit.log, visit.form.get("endpoint", ""))
    if endpoint.disabled:
        raise StateConflict("Nothing is posted there: enable the endpoint first.")
    execute = visit.office.desk.recorder.execute
    count = await in_office(reads.replay_wanted, execute, visit.log, endpoint=endpoint, first=position, last=position)
    return visit.back(f"webhooks/{endpoint.id}", "again" if count else "same")


async def _endpoints(visit: Visit, *, new: Endpoint | None = None) -> Response[bytes]:
    office, now = visit.office, visit.office.desk.clock.now()

    def read() -> list[Row]:
        fares = reads.fares(office.desk.recorder.execute, visit.log)
        return [
            Row(one, fares.get(one.id, _UNKNOWN_FARE), one.secret_numbers(now))
            for one in office.webhooks.endpoints(visit.log)
        ]

    signer = signing.spelled(office.webhooks.signers(visit.log, new, now=now))[0] if new else None
    return visit.html(
        "webhooks.html",
        title="Webhooks",
        rows=[] if new else await in_office(read),
        new=new,
        signer=signer,
        names=(EVERY_VERIFICATION, EVERY_ACCOUNT, *sorted(NAMES)),
        hours=OVERLAP_HOURS,
    )


async def _deliveries(visit: Visit) -> Response[bytes]:
    status, before = visit.query("status"), _before(visit.query("cursor"))
    if status and status not in STATUSES:
        raise InvalidRequest(f"status must be one of {', '.join(STATUSES)}.")
    listed = await in_office(visit.office.webhooks.endpoints, visit.log)
    try:
        endpoint = webhooks.find(listed, visit.item)
    except StateConflict:
        raise HttpRefusal("not_found", "There is no such endpoint.") from None
    found: list[Delivery] = await in_office(
        reads.deliveries,
        visit.office.desk.recorder.execute,
        visit.log,
        endpoint_id=endpoint.id,
        status=cast("Status", status),
        before=before,
        limit=ROWS + 1,
    )
    shown = found[:ROWS]
    return visit.html(
        "deliveries.html",
        title="Deliveries",
        endpoint=endpoint,
        listed=shown,
        statuses=STATUSES,
        wanted=status,
        cursor=shown[-1].position if len(found) > ROWS else "",
    )


def _before(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _POSITION_DIGITS_MAX):
        raise InvalidRequest("cursor must be a position.")
    return int(text)


ACTS: Final = {
    "add": add,
    "rotate": rotate,
    "disable": disable,
    "enable": enable,
    "remove": remove,
    "replay": replay,
}
