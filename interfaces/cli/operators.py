"""`operators`: add, list, role, remove, passwd, link: who uses the dashboard."""

import argparse
import getpass
import sys
from typing import Any, Final

from domain.refusals import Refusal, StateConflict
from interfaces import settings
from interfaces.bootstrap import Books
from interfaces.cli.administration import open_books
from interfaces.cli.output import Refused, emit

FIRST: Final = "developer"
"""Whom the link is for that `serve` prints in development."""


def add(arguments: argparse.Namespace) -> int:
    """Add an operator, or a membership."""
    name, account_id = arguments.operator, arguments.account
    password_hash = _password() if arguments.password else ""
    with open_books() as books:
        if account_id:
            books.administration.account(account_id)
        is_new = books.operators.find(name) is None
        if is_new or not account_id:
            books.operators.add(name, role="" if account_id else arguments.role)
        if account_id:
            books.operators.join(name, account_id, role=arguments.role)
        if password_hash:
            books.operators.set_password(name, password_hash)
    where = account_id or "all accounts"
    emit(
        arguments,
        {"name": name, "role": arguments.role, "account_id": account_id or None},
        f"{name} is {arguments.role} in {where}",
    )
    return 0


def list_(arguments: argparse.Namespace) -> int:
    """List operators."""
    with open_books() as books:
        found = books.operators.all()
    rows: list[dict[str, Any]] = [
        {
            "name": one.name,
            "role": one.role or None,
            "accounts": one.memberships,
            "has_password": bool(one.password),
            "has_totp": one.totp is not None,
        }
        for one in found
    ]
    lines = [
        f"{one.name:20} {one.role or '-':9} {'password' if one.password else '-':9} {'totp' if one.totp else '-':5}"
        + " ".join(f"{account_id}={role}" for account_id, role in one.memberships.items())
        for one in found
    ]
    emit(arguments, {"operators": rows}, "\n".join(lines) or "There is no operator yet.")
    return 0


def role(arguments: argparse.Namespace) -> int:
    """Give another role, in all accounts or in one; who is signed in has it with the next request."""
    name, account_id = arguments.operator, arguments.account
    with open_books() as books:
        if not books.operators.set_role(name, arguments.role, account_id=account_id):
            raise StateConflict(
                "There is no member of this name in this account."
                if account_id
                else "There is no operator of this name."
            )
    document = {"name": name, "role": arguments.role, "account_id": account_id or None}
    emit(arguments, document, f"{name} is {arguments.role} in {account_id or 'all accounts'}")
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Remove an operator, or a membership."""
    with open_books() as books:
        if arguments.account:
            changed = books.operators.leave(arguments.operator, arguments.account)
        else:
            changed = books.operators.remove(arguments.operator)
    emit(arguments, {"name": arguments.operator, "changed": changed}, "removed" if changed else "was not there")
    return 0


def passwd(arguments: argparse.Namespace) -> int:
    """Set a password."""
    password_hash = _password()
    with open_books() as books:
        if not books.operators.set_password(arguments.operator, password_hash):
            raise StateConflict("There is no operator of this name.")
        if arguments.no_totp:
            books.operators.set_totp(arguments.operator, None)
    emit(arguments, {"name": arguments.operator, "changed": True}, "changed; all sessions are over")
    return 0


def link(arguments: argparse.Namespace) -> int:
    """Print a link for one sign-in."""
    configured = settings.current()
    host = f"[{configured.host}]" if ":" in configured.host else configured.host
    base = arguments.base_url.rstrip("/") or f"http://{host}:{configured.port}"
    with open_books() as books:
        if books.operators.find(arguments.operator) is None:
            raise StateConflict("There is no operator of this name.")
        url = f"{base}/dashboard/login?ticket={books.sessions.ticket(arguments.operator)}"
    emit(arguments, {"name": arguments.operator, "url": url}, url)
    return 0


def first_link(books: Books) -> str:
    """The secret part of a link for the developer at this machine, who becomes an operator of everything."""
    if books.operators.find(FIRST) is None:
        try:
            books.operators.add(FIRST, role="operator")
        except StateConflict:
            if books.operators.find(FIRST) is None:  # there are too many
                return ""
    return books.sessions.ticket(FIRST)


def _password() -> str:
    from interfaces.dashboard.passwords import hashed  # a library that only this needs

    text = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    try:
        return hashed(text)
    except Refusal as refusal:
        raise Refused(refusal.code, refusal.detail) from None
