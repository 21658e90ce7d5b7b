"""One process that serves HTTP on a socket it was given, until it is told to stop; and the many that `--workers` makes."""

import asyncio
import contextlib
import gc
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Final

import uvicorn
from litestar.handlers import HTTPRouteHandler

from interfaces import bootstrap, stopping
from interfaces.bootstrap import Books
from interfaces.http.protocol import Protocol
from interfaces.settings import Settings
from interfaces.sms.inbox import Inbox, InboxStore
from interfaces.sms.inbox_host import SOCKET_NAME, InboxHost
from interfaces.supervision import first, keep, keeping
from interfaces.world import process_name

BACKLOG: Final = 2_048
KEEP_ALIVE_SECONDS: Final = 65
REQUESTS_END_SECONDS_MAX: Final = 5
GARBAGE_OBJECTS: Final = 25_000
_MODULE: Final = (sys.executable, "-I", "-m")
_PROJECTOR: Final = (*_MODULE, "interfaces.cli.projector")


class _Server(uvicorn.Server):
    """uvicorn's server, whose signals are ours: it would end the process before what was accepted is handed over."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _calm_collector() -> None:
    """What start-up made stays; what requests make dies young and without cycles, so the collector need not look often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 50)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    listener.set_inheritable(True)
    return listener


async def serve(
    books: Books,
    settings: Settings,
    listener: socket.socket,
    *,
    inbox: InboxStore | None,
    process: str,
    ready: Callable[[], None],
    stop: asyncio.Event,
    extra: tuple[HTTPRouteHandler, ...] = (),
) -> None:
    """Answer requests until `stop` is set, then finish what was accepted."""
    async with bootstrap.service(books, settings, inbox=inbox, process=process, extra=extra) as service:
        config = uvicorn.Config(
            service.application,
            http=Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=REQUESTS_END_SECONDS_MAX,
            backlog=BACKLOG,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has a flag, not an event
            await asyncio.sleep(0.01)
        _calm_collector()
        ready()
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        service.streams.close()
        server.should_exit = True
        await serving
        stopping.cancel()


async def serve_alone(
    books: Books,
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
    extra: tuple[HTTPRouteHandler, ...],
) -> None:
    """Serve in this process."""
    inbox = Inbox() if settings.env == "development" else None
    stop = stop_on_signals()
    async with keeping(_PROJECTOR):
        await serve(books, settings, listener, inbox=inbox, process=process_name(), ready=ready, stop=stop, extra=extra)


async def serve_with_workers(
    settings: Settings, listener: socket.socket, *, count: int, ready: Callable[[], None], extra: list[str]
) -> None:
    """Keep `count` workers serving on one socket; the inbox, which they share, is here."""
    stop = stop_on_signals()
    async with contextlib.AsyncExitStack() as stack:
        inbox_path = ""
        if settings.env == "development":
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="doneotp-")))
            host = InboxHost(Inbox(), directory=directory)
            await host.start()
            stack.push_async_callback(host.close)
            inbox_path = str(directory / SOCKET_NAME)
        await stack.enter_async_context(keeping(_PROJECTOR))
        command = [*_MODULE, "interfaces.cli.worker", str(listener.fileno()), inbox_path, *extra]
        started = [asyncio.Event() for _ in range(count)]
        keepers = [
            asyncio.create_task(keep(command, started=event, stop=stop, descriptors=(listener.fileno(),)))
            for event in started
        ]
        try:
            await first(asyncio.gather(*(event.wait() for event in started)), stop.wait(), *keepers)
            if all(event.is_set() for event in started):
                ready()
            await first(stop.wait(), *keepers)
        finally:
            stop.set()
            ended = await asyncio.gather(*keepers, return_exceptions=True)
        for failure in ended:
            if isinstance(failure, BaseException):
                raise failure


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, on the running loop; when that has ended, they do nothing more."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(_number: int, _frame: FrameType | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(stop.set)

    # Not the loop's own handlers: with it they would go, and a second signal would cut short what comes after.
    stopping.handle(tell)
    if stopping.was_told():  # and somebody swallowed what was raised then
        stop.set()
    return stop
