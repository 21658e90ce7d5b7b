"""The process of `serve` that keeps the views. Started by the supervisor, never by hand.

It stops on SIGTERM, and when its standard input ends: then the supervisor is gone, however that came about.
"""

import os
import signal
import sys
import threading
from types import FrameType

from interfaces import logs, projecting, settings
from interfaces.postgres.embedded import conninfo
from interfaces.supervision import READY_LINE


def main() -> int:
    """Keep the views until told to stop."""
    stop = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    def supervised() -> None:
        while os.read(0, 1):  # not through sys.stdin: its lock would outlive this thread
            pass
        stop.set()

    signal.signal(signal.SIGTERM, tell)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a terminal it is meant for the supervisor, who tells us when
    threading.Thread(target=supervised, daemon=True).start()
    configured = settings.current()
    logs.configure(configured.home / "logs" / "server.log", configured.log_level)
    sys.stdout.buffer.write(READY_LINE)
    sys.stdout.buffer.flush()
    projecting.run(
        configured.database_url or conninfo(configured.home),
        stop=stop,
        on_failure=lambda error: logs.failure("projections", error),
        on_poison=lambda log, position: logs.log.error("event_unreadable", log=log, position=position),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
