"""Where messages go in tests."""

from application import listing
from application.keyring import Keyring
from domain import phone
from domain.lists import NOTHING, Lists
from domain.rules import Destination


def destination(keyring: Keyring, account: str, number: str, *, lists: Lists = NOTHING) -> Destination:
    """A number, and the account's lists."""
    return Destination(listing.listed(keyring, account, phone.parse(number), installation=NOTHING), (lists, NOTHING))
