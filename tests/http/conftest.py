"""What the tests of the HTTP API share: a customer of one's own on the one running server."""

from collections.abc import Callable

import pytest

from tests.http.customer import Customer
from tests.support.server import Server


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-requests", type=int, default=10_000, help="mutated requests to send (tests/http)")
    parser.addoption("--forged-requests", type=int, default=200, help="forged requests to send, twice (tests/http)")


@pytest.fixture
def customer(server: Server) -> Customer:
    """An account with 1,000 credits."""
    return Customer(server, server.open_account())


@pytest.fixture
def customer_with(server: Server) -> Callable[[int], Customer]:
    """Opens an account with so many credits."""
    return lambda credits: Customer(server, server.open_account(credits))
