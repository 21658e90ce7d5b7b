"""Reading the story of a verification: its events from the ledger, with those of the credits it took."""

from datetime import datetime
from typing import Final

from application.keyring import stream_in
from application.ports import Record
from application.story import Story, story
from domain.codec import decode
from domain.policy import Policy
from interfaces.http.reads import records_of
from interfaces.postgres.recorder import PostgresLogRecorder

_WITH_CREDITS: Final = ("CodeRequested", "SendFailed", "DeliveryReported")
"""What a debit or a refund is stored right after, in the same transaction."""


def read(
    recorder: PostgresLogRecorder, log: str, verification_id: str, *, policy: Policy, now: datetime
) -> Story | None:
    """The story of a verification; None where this log has none of this id. Raises ServiceUnavailable."""
    stream = stream_in(verification_id)
    if stream is None:
        return None
    own = [
        record
        for record in records_of(recorder, log, verification_id, stream=stream)
        if _is_of(record, verification_id)
    ]
    credits = [record for one in own for record in _credits(recorder, one, verification_id)]
    return story([*own, *credits], verification_id=verification_id, policy=policy, now=now)


def _credits(recorder: PostgresLogRecorder, record: Record, verification_id: str) -> list[Record]:
    if not record.topic.startswith(_WITH_CREDITS):
        return []
    after = recorder.select_log(record.log, after=record.id, limit=1)
    return [one for one in after if one.topic.startswith("Credit") and _is_of(one, verification_id)]


def _is_of(record: Record, verification_id: str) -> bool:
    return getattr(decode(record.topic, record.state), "verification_id", "") == verification_id
