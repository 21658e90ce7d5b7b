"""Accounts to load: opened through the application itself, because a process for each would take longer than the run."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from domain.policy import Policy
from interfaces import secrets
from interfaces.bench.scratch import Served
from interfaces.bootstrap import books

_CREDITS: Final = 10**9
_LIVE: Final = b"SELECT log FROM doneotp.heads WHERE right(log, 5) <> '-test'"


@contextlib.contextmanager
def unguarded(server: Served, home: Path) -> Iterator[None]:
    """All accounts without the fraud guard, for as long as the context lasts."""
    _set_guard(server, home, 0)
    yield
    _set_guard(server, home, Policy().guard)


def _set_guard(server: Served, home: Path, setting: int) -> None:
    with books(server.conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
        for (log,) in opened.recorder.execute(_LIVE):
            opened.administration.change_policy(log, changes={"guard": setting}, by="bench")


def open_accounts(home: Path, conninfo: str, count: int) -> tuple[str, ...]:
    """`sk_live` of each of `count` new accounts with credit for the longest run."""
    with books(conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
        accounts = [
            opened.administration.open_account(name=f"bench {number}", credits=_CREDITS, by="bench")
            for number in range(1, count + 1)
        ]
    return tuple(account.keys["sk_live"] for account in accounts)
