"""What providers report of messages, into the ledger: each once, in whatever order they come, and however early.

A report names its message by a sealed reference that we gave; nothing is looked up. One that comes before the answer to
our own handoff waits in memory for a few seconds, with its sender; then it counts as the answer.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from application.keyring import Keyring, stream_in
from application.verifications import RecordDelivery, StillUnderWay
from application.writer import Writer
from domain.refusals import Overloaded, StateConflict

PAUSES_SECONDS: Final = (0.1, 0.4, 1.0, 2.0, 3.0, 4.0)
"""Between looks at a message that is still under way: longer together than one handoff may take."""
PARKED_MAX: Final = 1_000

Outcome = Literal["recorded", "settled", "unknown"]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One report. `delivered` is None where it says no more than that the provider has the message."""

    provider: str
    reference: str
    message_id: str
    delivered: bool | None
    reason: str = ""


class Receipts:
    """Takes reports; counts what became of them."""

    def __init__(
        self,
        writer: Writer,
        keyring: Keyring,
        *,
        reported: Callable[..., None],
        pauses_seconds: tuple[float, ...] = PAUSES_SECONDS,
        parked_max: int = PARKED_MAX,
    ) -> None:
        """`reported(provider, delivered=...)` hears of each that was recorded."""
        self._writer = writer
        self._keyring = keyring
        self._reported = reported
        self._pauses_seconds = pauses_seconds
        self._parked_max = parked_max
        self._parked = 0
        self.counts: Counter[Outcome] = Counter()

    async def take(self, receipt: Receipt) -> Outcome:
        """Record it; raises Overloaded when too many wait, and what the ledger refuses with when it is away."""
        named = self._keyring.read_receipt_reference(receipt.provider, receipt.reference)
        stream = None if named is None else stream_in(named[1])
        if named is None or stream is None:
            return self._counted("unknown")
        log, verification_id, send = named

        def command(*, has_waited: bool) -> RecordDelivery:
            return RecordDelivery(
                log,
                stream,
                verification_id,
                send,
                receipt.delivered,
                receipt.provider,
                receipt.reason,
                receipt.message_id,
                has_waited,
            )

        try:
            try:
                await self._writer.ask(command(has_waited=False))
            except StillUnderWay:
                await self._wait(command)
        except StateConflict:
            return self._counted("settled")
        if receipt.delivered is not None:
            self._reported(receipt.provider, delivered=receipt.delivered)
        return self._counted("recorded")

    async def _wait(self, command: Callable[..., RecordDelivery]) -> None:
        if self._parked >= self._parked_max:
            raise Overloaded(retry_after_seconds=5)
        self._parked += 1
        try:
            for pause in self._pauses_seconds:
                await asyncio.sleep(pause)
                try:
                    await self._writer.ask(command(has_waited=False))
                except StillUnderWay:
                    continue
                return
            await self._writer.ask(command(has_waited=True))
        finally:
            self._parked -= 1

    def _counted(self, outcome: Outcome) -> Outcome:
        self.counts[outcome] += 1
        return outcome
