"""The account of the first start, so that a newcomer has keys to paste.

Its id and keys are derived from the root secret and therefore the same at every start, though nothing but their hashes is
ever stored. Production makes the account too, without credit, and shows its keys only when it is made.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from application.accounts import OpenedAccount
from domain import keys
from domain.refusals import StateConflict

if TYPE_CHECKING:
    from interfaces.bootstrap import Books

DEVELOPMENT_CREDITS: Final = 1_000_000
_BY: Final = "serve"


class _Derived:
    """Bytes that depend on the root secret alone, in the order in which they are asked for."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._count = 0

    def bytes(self, count: int) -> bytes:
        self._count += 1
        info = f"first-account/{self._count}".encode()
        return HKDF(algorithm=SHA256(), length=count, salt=b"doneotp/1", info=info).derive(self._root)


@dataclass(frozen=True, slots=True, repr=False)
class FirstAccount:
    """The account, and whether this start made it."""

    opened: OpenedAccount
    is_new: bool


def derived(root: bytes) -> OpenedAccount:
    """Its id and keys, whether it was opened yet or not."""
    random = _Derived(root)
    account_id = keys.account_id(random.bytes(keys.ACCOUNT_BYTES))
    return OpenedAccount(
        account_id,
        {kind: keys.spell(kind, account=account_id, random=random.bytes(keys.SECRET_BYTES)) for kind in keys.KEY_KINDS},
    )


def ensure(books: "Books", *, root: bytes, credits: int) -> FirstAccount:
    """The first account, opened now if it is not there yet; a start that was interrupted halfway is completed."""
    opened = derived(root)
    administration = books.administration
    try:
        known = set(administration.account(opened.account_id).keys)
    except StateConflict:
        known = set()
    if known >= {keys.key_hash(key) for key in opened.keys.values()}:
        return FirstAccount(opened, is_new=False)
    administration.open_named(opened, name="First account", credits=credits, by=_BY)
    return FirstAccount(opened, is_new=True)
