"""A man in the middle of a Unix socket who can lose what Postgres answers."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Fault = Literal["lose_answer", "lose_request", "hang_after_request"]
_SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Passes everything on until it is told to commit one fault, on the next request that holds `trigger`."""

    def __init__(self, directory: Path, upstream: str) -> None:
        self.directory = directory
        self.upstream = upstream
        self.faults = 0
        self._armed: tuple[Fault, bytes] | None = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault: Fault, *, trigger: bytes) -> None:
        """Commit `fault` once."""
        self._armed = (fault, trigger)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{self.upstream}/{_SOCKET}")
                _Pair(self, client, server)

    def fault_in(self, request: bytes) -> Fault | None:
        """The fault to commit on this request, if any; it is used up."""
        if self._armed is None or self._armed[1] not in request:
            return None
        (fault, _), self._armed = self._armed, None
        self.faults += 1
        return fault


class _Pair:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._losing: Fault | None = None
        for target in (self._requests, self._answers):
            threading.Thread(target=target, daemon=True).start()

    def _requests(self) -> None:
        with contextlib.suppress(OSError):
            while request := self._client.recv(1 << 20):
                fault = self._proxy.fault_in(request)
                if fault == "lose_request":
                    break
                self._losing = self._losing or fault
                self._server.sendall(request)
        self._cut()

    def _answers(self) -> None:
        with contextlib.suppress(OSError):
            while answer := self._server.recv(1 << 20):
                if self._losing == "hang_after_request":
                    continue
                if self._losing == "lose_answer":
                    break
                self._client.sendall(answer)
        self._cut()

    def _cut(self) -> None:
        for end in (self._client, self._server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextlib.contextmanager
def proxied(directory: Path, upstream: str) -> Iterator[Proxy]:
    """A proxy in a directory of its own; connect with host=directory."""
    directory.mkdir()
    proxy = Proxy(directory, upstream)
    try:
        yield proxy
    finally:
        proxy.close()
