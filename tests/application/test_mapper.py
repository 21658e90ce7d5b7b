"""Stored bytes: stable names, JSON, and back the very same event."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

import pytest
from eventsourcing.persistence import MapperDeserialisationError, StoredEvent
from hypothesis import given, strategies

from application.mapper import EventMapper, Recorded
from domain.codec import UnreadableEvent, decode, encode
from domain.events import TOPICS, TYPES, AttemptFailed, CodeRequested, CreditAdded
from tests.support import given as past
from tests.support.clock import NOON

MOMENTS = strategies.integers(0, 2**52).map(lambda microseconds: datetime.fromtimestamp(microseconds / 2**20, UTC))
TEXTS = strategies.text(strategies.characters(codec="utf-8"), max_size=20)
SCALARS: strategies.SearchStrategy[Any] = strategies.one_of(
    TEXTS,
    strategies.integers(-(2**63), 2**64 - 1),
    strategies.booleans(),
    strategies.none(),
    strategies.floats(allow_nan=False, allow_infinity=False),
)


def instances(topic: str) -> strategies.SearchStrategy:
    """Events of a topic with any content."""
    kind = TYPES[topic]
    fields = {
        name: strategies.dictionaries(TEXTS, SCALARS, max_size=3) if name == "metadata" else strategies.from_type(type_)
        for name, type_ in kind.__annotations__.items()
    }
    return strategies.builds(kind, at=MOMENTS, **{name: _for(kind, name, fields[name]) for name in fields})


def _for(kind, name, general):
    return MOMENTS if kind.__annotations__[name] is datetime else general


@pytest.mark.parametrize("topic", TYPES)
@given(data=strategies.data())
def test_every_event_reads_back_as_it_was_written(topic, data):
    event = data.draw(instances(topic))
    assert decode(topic, encode(event)) == event
    assert encode(decode(topic, encode(event))) == encode(event)


def test_the_bytes_are_json_in_a_fixed_order_and_leave_out_what_was_not_said():
    event = AttemptFailed(at=NOON, verification_id="ver_1", attempts_left=4)
    assert encode(event) == b'{"at":"2026-11-01T12:00:00Z","verification_id":"ver_1","attempts_left":4}'
    assert encode(CreditAdded(at=NOON, credits=1, reference="R", key_id="key_1")) == (
        b'{"at":"2026-11-01T12:00:00Z","key_id":"key_1","credits":1,"reference":"R"}'
    )


def test_metadata_is_written_in_a_fixed_order_whatever_order_it_came_in():
    one = past.request(at=0, metadata={"b": 1, "a": None})
    other = past.request(at=0, metadata={"a": None, "b": 1})
    state = past.given().state
    assert encode(one(state)) == encode(other(state))
    assert b'"metadata":{"a":null,"b":1}' in encode(one(state))


def test_a_field_that_a_later_version_added_is_no_obstacle():
    later = b'{"at":"2026-11-01T12:00:00Z","attempts_left":4,"colour":"red","verification_id":"ver_1"}'
    assert decode("AttemptFailed.v1", later) == AttemptFailed(at=NOON, verification_id="ver_1", attempts_left=4)


@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("AttemptFailed.v9", b"{}"),
        ("domain.events:AttemptFailed", b"{}"),
        ("AttemptFailed.v1", b"{}"),
        ("AttemptFailed.v1", b"not json"),
        ("AttemptFailed.v1", b""),
        ("AttemptFailed.v1", b'{"at":"yesterday","attempts_left":4,"verification_id":"ver_1"}'),
    ],
    ids=count(1),
)
def test_what_nobody_wrote_is_not_read(topic, body):
    with pytest.raises(UnreadableEvent, match="cannot read a stored event of topic"):
        decode(topic, body)
    with pytest.raises(MapperDeserialisationError, match="cannot read a stored event of topic"):
        EventMapper().to_domain_event(StoredEvent("acct_a/s", 1, topic, body))


def test_the_librarys_mapper_is_ours():
    event = past.requested()
    stored = EventMapper().to_stored_event(Recorded("acct_a/s", 3, event))
    assert stored == StoredEvent("acct_a/s", 3, "CodeRequested.v1", encode(event))
    assert EventMapper().to_domain_event(stored) == Recorded("acct_a/s", 3, event)
    assert TOPICS[CodeRequested] == "CodeRequested.v1"
