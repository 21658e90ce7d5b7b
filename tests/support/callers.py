"""Many callers at one moment."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

Result = TypeVar("Result")


def at_once(calls: Sequence[Callable[[], Result]]) -> list[Result]:
    """Run every call on a thread of its own, let all go together, and return what they returned, in order."""
    results: list[Result | BaseException] = [AssertionError("never ran")] * len(calls)
    start = threading.Barrier(len(calls))

    def run(place: int, call: Callable[[], Result]) -> None:
        start.wait()
        try:
            results[place] = call()
        except BaseException as error:  # noqa: BLE001 - raised again below, on the caller's thread
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    answers = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        answers.append(result)
    return answers
