"""Between facts and stored bytes: JSON under stable topics, never a Python path. The bytes are the bytes that are hashed."""

from typing import Final

import msgspec

from domain.events import TYPES, Event


class UnreadableEvent(ValueError):
    """Stored bytes, or a topic, that no version of DoneOTP wrote. Says nothing of what the bytes hold."""


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODERS: Final = {topic: msgspec.json.Decoder(type_) for topic, type_ in TYPES.items()}


def encode(event: Event) -> bytes:
    """The bytes to store."""
    return _ENCODER.encode(event)


def decode(topic: str, body: bytes) -> Event:
    """The event that was stored; raises UnreadableEvent."""
    try:
        return _DECODERS[topic].decode(body)
    except (KeyError, msgspec.MsgspecError) as error:
        raise UnreadableEvent(f"cannot read a stored event of topic {topic!r}") from error
