"""Callers who verify one number after the other and remember all that they were told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec
import psycopg

from application.accounts import OpenedAccount
from interfaces.bench import phones
from tests.support.books import assert_sound
from tests.support.server import Answer, Server, wait_for

CALLERS = 8
TYPES = ("CodeRequested", "Verified", "TokenRedeemed")
_PAUSE_SECONDS = 0.002
"""Between two verifications of a caller: the load leaves the machine some room to recover in."""


def stored(conninfo: str, log: str) -> list[dict[str, Any]]:
    """The events of a log as the database has them, in the form in which the API shows them."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT position, version, stream, topic, body FROM doneotp.events WHERE log = %s ORDER BY position", (log,)
        ).fetchall()
    return [
        {
            "position": position,
            "version": version,
            "stream": stream,
            "type": topic.partition(".")[0],
            "data": msgspec.json.decode(body),
        }
        for position, version, stream, topic, body in rows
    ]


class Load:
    """What was acknowledged, as (type of the event that must be there, verification id)."""

    def __init__(self, server: Server, account: OpenedAccount) -> None:
        self._server = server
        self._account = account
        self._numbers = count(1)
        self._ending = threading.Event()
        self.acknowledged: list[tuple[str, str]] = []
        self.failed: list[int] = []
        """The status of every answer of 500 and above."""

    def reach(self, more: int) -> None:
        """Return once so many more things were acknowledged."""
        target = len(self.acknowledged) + more
        wait_for(lambda: len(self.acknowledged) >= target)

    def lost(self) -> set[tuple[str, str]]:
        """What was acknowledged and is not in the log, which must be sound as far as it goes."""
        events = stored(self._server.conninfo, self._account.account_id)
        assert_sound(events)
        return set(self.acknowledged) - {(e["type"], e["data"].get("verification_id", "")) for e in events}

    def _run(self) -> None:
        while not self._ending.wait(_PAUSE_SECONDS):
            with suppress(OSError, HTTPException):
                self._verify(phones.number(next(self._numbers)))

    def _verify(self, number: str) -> None:
        sent = self._post("CodeRequested", "send", {"phone_number": number})
        if sent is None:
            return
        message = self._server.get(f"/inbox/latest?to={quote(number, safe='')}&wait=1")
        if message.status != 200:
            return
        checked = self._post("Verified", "check", {"phone_number": number, "code": message.body["code"]})
        if checked is not None:
            self._post("TokenRedeemed", "validate-token", {"token": checked.body["token"]})

    def _post(self, type_: str, call: str, body: dict[str, str]) -> Answer | None:
        answer = self._server.post(f"/v1/verify/{call}", body, key=self._account.keys["sk_live"])
        if answer.status >= 500:
            self.failed.append(answer.status)
        if answer.status != 200:
            return None
        self.acknowledged.append((type_, answer.body["verification_id"]))
        return answer


@contextmanager
def under_load(server: Server, account: OpenedAccount) -> Iterator[Load]:
    """Callers at work for as long as the context lasts."""
    load = Load(server, account)
    threads = [threading.Thread(target=load._run) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load._ending.set()
        for thread in threads:
            thread.join()
