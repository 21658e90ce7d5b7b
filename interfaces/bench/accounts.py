"""Accounts to load: opened through the application itself, because a process for each would take longer than the run."""

import os
from typing import Final

from interfaces.bootstrap import books

_CREDITS: Final = 10**9


def open_accounts(conninfo: str, count: int) -> tuple[str, ...]:
    """`sk_live` of each of `count` new accounts with credit for the longest run."""
    # Keys are random and none of what this root derives outlives the run, so it need not be the server's.
    with books(conninfo, root=os.urandom(32)) as opened:
        accounts = [
            opened.administration.open_account(name=f"bench {number}", credits=_CREDITS, by="bench")
            for number in range(1, count + 1)
        ]
    return tuple(account.keys["sk_live"] for account in accounts)
