"""The real `serve` and the real command line as child processes, with a small HTTP client to speak to a server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from application.accounts import OpenedAccount
from interfaces import bootstrap, secrets, settings
from interfaces.bootstrap import Books
from interfaces.postgres import embedded

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 60.0
ANSWER_SECONDS_MAX = 30.0


class Answer(NamedTuple):
    """What came back. `body` is the parsed JSON, or None where there was none; header names are in lower case."""

    status: int
    body: Any
    headers: dict[str, str]
    text: str = ""


class Ended(NamedTuple):
    """How a command ended and what it said."""

    status: int
    stdout: str
    stderr: str


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of a child: no setting of ours but what is given, and a home below the test's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DONEOTP_")}
    return kept | {"DONEOTP_HOME": str(home), "DONEOTP_PORT": "0"} | more


def wait_for(condition: Callable[[], object], *, seconds: float = START_SECONDS_MAX) -> None:
    """Return once the condition holds; fail when it does not in time."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it does not come about"
        time.sleep(0.02)


def run(*words: str, home: Path, **more: str) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "interfaces.cli", *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(home, **more),
        timeout=120,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Server:
    """A `serve` that may not have answered yet. `wait_ready` fills what its ready file says."""

    def __init__(self, home: Path, *, workers: int = 1, more: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.environment = environment(home, **(more or {}))
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.ready_file = home / "ready.json"
        self._said = home.parent / f"{home.name}.serve.log"
        self.environment.setdefault("DONEOTP_READY_FILE", str(self.ready_file))
        self.ready_file.unlink(missing_ok=True)
        with self._said.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "interfaces.cli", "serve", "--workers", str(workers)],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.pid = self.process.pid
        self.base_url = ""
        self.account_id = ""
        self.keys: dict[str, str] = {}
        self._stack = contextlib.ExitStack()
        self._books: Books | None = None

    def wait_ready(self) -> "Server":
        """Return once it answers."""
        until = time.monotonic() + START_SECONDS_MAX
        while not self.ready_file.exists():
            assert self.process.poll() is None, f"serve ended with {self.process.returncode}: {self.said}"
            assert time.monotonic() < until, f"serve is not ready: {self.said}"
            time.sleep(0.02)
        document = json.loads(self.ready_file.read_text())
        self.base_url = document["base_url"]
        self.account_id = document["account_id"]
        self.keys = {kind: document[kind] for kind in ("sk_live", "pk_live", "sk_test", "pk_test")}
        return self

    @property
    def said(self) -> str:
        """Its standard output and error so far."""
        return self._said.read_text(errors="replace")

    @property
    def conninfo(self) -> str:
        """How to reach its database."""
        return self.environment.get("DONEOTP_DATABASE_URL") or embedded.conninfo(self.home)

    @property
    def books(self) -> Books:
        """The ledger of this server, opened beside it in the test's own process."""
        if self._books is None:
            root = secrets.root(settings.load(self.environment))
            self._books = self._stack.enter_context(bootstrap.books(self.conninfo, root=root))
        return self._books

    def open_account(self, credits: int = 1_000) -> OpenedAccount:
        """One more account, with keys: what most tests want for themselves. Waits for a Postgres that was killed."""
        wait_for(lambda: not self.books.writer.is_away)
        return self.books.administration.open_account(name="Test", credits=credits, by="test")

    def request(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """One request on a connection of its own. A body of bytes is sent as it is, any other as JSON."""
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        sent |= headers or {}
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        address = urlsplit(self.base_url)
        with contextlib.closing(
            HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_SECONDS_MAX)
        ) as connection:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            text = answer.read().decode()
            received = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in received.get("content-type", "")
        return Answer(answer.status, json.loads(text) if is_json else None, received, text)

    def post(self, path: str, body: Any = None, *, key: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("POST", path, {} if body is None else body, key=key, headers=headers)

    def get(self, path: str, *, key: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        return self.request("GET", path, key=key, headers=headers)

    def code_for(self, number: str) -> str:
        """The code of the newest message to a number, from the inbox."""
        answer = self.get(f"/inbox/latest?to={quote(number, safe='')}&wait=5")
        assert answer.status == 200, answer
        return str(answer.body["code"])

    def wait_end(self) -> int:
        """Its exit status, once it has ended."""
        self._stack.close()
        self._books = None
        return self.process.wait(STOP_SECONDS_MAX)

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def stop(self) -> None:
        """End it as an operator does, and require that it ends well. May be called again."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        assert self.wait_end() == 0, self.said

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.wait_end()


@contextlib.contextmanager
def serving(home: Path, *, workers: int = 1, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server that answers, stopped when the context ends unless it was before."""
    server = Server(home, workers=workers, more=more)
    try:
        yield server.wait_ready()
        if server.process.returncode is None:
            server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()
