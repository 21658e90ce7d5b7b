"""The process of `serve` that keeps the views, seals the log and posts webhooks. Started by the supervisor, never by hand.

It stops on SIGTERM, and when its standard input ends: then the supervisor is gone, however that came about.
"""

import os
import signal
import sys
import threading
from types import FrameType

from application.keyring import Keyring
from interfaces import logs, projecting, sealing, secrets, settings
from interfaces.postgres.embedded import conninfo
from interfaces.settings import Settings
from interfaces.supervision import READY_LINE
from interfaces.webhooks import posting
from interfaces.witness import asking
from interfaces.witness.asking import NotCosigned
from projections.transparency.sealer import Forked


def main() -> int:
    """Keep the views, and seal, until told to stop."""
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
    database = configured.database_url or conninfo(configured.home)
    threading.Thread(target=_seal, args=(database, configured, stop), name="doneotp-sealer").start()
    threading.Thread(target=_post, args=(database, configured, stop), name="doneotp-webhooks").start()
    asking.run(database, configured.witnesses, stop=stop, on_failure=_not_cosigned)
    projecting.run(
        database,
        stop=stop,
        on_failure=lambda error: logs.failure("projections", error),
        on_poison=lambda log, position: logs.log.error("event_unreadable", log=log, position=position),
    )
    return 0


def _seal(database: str, configured: Settings, stop: threading.Event) -> None:
    sealing.run(
        database,
        keyring=Keyring(secrets.root(configured)),
        memory=sealing.FileMemory(configured.home / sealing.FILE),
        stop=stop,
        on_failure=_sealing_failed,
    )


def _post(database: str, configured: Settings, stop: threading.Event) -> None:
    posting.run(
        database,
        root=secrets.root(configured),
        allows_local=configured.env == "development",
        stop=stop,
        on_failure=lambda error: logs.failure("webhooks", error),
        on_poison=lambda log, position: logs.log.error("event_unreadable", log=log, position=position),
    )


def _sealing_failed(error: Exception) -> None:
    where = {"log": error.log} if isinstance(error, Forked) and error.log else {}
    logs.failure("sealer", error, **where)


def _not_cosigned(error: Exception) -> None:
    status = {"status": error.status} if isinstance(error, NotCosigned) else {}
    logs.failure("witness", error, **status)


if __name__ == "__main__":
    sys.exit(main())
