"""What is posted of a fact: bytes that depend on the fact and its place alone, so that they are always the same.

Standard Webhooks 1.0: `type`, `timestamp`, `data`. Data are the stored fields, which are masked, without those that are of
use to us only; its place comes first.
"""

from typing import Any, Final

import msgspec

from domain.keys import account_of
from domain.webhooks import type_of

_OURS: Final = frozenset({"at", "seed", "hash", "idempotency"})
"""`at` is the timestamp; the others are keyed hashes and what a code is derived from: nobody else can use them."""
_ENCODER: Final = msgspec.json.Encoder()


def body(log: str, *, position: int, topic: str, stored: bytes) -> bytes:
    """The body for the fact that is stored as `stored` at a position of a log."""
    fields: dict[str, Any] = msgspec.json.decode(stored)
    mode = "live" if account_of(log) == log else "test"
    place = {"account_id": account_of(log), "mode": mode, "position": position}
    data = place | {name: value for name, value in fields.items() if name not in _OURS}
    return _ENCODER.encode({"type": type_of(topic), "timestamp": fields["at"], "data": data})
