"""An answer that is long on its way tells how things stood when it was given, not when it came.

A revoked key is refused within a second because no view of an account that is older lets a key in.
"""

import pytest

from application.ledger import Ledger
from application.ports import Record
from interfaces.http.desk import FRESH_SECONDS
from interfaces.postgres.recorder import PostgresLogRecorder
from interfaces.world import SystemEntropy
from tests.faults.desk import desk_on
from tests.support.clock import Stopwatch

LONG_SECONDS = 5.0


@pytest.mark.parametrize("seconds", [0.0, LONG_SECONDS])
@pytest.mark.parametrize("call", ["heads", "append"])
def test_a_view_is_as_old_as_the_question(conninfo, monkeypatch, call, seconds):
    """With an answer that comes at once, the same view is fresh: that is what the test would miss otherwise."""
    watch = Stopwatch()
    with desk_on(conninfo) as desk:
        monkeypatch.setattr(desk.ledger, "_monotonic", watch)
        real = getattr(desk.recorder, call)

        def late(given: list[Record] | list[str]) -> object:
            answer = real(given)
            watch.pause(seconds)
            return answer

        monkeypatch.setattr(desk.recorder, call, late)
        if call == "append":
            desk.writer.submit(desk.send()).result(30)
        else:
            desk.writer.close()
            desk.ledger.confirm([desk.log])
        assert (desk.ledger.account(desk.log, fresh_seconds=FRESH_SECONDS) is None) == (seconds > FRESH_SECONDS)


def test_what_another_process_recorded_is_seen_by_the_sweep(conninfo):
    recorder = PostgresLogRecorder(conninfo)
    ledger = Ledger(recorder, SystemEntropy(), monotonic=Stopwatch())
    with desk_on(conninfo) as desk:
        ledger.prepare([(desk.log, None)])
        desk.writer.submit(desk.send()).result(30)
        before = ledger.account(desk.log, fresh_seconds=FRESH_SECONDS)
        ledger.confirm([desk.log])
        after = ledger.account(desk.log, fresh_seconds=FRESH_SECONDS)
        assert before is not None
        assert after is not None
        assert (before.debited, after.debited) == (0, 1)
    recorder.close()
