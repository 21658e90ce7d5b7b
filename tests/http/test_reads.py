"""What an account reads of its own: balance, verifications, and its log event by event."""

import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from domain.events import TYPES
from tests.http.customer import EVENT_ID, MOMENT, VERIFICATION_ID, Customer, Side, mask, number, refusal
from tests.support.server import Server

WAKES_SECONDS_MAX = 1.5


def figures(answer: dict[str, Any]) -> tuple[int, ...]:
    """Of a balance: available, debited, refunded, added, position."""
    return tuple(answer[name] for name in ("available", "debited", "refunded", "added", "position"))


def test_the_balance_is_what_the_log_adds_up_to_at_every_position(customer: Customer) -> None:
    it = customer.live
    for _ in range(3):
        it.verified(number())
    log = it.settled()
    added = debited = refunded = 0
    expected = [(0, 0, 0, 0, 0)]
    for event in log:
        added += event["data"]["credits"] if event["type"] == "CreditAdded" else 0
        debited += event["data"]["credits"] if event["type"] == "CreditDebited" else 0
        refunded += event["data"]["credits"] if event["type"] == "CreditRefunded" else 0
        expected.append((added - debited + refunded, debited, refunded, added, event["position"]))
    read = [it.get(f"/v1/balance?position={position}").body for position in range(len(log) + 1)]
    assert [figures(balance) for balance in read] == expected
    assert figures(it.get("/v1/balance").body) == expected[-1] == (997, 3, 0, 1_000, len(log))
    assert figures(it.get("/v1/balance?position=9007199254740992").body) == expected[-1]


def test_the_balance_at_a_moment_counts_what_had_happened_by_then(customer: Customer) -> None:
    it = customer.live
    it.sent(number())
    for event in it.settled():
        at = quote(event["at"], safe="")
        last = max(other["position"] for other in it.settled() if other["at"] <= event["at"])
        assert it.get(f"/v1/balance?at={at}").body["position"] == last
    moments = {"2000-01-01T00:00:00Z": 0, "2999-12-31T23:59:59%2B14:00": len(it.settled()), "0001-01-01T00:00:00Z": 0}
    assert {at: it.get(f"/v1/balance?at={at}").body["position"] for at in moments} == moments


def test_the_balance_of_now_says_when_that_is(customer: Customer) -> None:
    assert customer.live.get("/v1/balance").body == {
        "available": 1_000,
        "debited": 0,
        "refunded": 0,
        "added": 1_000,
        "position": 6,
        "at": MOMENT,
    }


@pytest.mark.parametrize(
    "query",
    [
        "balance?at=yesterday",
        "balance?at=2026-11-24",
        "balance?at=2026-11-24T12:00:00",
        "balance?at=",
        "balance?at=2026-11-24T12:00:00Z&position=1",
        "balance?position=-1",
        "balance?position=1.5",
        "balance?position=x",
        "balance?position=",
        "balance?position=9007199254740993",
        "balance?position=" + "9" * 5_000,
        "balance?position=%D9%A1",
        "events?after=-1",
        "events?after=x",
        "events?limit=0",
        "events?limit=1001",
        "events?wait=31",
        "events?wait=1.5",
        "events?wait=%FF",
        "verifications?cursor=0",
        "verifications?cursor=x",
        "verifications?limit=0",
        "verifications?limit=201",
    ],
)
def test_a_parameter_of_another_form_is_an_invalid_request(customer: Customer, query: str) -> None:
    assert refusal(customer.live.get(f"/v1/{query}")) == (400, "invalid_request")


def test_a_refunded_message_costs_nothing(serve: Callable[..., Server]) -> None:
    """The provider of live keys is a port at which nobody listens."""
    server = serve(DONEOTP_SMS="webhook:http://127.0.0.1:1/sms")
    customer = Customer(server, server.open_account(5))
    sent = customer.live.send(number())
    assert sent.status == 200
    log = customer.live.settled()
    assert [event["type"] for event in log[-4:]] == ["CodeRequested", "CreditDebited", "SendFailed", "CreditRefunded"]
    assert customer.live.balance() == {"available": 5, "debited": 1, "refunded": 1, "added": 5}
    detail = customer.live.verification(sent.body["verification_id"]).body
    assert (detail["status"], detail["credits"]) == ("pending", 0)


def test_a_verification_tells_its_whole_story(customer: Customer) -> None:
    it, phone = customer.live, number()
    verification_id, code = it.sent(phone, client_ip="203.0.113.9")
    it.settled()
    it.check(phone, "000000" if code != "000000" else "000001")
    token = it.check(phone, code).body["token"]
    it.redeem(token)
    detail = it.verification(verification_id).body
    timeline = detail.pop("timeline")
    assert detail == {
        "verification_id": verification_id,
        "status": "verified",
        "phone_number": mask(phone),
        "country": "US",
        "created_at": MOMENT,
        "expires_at": MOMENT,
        "sends": 1,
        "attempts_left": 4,
        "credits": 1,
        "redeemed_at": MOMENT,
    }
    assert timeline == [
        {"at": MOMENT, "type": "CodeRequested", "position": 7, "send": 1},
        {"at": MOMENT, "type": "CodeSent", "position": 9, "send": 1, "provider": "inbox"},
        {"at": MOMENT, "type": "AttemptFailed", "position": 10, "attempts_left": 4},
        {"at": MOMENT, "type": "Verified", "position": 11},
        {"at": MOMENT, "type": "TokenRedeemed", "position": 12},
    ]


@pytest.mark.parametrize("verification_id", ["ver_x", "x", "ver_" + "a" * 34, "ver_" + "%2e" * 34, "%00", "ver_é"])
def test_an_unknown_verification_is_not_found(customer: Customer, verification_id: str) -> None:
    path = quote(verification_id, safe="%")
    assert refusal(customer.live.verification(path)) == (404, "verification_not_found")


def begin_many(it: Side) -> list[str]:
    """Twelve verifications, newest first: of one number several, some with resends in between."""
    begun: list[str] = []
    phones = [number() for _ in range(6)]
    for _ in range(2):
        for phone in phones:
            verification_id, code = it.sent(phone)
            begun.append(verification_id)
            if phone is phones[0]:
                it.advance(seconds=30)
                assert it.send(phone).body["verification_id"] == verification_id
            assert it.check(phone, code).status == 200
    return begun[::-1]


@pytest.mark.parametrize("limit", [1, 2, 5, 11, 12, 13, 200])
def test_verifications_are_listed_newest_first_each_once_over_all_pages(customer: Customer, limit: int) -> None:
    begun = begin_many(customer.test)
    listed: list[str] = []
    query = ""
    while True:
        page = customer.test.get(f"/v1/verifications?limit={limit}{query}").body
        assert len(page["verifications"]) <= limit
        listed += [row["verification_id"] for row in page["verifications"]]
        if page["cursor"] is None:
            break
        query = f"&cursor={page['cursor']}"
    assert listed == begun


def test_a_listed_verification_is_the_same_as_a_single_one(customer: Customer) -> None:
    begin_many(customer.test)
    page = customer.test.get("/v1/verifications").body
    assert page["verifications"] == [
        customer.test.verification(row["verification_id"]).body for row in page["verifications"]
    ]
    assert [row["sends"] for row in page["verifications"]] == [1] * 5 + [2] + [1] * 5 + [2]
    assert (page["cursor"], page["position"]) == (None, len(customer.test.log()))


def test_a_page_stays_where_it_was_while_new_verifications_come(customer: Customer) -> None:
    begun = begin_many(customer.test)
    first = customer.test.get("/v1/verifications?limit=4").body
    customer.test.sent(number())
    second = customer.test.get(f"/v1/verifications?limit=200&cursor={first['cursor']}").body
    pages = [row["verification_id"] for row in first["verifications"] + second["verifications"]]
    assert pages == begun


def test_an_account_without_verifications_has_an_empty_page(customer: Customer) -> None:
    assert customer.live.get("/v1/verifications").body == {"verifications": [], "cursor": None, "position": 6}


def test_the_log_is_dense_and_pages_join_without_a_seam(customer: Customer) -> None:
    it = customer.live
    it.redeem(it.verified(number()))
    whole = it.settled()
    for limit in (1, 3, 1_000):
        paged: list[dict[str, Any]] = []
        after = 0
        while page := it.get(f"/v1/events?after={after}&limit={limit}").body["events"]:
            paged, after = paged + page, page[-1]["position"]
        assert paged == whole
    assert it.get(f"/v1/events?after={len(whole)}").body == {"events": [], "next": len(whole)}
    assert it.get("/v1/events?after=999999999").body == {"events": [], "next": 999_999_999}


def test_an_event_is_what_is_stored_with_its_place(customer: Customer) -> None:
    it, phone = customer.live, number()
    verification_id, _ = it.sent(phone, client_ip="203.0.113.9", metadata={"order": "A-1"})
    log = it.settled()
    stream = f"{customer.account_id}/{verification_id[4:26]}"
    data = log[6]["data"]
    key_id = next(event["data"]["issued_key_id"] for event in log if event["data"].get("kind") == "sk_live")
    assert log[6] == {
        "position": 7,
        "event_id": EVENT_ID,
        "type": "CodeRequested",
        "type_version": 1,
        "stream": stream,
        "version": 1,
        "at": data["at"],
        "specversion": "1.0",
        "id": log[6]["event_id"],
        "source": f"/logs/{customer.account_id}",
        "time": data["at"],
        "subject": verification_id,
        "datacontenttype": "application/json",
        "data": {
            "at": MOMENT,
            "key_id": key_id,
            "client_ip": "203.0.113.0/24",
            "verification_id": VERIFICATION_ID,
            "phone": mask(phone),
            "country": "US",
            "send": 1,
            "seed": data["seed"],
            "prefix_tag": data["prefix_tag"],
            "digits": 6,
            "expires_at": MOMENT,
            "resend_in": 30,
            "attempts_left": 5,
            "price_credits": 1,
            "metadata": {"order": "A-1"},
        },
    }
    assert {f"{event['type']}.v{event['type_version']}" for event in log} <= set(TYPES)
    assert len({event["event_id"] for event in log}) == len(log)


@pytest.mark.parametrize(
    ("client_ip", "kept"),
    [
        ("198.51.100.77", "198.51.100.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:198.51.100.77", "198.51.100.0/24"),
        ("2001:DB8::1", "2001:db8::/48"),
    ],
)
def test_an_address_is_kept_as_its_network(customer: Customer, client_ip: str, kept: str) -> None:
    phone = number()
    customer.test.sent(phone, client_ip=client_ip)
    customer.test.check(phone, "1" * 6)
    addresses = [event["data"]["client_ip"] for event in customer.test.log() if "client_ip" in event["data"]]
    assert addresses == [kept, "127.0.0.0/24"]


def wait_for_news(it: Side, act: Callable[[], object]) -> tuple[list[str], float]:
    """What a long poll brings that waits when `act` is done, and the seconds from there to the answer."""
    acted: list[float] = []

    def later() -> None:
        time.sleep(0.4)
        acted.append(time.monotonic())
        act()

    after = len(it.settled())
    thread = threading.Thread(target=later)
    thread.start()
    answer = it.get(f"/v1/events?after={after}&wait=10").body
    woken = time.monotonic()
    thread.join()
    return [event["type"] for event in answer["events"]], woken - acted[0]


def test_a_long_poll_wakes_for_what_this_process_records(customer: Customer) -> None:
    types, seconds = wait_for_news(customer.test, lambda: customer.test.send(number()))
    assert (types[0], seconds < WAKES_SECONDS_MAX) == ("CodeRequested", True)


def test_a_long_poll_wakes_for_what_another_process_records(customer: Customer) -> None:
    administration = customer.server.books.administration
    types, seconds = wait_for_news(
        customer.live,
        lambda: administration.add_credit(customer.account_id, credits=1, reference="news", by="test"),
    )
    assert (types, seconds < WAKES_SECONDS_MAX) == (["CreditAdded"], True)


def test_a_long_poll_ends_empty_when_nothing_happens(customer: Customer) -> None:
    begun = time.monotonic()
    answer = customer.live.get("/v1/events?after=6&wait=1").body
    assert (answer, time.monotonic() - begun >= 1) == ({"events": [], "next": 6}, True)


def test_a_long_poll_that_has_news_does_not_wait(customer: Customer) -> None:
    begun = time.monotonic()
    assert len(customer.live.get("/v1/events?wait=30").body["events"]) == 6
    assert time.monotonic() - begun < 10
