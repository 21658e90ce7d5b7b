"""Between domain events and stored bytes: msgspec JSON under stable topics, never a Python path."""

from dataclasses import dataclass
from typing import Final

import msgspec
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent

from domain.events import TOPICS, TYPES, Event


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in a stream: what eventsourcing calls a domain event."""

    originator_id: str
    originator_version: int
    event: Event


_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODERS: Final = {topic: msgspec.json.Decoder(type_) for topic, type_ in TYPES.items()}


class EventMapper(Mapper[str]):
    """The stored bytes are JSON, are the bytes that are hashed, and read back as the very same event."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[str]) -> StoredEvent:
        assert isinstance(domain_event, Recorded)
        return StoredEvent(
            originator_id=domain_event.originator_id,
            originator_version=domain_event.originator_version,
            topic=TOPICS[type(domain_event.event)],
            state=encode(domain_event.event),
        )

    def to_domain_event(self, stored_event: StoredEvent) -> Recorded:
        """Raises MapperDeserialisationError on bytes or a topic that no version of DoneOTP wrote."""
        return Recorded(
            str(stored_event.originator_id),
            stored_event.originator_version,
            decode(stored_event.topic, stored_event.state),
        )


def encode(event: Event) -> bytes:
    """The bytes to store."""
    return _ENCODER.encode(event)


def decode(topic: str, body: bytes) -> Event:
    """The event that was stored; raises MapperDeserialisationError."""
    try:
        return _DECODERS[topic].decode(body)
    except (KeyError, msgspec.MsgspecError) as error:
        raise MapperDeserialisationError(f"cannot read a stored event of topic {topic!r}") from error
