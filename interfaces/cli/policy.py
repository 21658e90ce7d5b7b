"""`policy`: show, set."""

import argparse

import msgspec

from domain.policy import BOUNDS
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import Refused, emit


def show(arguments: argparse.Namespace) -> int:
    """Show the rules an account lives by."""
    with open_books() as books:
        policy = msgspec.to_builtins(books.administration.account(arguments.account).policy)
    lines = [
        f"{name:32} {value:>8}" + (f"   {BOUNDS[name][0]} to {BOUNDS[name][1]}" if name in BOUNDS else "")
        for name, value in policy.items()
    ]
    emit(arguments, {"account_id": arguments.account, "policy": policy}, "\n".join(lines))
    return 0


def set_(arguments: argparse.Namespace) -> int:
    """Change rules; an event says who did."""
    changes: dict[str, int] = {}
    for name, value in arguments.changes:
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise Refused("invalid_request", f"{name} must be a whole number.")
        changes[name] = int(value)
    with open_books() as books:
        changed = books.administration.change_policy(arguments.account, changes=changes, by=operator())
        policy = msgspec.to_builtins(books.administration.account(arguments.account).policy)
    text = "changed" if changed else "was so already"
    emit(arguments, {"account_id": arguments.account, "changed": changed, "policy": policy}, text)
    return 0
