"""Being told to stop before there is a loop that listens: SIGTERM and SIGINT unwind what was begun, once."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):
    """We were told to stop. Not an Exception: nobody shall take it for a failure."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """A first signal ends the context early and quietly; further ones do not disturb its clean-up."""
    with _handled(_stop), contextlib.suppress(Stopped):
        yield


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """No signal interrupts this: what is stopped half, whoever comes next has to mend."""
    with _handled(signal.SIG_IGN):
        yield


def _stop(_number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise Stopped


@contextlib.contextmanager
def _handled(handler: "signal._HANDLER") -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's affair
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
