"""`senders`: show, set, remove."""

import argparse

from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import emit


def show(arguments: argparse.Namespace) -> int:
    """Show whom messages come from."""
    with open_books() as books:
        senders = books.administration.account(arguments.account).wording.senders
    lines = [f"{country:3} {sender}" for country, sender in sorted(senders.items())]
    text = "\n".join(lines) or "none: messages come from whatever the provider sends them from"
    emit(arguments, {"account_id": arguments.account, "senders": dict(sorted(senders.items()))}, text)
    return 0


def set_(arguments: argparse.Namespace) -> int:
    """Name a sender; an event says who did."""
    from domain.senders import REGISTERED

    with open_books() as books:
        changed = books.administration.change_sender(
            arguments.account, country=arguments.country, sender=arguments.sender, by=operator()
        )
    text = "changed" if changed else "was so already"
    if arguments.country in REGISTERED:
        text += f"; in {arguments.country} a name must be registered before, ask your provider"
    emit(arguments, {"account_id": arguments.account, "changed": changed}, text)
    return 0


def remove(arguments: argparse.Namespace) -> int:
    """Leave the sender to the provider."""
    with open_books() as books:
        changed = books.administration.remove_sender(arguments.account, country=arguments.country, by=operator())
    text = "removed" if changed else "none was named"
    emit(arguments, {"account_id": arguments.account, "changed": changed}, text)
    return 0
