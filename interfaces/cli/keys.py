"""`keys`: issue, restrict, revoke, list."""

import argparse

from domain.refusals import ServiceUnavailable
from interfaces import key_uses
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


def restrict(arguments: argparse.Namespace) -> int:
    """Give a key another name or other origins."""
    with open_books() as books:
        changed = books.administration.restrict_key(
            arguments.account,
            key_id=arguments.key_id,
            name=arguments.name,
            origins=tuple(arguments.origins),
            by=operator(),
        )
    document = {"account_id": arguments.account, "key_id": arguments.key_id, "changed": changed}
    emit(arguments, document, f"{arguments.key_id} {'restricted' if changed else 'was so already'}")
    return 0


def revoke(arguments: argparse.Namespace) -> int:
    """Revoke a key."""
    with open_books() as books:
        changed = books.administration.revoke_key(arguments.account, key_id=arguments.key_id, by=operator())
    document = {"account_id": arguments.account, "key_id": arguments.key_id, "changed": changed}
    emit(arguments, document, f"{arguments.key_id} {'revoked' if changed else 'was revoked already'}")
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """List the keys of an account, with their last recorded uses; those are not known while the views are made."""
    with open_books() as books:
        rows = key_rows(books.administration.account(arguments.account))
        try:
            uses, is_known = key_uses.last(books.recorder, arguments.account), True
        except ServiceUnavailable:
            uses, is_known = {}, False
    for row in rows:
        used_at = uses.get(row["key_id"])
        row["last_recorded_use_at"] = None if used_at is None else used_at.isoformat()
    document = {"account_id": arguments.account, "keys": rows, "uses_are_known": is_known}
    none = "no recorded use" if is_known else "last recorded use not known yet"
    lines = [
        f"{row['key_id']}  {row['kind']}  {row['status']:8} {_said(row['last_recorded_use_at'], none):50}  {row['name']}"
        for row in rows
    ]
    emit(arguments, document, "\n".join(lines))
    return 0


def _said(used_at: str | None, none: str) -> str:
    return none if used_at is None else f"last recorded use {used_at}"
