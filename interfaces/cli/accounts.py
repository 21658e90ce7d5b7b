"""`accounts`: open, list, show, suspend, resume."""

import argparse
from typing import Any

from application.listing import INSTALLATION
from domain.account import Account
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import emit

_LIST = b"""
SELECT log FROM doneotp.heads WHERE right(log, 5) <> '-test' AND log <> %b ORDER BY log LIMIT 100000"""


def open_(arguments: argparse.Namespace) -> int:
    """Open an account and print its keys: the only time they are seen."""
    with open_books() as books:
        opened = books.administration.open_account(name=arguments.name, credits=arguments.credits, by=operator())
    document: dict[str, str] = {"account_id": opened.account_id}
    document.update({str(kind): key for kind, key in opened.keys.items()})
    lines = [f"account  {opened.account_id}", *(f"{kind}  {key}" for kind, key in opened.keys.items())]
    emit(arguments, document, "\n".join([*lines, "Keep the keys now: only their hashes are stored."]))
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """List the accounts."""
    with open_books() as books:
        ids = [log for (log,) in books.recorder.execute(_LIST, (INSTALLATION,))]
        found = [summary(account_id, books.administration.account(account_id)) for account_id in ids]
    lines = [f"{row['account_id']}  {row['status']:9}  {row['available']:>12}  {row['name']}" for row in found]
    emit(arguments, {"accounts": found}, "\n".join(lines) or "There is no account yet.")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Show one account."""
    with open_books() as books:
        document = detail(arguments.account, books.administration.account(arguments.account))
    lines = [f"{name:10} {value}" for name, value in document.items() if name != "keys"]
    lines += [f"key        {key['key_id']}  {key['kind']}  {key['status']:8} {key['name']}" for key in document["keys"]]
    emit(arguments, document, "\n".join(lines))
    return 0


def suspend(arguments: argparse.Namespace) -> int:
    """Suspend an account."""
    with open_books() as books:
        changed = books.administration.suspend(arguments.account, reason=arguments.reason, by=operator())
    done = "suspended" if changed else "was suspended already"
    emit(arguments, {"account_id": arguments.account, "changed": changed}, f"{arguments.account} {done}")
    return 0


def resume(arguments: argparse.Namespace) -> int:
    """Resume an account."""
    with open_books() as books:
        changed = books.administration.resume(arguments.account, by=operator())
    done = "resumed" if changed else "was not suspended"
    emit(arguments, {"account_id": arguments.account, "changed": changed}, f"{arguments.account} {done}")
    return 0


def summary(account_id: str, account: Account) -> dict[str, Any]:
    """One account in a row."""
    return {
        "account_id": account_id,
        "name": account.name,
        "status": "suspended" if account.suspended else "active",
        "available": account.available,
    }


def detail(account_id: str, account: Account) -> dict[str, Any]:
    """One account whole."""
    return {
        **summary(account_id, account),
        "reason": account.suspended,
        "added": account.added,
        "debited": account.debited,
        "refunded": account.refunded,
        "keys": key_rows(account),
    }


def key_rows(account: Account) -> list[dict[str, Any]]:
    """The keys of an account, oldest first."""
    return [
        {
            "key_id": key.id,
            "kind": key.kind,
            "name": key.name,
            "status": "active" if key.revoked_at is None else "revoked",
            "issued_at": key.issued_at.isoformat(),
            "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
            "origins": list(key.origins),
        }
        for key in account.keys.values()
    ]
