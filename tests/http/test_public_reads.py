"""Reads that need no key have few places, so that they never take those of customers."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from domain.refusals import Overloaded
from interfaces.http import audit


async def crowd() -> tuple[int, str, str]:
    """As many strangers as there are places, one more, and a customer; then one more stranger when they have gone."""
    released = threading.Event()
    stranger: Any = SimpleNamespace(caller=None, desk=SimpleNamespace(recorder=SimpleNamespace(execute=None)))
    customer: Any = SimpleNamespace(caller="somebody", desk=stranger.desk)

    def waiting(_: Any) -> str:
        released.wait(10)
        return "read"

    strangers = [asyncio.create_task(audit._read(stranger, waiting)) for _ in range(audit.PUBLIC_READS_MAX)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await audit._read(stranger, waiting)
    paying = asyncio.create_task(audit._read(customer, waiting))
    await asyncio.sleep(0)
    released.set()
    return len(await asyncio.gather(*strangers)), await paying, await audit._read(stranger, lambda _: "read")


def test_strangers_beyond_their_places_are_refused_and_customers_are_not() -> None:
    assert asyncio.run(crowd()) == (audit.PUBLIC_READS_MAX, "read", "read")
