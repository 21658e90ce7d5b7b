"""The real clock and the real randomness."""

import os
import secrets
import threading
from datetime import UTC, datetime
from typing import Final

_POOL_BYTES: Final = 4_096


class SystemClock:
    """UTC, by the machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's generator, asked for much at a time. Every byte is given out once."""

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0
        self._lock = threading.Lock()

    def bytes(self, count: int) -> bytes:
        with self._lock:
            if self._used + count > len(self._pool):
                self._pool, self._used = os.urandom(_POOL_BYTES + count), 0
            self._used += count
            return self._pool[self._used - count : self._used]


def process_name() -> str:
    """A few characters that tell this process's request ids from every other's."""
    return secrets.token_hex(5)
