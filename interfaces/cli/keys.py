"""`keys`: issue, revoke, list."""

import argparse

from interfaces.cli.accounts import key_rows
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import emit


def issue(arguments: argparse.Namespace) -> int:
    """Issue a key and print it: the only time it is seen."""
    with open_books() as books:
        key_id, key = books.administration.issue_key(
            arguments.account,
            kind=arguments.kind,
            name=arguments.name,
            origins=tuple(arguments.origins),
            by=operator(),
        )
    document = {"account_id": arguments.account, "key_id": key_id, "kind": arguments.kind, "key": key}
    emit(arguments, document, f"{key_id}  {key}\nKeep the key now: only its hash is stored.")
    return 0


def revoke(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    with open_books() as books:
        changed = books.administration.revoke_key(arguments.account, key_id=arguments.key_id, by=operator())
    document = {"account_id": arguments.account, "key_id": arguments.key_id, "changed": changed}
    emit(arguments, document, f"{arguments.key_id} {'revoked' if changed else 'was revoked already'}")
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """List the keys of an account."""
    with open_books() as books:
        rows = key_rows(books.administration.account(arguments.account))
    lines = [f"{row['key_id']}  {row['kind']}  {row['status']:8} {row['name']}" for row in rows]
    emit(arguments, {"account_id": arguments.account, "keys": rows}, "\n".join(lines))
    return 0
