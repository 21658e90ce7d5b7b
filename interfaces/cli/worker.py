"""A worker of `serve --workers N`: `worker FD INBOX_SOCKET`. Started by the supervisor, never by hand.

It stops on SIGTERM, and when its standard input ends: then the supervisor is gone, however that came about.
"""

import asyncio
import os
import socket
import sys
from pathlib import Path

import uvloop

from interfaces import bootstrap, logs, secrets, serving, settings
from interfaces.bench import noop
from interfaces.postgres.embedded import conninfo
from interfaces.sms.inbox_link import RemoteInbox
from interfaces.supervision import READY_LINE
from interfaces.world import process_name


def main() -> int:
    """Serve until told to stop."""
    configured = settings.current()
    logs.configure(configured.home / "logs" / "server.log", configured.log_level)
    database = configured.database_url or conninfo(configured.home)
    with (
        socket.socket(fileno=int(sys.argv[1])) as listener,
        bootstrap.books(database, root=secrets.root(configured)) as books,
    ):
        uvloop.run(_serve(books, configured, listener, sys.argv[2]))
    return 0


async def _serve(
    books: bootstrap.Books, configured: settings.Settings, listener: socket.socket, inbox_path: str
) -> None:
    stop = serving.stop_on_signals()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), _supervisor_gone, loop, stop)
    inbox = RemoteInbox(Path(inbox_path)) if inbox_path else None
    try:
        await serving.serve(
            books,
            configured,
            listener,
            inbox=inbox,
            process=process_name(),
            ready=_say_ready,
            stop=stop,
            extra=(noop.route(),) if "--noop" in sys.argv else (),
        )
    finally:
        if inbox is not None:
            await inbox.close()


def _say_ready() -> None:
    sys.stdout.buffer.write(READY_LINE)
    sys.stdout.buffer.flush()


def _supervisor_gone(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 1):
        loop.remove_reader(sys.stdin.fileno())
        stop.set()


if __name__ == "__main__":
    sys.exit(main())
