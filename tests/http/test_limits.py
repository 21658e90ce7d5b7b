"""Limits at work, over HTTP: what is exact in the ledger, and what is counted beside it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from tests.http.customer import Customer, number, refusal
from tests.support.server import Answer, Server

_WIDE = (f"+1{area}{local}" for local in range(2_100_007, 2_900_000, 10_007) for area in (303, 304, 307, 308, 309))


def spread() -> str:
    """A number that shares its first digits with few others."""
    return next(_WIDE)


def policy(customer: Customer, **changes: int) -> None:
    customer.server.books.administration.change_policy(customer.account_id, changes={"guard": 0, **changes}, by="test")


def outcome(answer: Answer) -> str:
    """The code of a refusal, or `pending`."""
    return str(answer.body.get("code", answer.body["status"]))


def test_sixty_four_at_once_never_spend_more_than_the_cap(customer: Customer) -> None:
    policy(customer, spend_per_day_max=20)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: customer.live.send(spread()), range(64)))
    found = [outcome(answer) for answer in answers]
    assert (found.count("pending"), found.count("spend_cap_reached")) == (20, 44)
    assert customer.live.balance()["debited"] == 20
    assert refusal(next(a for a in answers if a.status == 402)) == (402, "spend_cap_reached", {"period": "day"})


def test_without_the_cap_they_all_spend(customer: Customer) -> None:
    """The control of the test before this one."""
    policy(customer)
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: customer.live.send(spread()), range(64)))
    assert [outcome(answer) for answer in answers] == ["pending"] * 64


def test_a_public_key_has_a_cap_of_its_own(customer: Customer) -> None:
    policy(customer, public_spend_per_day_max=2)
    found = [outcome(customer.live.send(spread(), key=customer.live.public)) for _ in range(4)]
    assert found == ["pending", "pending", "spend_cap_reached", "spend_cap_reached"]
    assert outcome(customer.live.send(spread())) == "pending"


def test_an_address_gets_so_many_messages_and_a_whole_ipv6_network_counts_as_one(customer: Customer) -> None:
    policy(customer, sends_per_address_max=2)
    ends = count(1)
    found = [outcome(customer.live.send(spread(), client_ip=f"2001:db8::{next(ends)}")) for _ in range(4)]
    assert found == ["pending", "pending", "ip_send_limit", "ip_send_limit"]
    assert outcome(customer.live.send(spread(), client_ip="2001:db8:0:1::1")) == "pending"
    assert outcome(customer.live.send(spread())) == "pending", "nobody knows where this one comes from"


def test_with_a_public_key_the_connection_is_the_address_whatever_headers_say(customer: Customer) -> None:
    policy(customer, sends_per_address_max=2)
    hops = count(1)
    found = [
        outcome(
            customer.live.send(
                spread(), key=customer.live.public, headers={"X-Forwarded-For": f"198.51.100.{next(hops)}"}
            )
        )
        for _ in range(4)
    ]
    assert found == ["pending", "pending", "ip_send_limit", "ip_send_limit"]


def test_numbers_that_differ_in_their_last_four_digits_share_a_limit(customer: Customer) -> None:
    policy(customer, sends_per_prefix_max=2)
    found = [outcome(customer.live.send(f"+1310{2_220_000 + n}")) for n in range(3)]
    assert found == ["pending", "pending", "prefix_send_limit"]
    assert outcome(customer.live.send("+13102230000")) == "pending"


def test_a_country_may_have_a_limit(customer: Customer) -> None:
    policy(customer, sends_per_country_max=1)
    assert [outcome(customer.live.send(spread())) for _ in range(2)] == ["pending", "prefix_send_limit"]


def test_what_is_refused_for_another_reason_does_not_count(customer: Customer) -> None:
    policy(customer, sends_per_address_max=2)
    phone, client = spread(), "203.0.113.9"
    found = [outcome(customer.live.send(phone, client_ip=client)) for _ in range(4)]
    assert found == ["pending", *["resend_cooldown"] * 3]
    assert outcome(customer.live.send(spread(), client_ip=client)) == "pending"


def test_the_cooldown_comes_before_the_limits_and_they_before_credit(customer_with: Callable[[int], Customer]) -> None:
    poor = customer_with(2)
    policy(poor, sends_per_prefix_max=1)
    first = "+13122220001"
    found = [outcome(poor.live.send(phone)) for phone in (first, first, "+13122220002", spread(), spread())]
    assert found == ["pending", "resend_cooldown", "prefix_send_limit", "pending", "insufficient_credit"]


def test_answers_tell_how_the_limits_stand(customer: Customer) -> None:
    policy(customer, sends_per_address_max=5)
    answer = customer.live.send(spread(), client_ip="203.0.113.9")
    assert (answer.headers["ratelimit-policy"], answer.headers["ratelimit"]) == (
        '"number";q=20;w=86400, "prefix";q=5000;w=3600, "address";q=5;w=3600',
        '"number";r=19;t=86400, "prefix";r=4999;t=3600, "address";r=4;t=3600',
    )
    public = customer.live.send(spread(), key=customer.live.public)
    assert "prefix" not in public.headers["ratelimit-policy"]


def test_a_key_may_ask_so_often_a_second(customer: Customer) -> None:
    policy(customer, requests_per_second_max=3)
    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: customer.live.get("/v1/balance").status, range(12)))
    assert found.count(429) >= 3
    assert set(found) == {200, 429}


def test_failed_authentications_are_limited_and_never_shut_a_good_key_out(serve: Callable[..., Server]) -> None:
    server = serve()
    customer = Customer(server, server.open_account())
    wrong = customer.live.key[:-1] + ("a" if customer.live.key[-1] != "a" else "b")
    found = [server.get("/v1/balance", key=wrong).status for _ in range(3_002)]
    assert (found[:3_000], found[3_000:]) == ([401] * 3_000, [429] * 2)
    assert customer.live.get("/v1/balance").status == 200


def test_messages_of_test_keys_count_nowhere(customer: Customer) -> None:
    policy(customer, sends_per_prefix_max=1)
    assert [outcome(customer.test.send(number())) for _ in range(3)] == ["pending"] * 3


def test_forged_headers_change_nothing(customer: Customer) -> None:
    """A thousand made-up origins and addresses: none lets a public key of one page be used on another, or moves its caller."""
    policy(customer, sends_per_address_max=1, public_requests_per_second_max=0)
    books = customer.server.books
    _, key = books.administration.issue_key(
        customer.account_id, kind="pk_live", name="", origins=("https://shop.example",), by="test"
    )
    before = len(customer.live.log())

    def forge(n: int) -> str:
        headers = {"Origin": f"https://shop.example.{n}.evil", "X-Forwarded-For": f"10.{n % 256}.{n // 256}.1"}
        return outcome(
            customer.server.post("/v1/verify/send", {"phone_number": "+13122990001"}, key=key, headers=headers)
        )

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(forge, range(1_000))) == {"origin_not_allowed"}
    assert len(customer.live.log()) == before
    at_home = {"Origin": "https://shop.example"}
    found = [
        outcome(customer.live.send(spread(), key=key, headers=at_home | {"X-Forwarded-For": f"198.51.100.{n}"}))
        for n in range(20)
    ]
    assert found == ["pending", *["ip_send_limit"] * 19]
