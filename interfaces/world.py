"""The real clock and the real randomness."""

import secrets
from datetime import UTC, datetime


class SystemClock:
    """UTC, by the machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SystemEntropy:
    """The operating system's generator."""

    def bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)


def process_name() -> str:
    """A few characters that tell this process's request ids from every other's."""
    return secrets.token_hex(5)
