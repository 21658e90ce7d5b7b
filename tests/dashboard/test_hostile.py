"""What no page of ours sends is refused in words: neither a sign-in nor an operator gets a 500 out of it."""

from itertools import count

import pytest

from tests.dashboard.clerk import Clerk, at_work
from tests.http.customer import Customer
from tests.support.server import Server

_NUMBERS = count(1)


@pytest.fixture
def clerk(server: Server) -> Clerk:
    """An operator of the whole installation."""
    return at_work(server, f"hostile-{next(_NUMBERS)}")


@pytest.fixture
def customer(server: Server) -> Customer:
    """An account of the test's own."""
    return Customer(server, server.open_account())


@pytest.mark.parametrize("field", ["name", "password", "code", "ticket", "next"])
def test_a_sign_in_with_a_nul_in_it_is_refused(server: Server, field: str) -> None:
    seen = Clerk(server).post("/dashboard/login", **{"name": "ada", "password": "a password", field: "a\0b"})
    assert (seen.status, "nobody types" in seen.text, "set-cookie" in seen.headers) == (400, True, False)


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("people/add", {"name": "abc", "role": "operator", "account": "acct_\0"}),
        ("people/remove", {"name": "\0"}),
        ("people/remove", {"name": "abc", "account": "\0"}),
        ("people/link", {"name": "\0"}),
    ],
)
def test_a_form_with_a_nul_in_it_is_refused(clerk: Clerk, act: str, fields: dict[str, str]) -> None:
    assert clerk.post(f"/dashboard/{act}", **fields).status == 400


@pytest.mark.parametrize(
    "path",
    [
        "a/acct_%00/overview",
        "accounts?after=%00",
        "accounts%00",
        "a/{account}/verifications?status=%00",
        "login?ticket=%00",
    ],
)
def test_an_address_with_a_nul_in_it_is_of_no_page(clerk: Clerk, customer: Customer, path: str) -> None:
    seen = clerk.get(f"/dashboard/{path.format(account=customer.account_id)}")
    assert (seen.status, seen.headers["content-type"].partition(";")[0]) == (404, "text/html")


def test_an_account_that_is_not_there_and_one_that_is_not_ones_own_look_the_same(
    server: Server, customer: Customer
) -> None:
    other = server.open_account().account_id
    member = at_work(server, f"member-{next(_NUMBERS)}", role="auditor", account_id=customer.account_id)
    seen = [member.get(f"/dashboard/a/{one}/keys") for one in (other, "acct_aaaaaaaaaaaaaaaa", "acct_", "x")]
    assert {(one.status, one.text) for one in seen} == {(404, seen[0].text)}
    assert member.get(f"/dashboard/a/{customer.account_id}/keys").status == 200
