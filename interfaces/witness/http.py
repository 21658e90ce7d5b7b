"""`POST /add-checkpoint` of C2SP tlog-witness, and nothing else."""

import asyncio
from typing import Any, Final

import uvicorn

from interfaces.witness.cosigner import Witness
from projections.transparency.proof import PROOF_BYTES_MAX
from projections.transparency.witness import WitnessRefused

BODY_BYTES_MAX: Final = 64 * 1024
"""A checkpoint with some signatures and 63 hashes needs a tenth of it."""
BODY_SECONDS_MAX: Final = 10.0
CONNECTIONS_MAX: Final = 200
_TEXT: Final = b"text/plain; charset=utf-8"
assert BODY_BYTES_MAX <= PROOF_BYTES_MAX, "or what is let in is refused for its length"


class Answering:
    """The ASGI application of a witness."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        status, kind, body = await self._answer(scope, receive)
        headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Any, receive: Any) -> tuple[int, bytes, bytes]:
        if scope["path"] != "/add-checkpoint":
            return 404, _TEXT, b"not found\n"
        if scope["method"] != "POST":
            return 405, _TEXT, b"method not allowed\n"
        try:
            body = await asyncio.wait_for(_whole(receive), BODY_SECONDS_MAX)
        except TimeoutError:
            return 408, _TEXT, b"the body did not come in time\n"
        if body is None:
            return 413, _TEXT, b"the body is too long\n"
        try:
            return 200, _TEXT, await asyncio.to_thread(self._witness.add, body)
        except WitnessRefused as refused:
            if refused.size is not None:
                return refused.status, b"text/x.tlog.size", f"{refused.size}\n".encode()
            return refused.status, _TEXT, f"{refused}\n".encode()


def server(witness: Witness) -> uvicorn.Server:
    """What serves a witness; it handles SIGTERM and SIGINT."""
    return uvicorn.Server(
        uvicorn.Config(
            Answering(witness),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=CONNECTIONS_MAX,
            timeout_graceful_shutdown=5,
        )
    )


async def _whole(receive: Any) -> bytes | None:
    """The body; None as soon as it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > BODY_BYTES_MAX:
            return None
        if not message.get("more_body"):
            return bytes(body)
