"""Being told to stop while there is no loop that listens: SIGTERM and SIGINT unwind what was begun, once.

Light, for it is imported before all that takes long.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_told: Final = threading.Event()


class Stopped(BaseException):
    """We were told to stop. Not an Exception: nobody shall take it for a failure."""


Handler = Callable[[int, FrameType | None], object] | signal.Handlers


def handle(handler: Handler) -> None:
    """Let both signals do this from now on."""
    for number in SIGNALS:
        signal.signal(number, handler)


def was_told() -> bool:
    """Whether a signal came that was to end a `stoppable` context."""
    return _told.is_set()


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """A first signal ends the context early and quietly; further ones do not disturb its clean-up, nor what comes after it.

    For a process that ends with it, on its main thread.
    """
    handle(_stop)
    try:
        with contextlib.suppress(Stopped):
            yield
    finally:
        handle(signal.SIG_IGN)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No signal interrupts this: what is stopped half, whoever comes next has to mend."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's affair
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    handle(signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(_number: int, _frame: FrameType | None) -> None:
    _told.set()
    handle(signal.SIG_IGN)
    raise Stopped
