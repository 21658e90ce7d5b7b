"""A log with any history one likes, and the real `witness` as a child process."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from base64 import b64encode
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from projections.transparency import ed25519, tree
from projections.transparency.note import ED25519, Checkpoint, Verifier, sign
from projections.transparency.proof import AddCheckpoint
from projections.transparency.tree import leaf_hash
from tests.support.server import ANSWER_SECONDS_MAX, ROOT, STOP_SECONDS_MAX, environment

SEED = b"\5" * 32


class Told(NamedTuple):
    """An answer of a witness."""

    status: int
    kind: str
    content: bytes


class History:
    """The leaves of a log. Two of them with one seed are one log that tells two stories."""

    def __init__(self, leaves: Sequence[bytes], *, seed: bytes = SEED, origin: str = "log.example/one") -> None:
        self._seed = seed
        self.verifier = Verifier(origin, ED25519, ed25519.public_key(seed))
        self.tiles, self.root = (
            tree.extend(self._read, 0, [leaf_hash(leaf) for leaf in leaves]) if leaves else ({}, b"")
        )
        self.size = len(leaves)

    def _read(self, level: int, index: int) -> bytes:
        return self.tiles[level, index]

    @property
    def vkey(self) -> str:
        return self.verifier.vkey()

    def checkpoint(self, size: int) -> Checkpoint:
        return Checkpoint(self.verifier.name, size, tree.root(self._read, size))

    def root_at(self, size: int) -> bytes:
        return self.checkpoint(size).root

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return tree.inclusion(self._read, index, size)

    def note(self, size: int) -> bytes:
        return sign(
            self.checkpoint(size).text(),
            name=self.verifier.name,
            public_key=self.verifier.public_key,
            sign=lambda message: ed25519.sign(self._seed, message),
        )

    def request(self, old: int, size: int) -> bytes:
        path = tree.consistency(self._read, old, size) if 0 < old < size else []
        return AddCheckpoint(old, tuple(path), self.note(size)).text()


class Witnessing:
    """The process; `url` and `vkey` are what it said of itself."""

    def __init__(self, state: Path, *words: str) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [sys.executable, "-m", "interfaces.cli", "witness", "--json", "--state", str(state), *words],
            stdout=subprocess.PIPE,
            stderr=self._said,
            cwd=ROOT,
            env=environment(state),
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.said
        self.document: dict[str, Any] = json.loads(line)
        self.url = str(self.document.get("url", ""))
        self.vkey = str(self.document.get("vkey", ""))

    @property
    def verifier(self) -> Verifier:
        return Verifier.parse(self.vkey)

    @property
    def said(self) -> str:
        """Its standard error so far."""
        self._said.seek(0)
        return self._said.read().decode()

    def ask(self, body: bytes | None, *, method: str = "POST", path: str = "/add-checkpoint") -> Told:
        host = self.url.removeprefix("http://")
        with contextlib.closing(HTTPConnection(host, timeout=ANSWER_SECONDS_MAX)) as connection:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return Told(answer.status, answer.headers["content-type"], answer.read())

    def wait_end(self) -> int:
        return self.process.wait(STOP_SECONDS_MAX)

    def kill(self) -> None:
        self.process.kill()
        self.wait_end()

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._said.close()

    def stop(self) -> int:
        self.process.terminate()
        return self.wait_end()


@contextlib.contextmanager
def witnessing(state: Path, *words: str) -> Iterator[Witnessing]:
    """A witness for as long as the context lasts."""
    running = Witnessing(state, *words)
    try:
        yield running
    finally:
        running.close()


class Publisher(ThreadingHTTPServer):
    """Serves the checkpoints and proofs of a history as a DoneOTP does, and changes its story when it is told to."""

    daemon_threads = True

    def __init__(self, history: History, size: int) -> None:
        super().__init__(("127.0.0.1", 0), _Publishing)
        self.history = history
        self.shown = size
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Publishing(BaseHTTPRequestHandler):
    server: Publisher

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        content = self.server.history.note(self.server.shown)
        if path == "/v1/audit/consistency":
            old, new = (int(part.partition("=")[2]) for part in query.split("&"))
            hashes = AddCheckpoint.parse(self.server.history.request(old, new)).path
            content = json.dumps({"hashes": [b64encode(hash_).decode() for hash_ in hashes]}).encode()
        self.send_response(self.server.status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def publishing(history: History, size: int) -> Iterator[Publisher]:
    """A log for as long as the context lasts."""
    publisher = Publisher(history, size)
    threading.Thread(target=publisher.serve_forever, daemon=True).start()
    try:
        yield publisher
    finally:
        publisher.shutdown()
        publisher.server_close()
