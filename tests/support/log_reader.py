"""A stranger who reads a transparency log over HTTP, and believes nothing but what the keys and the trees prove."""

import contextlib
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psycopg

from projections.transparency.entry import decode, decode_head
from projections.transparency.note import Checkpoint, Verifier, open_checkpoint
from projections.transparency.proof import TlogProof
from projections.transparency.sealer import LOCK
from projections.transparency.tiles import tile_path, width_at
from projections.transparency.tree import leaf_hash
from tests.support.server import ANSWER_SECONDS_MAX, Server, wait_for


class Got(NamedTuple):
    """Status and bytes of an answer."""

    status: int
    content: bytes


class LogReader:
    """Of the log over all logs, or with `log` and its secret key of a single one."""

    def __init__(self, server: Server, *, log: str = "", key: str = "") -> None:
        self._server = server
        self._key = key
        self.log = log
        self.prefix = f"/v1/audit/accounts/{log}" if log else "/v1/audit"
        wait_for(lambda: self.get("/v1/audit/vkey").status == 200)
        self.verifiers = [Verifier.parse(line) for line in self.get("/v1/audit/vkey").content.decode().splitlines()]

    @property
    def origin(self) -> str:
        name = self.verifiers[0].name
        return f"{name}/{self.log}" if self.log else name

    def get(self, path: str, *, key: str | None = None) -> Got:
        """One request; `key` in the place of the reader's own."""
        used = self._key if key is None else key
        address = urlsplit(self._server.base_url)
        connection = HTTPConnection(address.hostname or "", address.port, timeout=ANSWER_SECONDS_MAX)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {used}"} if used else {})
            answer = connection.getresponse()
            return Got(answer.status, answer.read())

    def note(self) -> bytes:
        """The checkpoint as it is served."""
        wait_for(lambda: self.get(f"{self.prefix}/checkpoint").status == 200)  # keys are there before they sign
        got = self.get(f"{self.prefix}/checkpoint")
        return got.content

    def checkpoint(self) -> Checkpoint:
        """What the keys that are served vouch for."""
        return open_checkpoint(self.note(), self.verifiers, origin=self.origin)

    def sealed(self, size: int) -> Checkpoint:
        """The checkpoint once it is of so many leaves at least."""
        wait_for(lambda: self.get(f"{self.prefix}/checkpoint").status == 200 and self.checkpoint().size >= size)
        return self.checkpoint()

    def tile(self, level: int, index: int, width: int) -> Got:
        return self.get(f"{self.prefix}/{tile_path(level, index, width)}")

    def reading(self, size: int) -> Any:
        """The tiles of a tree of this size, for the functions of `tree`."""

        def read(level: int, index: int) -> bytes:
            got = self.tile(level, index, width_at(level, index, size))
            assert got.status == 200, got
            return got.content

        return read


def assert_proves(receipt: dict[str, Any], event: dict[str, Any], *, reader: LogReader) -> None:
    """That a receipt proves this event of the reader's log to be in it, and that log in the log over all logs."""
    account, whole = receipt["account"], receipt["log"]
    entry = account["entry"].encode()
    decoded, (log, size, root) = decode(entry), decode_head(whole["entry"].encode())
    assert (decoded.log, decoded.position, decoded.event_id) == (log, event["position"], event["event_id"])
    assert (log, decoded.type.partition(".")[0], decoded.data) == (reader.log, event["type"], event["data"])
    of_account = TlogProof.parse(account["proof"].encode())
    checkpoint = of_account.verify(leaf_hash(entry), reader.verifiers, origin=reader.origin)
    assert (of_account.index, checkpoint.size, checkpoint.root) == (event["position"] - 1, size, root)
    of_head = TlogProof.parse(whole["proof"].encode())
    of_head.verify(leaf_hash(whole["entry"].encode()), reader.verifiers, origin=reader.verifiers[0].name)


@contextlib.contextmanager
def unsealed(conninfo: str) -> Any:
    """Nothing is sealed meanwhile: whoever seals is cut off, and its lock is taken."""
    with psycopg.connect(conninfo, autocommit=True) as connection:

        def taken() -> bool:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s "
                "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
                (LOCK,),
            )
            return connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK,)).fetchone() == (True,)

        wait_for(taken)
        yield
