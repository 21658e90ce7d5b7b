"""When each key was last used, as far as the ledger knows: from the view, and beyond it from the tail of the log."""

from datetime import datetime

from domain.codec import decode
from domain.keys import log_of
from interfaces.http import views
from interfaces.postgres.recorder import PostgresLogRecorder
from projections.key_uses import OF_LOG, KeyUses, key_of


def last(recorder: PostgresLogRecorder, account_id: str) -> dict[str, datetime]:
    """By key id, when it last left an event in its log. Raises ServiceUnavailable when views are far behind."""
    found: dict[str, datetime] = {}
    for log in (account_id, log_of(account_id, mode="test")):
        after = views.reach(recorder, log, KeyUses)
        if after:
            found.update(views.rows(recorder, OF_LOG, (log,)))
        for record in views.tail(recorder, log, after=after):
            event = decode(record.topic, record.state)
            if key_id := key_of(event):
                found[key_id] = event.at
    return found
