"""A postman in a process of its own, to be killed: `python -m tests.webhooks.child CONNINFO [forgetful]`.

The forgetful one writes a delivery down as done when it takes it up: what a queue does that acknowledges first.
"""

import asyncio
import sys
import threading
from typing import Any, Final

import psycopg

from application.keyring import Keyring
from interfaces.webhooks import deliveries
from interfaces.webhooks.outbound import Outbound
from interfaces.webhooks.outbox import Outbox
from interfaces.webhooks.postman import Postman
from interfaces.webhooks.reach import Reach
from tests.webhooks.office import ROOT

CLAIM_SECONDS: Final = 1.5


async def post(conninfo: str) -> None:
    await Postman(
        conninfo,
        Keyring(ROOT),
        Outbound(Reach(allows_local=True), seconds_max=1.0),
        Outbox(on_poison=lambda log, position: None),
        disable=lambda log, endpoint_id, reason: None,
        on_failure=lambda error: None,
        schedule=(0.0, 0.1, 0.1, 0.1, 0.1),
        claim_seconds=CLAIM_SECONDS,
    ).run(threading.Event())


def forget() -> None:
    claim = deliveries.claim

    async def forgetful(connection: psycopg.AsyncConnection[Any], **how: Any) -> list[deliveries.Claimed]:
        claimed = await claim(connection, **how)
        for one in claimed:
            await connection.execute(
                "UPDATE doneotp.webhook_deliveries SET status = 'delivered', finished_at = now()"
                " WHERE log = %s AND endpoint_id = %s AND position = %s",
                (one.log, one.endpoint.id, one.position),
            )
        return claimed

    deliveries.claim = forgetful


if __name__ == "__main__":
    if "forgetful" in sys.argv:
        forget()
    asyncio.run(post(sys.argv[1]))
