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
Receipt = tuple[bool, str]
"""Whether the message was delivered, and why not."""
_DELIVERED: Final[Receipt] = (True, "")
_UNREACHABLE: Final[Receipt] = (False, "unreachable")


class ScenarioProvider:
    """A provider around the one that shows test messages. `report(message, delivered, reason)` is called on the loop, later."""

    name = "scenario"

    def __init__(
        self,
        provider: Provider,
        *,
        report: Callable[[Message, bool, str], None],
        slow_seconds: float = SLOW_SECONDS,
        report_seconds: float = REPORT_SECONDS,
    ) -> None:
        self._provider = provider
        self._report = report
        self._slow_seconds = slow_seconds
        self._report_seconds = report_seconds
        self._slow = 0
        self._reports: set[asyncio.TimerHandle] = set()

    async def send(self, message: Message) -> Accepted:
        """Raises ProviderFailed: as the number says, or `scenario_limit` when too many wait."""
        outcome = carrier_outcome_for(message.to)
        match outcome:
            case "provider_down" | "number_refused":
                raise ProviderFailed(outcome)
            case "slow":
                await self._wait()
            case "delivered":
                self._report_later(message, _DELIVERED)
            case "duplicate_receipts":
                self._report_later(message, _DELIVERED, _DELIVERED, _DELIVERED)
            case "undelivered":
                self._report_later(message, _UNREACHABLE)
                return Accepted(message.message_id)
            case "contradicting_receipts":
                self._report_later(message, _UNREACHABLE, _DELIVERED)
            case None:
                pass
        return await self._provider.send(message)

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

    def _report_later(self, message: Message, *receipts: Receipt) -> None:
        if len(self._reports) >= REPORTS_MAX:
            raise ProviderFailed("scenario_limit")

        def tell() -> None:
            self._reports.discard(handle)
            for delivered, reason in receipts:
                self._report(message, delivered, reason)

        handle = asyncio.get_running_loop().call_later(self._report_seconds, tell)
        self._reports.add(handle)
