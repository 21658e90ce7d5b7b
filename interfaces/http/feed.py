"""The account's log, event by event, as it is stored."""

import asyncio
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from application.accounts import ReadBalance
from application.ports import Record
from domain.codec import decode
from domain.keys import account_of
from domain.refusals import Overloaded
from interfaces.http.calls import Call, Context, Query
from interfaces.http.desk import in_thread
from interfaces.http.reads import READS

_WAIT_SECONDS_MAX: Final = 30
_LOOK_SECONDS: Final = 0.05
_WAITERS_MAX: Final = 1_000


class FeedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One stored event. `position` is dense in this log; `version` is its place in its stream; `data` is what is stored.

    With the names of CloudEvents 1.0 beside our own: `id` is `event_id`, `time` is `at`, `source` is the log, `subject` the
    verification or the account that it is about.
    """

    position: int
    event_id: str
    type: str
    type_version: int
    stream: str
    version: int
    at: datetime
    specversion: Literal["1.0"] = "1.0"
    id: str
    source: str
    time: datetime
    subject: str
    datacontenttype: Literal["application/json"] = "application/json"
    data: msgspec.Raw


class Feed(msgspec.Struct, frozen=True, kw_only=True):
    """Events after a position. `next` is what to ask after next time."""

    events: list[FeedEvent]
    next: int


_waiters = 0


async def events(context: Context) -> Feed:
    """The account's log, from a position on; `wait` holds the answer back until there is something new."""
    global _waiters  # noqa: PLW0603 - one count per process
    after = context.number("after", default=0, least=0, most=2**53)
    limit = context.number("limit", default=100, least=1, most=1_000)
    wait = context.number("wait", default=0, least=0, most=_WAIT_SECONDS_MAX)
    log, desk = context.identity.log, context.desk
    records = await in_thread(_log_after, desk.recorder, log, after, limit)
    if not records and wait:
        if _waiters >= _WAITERS_MAX:
            raise Overloaded(retry_after_seconds=1)
        _waiters += 1
        try:
            # Only a log that the writer knows is looked after, and a test log nobody may have used here yet.
            await desk.writer.ask(ReadBalance(log))
            async with asyncio.timeout(wait):
                while not desk.ledger.is_beyond(log, after):  # noqa: ASYNC110 - the writer's thread has no event to set
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            pass
        finally:
            _waiters -= 1
        records = await in_thread(_log_after, desk.recorder, log, after, limit)
    return Feed(events=[_feed(record) for record in records], next=records[-1].id if records else after)


def _log_after(recorder: Any, log: str, after: int, limit: int) -> list[Record]:
    return list(recorder.select_log(log, after=after, limit=limit))


def _feed(record: Record) -> FeedEvent:
    name, _, version = record.topic.partition(".v")
    event = decode(record.topic, record.state)
    event_id = str(UUID(bytes=record.event_id))
    return FeedEvent(
        position=record.id,
        event_id=event_id,
        type=name,
        type_version=int(version),
        stream=str(record.originator_id),
        version=record.originator_version,
        at=event.at,
        id=event_id,
        source=f"/logs/{record.log}",
        time=event.at,
        subject=getattr(event, "verification_id", "") or account_of(record.log),
        data=msgspec.Raw(record.state),
    )


CALLS: Final = (
    Call(
        "GET",
        "/v1/events",
        "The account's log: positions 1, 2, 3 … without a hole",
        "sk",
        READS,
        Feed,
        events,
        query=(
            Query(
                "after", {"type": "integer", "minimum": 0, "maximum": 2**53}, "Position to begin after, 0 unless told."
            ),
            Query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Events, 100 unless told."),
            Query("wait", {"type": "integer", "minimum": 0, "maximum": 30}, "Seconds to wait for something new."),
        ),
    ),
)
