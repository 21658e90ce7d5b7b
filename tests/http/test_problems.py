"""The table of errors: every code that can be reached is reached here or where its rule is tested, with its status."""

from typing import Any

import pytest

from interfaces.http.app import CALLS
from interfaces.http.problems import KINDS
from tests.http.customer import Customer, number, refusal
from tests.support.server import Server

CONTRACT = {
    400: "malformed_json invalid_request invalid_phone_number invalid_code_format wrong_code attempts_exhausted "
    "invalid_token token_expired token_already_redeemed token_phone_mismatch invalid_idempotency_key",
    401: "missing_api_key invalid_api_key revoked_api_key",
    402: "insufficient_credit spend_cap_reached",
    403: "ip_blocklisted ip_not_allowlisted number_blocklisted number_not_allowlisted country_not_enabled "
    "destination_blocked challenge_required key_scope_forbidden origin_not_allowed account_suspended",
    404: "verification_not_found code_expired already_verified verification_cancelled not_found",
    405: "method_not_allowed",
    409: "state_conflict",
    413: "payload_too_large",
    422: "idempotency_key_reused destination_unsupported",
    429: "resend_cooldown number_locked number_send_limit ip_send_limit prefix_send_limit api_rate_limited "
    "auth_failures_limited",
    500: "internal_error",
    503: "service_unavailable overloaded",
}
SEND = "/v1/verify/send"
CHECK = "/v1/verify/check"
VALIDATE = "/v1/verify/validate-token"


def test_the_table_is_the_published_one() -> None:
    published = {code: status for status, codes in CONTRACT.items() for code in codes.split()}
    assert {code: kind.status for code, kind in KINDS.items()} == published


@pytest.mark.parametrize("code", KINDS)
def test_every_code_has_a_page_that_its_type_leads_to(server: Server, code: str) -> None:
    page = server.get(f"/errors/{code}")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert KINDS[code].title in page.text
    assert f"<code>{code}</code>, HTTP status {KINDS[code].status}" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


def test_there_is_no_page_for_what_is_no_code(customer: Customer) -> None:
    assert refusal(customer.live.get("/errors/no_such_code", key="")) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"phone_number=%2B14155552671",
        b'{"phone_number":"\xff"}',
        b'{"phone_number":"\\ud800"}',
        b'{"phone_number":"\x00"}',
        b"\xef\xbb\xbf{}",
        '{"phone_number":"+14155552671"}'.encode("utf-16"),
        b'{"x":' + b"[" * 16_000,
        b'{"phone_number":NaN}',
    ],
    ids=lambda body: repr(body[:24]),
)
@pytest.mark.parametrize("path", [SEND, CHECK, VALIDATE])
def test_what_is_not_json_is_malformed(customer: Customer, path: str, body: bytes) -> None:
    assert refusal(customer.test.ask("POST", path, body)) == (400, "malformed_json")


def test_what_comes_after_the_body_makes_it_malformed(customer: Customer) -> None:
    assert refusal(customer.test.ask("POST", SEND, b'{"phone_number":"+14155552671"} x')) == (400, "malformed_json")


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"+14155552671"',
        b"1",
        b"{}",
        b'{"phone_number":null}',
        b'{"phone_number":14155552671}',
        b"[" * 16_000,
    ],
)
@pytest.mark.parametrize("path", [SEND, CHECK, VALIDATE])
def test_json_of_another_shape_is_an_invalid_request(customer: Customer, path: str, body: bytes) -> None:
    assert refusal(customer.test.ask("POST", path, body)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "fields",
    [
        {"locale": "not a tag"},
        {"locale": 1},
        {"client_ip": "1.2.3"},
        {"client_ip": "localhost"},
        {"client_ip": "fe80::1%eth0"},
        {"web_origin": "http://shop.example/page"},
        {"web_origin": "shop.example\n@evil.example #123456"},
        {"app_hash": "short"},
        {"app_hash": "FA+9qCX9VSu\n"},
        {"metadata": "text"},
        {"metadata": {"order": {"deep": 1}}},
        {"metadata": {"order": [1]}},
        {"metadata": {f"key{number}": 1 for number in range(17)}},
        {"metadata": {"order": "x" * 201}},
        {"metadata": {"a key with spaces": 1}},
        {"metadata": {"12345": 1}},
    ],
    ids=repr,
)
def test_an_optional_field_of_another_form_is_an_invalid_request(customer: Customer, fields: dict[str, Any]) -> None:
    phone = number()
    assert refusal(customer.test.send(phone, **fields)) == (400, "invalid_request")
    assert customer.test.types() == []


def test_personal_data_in_what_is_kept_for_ever_is_refused(customer: Customer) -> None:
    phone = "+14155557310"
    kept: list[dict[str, Any]] = [
        {"metadata": {"note": phone}},
        {"metadata": {"note": "call 4155557310 at 5"}},
        {"metadata": {"note": "415-555-73-10"}},
        {"metadata": {"note": "٤١٥٥٥٥٧٣١٠"}},
        {"metadata": {"n4155557310": True}},
        {"metadata": {"note": 4155557310}},
        {"metadata": {"note": "+49 30 901820"}},
        {"metadata": {"note": "from 203.0.113.9"}},
        {"metadata": {"note": "from 2001:db8::9"}},
        {"web_origin": "4155557310.example"},
        {"app_hash": "14155557310"},
        {"locale": "en-41555573-10"},
    ]
    answers = [customer.test.send(phone, **fields) for fields in kept]
    assert [refusal(answer) for answer in answers] == [(400, "invalid_request")] * len(kept)
    assert customer.test.types() == []


def test_what_is_not_personal_may_be_kept(customer: Customer) -> None:
    metadata = {"order": "2026-0042", "at": "2026-11-24T12:30:00+01:00", "amount": 19.9, "vip": True, "note": None}
    answer = customer.test.send(number(), metadata=metadata, locale="pt-BR", web_origin="shop.example:8443")
    (requested, *_) = [event["data"] for event in customer.test.log() if event["type"] == "CodeRequested"]
    assert (answer.status, requested["metadata"], requested["locale"], requested["web_origin"]) == (
        200,
        metadata,
        "pt-BR",
        "shop.example",
    )


def test_fields_that_nobody_knows_are_ignored(customer: Customer) -> None:
    assert customer.test.send(number(), colour="green").status == 200


@pytest.mark.parametrize(
    "code", ["", "12345a", "123", "12345678901", "12345", "١٢٣٤٥٦", "123456\n", " 123456", "+12345"]
)
def test_a_code_of_another_form_costs_no_attempt(customer: Customer, code: str) -> None:
    phone = number()
    _, right = customer.test.sent(phone)
    assert refusal(customer.test.check(phone, code)) == (400, "invalid_code_format")
    assert customer.test.types()[-1] != "AttemptFailed"
    assert customer.test.check(phone, right).status == 200


def test_a_code_that_is_a_number_is_not_guessed_into_a_text(customer: Customer) -> None:
    assert refusal(customer.test.check(number(), 123456)) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("", "missing_api_key"),
        ("Bearer", "invalid_api_key"),
        ("Bearer ", "invalid_api_key"),
        ("Bearer sk_live_short", "invalid_api_key"),
        ("Basic {key}", "invalid_api_key"),
        ("{key}", "invalid_api_key"),
        ("Bearer {key}x", "invalid_api_key"),
        ("Bearer {key} x", "invalid_api_key"),
        ("Bearer {mistyped}", "invalid_api_key"),
        ("Bearer {other_kind}", "invalid_api_key"),
        ("Bearer \xff\xfe", "invalid_api_key"),
    ],
)
def test_a_request_without_a_good_key_is_unauthorised(customer: Customer, authorization: str, code: str) -> None:
    key = customer.live.key
    words = {"key": key, "mistyped": key[:-1] + ("a" if key[-1] != "a" else "b"), "other_kind": "sk_test" + key[7:]}
    headers = {"Authorization": authorization.format(**words)}
    answers = [
        customer.live.ask(call.method, call.path.replace("{verification_id:str}", "ver_x"), key="", headers=headers)
        for call in CALLS
        if call.keys != "none"
    ]
    assert {refusal(answer) for answer in answers} == {(401, code)}


def test_the_scheme_is_read_in_any_case(customer: Customer) -> None:
    answer = customer.live.ask("GET", "/v1/balance", key="", headers={"Authorization": f"bEARER {customer.live.key}"})
    assert answer.status == 200


def test_a_key_of_an_account_that_does_not_exist_is_no_key(customer: Customer) -> None:
    from domain import keys

    stranger = keys.spell("sk_live", account=keys.account_id(b"\x01" * 10), random=b"\x02" * 17)
    forged = keys.spell("sk_live", account=customer.account_id, random=b"\x03" * 17)
    assert [refusal(customer.live.get("/v1/balance", key=key)) for key in (stranger, forged)] == [
        (401, "invalid_api_key")
    ] * 2
