"""How often sign-in may be tried, in bounded memory: by address, and by name from one address.

A name alone is never locked: whoever knows it could keep its owner out. From everywhere together it has a ceiling, beyond
which an address that tried it before must wait while a new one still has its first try.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

WINDOW_SECONDS: Final = 600
ADDRESS_MAX: Final = 30
NAME_AND_ADDRESS_MAX: Final = 5
NAME_MAX: Final = 50
KEYS_MAX: Final = 20_000


class Throttle:
    """Counts tries by fixed windows. One for a process."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._tries: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def wait_seconds(self, name: str, address: str) -> int:
        """Count a try; how long to wait before it is heard, 0 when it is."""
        limits = ((("", address), ADDRESS_MAX), ((name, address), NAME_AND_ADDRESS_MAX))
        until, counts = 0.0, []
        for key, most in limits:
            begun, count = self._count(key)
            counts.append(count)
            if count > most:
                until = max(until, begun + WINDOW_SECONDS)
        begun, count = self._count((name, ""))
        if count > NAME_MAX and counts[1] > 1:
            until = max(until, begun + WINDOW_SECONDS)
        return 0 if until == 0.0 else max(1, int(until - self._monotonic()) + 1)

    def forget(self, name: str, address: str) -> None:
        """A good sign-in: what was mistyped before it does not count any more, nor does it itself."""
        self._tries.pop((name, address), None)
        for key in (("", address), (name, "")):
            if key in self._tries:
                begun, count = self._tries[key]
                self._tries[key] = (begun, count - 1)

    def _count(self, key: tuple[str, str]) -> tuple[float, int]:
        now = self._monotonic()
        begun, count = self._tries.pop(key, (now, 0))
        if now - begun >= WINDOW_SECONDS:
            begun, count = now, 0
        self._tries[key] = (begun, count + 1)
        while len(self._tries) > KEYS_MAX:
            self._tries.popitem(last=False)
        return begun, count + 1
