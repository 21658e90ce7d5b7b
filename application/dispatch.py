"""The handoff: from a recorded request to a provider, and what became of it back into the ledger.

The clear number and the code live here, in memory, between the two. What is waiting is bounded; a message that no provider
took is refunded; a process that dies leaves its requests to whoever sweeps next. A refusal is answered by the next provider
at once, and so is, once, a silence: whether that message was taken is then not known, and recorded so.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final

from application.ports import Accepted, Clock, Message, Provider, ProviderFailed, Routing
from application.verifications import RecordFailed, RecordSent, RecordUnconfirmed
from application.writer import Writer
from domain.refusals import Overloaded, Refusal, ServiceUnavailable, StateConflict
from domain.text import measure

WAITING_MAX: Final = 20_000
CONCURRENCY: Final = 256
DEADLINE_SECONDS: Final = 30.0
"""A message older than this is never handed over any more; the sweep may record it as abandoned."""
ABANDONED_SECONDS: Final = 45.0
"""Well past the deadline and a provider's own timeouts, so that a living process always speaks first."""
RECORD_RETRY_SECONDS: Final = 0.5
HANDOFFS_MAX: Final = 2
"""Times a message goes out to a provider. One that could not be reached was handed nothing."""
OFFERS_MAX: Final = 4
"""Providers that are tried for a message, reached or not."""

Fate = RecordSent | RecordUnconfirmed | RecordFailed


class Dispatcher:
    """Hands messages over, many at once, in the process that accepted them."""

    def __init__(
        self,
        writer: Writer,
        clock: Clock,
        routing: Routing,
        *,
        on_failure: Callable[[BaseException], None],
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._writer = writer
        self._clock = clock
        self._routing = routing
        self._on_failure = on_failure
        self._waiting_max = waiting_max
        self._reserved = 0
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Messages reserved, waiting, under way or not yet recorded."""
        return self._reserved

    def start(self) -> None:
        """Begin to hand over, on the running loop."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONCURRENCY)]

    def reserve(self) -> None:
        """Keep a place for a message before it is recorded; raises Overloaded when there is none."""
        if self._reserved >= self._waiting_max:
            raise Overloaded(retry_after_seconds=1)
        self._reserved += 1
        self._idle.clear()

    def release(self) -> None:
        """Give a place back: nothing was recorded, or all that had to be is."""
        self._reserved -= 1
        if self._reserved == 0:
            self._idle.set()

    def accept(self, message: Message) -> None:
        """Take a recorded message in the place that was reserved for it."""
        self._queue.put_nowait(message)

    async def drain(self, *, timeout_seconds: float) -> bool:
        """Wait until everything accepted is handed over and recorded; False when that took too long."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def stop(self) -> None:
        """End the workers; what they had not finished is left to the sweep."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                await self._hand_over(message)
            except Exception as error:  # noqa: BLE001 - a worker outlives any one message
                self._on_failure(error)
                self._record(_failed(message, "internal_error", ""), message)

    async def _hand_over(self, message: Message) -> None:
        tried: list[tuple[Provider, ProviderFailed]] = []
        for provider in islice(self._routing.providers(message), OFFERS_MAX):
            if self._is_late(message, DEADLINE_SECONDS):
                break
            try:
                accepted = await provider.send(message)
            except ProviderFailed as failure:
                self._routing.noted(provider, failure)
                tried.append((provider, failure))
                if sum(failed.kind != "unconnected" for _, failed in tried) >= HANDOFFS_MAX:
                    break
                continue
            self._routing.noted(provider, None)
            self._record(_sent(message, provider, accepted, tried), message)
            return
        reason = "deadline" if self._is_late(message, DEADLINE_SECONDS) else "no_provider"
        self._record(_ended(message, tried) or _failed(message, reason, ""), message)

    def _record(self, command: Fate, message: Message) -> None:
        """Record without waiting for it. Tried again while the ledger is away; after that the sweep refunds."""

        def recorded(outcome: Any) -> None:
            if isinstance(outcome, Refusal) and not isinstance(outcome, StateConflict) and not self._is_over(message):
                asyncio.get_running_loop().call_later(RECORD_RETRY_SECONDS, self._record, command, message)
                return
            self.release()

        try:
            self._writer.ask(command, after=recorded, bounded=False).add_done_callback(_consume)
        except ServiceUnavailable as refusal:
            self._on_failure(refusal)
            self.release()

    def _is_over(self, message: Message) -> bool:
        return self._is_late(message, ABANDONED_SECONDS)

    def _is_late(self, message: Message, seconds: float) -> bool:
        return self._clock.now() - message.accepted_at > timedelta(seconds=seconds)


def _failed(message: Message, reason: str, provider: str, tried: tuple[str, ...] = ()) -> RecordFailed:
    return RecordFailed(message.log, message.stream, message.verification_id, message.send, reason, provider, tried)


def _sent(
    message: Message, provider: Provider, accepted: Accepted, tried: Sequence[tuple[Provider, ProviderFailed]]
) -> RecordSent:
    return RecordSent(
        message.log,
        message.stream,
        message.verification_id,
        message.send,
        provider.name,
        accepted.message_id,
        accepted.segments or measure(message.text).segments,
        accepted.cost_micros,
        accepted.cost_currency,
        _spelled(tried),
    )


def _ended(
    message: Message, tried: Sequence[tuple[Provider, ProviderFailed]]
) -> RecordUnconfirmed | RecordFailed | None:
    """What is to be recorded when nobody said yes: a message that somebody may have taken has not failed.

    None, when nobody was asked.
    """
    silent = next((one for one in tried if one[1].kind == "unknown"), None)
    if silent is not None:
        others = _spelled([one for one in tried if one is not silent])
        return RecordUnconfirmed(
            message.log,
            message.stream,
            message.verification_id,
            message.send,
            silent[1].reason,
            silent[0].name,
            others,
        )
    if not tried:
        return None
    provider, failure = tried[-1]
    return _failed(message, failure.reason, provider.name, _spelled(tried[:-1]))


def _spelled(tried: Sequence[tuple[Provider, ProviderFailed]]) -> tuple[str, ...]:
    return tuple(f"{provider.name}:{failure.reason}" for provider, failure in tried)


def _consume(future: asyncio.Future[None]) -> None:
    # The outcome went to `recorded`; a future whose exception nobody reads would complain when it is collected.
    if not future.cancelled():
        future.exception()
