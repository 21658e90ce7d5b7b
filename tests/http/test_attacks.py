"""Attackers with more sessions and addresses than anybody has, over HTTP, and the same attack where nothing stands in its way.

`--forged-requests N` sends more forged requests.
"""

import random
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.http.customer import Customer, number
from tests.http.test_limits import outcome, policy, spread
from tests.support.server import Answer, Server

SESSIONS = 32
GUESSES_PER_SESSION_MAX = 20
GUESSES_A_VERIFICATION = 5
GUESSES_A_DAY = 20
SHOP = "https://shop.example"


def address(session: int) -> dict[str, str]:
    """Where a session says that it comes from: each from somewhere else."""
    return {"X-Forwarded-For": f"198.51.{session // 250}.{session % 250 + 1}"}


def guess(customer: Customer, phone: str, session: int) -> list[str]:
    """Guess at a number's code without end; where a verification has no guess left, ask for the next one."""
    said: list[str] = []
    chance = random.Random(session)
    for _ in range(GUESSES_PER_SESSION_MAX):
        answer = customer.live.check(phone, f"{chance.randrange(10**8):08}", headers=address(session))
        said.append(outcome(answer))
        if said[-1] in ("attempts_exhausted", "verification_not_found"):
            said.append("again: " + outcome(customer.live.send(phone, headers=address(session))))
        if said[-1].endswith("number_locked"):
            break
    return said


def attacked(customer: Customer, phones: list[str]) -> Counter[str]:
    """What all sessions heard, each of them at one of the numbers."""
    policy(customer, code_digits=8)
    for phone in phones:
        assert customer.live.send(phone).status == 200
    with ThreadPoolExecutor(SESSIONS) as pool:
        heard = list(pool.map(lambda session: guess(customer, phones[session % len(phones)], session), range(SESSIONS)))
    return Counter(said for session in heard for said in session)


def compared(customer: Customer) -> Counter[str]:
    """Guesses that were compared, by verification, as the ledger has them."""
    return Counter(
        event["data"]["verification_id"] for event in customer.live.log() if event["type"] == "AttemptFailed"
    )


@pytest.fixture
def proxied(serve: Callable[..., Server]) -> Customer:
    """A customer of a server that believes X-Forwarded-For: to it each session does come from somewhere else."""
    server = serve(DONEOTP_TRUSTED_PROXIES="127.0.0.0/8")
    return Customer(server, server.open_account())


def test_however_many_sessions_and_addresses_guess_at_one_number_the_budget_is_compared(proxied: Customer) -> None:
    customer = proxied
    heard = attacked(customer, [number()])
    by_verification = compared(customer)
    assert heard["wrong_code"] == by_verification.total() == GUESSES_A_DAY
    assert set(by_verification.values()) == {GUESSES_A_VERIFICATION}
    assert heard["number_locked"] + heard["again: number_locked"] == SESSIONS, "every session ends at the lock"


def test_the_same_sessions_at_three_numbers_compare_three_budgets(proxied: Customer) -> None:
    """The control: it is the number's budget that ends the attack, not the attacker's strength."""
    customer = proxied
    heard = attacked(customer, [number() for _ in range(3)])
    assert heard["wrong_code"] == compared(customer).total() == 3 * GUESSES_A_DAY


@pytest.fixture
def forged_requests(pytestconfig: pytest.Config) -> int:
    return int(pytestconfig.getoption("--forged-requests"))


def flood(ask: Callable[[int], Answer], count: int) -> Counter[str]:
    with ThreadPoolExecutor(8) as pool:
        return Counter(map(outcome, pool.map(ask, range(count))))


def guarded(customer: Customer) -> str:
    """A public key for the shop's page, two messages an hour for each address, and no other limit."""
    policy(customer, sends_per_address_max=2, public_requests_per_second_max=0)
    administration = customer.server.books.administration
    _, key = administration.issue_key(customer.account_id, kind="pk_live", name="", origins=(SHOP,), by="test")
    return key


def test_forged_origins_and_addresses_change_nothing(customer: Customer, forged_requests: int) -> None:
    key = guarded(customer)
    before = customer.live.log()

    def abroad(n: int) -> Answer:
        forged = {**address(n), "Origin": f"https://shop.example.{n}.evil.example"}
        return customer.live.send(spread_of(n), key=key, headers=forged)

    assert flood(abroad, forged_requests) == {"origin_not_allowed": forged_requests}
    assert customer.live.log() == before

    def at_home(n: int) -> Answer:
        """Who is no browser may say any origin, also the right one."""
        return customer.live.send(spread_of(n), key=key, headers={**address(n), "Origin": SHOP})

    assert flood(at_home, forged_requests) == {"pending": 2, "ip_send_limit": forged_requests - 2}
    assert customer.live.balance()["debited"] == 2


def test_behind_a_proxy_that_is_trusted_the_same_headers_move_the_limit(serve: Callable[..., Server]) -> None:
    """The control: these headers would change something if anybody believed them."""
    server = serve(DONEOTP_TRUSTED_PROXIES="127.0.0.0/8")
    customer = Customer(server, server.open_account())
    key = guarded(customer)

    def at_home(n: int) -> Answer:
        return customer.live.send(spread(), key=key, headers={**address(n), "Origin": SHOP})

    assert flood(at_home, 20) == {"pending": 20}


def spread_of(n: int) -> str:
    """A number of a prefix of its own."""
    return f"+1{(303, 304, 307, 308, 309)[n % 5]}{2_150_009 + 37 * n}"
