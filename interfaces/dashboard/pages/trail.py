"""The pages of an account's events: why a verification went as it did, the audit trail, one event with its proof."""

from typing import Any

import msgspec
from litestar import Response

from domain.refusals import VerificationNotFound
from interfaces import stories
from interfaces.dashboard import trail
from interfaces.dashboard.rendering import HEADERS
from interfaces.dashboard.visit import Visit
from interfaces.http.desk import in_thread
from interfaces.http.problems import HttpRefusal
from interfaces.http.reads import log_time
from interfaces.http.reports import kinds_in
from projections.transparency.receipts import NotSealed

_POSITION_DIGITS_MAX = 15


async def story(visit: Visit) -> Response[bytes]:
    """Why a verification went as it did."""
    now = await log_time(visit.reading())
    recorder, policy = visit.office.desk.recorder, visit.account.policy
    found = await in_thread(lambda: stories.read(recorder, visit.log, visit.item, policy=policy, now=now))
    if found is None:
        raise VerificationNotFound
    return visit.html("story.html", title=f"Verification of {found.detail.phone_number}", story=found)


async def page(visit: Visit) -> Response[bytes]:
    """Who did what, newest first."""
    wanted = visit.query("kind")
    kinds = kinds_in(wanted or None)
    before = _position(visit.query("cursor")) if visit.query("cursor") else 2**53
    shown = await in_thread(trail.trail, visit.office.desk.recorder, visit.log, before, kinds)
    return visit.html("trail.html", title="Audit trail", page=shown, groups=trail.kind_groups(), wanted=wanted)


async def event(visit: Visit) -> Response[bytes]:
    """One event as it is stored, with its proof, which the browser checks."""
    shown = await in_thread(trail.event_at, visit.office.desk.recorder, visit.log, _position(visit.item))
    if shown is None:
        raise HttpRefusal("not_found", "There is no such event.")
    return visit.html("event.html", title=f"Event {shown.position}: {shown.kind}", event=shown)


async def receipt(visit: Visit) -> Response[bytes]:
    """The receipt of one event, as `GET /v1/audit/proofs/{event_id}` answers it."""
    try:
        found = await in_thread(trail.receipt_at, visit.office.desk.recorder, visit.log, _position(visit.item))
    except NotSealed as reason:
        return _json({"detail": str(reason)}, status=404)
    return _json({"detail": "There is no such event."}, status=404) if found is None else _json(found)


def _json(body: Any, *, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json", headers=HEADERS)


def _position(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= len(text) <= _POSITION_DIGITS_MAX):
        raise HttpRefusal("not_found", "There is no such event.")
    return int(text)
