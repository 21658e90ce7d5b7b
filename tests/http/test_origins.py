"""Which pages may read an answer: by the origins of the public key, letter for letter, and told to nobody else."""

from collections.abc import Callable

import pytest

from interfaces.http.origins import PREFLIGHT
from tests.http.customer import Customer, number, refusal
from tests.support.server import Answer, Server

SHOP = "https://shop.example"
PATHS = ("/v1/verify/send", "/v1/verify/check")


def reading(answer: Answer) -> tuple[str | None, str | None, str | None]:
    """Who may read an answer, and what of its headers."""
    names = ("access-control-allow-origin", "access-control-expose-headers", "vary")
    allowed, exposed, vary = (answer.headers.get(name) for name in names)
    assert "access-control-allow-credentials" not in answer.headers
    return allowed, exposed, vary


def key_for(customer: Customer, *origins: str) -> str:
    _, key = customer.server.books.administration.issue_key(
        customer.account_id, kind="pk_test", name="", origins=origins, by="test"
    )
    return key


@pytest.mark.parametrize("path", PATHS)
def test_a_preflight_tells_every_origin_the_same(customer: Customer, path: str) -> None:
    key_for(customer, SHOP)
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    seen = [
        customer.server.request("OPTIONS", path, headers=asked | {"Origin": origin})
        for origin in (SHOP, "https://evil.example", "null")
    ]
    expected = {name.lower(): value for name, value in PREFLIGHT.items()}
    assert [answer.status for answer in seen] == [204] * 3
    assert [{name: answer.headers.get(name) for name in expected} for answer in seen] == [expected] * 3


@pytest.mark.parametrize("path", ["/v1/verify/validate-token", "/v1/balance"])
def test_what_needs_the_secret_key_has_no_preflight(customer: Customer, path: str) -> None:
    answer = customer.server.request("OPTIONS", path, headers={"Origin": SHOP})
    assert reading(answer)[0] is None


def test_a_page_of_the_keys_origins_reads_every_answer(customer: Customer) -> None:
    key, phone, headers = key_for(customer, SHOP, "https://www.shop.example"), number(), {"Origin": SHOP}
    answers = [
        customer.test.send(phone, key=key, headers=headers),
        customer.test.send(phone, key=key, headers=headers),
        customer.test.send("+1", key=key, headers=headers),
        customer.test.ask("POST", "/v1/verify/check", b"{", key=key, headers=headers),
        customer.test.ask("POST", "/v1/verify/check", b"x" * 20_000, key=key, headers=headers),
    ]
    assert [answer.status for answer in answers] == [200, 429, 400, 400, 413]
    assert [reading(answer) for answer in answers] == [(SHOP, "Retry-After, X-Request-Id", "Origin")] * 5


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "https://shop.example.evil",
        "http://shop.example",
        "https://SHOP.example",
        f"{SHOP}/",
        "null",
    ],
)
def test_another_page_reads_nothing(customer: Customer, origin: str) -> None:
    answer = customer.test.send(number(), key=key_for(customer, SHOP), headers={"Origin": origin})
    assert (refusal(answer), reading(answer)) == ((403, "origin_not_allowed"), (None, None, "Origin"))


def test_no_page_reads_what_a_secret_key_or_no_key_is_answered(customer: Customer) -> None:
    answers = [customer.test.send(number(), key=key, headers={"Origin": SHOP}) for key in (customer.test.key, "x")]
    assert [answer.status for answer in answers] == [200, 401]
    assert [reading(answer) for answer in answers] == [(None, None, "Origin")] * 2


def test_in_development_a_key_without_origins_is_for_every_page(customer: Customer) -> None:
    answer = customer.test.send(number(), key=customer.test.public, headers={"Origin": "null"})
    assert (answer.status, reading(answer)[0]) == (200, "*")


def test_in_production_a_key_without_origins_is_for_no_page(serve: Callable[..., Server]) -> None:
    server = serve(DONEOTP_ENV="production", DONEOTP_SMS="webhook:http://127.0.0.1:1/sms")
    customer = Customer(server, server.open_account())
    page = customer.test.send(number(), key=customer.test.public, headers={"Origin": SHOP})
    app = customer.test.send(number(), key=customer.test.public)
    assert (refusal(page), reading(page)[0], app.status) == ((403, "origin_not_allowed"), None, 200)
    assert [server.get(path).status for path in ("/demo", "/demo/assets/demo.js", "/widget.js")] == [404, 404, 200]
