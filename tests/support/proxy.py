"""A man in the middle of a Unix socket who can lose or spoil what is said between a client and Postgres."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Fault = Literal[
    "lose_answer", "lose_request", "hang_after_request", "hang_before_request", "spoil_answer", "forget_client"
]
"""`forget_client` hangs before the request, and the server never learns that its client has gone."""
GARBAGE = bytes(range(256)) * 4
_SOCKET = ".s.PGSQL.5432"


class Proxy:
    """Passes everything on until it is told to commit one fault, on the next request that holds `trigger`."""

    def __init__(self, directory: Path, upstream: str) -> None:
        self.directory = directory
        self.upstream = upstream
        self.faults = 0
        self._armed: tuple[Fault, bytes] | None = None
        self._pairs: list[_Pair] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(directory / _SOCKET))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, fault: Fault, *, trigger: bytes) -> None:
        """Commit `fault` once."""
        self._armed = (fault, trigger)

    def cut(self) -> None:
        """End every connection there is."""
        for pair in self._pairs:
            pair.cut()

    def close(self) -> None:
        self._listener.close()
        for pair in self._pairs:
            pair.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(f"{self.upstream}/{_SOCKET}")
                self._pairs.append(_Pair(self, client, server))

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
        self._fault: Fault | None = None
        for target in (self._requests, self._answers):
            threading.Thread(target=target, daemon=True).start()

    def cut(self) -> None:
        for end in (self._client, self._server):
            if end is self._client or self._fault != "forget_client":
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def close(self) -> None:
        self._fault = None
        self.cut()

    def _requests(self) -> None:
        with contextlib.suppress(OSError):
            while request := self._client.recv(1 << 20):
                self._fault = self._fault or self._proxy.fault_in(request)
                if self._fault == "lose_request":
                    break
                if self._fault not in ("hang_before_request", "forget_client"):
                    self._server.sendall(request)
        self.cut()

    def _answers(self) -> None:
        with contextlib.suppress(OSError):
            while answer := self._server.recv(1 << 20):
                match self._fault:
                    case None:
                        self._client.sendall(answer)
                    case "lose_answer":
                        break
                    case "spoil_answer":
                        self._client.sendall(GARBAGE)
                    case _:
                        pass  # nobody hears of it
        self.cut()


@contextlib.contextmanager
def proxied(directory: Path, upstream: str) -> Iterator[Proxy]:
    """A proxy in a directory of its own; connect with host=directory."""
    directory.mkdir()
    proxy = Proxy(directory, upstream)
    try:
        yield proxy
    finally:
        proxy.close()
