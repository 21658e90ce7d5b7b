"""The postman of a server: its parts put together, on a loop and a thread of its own."""

import asyncio
import threading
from collections.abc import Callable

from application.keyring import Keyring
from domain.refusals import StateConflict
from interfaces import bootstrap
from interfaces.webhooks.outbound import Outbound
from interfaces.webhooks.outbox import Outbox
from interfaces.webhooks.postman import Postman
from interfaces.webhooks.reach import Reach


def run(
    conninfo: str,
    *,
    root: bytes,
    allows_local: bool,
    stop: threading.Event,
    on_failure: Callable[[BaseException], None],
    on_poison: Callable[[str, int], None],
) -> None:
    """Post until `stop` is set."""

    def disable(log: str, endpoint_id: str, reason: str) -> None:
        # Seldom, and not worth a ledger that is kept open for it.
        with bootstrap.books(conninfo, root=root, readers_max=1) as books:
            try:
                books.webhooks.disable(log, endpoint_id=endpoint_id, reason=reason, by="system")
            except StateConflict:
                return  # removed meanwhile

    async def post() -> None:
        postman = Postman(
            conninfo,
            Keyring(root),
            Outbound(Reach(allows_local=allows_local)),
            Outbox(on_poison=on_poison),
            disable=disable,
            on_failure=on_failure,
        )
        await postman.run(stop)

    asyncio.run(post())
