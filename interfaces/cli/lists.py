"""`lists`: allow, block, remove, show."""

import argparse

from application.listing import INSTALLATION
from domain.lists import Effect
from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import emit
from interfaces.listed import shown

_DONE = {"allow": "allowed", "block": "blocked", "remove": "removed"}


def allow(arguments: argparse.Namespace) -> int:
    """Allow values."""
    return _change(arguments, "allow")


def block(arguments: argparse.Namespace) -> int:
    """Block values."""
    return _change(arguments, "block")


def remove(arguments: argparse.Namespace) -> int:
    """Take values off the lists."""
    return _change(arguments, "remove")


def show(arguments: argparse.Namespace) -> int:
    """Show the lists."""
    account = account_named(arguments.account)
    with open_books() as books:
        lists = books.administration.lists(account)
    document = shown(lists)
    lines = [
        f"{side:8} {kind:8} {value}" for side, kinds in document.items() for kind in kinds for value in kinds[kind]
    ]
    emit(arguments, {"account_id": account, **document}, "\n".join(lines) or "The lists are empty.")
    return 0


def account_named(text: str) -> str:
    """An account's id as it was typed; `installation` is the log of the installation's lists."""
    return INSTALLATION if text == "installation" else text


def _change(arguments: argparse.Namespace, effect: Effect) -> int:
    account = account_named(arguments.account)
    with open_books() as books:
        changed = books.administration.change_lists(
            account, effect=effect, kind=arguments.kind, values=arguments.values, by=operator()
        )
        document = shown(books.administration.lists(account))
    text = f"{_DONE[effect]}: {len(arguments.values)} of kind {arguments.kind}" if changed else "was so already"
    emit(arguments, {"account_id": account, "changed": changed, **document}, text)
    return 0
