"""A database knows under which root secret it was begun."""

import pytest

from interfaces import bootstrap
from interfaces.secrets import SecretUnusable

ROOT = b"r" * 32
OTHER = b"o" * 32


def begin(conninfo: str, root: bytes) -> None:
    with bootstrap.books(conninfo, root=root):
        pass


def test_a_database_is_opened_again_under_the_secret_it_was_begun_with_and_under_no_other(conninfo: str) -> None:
    begin(conninfo, ROOT)
    begin(conninfo, ROOT)
    with pytest.raises(SecretUnusable, match="was begun under another secret key"):
        begin(conninfo, OTHER)
    begin(conninfo, ROOT)
