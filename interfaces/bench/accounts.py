"""Accounts to load: opened through the application itself, because a process for each would take longer than the run."""

import contextlib
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from domain.policy import Policy
from interfaces import secrets
from interfaces.bench.phones import NUMBERS_MAX, number
from interfaces.bench.scratch import Served
from interfaces.bootstrap import books

_SECONDS_MAX: Final = 30.0
_CREDITS: Final = 10**9
_LIVE: Final = b"SELECT log FROM doneotp.heads WHERE right(log, 5) <> '-test'"


@contextlib.contextmanager
def unguarded(server: Served, home: Path) -> Iterator[None]:
    """All accounts without the fraud guard, for as long as the context lasts. After it the guard has read its logs."""
    _set_guard(server, home, 0)
    yield
    for key in _set_guard(server, home, Policy().guard):
        with contextlib.closing(HTTPConnection("127.0.0.1", server.port, timeout=_SECONDS_MAX)) as connection:
            headers = {"authorization": f"Bearer {key}"}
            connection.request("POST", "/v1/verify/send", f'{{"phone_number": "{number(NUMBERS_MAX - 1)}"}}', headers)
            connection.getresponse().read()


def _set_guard(server: Served, home: Path, setting: int) -> list[str]:
    """A new key of each account."""
    keys = []
    with books(server.conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
        for (log,) in opened.recorder.execute(_LIVE):
            opened.administration.change_policy(log, changes={"guard": setting}, by="bench")
            _, key = opened.administration.issue_key(log, kind="sk_live", name="", origins=(), by="bench")
            keys.append(key)
    return keys


def open_accounts(home: Path, conninfo: str, count: int) -> tuple[str, ...]:
    """`sk_live` of each of `count` new accounts with credit for the longest run."""
    with books(conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
        accounts = [
            opened.administration.open_account(name=f"bench {number}", credits=_CREDITS, by="bench")
            for number in range(1, count + 1)
        ]
    return tuple(account.keys["sk_live"] for account in accounts)
