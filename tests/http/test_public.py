"""What anyone may read: health, figures, the API's description and pages; and the inbox, in development."""

import re
import threading
import time
from collections.abc import Callable
from html.parser import HTMLParser
from urllib.parse import quote, urljoin

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interfaces.http.app import CALLS
from tests.http.customer import CODE, Customer, honest, number, refusal
from tests.support.server import Server

PAGES = ("/docs", "/inbox", "/audit/receipt", "/errors/wrong_code", "/errors/internal_error")


class Links(HTMLParser):
    """Everything that a page loads or leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found |= {value for name, value in attrs if name in ("href", "src", "action") and value}


def test_health_and_readiness(server: Server) -> None:
    answers = [server.get(path) for path in ("/healthz", "/readyz")]
    assert [(answer.status, answer.body) for answer in answers] == [(200, {"status": "ok"}), (200, {"status": "ready"})]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_all_its_links_lead_somewhere(server: Server, path: str) -> None:
    page = server.get(path)
    links = Links()
    links.feed(page.text)
    found = {urljoin(path, link).partition("#")[0] for link in links.found if not link.startswith("data:")}
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not [link for link in found if not link.startswith("/")]
    assert {link: server.get(link).status for link in found} == dict.fromkeys(found, 200)


def test_the_reference_names_every_call_field_and_code(server: Server) -> None:
    page, described = server.get("/docs").text, server.get("/openapi.json").body
    for path, operations in described["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in operations.values():
            assert f"id='{operation['operationId']}'" in page
    for schema in ("SendRequest", "CheckRequest", "ValidateTokenRequest"):
        for field in described["components"]["schemas"][schema]["properties"]:
            assert f"<code>{field}</code>" in page
    anchors = set(re.findall(r"id='?([a-z_0-9]+)'?[ >]", page))
    assert {link[1:] for link in re.findall(r"href='(#[a-z_0-9]+)'", page)} <= anchors


def test_the_root_leads_to_the_reference(server: Server) -> None:
    answer = server.get("/")
    assert (answer.status, answer.headers["location"]) == (302, "/docs")


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/assets/page.css", "text/css; charset=utf-8"),
        ("/inbox/assets/inbox.js", "text/javascript; charset=utf-8"),
        ("/inbox/assets/inbox.css", "text/css; charset=utf-8"),
    ],
)
def test_assets_are_served_as_what_they_are(server: Server, path: str, media_type: str) -> None:
    answer = server.get(path)
    assert (answer.status, answer.headers["content-type"], answer.text != "") == (200, media_type, True)


def test_figures_count_by_route_and_status_and_hold_nothing_personal(customer: Customer) -> None:
    phone = number()
    verification_id, _ = customer.test.sent(phone)
    customer.test.verification(verification_id)
    customer.test.get(f"/nowhere/{phone[1:]}")
    answer = customer.server.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    labels = {frozenset(sample.labels) for family in families.values() for sample in family.samples}
    routes = {sample.labels["route"] for sample in families["doneotp_requests"].samples}
    statuses = {sample.labels["status"] for sample in families["doneotp_requests"].samples}
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert labels <= {frozenset(), frozenset({"route", "status"}), frozenset({"route"}), frozenset({"route", "le"})}
    assert routes <= {call.path for call in CALLS} | {"other", "/dashboard"}
    assert all(re.fullmatch(r"[1-5][0-9]{2}", status) for status in statuses)
    assert {"doneotp_writer_queue", "doneotp_handoffs_waiting", "doneotp_request_seconds"} <= set(families)
    for secret in (phone[1:], phone[2:], verification_id, customer.account_id, customer.test.key):
        assert secret not in answer.text


def test_figures_count_every_answer(customer: Customer) -> None:
    def count() -> float:
        return sum(
            sample.value
            for family in text_string_to_metric_families(customer.server.get("/metrics").text)
            for sample in family.samples
            if sample.name == "doneotp_requests_total"
            and sample.labels == {"route": "/v1/verify/check", "status": "404"}
        )

    before = count()
    for _ in range(3):
        customer.test.check(number(), "123456")
    assert count() - before == 3


def test_the_newest_message_is_found_under_any_spelling_of_the_plus(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.test.sent(phone)
    answers = [customer.server.get(f"/inbox/latest?to={spelled}") for spelled in (quote(phone), phone, phone[1:])]
    assert [answer.status for answer in answers] == [200, 200, 404]
    message = answers[0].body
    assert (message["to"], message["code"], message["verification_id"]) == (phone, code, verification_id)
    assert message["code"] == CODE
    assert answers[1].body == message


def test_the_inbox_waits_for_a_message_that_comes(customer: Customer) -> None:
    phone = number()
    thread = threading.Timer(0.4, lambda: customer.test.send(phone))
    thread.start()
    begun = time.monotonic()
    answer = customer.server.get(f"/inbox/latest?to={quote(phone)}&wait=10")
    thread.join()
    assert (answer.status, answer.body["to"], time.monotonic() - begun < 5) == (200, phone, True)


def test_no_message_in_time_is_not_found(customer: Customer) -> None:
    begun = time.monotonic()
    answer = customer.live.get(f"/inbox/latest?to={quote(number())}&wait=1", key="")
    assert (refusal(answer), time.monotonic() - begun >= 1) == ((404, "not_found"), True)


def test_messages_are_read_from_a_cursor_on(customer: Customer) -> None:
    cursor = ""
    while (page := customer.server.get(f"/inbox/messages?after={cursor}").body)["messages"]:
        cursor = page["cursor"]
    phones = [number() for _ in range(5)]
    for phone in phones:
        customer.test.sent(phone)
    first = customer.server.get(f"/inbox/messages?after={cursor}&limit=2").body
    rest = customer.server.get(f"/inbox/messages?after={first['cursor']}").body
    assert [[message["to"] for message in page["messages"]] for page in (first, rest)] == [phones[:2], phones[2:]]
    assert customer.server.get(f"/inbox/messages?after={rest['cursor']}").body == {
        "messages": [],
        "cursor": rest["cursor"],
    }


@pytest.mark.parametrize(
    "query",
    [
        "latest",
        "latest?to=",
        "latest?to=%2B1&wait=x",
        "latest?to=%2B1&wait=31",
        "latest?to=%2B1&wait=-1",
        "messages?limit=0",
        "messages?limit=1001",
        "messages?limit=x",
        "messages?limit=00001" + "0" * 5_000,
    ],
)
def test_what_the_inbox_cannot_read_is_an_invalid_request(customer: Customer, query: str) -> None:
    assert refusal(customer.live.get(f"/inbox/{query}", key="")) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 404),
        ("127.0.0.1", 404),
        ("[::1]:8000", 404),
        ("myhost", 404),
        ("app.localhost", 404),
        ("rebound.example", 403),
        ("localhost.evil.example:8000", 403),
        ("[", 400),
        ("[::1", 400),
    ],
)
def test_codes_are_not_read_out_under_a_foreign_name(server: Server, host: str, status: int) -> None:
    answers = [
        server.get(f"/inbox/{path}", headers={"Host": host}).status for path in ("latest?to=%2B1", "messages?limit=1")
    ]
    answers.append(server.get("/inbox", headers={"Host": host}).status)
    assert answers == [status, *[200 if status == 404 else status] * 2]


def test_production_has_no_inbox(serve: Callable[..., Server]) -> None:
    server = serve(DONEOTP_ENV="production", DONEOTP_SMS="webhook:http://127.0.0.1:1/sms")
    paths = ("/inbox", "/inbox/latest?to=%2B1", "/inbox/messages", "/inbox/events", "/inbox/assets/inbox.js")
    answers = [honest(server.get(path), base_url=server.base_url) for path in paths]
    assert [refusal(answer) for answer in answers] == [(404, "not_found")] * len(paths)
    assert [server.get(path).status for path in ("/healthz", "/readyz", "/docs")] == [200] * 3
