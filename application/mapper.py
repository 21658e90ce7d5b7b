"""The codec of events in the shape that eventsourcing asks for."""

from dataclasses import dataclass

from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, MapperDeserialisationError, StoredEvent

from domain.codec import UnreadableEvent, decode, encode
from domain.events import TOPICS, Event


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event with its place in a stream: what eventsourcing calls a domain event."""

    originator_id: str
    originator_version: int
    event: Event


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
        try:
            event = decode(stored_event.topic, stored_event.state)
        except UnreadableEvent as error:
            raise MapperDeserialisationError(str(error)) from error
        return Recorded(str(stored_event.originator_id), stored_event.originator_version, event)
