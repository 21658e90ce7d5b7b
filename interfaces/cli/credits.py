"""`credits add`."""

import argparse

from interfaces.cli.administration import open_books, operator
from interfaces.cli.output import emit


def add(arguments: argparse.Namespace) -> int:
    """Add credits, once per reference."""
    with open_books() as books:
        added = books.administration.add_credit(
            arguments.account, credits=arguments.amount, reference=arguments.reference, by=operator()
        )
        available = books.administration.account(arguments.account).available
    text = f"{arguments.amount} credits added" if added else "that reference was added before; nothing changed"
    document = {"account_id": arguments.account, "added": added, "available": available}
    emit(arguments, document, f"{text}; {available} available")
    return 0
