"""The carrier of test keys: plays what the scenario numbers promise, and hands everything else to the inbox."""

import asyncio
from collections.abc import Callable
from typing import Final

from application.ports import Accepted, Message, Provider, ProviderFailed
from application.scenarios import carrier_outcome_for

SLOW_SECONDS: Final = 3.0
SLOW_MAX: Final = 64
"""Slow messages at once; they hold places of the dispatcher that live messages need too."""
REPORT_SECONDS: Final = 0.5
"""How long after acceptance a delivery report comes: by then the acceptance is recorded."""
REPORTS_MAX: Final = 1_000


class ScenarioProvider:
    """Accepts every message and hands it to the inbox, if there is one. `report` is called on the loop, later."""

    name = "scenario"

    def __init__(
        self,
        inbox: Provider | None,
        *,
        report: Callable[[Message, bool, str], None],
        slow_seconds: float = SLOW_SECONDS,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        self._inbox = inbox
        self._report = report
        self._slow_seconds = slow_seconds
        self._report_seconds = report_seconds
        self._slow = 0
        self._reports: set[asyncio.TimerHandle] = set()

    async def send(self, message: Message) -> Accepted:
        """Raises ProviderFailed: `provider_down` where the number says so, `scenario_limit` when too many wait."""
        match carrier_outcome_for(message.to):
            case "provider_down":
                raise ProviderFailed("provider_down")
            case "slow":
                await self._wait()
                return await self._accept(message)
            case "delivered":
                self._report_later(message, delivered=True, reason="")
                return await self._accept(message)
            case "undelivered":
                self._report_later(message, delivered=False, reason="unreachable")
                return Accepted(message.message_id)
            case None:
                return await self._accept(message)

    async def _accept(self, message: Message) -> Accepted:
        return Accepted(message.message_id) if self._inbox is None else await self._inbox.send(message)

    def close(self) -> None:
        """Forget the reports that have not come yet."""
        for handle in self._reports:
            handle.cancel()
        self._reports.clear()

    async def _wait(self) -> None:
        if self._slow >= SLOW_MAX:
            raise ProviderFailed("scenario_limit")
        self._slow += 1
        try:
            await asyncio.sleep(self._slow_seconds)
        finally:
            self._slow -= 1

    def _report_later(self, message: Message, *, delivered: bool, reason: str) -> None:
        if len(self._reports) >= REPORTS_MAX:
            raise ProviderFailed("scenario_limit")

        def tell() -> None:
            self._reports.discard(handle)
            self._report(message, delivered, reason)

        handle = asyncio.get_running_loop().call_later(self._report_seconds, tell)
        self._reports.add(handle)
