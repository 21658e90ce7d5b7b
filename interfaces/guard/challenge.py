"""What a public key may be asked for before a message goes out, and how an answer is judged."""

from typing import Any, Final, NamedTuple, Protocol

RESPONSE_LENGTH_MAX: Final = 4_096


class Bound(NamedTuple):
    """What a challenge is for: one key and one number, by its stream."""

    key_id: str
    log: str
    stream: str


class Challenge(Protocol):
    """One kind of challenge."""

    def make(self, bound: Bound, *, bits: int) -> dict[str, Any]:
        """A new one, as it goes into the answer."""
        ...

    async def accepts(self, response: str, bound: Bound) -> bool:
        """Whether this answers a challenge that was made for `bound`: once."""
        ...

    async def close(self) -> None:
        """Let go of what it holds."""
        ...
