"""Lists at work: who may call, and to whom; refused before anything is recorded, known within a second everywhere."""

import json
from collections.abc import Callable
from uuid import uuid4

import pytest

from application.listing import INSTALLATION
from domain.lists import Effect, Kind
from projections.audit.masks import unmasked
from tests.http.customer import Customer, number, refusal
from tests.http.test_keys import soon
from tests.support.server import Answer, Server

HOME = "127.0.0.1"


def change(customer: Customer, effect: Effect, kind: Kind, *values: str, account: str = "") -> None:
    books = customer.server.books
    assert books.administration.change_lists(
        account or customer.account_id, effect=effect, kind=kind, values=list(values), by="test"
    )


def refused_soon(ask: Callable[[], Answer], status: int = 403) -> tuple[object, ...]:
    """What it is refused with, once the change is known."""
    return refusal(soon(ask, status=status))


def test_a_blocked_number_is_refused_until_it_is_taken_off_the_list(customer: Customer) -> None:
    phone = number()
    change(customer, "block", "number", phone)
    assert refused_soon(lambda: customer.live.send(phone)) == (403, "number_blocklisted")
    change(customer, "remove", "number", phone)
    assert soon(lambda: customer.live.send(phone), status=200).status == 200


def test_numbers_beside_a_blocked_prefix_are_not_refused(customer: Customer) -> None:
    change(customer, "block", "prefix", "+90532")
    assert refused_soon(lambda: customer.live.send("+905321232719")) == (403, "number_blocklisted")
    assert customer.live.send("+905331232719").status == 200


def test_an_allow_is_exclusive_and_a_block_wins(customer: Customer) -> None:
    phone = number()
    change(customer, "allow", "prefix", phone[:5])
    assert refused_soon(lambda: customer.live.send("+905321232719")) == (403, "number_not_allowlisted")
    change(customer, "block", "number", phone)
    assert refused_soon(lambda: customer.live.send(phone)) == (403, "number_blocklisted")


def test_only_enabled_countries_are_sent_to(customer: Customer) -> None:
    change(customer, "allow", "country", "US", "DE")
    assert refused_soon(lambda: customer.live.send("+905321232719")) == (403, "country_not_enabled")
    assert customer.live.send(number()).status == 200


def test_premium_numbers_are_refused_unless_allowed(customer: Customer) -> None:
    assert refusal(customer.live.send("+19005550100")) == (422, "destination_unsupported")
    change(customer, "allow", "type", "premium_rate")
    assert soon(lambda: customer.live.send("+19005550100"), status=200).status == 200


def test_a_secret_key_is_for_listed_addresses_only_and_a_public_one_for_any(customer: Customer) -> None:
    change(customer, "allow", "ip", "198.51.100.0/24")
    assert refused_soon(lambda: customer.live.send(number())) == (403, "ip_not_allowlisted")
    assert refusal(customer.live.get("/v1/balance")) == (403, "ip_not_allowlisted")
    assert customer.live.send(number(), key=customer.live.public).status == 200
    change(customer, "allow", "ip", HOME)
    assert soon(lambda: customer.live.send(number()), status=200).status == 200


@pytest.mark.parametrize("spelled", [HOME, "127.0.0.0/8", "::ffff:127.0.0.1"])
def test_a_blocked_address_is_refused_with_every_key(customer: Customer, spelled: str) -> None:
    change(customer, "block", "ip", spelled)
    assert refused_soon(lambda: customer.live.send(number())) == (403, "ip_blocklisted")
    assert refusal(customer.live.send(number(), key=customer.live.public)) == (403, "ip_blocklisted")


def test_a_forged_header_moves_nobody(customer: Customer) -> None:
    """No proxy is trusted here: what X-Forwarded-For says is nothing."""
    change(customer, "block", "ip", HOME)
    refused_soon(lambda: customer.live.send(number()))
    forged = customer.live.send(number(), headers={"X-Forwarded-For": "198.51.100.7", "Forwarded": "for=198.51.100.7"})
    assert refusal(forged) == (403, "ip_blocklisted")


def test_a_public_key_without_origins_is_for_those_of_its_account(customer: Customer) -> None:
    change(customer, "allow", "origin", "https://shop.example")
    abroad = {"Origin": "https://evil.example"}
    assert refused_soon(lambda: customer.live.send(number(), key=customer.live.public, headers=abroad)) == (
        403,
        "origin_not_allowed",
    )
    at_home = customer.live.send(number(), key=customer.live.public, headers={"Origin": "https://shop.example"})
    assert (at_home.status, at_home.headers["access-control-allow-origin"]) == (200, "https://shop.example")


def test_lists_stand_in_the_order_of_the_checks(customer: Customer) -> None:
    """address, replay, body, number, country, type, cooldown."""
    phone, name = number(), {"Idempotency-Key": uuid4().hex}
    first = customer.live.send(phone, headers=name)
    change(customer, "block", "number", phone)
    assert refused_soon(lambda: customer.live.send(phone)) == (403, "number_blocklisted")
    assert customer.live.send(phone, headers=name).text == first.text
    assert refusal(customer.live.send(phone, locale="!")) == (400, "invalid_request")
    assert refusal(customer.live.send(phone, headers={"Idempotency-Key": uuid4().hex})) == (403, "number_blocklisted")
    change(customer, "block", "country", "US")
    assert refused_soon(lambda: customer.live.send(number())) == (403, "country_not_enabled")
    assert refusal(customer.live.send(phone)) == (403, "number_blocklisted")
    assert refusal(customer.live.send("+19005550100")) == (403, "country_not_enabled")
    change(customer, "block", "ip", HOME)
    assert soon(lambda: customer.live.send(phone, headers=name), status=403).body["code"] == "ip_blocklisted"


def test_nothing_that_a_list_refuses_leaves_a_trace(customer: Customer) -> None:
    change(customer, "block", "country", "TR")
    refused_soon(lambda: customer.live.send("+905321232719"))
    assert (customer.live.types(), customer.live.balance()["debited"]) == (["ListChanged"], 0)


def test_lists_hold_for_test_keys_but_not_for_numbers_that_fix_an_outcome(customer: Customer) -> None:
    change(customer, "block", "country", "US")
    assert refused_soon(lambda: customer.test.send(number())) == (403, "country_not_enabled")
    assert customer.test.send("+15005550001").status == 200


def test_no_list_change_gives_a_number_or_an_address_away(customer: Customer) -> None:
    change(customer, "block", "number", "+14155552671")
    change(customer, "allow", "ip", "192.0.2.7", "127.0.0.0/8", "2001:db8:1:2:3::4", "2001:db8::/32")
    change(customer, "block", "prefix", "+1415555")
    recorder = customer.server.books.recorder
    bodies = [record.state for record in recorder.select_log(customer.account_id, after=0, limit=1_000)]
    changes = [json.loads(body) for body in bodies if b"entries" in body]
    assert [list(unmasked(data)) for data in changes] == [[], [], []]


@pytest.fixture
def installation(serve: Callable[..., Server]) -> Customer:
    """A customer of a server of its own: what is listed here is listed for everybody on it."""
    server = serve()
    return Customer(server, server.open_account())


def test_the_installations_lists_hold_for_every_account(installation: Customer) -> None:
    change(installation, "block", "prefix", "+9053", account=INSTALLATION)
    change(installation, "allow", "country", "US", "TR", account=INSTALLATION)
    refused = [
        refused_soon(lambda: installation.live.send("+905321232719")),
        refused_soon(lambda: installation.live.send("+4915123456789")),
    ]
    assert refused == [(403, "number_blocklisted"), (403, "country_not_enabled")]
    change(installation, "allow", "country", "DE")
    assert soon(lambda: installation.live.send("+4915123456789"), status=200).status == 200
    change(installation, "block", "number", "+4915123456780", account=INSTALLATION)
    assert refused_soon(lambda: installation.live.send("+4915123456780")) == (403, "number_blocklisted")


def test_a_public_key_is_not_told_which_list_refuses(customer: Customer) -> None:
    """A number on a list, a country that is not enabled, a kind that is refused: one answer, but for its request id."""
    phone, public = number(), customer.live.public
    change(customer, "block", "number", phone)
    change(customer, "block", "country", "TR")
    refused_soon(lambda: customer.live.send("+905321232719"))
    answers = [
        customer.live.send(to, key=public, headers={"Idempotency-Key": key} if key else None)
        for to in (phone, "+905321232719", "+19005550100")
        for key in ("", uuid4().hex)
    ]
    told = {(answer.status, *(str(answer.body[name]) for name in ("code", "detail", "title"))) for answer in answers}
    assert told == {(403, "destination_blocked", "Messages are not sent to this number.", "Destination is blocked")}
