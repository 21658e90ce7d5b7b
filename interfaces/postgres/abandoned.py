"""Handoffs that nobody will finish: their process died, or no receipt came for what nobody confirmed. Found by position,
recorded as failed, paid back.

Any process may sweep; the rule that a handoff is settled once makes a second sweep harmless. A mark per log, which may be
lost at any time, keeps a sweep from reading what earlier ones have read.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from application.dispatch import ABANDONED_SECONDS
from application.ports import Clock
from application.verifications import GiveUp, StillUnderWay
from application.writer import Writer
from domain.codec import decode
from domain.events import CodeRequested
from domain.refusals import StateConflict
from domain.verification import UNCONFIRMED_SECONDS_MAX
from interfaces.postgres.recorder import PostgresLogRecorder

SWEEP_SECONDS: Final = 5.0
ROWS_MAX: Final = 5_000
LOGS_MAX: Final = 1_000
"""Logs in one read. All are looked at in turn: a busy thousand must not keep the refunds of the others waiting."""
_BEHIND: Final = b"""
SELECT h.log, coalesce(m.position, 0), h.position FROM doneotp.heads AS h LEFT JOIN doneotp.handoff_marks AS m USING (log)
WHERE h.log > %b AND h.position > coalesce(m.position, 0) ORDER BY h.log LIMIT %b"""
_OPEN: Final = b"""
SELECT r.stream, r.position, r.topic, r.body FROM doneotp.events AS r
WHERE r.log = %b AND r.position > %b AND r.position <= %b AND r.topic = 'CodeRequested.v1' AND NOT EXISTS (
    SELECT 1 FROM doneotp.events AS o
    WHERE o.log = r.log AND o.stream = r.stream AND o.version > r.version AND o.topic IN ('CodeSent.v1', 'SendFailed.v1')
      AND convert_from(o.body, 'UTF8')::json ->> 'verification_id' = convert_from(r.body, 'UTF8')::json ->> 'verification_id'
      AND convert_from(o.body, 'UTF8')::json ->> 'send' = convert_from(r.body, 'UTF8')::json ->> 'send')
ORDER BY r.position"""
_MARK: Final = b"""
INSERT INTO doneotp.handoff_marks AS m (log, position) VALUES (%b, %b)
ON CONFLICT (log) DO UPDATE SET position = greatest(m.position, excluded.position)"""


class Sweep:
    """Looks every few seconds, for as long as it is started."""

    def __init__(
        self,
        recorder: PostgresLogRecorder,
        writer: Writer,
        clock: Clock,
        *,
        on_failure: Callable[[BaseException], None],
        seconds: float = SWEEP_SECONDS,
        abandoned_seconds: float = ABANDONED_SECONDS,
        unconfirmed_seconds: float = UNCONFIRMED_SECONDS_MAX,
    ) -> None:
        self._recorder = recorder
        self._writer = writer
        self._clock = clock
        self._on_failure = on_failure
        self._seconds = seconds
        self._abandoned = timedelta(seconds=abandoned_seconds)
        self._unconfirmed_seconds = unconfirmed_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, on the running loop."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End; what was not found is found by whoever starts next."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def once(self) -> int:
        """One look at every log with news; returns how many handoffs were given up."""
        given_up, last = 0, ""
        while behind := await self._rows(_BEHIND, (last, LOGS_MAX)):
            for log, mark, head in behind:
                try:
                    given_up += await self._look_through(log, mark, head)
                except Exception as error:  # noqa: BLE001 - a log that cannot be read keeps no other from its refunds
                    self._on_failure(error)
                    if self._writer.is_away:
                        return given_up
            last = behind[-1][0]
        return given_up

    async def _look_through(self, log: str, mark: int, head: int) -> int:
        settled, until, given_up = mark, mark, 0
        while settled == until < head:
            until = min(head, until + ROWS_MAX)
            settled, count = await self._settle(log, settled, until)
            given_up += count
        if settled > mark:
            await self._rows(_MARK, (log, settled))
        return given_up

    async def _settle(self, log: str, after: int, until: int) -> tuple[int, int]:
        """Up to which position all is settled now, and how many handoffs that took giving up."""
        settled, given_up = until, 0
        for stream, position, topic, body in await self._rows(_OPEN, (log, after, until)):
            event = decode(topic, body)
            assert isinstance(event, CodeRequested), "the statement selects nothing else"
            if self._clock.now() - event.at < self._abandoned:
                settled = min(settled, position - 1)
                continue
            try:
                await self._writer.ask(self._giving_up(log, stream, event), bounded=False)
                given_up += 1
            except StillUnderWay:
                settled = min(settled, position - 1)
            except StateConflict:
                pass  # settled in the meantime
        return settled, given_up

    def _giving_up(self, log: str, stream: str, event: CodeRequested) -> GiveUp:
        return GiveUp(log, stream, event.verification_id, event.send, self._unconfirmed_seconds)

    async def _run(self) -> None:
        while True:
            try:
                await self.once()
            except Exception as error:  # noqa: BLE001 - a sweep that ended would leave every later loss unpaid
                self._on_failure(error)
            await asyncio.sleep(self._seconds)

    async def _rows(self, statement: bytes, parameters: tuple[object, ...]) -> list[tuple[Any, ...]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._recorder.execute, statement, parameters)
