"""The Litestar application: routes from the table of calls, errors as problem details, nothing else."""

from collections.abc import Callable
from typing import Any, Final

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp

from domain.refusals import Refusal
from interfaces.http import (
    audit,
    demo,
    docs,
    explain,
    feed,
    inbox,
    openapi,
    problems,
    public,
    reads,
    receipts,
    reports,
    statements,
    testing,
    verify,
    widget,
)
from interfaces.http.calls import route
from interfaces.http.desk import Desk
from interfaces.http.edge import Edge
from interfaces.http.metrics import Metrics
from interfaces.http.problems import HttpRefusal

BODY_BYTES_MAX: Final = 16_384
CALLS: Final = (
    *verify.CALLS,
    *explain.CALLS,
    *reads.CALLS,
    *feed.CALLS,
    *reports.CALLS,
    *statements.CALLS,
    *audit.CALLS,
    *testing.CALLS,
)
_BY_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 413: "payload_too_large"}
_SERVER_ERROR: Final = 500


def build(
    desk: Desk,
    *,
    process: str,
    on_failure: Callable[[BaseException, str], None],
    extra: tuple[HTTPRouteHandler, ...] = (),
) -> ASGIApp:
    """The whole ASGI application of one process. `process` tells its request ids from those of other processes."""
    metrics = Metrics(
        lambda: {
            "writer_queue": float(desk.writer.waiting),
            "writer_batches_total": float(desk.writer.batches),
            "writer_conflicts_total": float(desk.writer.conflicts),
            "handoffs_waiting": float(desk.dispatcher.waiting),
            **_guard_figures(desk),
        }
    )
    described = openapi.describe(CALLS)

    def failed(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
        """Whatever was raised, as a problem; what was not meant to be raised goes to the log by its type."""
        request_id = request.scope["state"]["request_id"]
        refusal, allow = _as_refusal(error)
        if refusal is None:
            on_failure(error, request_id)
            refusal = HttpRefusal("internal_error")
        status, headers, body = problems.spell(
            refusal, request_id=request_id, base_url=problems.base_url(request.scope)
        )
        spelled = {name.decode(): value.decode() for name, value in headers} | allow
        return Response(body, status_code=status, media_type=problems.MEDIA_TYPE, headers=spelled)

    app = Litestar(
        route_handlers=[
            *(route(call, desk) for call in CALLS),
            *widget.routes(),
            *demo.routes(desk),
            *public.routes(desk, metrics, described),
            *inbox.routes(desk),
            *docs.routes(described),
            *receipts.routes(),
            *extra,
        ],
        exception_handlers={HTTPException: failed, Exception: failed},
        openapi_config=None,
        request_max_body_size=BODY_BYTES_MAX,
        logging_config=None,
        debug=False,
    )
    return Edge(app, metrics, process=process, on_failure=on_failure)


def _guard_figures(desk: Desk) -> dict[str, float]:
    guard = desk.ledger.guard
    if guard is None:
        return {}
    return {
        "guard_things": float(guard.things),
        "guard_trips_total": float(guard.trips),
        "guard_blocked_total": float(guard.blocked),
        "guard_challenged_total": float(guard.challenged),
    }


def _as_refusal(error: Exception) -> tuple[Refusal | None, dict[str, str]]:
    """The refusal that an exception stands for, and the Allow header it brings; None for one that nobody meant."""
    if isinstance(error, Refusal):
        return error, {}
    if not isinstance(error, HTTPException) or error.status_code >= _SERVER_ERROR:
        return None, {}
    given = getattr(error, "headers", None) or {}
    allow = {name: value for name, value in given.items() if name.lower() == "allow"}
    return HttpRefusal(_BY_STATUS.get(error.status_code, "invalid_request")), allow
