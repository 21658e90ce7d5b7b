"""Many callers at one moment, and callers who stay with the process that answered them first."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.client import HTTPConnection
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tests.support.server import ANSWER_SECONDS_MAX, Answer, Server

Result = TypeVar("Result")
CONNECTIONS_MAX = 500
_PROCESS = slice(4, 14)
"""Where the process is in a request id: after `req_`."""


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


class Caller:
    """One connection that stays open: one process of the server answers all that is asked on it."""

    def __init__(self, server: Server) -> None:
        address = urlsplit(server.base_url)
        self._connection = HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_SECONDS_MAX)
        self.process = self.get("/healthz").headers["x-request-id"][_PROCESS]

    def get(self, path: str, *, key: str = "") -> Answer:
        return self._request("GET", path, None, key)

    def post(self, path: str, body: Any, *, key: str = "") -> Answer:
        return self._request("POST", path, json.dumps(body), key)

    def figure(self, name: str) -> float:
        """A figure of this process."""
        lines = self.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"doneotp_{name} "))

    def close(self) -> None:
        self._connection.close()

    def _request(self, method: str, path: str, body: str | None, key: str) -> Answer:
        self._connection.request(method, path, body, {"Authorization": f"Bearer {key}"} if key else {})
        answer = self._connection.getresponse()
        text = answer.read().decode()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        assert headers["x-request-id"][_PROCESS] == getattr(self, "process", headers["x-request-id"][_PROCESS])
        return Answer(answer.status, json.loads(text) if "json" in headers["content-type"] else None, headers, text)


@contextlib.contextmanager
def one_for_each_process(server: Server, *, count: int) -> Iterator[list[Caller]]:
    """A caller for each of `count` processes of a server."""
    found: dict[str, Caller] = {}
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_MAX):
            # Several at once: an idle server hands one connection after the other to the same process.
            for caller in at_once([lambda: Caller(server)] * 4):
                stack.callback(caller.close)
                found.setdefault(caller.process, caller)
            if len(found) == count:
                break
        assert len(found) == count, f"{len(found)} processes answer, not {count}"
        yield list(found.values())
