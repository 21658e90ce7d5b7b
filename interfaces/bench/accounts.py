"""Accounts to load: opened through the application itself, because a process for each would take longer than the run."""

from pathlib import Path
from typing import Final

from interfaces import secrets
from interfaces.bootstrap import books

_CREDITS: Final = 10**9


def open_accounts(home: Path, conninfo: str, count: int) -> tuple[str, ...]:
    """`sk_live` of each of `count` new accounts with credit for the longest run."""
    with books(conninfo, root=secrets.kept_at(home).read_bytes().strip()) as opened:
        accounts = [
            opened.administration.open_account(name=f"bench {number}", credits=_CREDITS, by="bench")
            for number in range(1, count + 1)
        ]
    return tuple(account.keys["sk_live"] for account in accounts)
