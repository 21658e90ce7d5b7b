"""The part of a server that posts: looks for what was recorded, claims what is due, posts it and writes down what became of it.

All that it knows is in the database. It may be killed at any moment, and there may be several.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Final

import psycopg

from application.keyring import Keyring
from application.webhooks import Signers
from domain.webhook_body import body
from interfaces.webhooks import deliveries, signing
from interfaces.webhooks.deliveries import SCHEDULE_SECONDS, Claimed, Finished
from interfaces.webhooks.outbound import CONNECTIONS_MAX, Outbound, Outcome
from interfaces.webhooks.outbox import Outbox

LOOK_SECONDS: Final = 0.1
IDLE_SECONDS_MAX: Final = 0.5
LOOK_SHARE_MAX: Final = 0.2
"""Where a look takes long because there is much to look at, looking takes at most this share of the time."""
AGAIN_SECONDS: Final = 1.0
FAILING_MAX: Final = CONNECTIONS_MAX // 4
"""Posts under way to endpoints that do not answer well: however many there are, the others have room."""
JITTER: Final = 0.2
"""A wait is longer by up to this share, so that what failed together does not come back together."""
STOP_SECONDS_MAX: Final = 5.0
PURGE_SECONDS: Final = 60.0
_OPTIONS: Final = "-c idle_in_transaction_session_timeout=60s -c jit=off -c statement_timeout=30s -c lock_timeout=10s"

Disable = Callable[[str, str, str], None]
"""Log, endpoint and reason: record that nothing is posted there any more."""


class Postman:
    """Posts until `stop` is set."""

    def __init__(
        self,
        conninfo: str,
        keyring: Keyring,
        outbound: Outbound,
        outbox: Outbox,
        *,
        disable: Disable,
        on_failure: Callable[[BaseException], None],
        schedule: tuple[float, ...] = SCHEDULE_SECONDS,
        claim_seconds: float = deliveries.CLAIM_SECONDS,
    ) -> None:
        self._conninfo = conninfo
        self._keyring = keyring
        self._outbound = outbound
        self._outbox = outbox
        self._disable = disable
        self._on_failure = on_failure
        self._schedule = schedule
        self._claim_seconds = claim_seconds
        self._under_way: dict[asyncio.Task[None], bool] = {}
        self._news = asyncio.Event()
        self._record = asyncio.Lock()

    async def run(self, stop: threading.Event) -> None:
        """Until `stop` is set; then what is under way is finished, for it is over soon."""
        async with self._outbound:
            looking = asyncio.create_task(self._again(self._look, stop))
            await self._again(self._deliver, stop)
            await looking

    async def _again(
        self, work: Callable[[psycopg.AsyncConnection[Any], threading.Event], Any], stop: threading.Event
    ) -> None:
        """Work on a connection, and on another one when it breaks."""
        while not stop.is_set():
            try:
                async with _connected(self._conninfo) as connection:
                    await work(connection, stop)
            except Exception as error:  # noqa: BLE001 - a postman that ended would leave all later facts unposted
                if not stop.is_set():
                    self._on_failure(error)
                    await asyncio.sleep(AGAIN_SECONDS)

    async def _look(self, connection: psycopg.AsyncConnection[Any], stop: threading.Event) -> None:
        wait_seconds, purged = LOOK_SECONDS, time.monotonic()
        while not stop.is_set():
            begun = time.monotonic()
            look = await self._outbox.look(connection)
            if look.deliveries:
                self._news.set()
            for log, endpoint_id in look.flooded:
                await self._give_up_on(log, endpoint_id, "too many waiting")
            if begun - purged > PURGE_SECONDS:
                await deliveries.purge(connection)
                purged = begun
            if look.is_full:
                continue
            took_seconds = time.monotonic() - begun
            quiet = LOOK_SECONDS if look.deliveries else min(2 * wait_seconds, IDLE_SECONDS_MAX)
            wait_seconds = max(quiet, took_seconds / LOOK_SHARE_MAX)
            await asyncio.sleep(wait_seconds)

    async def _deliver(self, connection: psycopg.AsyncConnection[Any], stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                begun = time.monotonic()
                claimed = await self._claimed(connection)
                for one in claimed:
                    self._begin(connection, one)
                if not claimed:
                    await self._rest(max(IDLE_SECONDS_MAX, (time.monotonic() - begun) / LOOK_SHARE_MAX))
        finally:
            # What cannot be finished or recorded any more is posted again when its claim ends.
            under_way = [*self._under_way]
            if under_way:
                _, late = await asyncio.wait(under_way, timeout=STOP_SECONDS_MAX)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)

    async def _claimed(self, connection: psycopg.AsyncConnection[Any]) -> list[Claimed]:
        self._news.clear()
        free = CONNECTIONS_MAX - len(self._under_way)
        failing = max(0, FAILING_MAX - sum(self._under_way.values()))
        async with self._record:
            return await deliveries.claim(connection, limit=free, failing=failing, seconds=self._claim_seconds)

    async def _rest(self, seconds: float) -> None:
        """Until there is news, a post is over, or it is time to look again."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)

    def _begin(self, connection: psycopg.AsyncConnection[Any], claimed: Claimed) -> None:
        task = asyncio.create_task(self._post(connection, claimed))
        self._under_way[task] = claimed.is_failing
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._news.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_failure(error)

    async def _post(self, connection: psycopg.AsyncConnection[Any], claimed: Claimed) -> None:
        at = datetime.now(UTC)
        endpoint = claimed.endpoint
        content = body(claimed.log, position=claimed.position, topic=claimed.topic, stored=claimed.stored)
        signers = Signers.of(self._keyring, claimed.log, endpoint.id, numbers=endpoint.secret_numbers(at))
        headers = signing.headers(signers, message_id=claimed.event_id, timestamp=int(at.timestamp()), body=content)
        outcome = await self._outbound.post(endpoint.url, headers=headers, body=content)
        if outcome.status == 410:
            await self._give_up_on(claimed.log, endpoint.id, "410 gone")
        wait = None if outcome.is_taken else self._wait(claimed.tries + 1, outcome)
        finished = Finished(at, outcome.status, outcome.error, outcome.duration_ms, wait)
        async with self._record:
            await deliveries.finish(connection, claimed, finished)

    def _wait(self, tries: int, outcome: Outcome) -> float | None:
        """Until the next try after so many; None when that was the last."""
        if tries >= len(self._schedule):
            return None
        planned = self._schedule[tries] * (1 + JITTER * random.random())  # noqa: S311 - nobody gains by guessing it
        return max(planned, outcome.retry_after_seconds)

    async def _give_up_on(self, log: str, endpoint_id: str, reason: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(None, self._disable, log, endpoint_id, reason)
        except Exception as error:  # noqa: BLE001 - it is tried again with the next post
            self._on_failure(error)


@contextlib.asynccontextmanager
async def _connected(conninfo: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    connection = await psycopg.AsyncConnection.connect(
        conninfo,
        autocommit=True,
        connect_timeout=5,
        options=_OPTIONS,
        tcp_user_timeout=10_000,
        application_name="doneotp-webhooks",
    )
    async with connection:
        yield connection
