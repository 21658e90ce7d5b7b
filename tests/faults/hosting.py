"""The whole service in the test's own process, so that a test can set its limits and hold its parts."""

import asyncio
import contextlib
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

from interfaces import bootstrap, secrets, serving, settings
from interfaces.bootstrap import Books
from interfaces.sms.inbox import Inbox
from interfaces.world import process_name
from tests.support.server import STOP_SECONDS_MAX, Server, environment, wait_for


class Hosted(Server):
    """Answers as the real one does; there is no process to signal."""

    def __init__(self, base_url: str, books: Books) -> None:
        self.base_url = base_url
        self._books = books


@contextlib.contextmanager
def hosted(home: Path, **more: str) -> Iterator[Hosted]:
    """The service on a loop of its own thread, with its ledger in `books`."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    configured = settings.load(environment(home, **more))
    thresholds = gc.get_threshold()
    ready = threading.Event()
    handles: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    assert configured.database_url is not None, "hosted on a database that is there"
    with (
        bootstrap.books(configured.database_url, root=secrets.root(configured)) as books,
        serving.listen("127.0.0.1", 0) as listener,
    ):
        base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        async def serve() -> None:
            stop = asyncio.Event()
            handles.append((asyncio.get_running_loop(), stop))
            await serving.serve(
                books, configured, listener, inbox=Inbox(), process=process_name(), ready=ready.set, stop=stop
            )

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        try:
            wait_for(lambda: ready.is_set() or not thread.is_alive())
            assert thread.is_alive(), "it ended before it was ready"
            yield Hosted(base_url, books)
        finally:
            for loop, stop in handles:
                with contextlib.suppress(RuntimeError):  # it has ended by itself
                    loop.call_soon_threadsafe(stop.set)
            thread.join(STOP_SECONDS_MAX)
            # What serving does to the collector of its process is not for the tests that follow.
            gc.unfreeze()
            gc.set_threshold(*thresholds)
            assert not thread.is_alive()
