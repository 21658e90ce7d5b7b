"""What the pages of an account's events show: the story of a verification, the audit trail, one event with its receipt.

Blocking reads, for a reader's thread. Events are found by their position: it is in every list already.
"""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from interfaces.http.reports import KINDS, ActivityPage, activity_page
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.transparency.entry import encode
from projections.transparency.receipts import Receipt, receipt
from projections.transparency.shelf import Shelf

ROWS_MAX: Final = 100
"""Rows of one page of the trail."""
KIND_GROUPS: Final = (
    ("Verifications", ("CodeRequested", "CodeSent", "SendFailed", "DeliveryReported", "AttemptFailed", "Verified")),
    ("Tokens", ("TokenRedeemed", "VerificationCancelled")),
    ("Credits", ("CreditAdded", "CreditDebited", "CreditRefunded", "RateCardAdopted", "StatementIssued")),
)
"""For a choice of many: what belongs together. The rest is administration."""


class EventShown(NamedTuple):
    """One event as it is stored. `entry` is the very text that is hashed, `data` the stored body in lines."""

    log: str
    position: int
    event_id: str
    kind: str
    entry: str
    data: str


def kind_groups() -> list[tuple[str, list[str]]]:
    """Every kind of event, in groups."""
    named = [(name, list(kinds)) for name, kinds in KIND_GROUPS]
    rest = sorted(KINDS.difference(*(kinds for _, kinds in KIND_GROUPS)))
    return [*named, ("Administration", rest)]


def trail(recorder: PostgresLogRecorder, log: str, before: int, kinds: Sequence[str]) -> ActivityPage:
    """A page of the audit trail, newest first. Raises ServiceUnavailable."""
    return activity_page(recorder, log, before, ROWS_MAX, kinds)


def event_at(recorder: PostgresLogRecorder, log: str, position: int) -> EventShown | None:
    """The event at a position; None beyond the end of the log."""
    found = recorder.select_log(log, after=position - 1, limit=1) if position > 0 else ()
    if not found:
        return None
    record = found[0]
    body = bytes(record.state)
    entry = encode(log, record.id, record.stream, record.originator_version, record.event_id, record.topic, body)
    digits = record.event_id.hex()
    return EventShown(
        log=log,
        position=record.id,
        event_id=f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}",
        kind=record.topic.partition(".")[0],
        entry=entry.decode(),
        data=json.dumps(json.loads(body), indent=2, ensure_ascii=False),
    )


def receipt_at(recorder: PostgresLogRecorder, log: str, position: int) -> Receipt | None:
    """The receipt of the event at a position; None where there is none. Raises NotSealed."""
    found = recorder.select_log(log, after=position - 1, limit=1) if position > 0 else ()
    return receipt(Shelf(recorder.execute), log, found[0].event_id) if found else None
