"""The naive limit, outside: the same calls over the same HTTP stack, each handled on a thread as blocking code is."""

import sys
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.params import JSONBody
from psycopg.conninfo import conninfo_to_dict

from domain.refusals import Refusal
from interfaces.bench.hosting import host
from interfaces.bench.naive_ledger import NaiveLedger

SCHEMA: Final = "bench_naive"
CACHED: Final = "cached"
_AGGREGATES_CACHED_MAX: Final = 50_000


class SendBody(msgspec.Struct):
    """Body of `send`."""

    phone_number: str


class CheckBody(msgspec.Struct):
    """Body of `check`."""

    phone_number: str
    code: str


class TokenBody(msgspec.Struct):
    """Body of `validate-token`."""

    token: str


def environment(conninfo: str, *, is_cached: bool) -> dict[str, str]:
    """Settings of the library for a database.

    As the library comes, it reads an aggregate's whole stream for every request. Cached, it keeps aggregates and does not
    look whether another process has moved them: as fast as the library gets, and right for a single process only.
    """
    parameters = conninfo_to_dict(conninfo)
    stock = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "ORIGINATOR_ID_TYPE": "text",
        "POSTGRES_HOST": str(parameters.get("host", "")),
        "POSTGRES_PORT": str(parameters.get("port", "5432")),
        "POSTGRES_DBNAME": str(parameters.get("dbname", "")),
        "POSTGRES_USER": str(parameters.get("user", "")),
        "POSTGRES_PASSWORD": str(parameters.get("password", "unused")),
        "POSTGRES_SCHEMA": SCHEMA,
        "POSTGRES_POOL_SIZE": "2",
    }
    cache = {"AGGREGATE_CACHE_MAXSIZE": str(_AGGREGATES_CACHED_MAX), "AGGREGATE_CACHE_FASTFORWARD": "n"}
    return stock | (cache if is_cached else {})


def application(ledger: NaiveLedger) -> Litestar:
    """The four calls that the load generator makes."""
    messages: list[dict[str, str]] = []

    @post("/v1/verify/send", status_code=200, sync_to_thread=True)
    def send(data: JSONBody[SendBody]) -> dict[str, Any]:
        requested, code = ledger.send(data.phone_number)
        messages.append({"to": data.phone_number, "code": code})
        ledger.sent(requested)
        return {
            "status": "pending",
            "expires_in": 300,
            "verification_id": requested.verification_id,
            "resend_in": requested.resend_in,
        }

    @post("/v1/verify/check", status_code=200, sync_to_thread=True)
    def check(data: JSONBody[CheckBody]) -> dict[str, str]:
        return {"status": "verified", "token": ledger.check(data.phone_number, data.code)}

    @post("/v1/verify/validate-token", status_code=200, sync_to_thread=True)
    def validate(data: JSONBody[TokenBody]) -> dict[str, Any]:
        return {"valid": True, "phone_number": ledger.redeem(data.token).phone}

    @get("/inbox/messages", sync_to_thread=False)
    def inbox(after: str, limit: int) -> dict[str, Any]:
        begin = int(after or "0")
        page: Sequence[dict[str, str]] = messages[begin : begin + limit]
        return {"messages": page, "cursor": begin + len(page)}

    def refuse(request: Request[Any, Any, Any], refusal: Refusal) -> Response[dict[str, str]]:  # noqa: ARG001
        return Response({"code": refusal.code}, status_code=400)

    return Litestar(
        [send, check, validate, inbox], openapi_config=None, exception_handlers={Refusal: refuse}, debug=False
    )


def main(conninfo: str, *, listener_fd: int, is_cached: bool) -> None:
    """Serve until SIGTERM."""
    ledger = NaiveLedger(environment(conninfo, is_cached=is_cached))
    try:
        host(application(ledger), listener_fd=listener_fd, with_lifespan=True)
    finally:
        ledger.close()


if __name__ == "__main__":
    main(sys.argv[2], listener_fd=int(sys.argv[1]), is_cached=CACHED in sys.argv[3:])
