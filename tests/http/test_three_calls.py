"""Send, check, validate-token: the answers that the published examples promise."""

import json
import re
import subprocess

from tests.http.customer import CODE, MOMENT, TOKEN, VERIFICATION_ID, Customer, inbox, mask, number
from tests.support.server import Server


def test_send_answers_what_is_published(customer: Customer) -> None:
    answer = customer.live.send(number())
    assert (answer.status, answer.body) == (
        200,
        {"status": "pending", "expires_in": 300, "verification_id": VERIFICATION_ID, "resend_in": 30},
    )
    assert list(answer.body) == ["status", "expires_in", "verification_id", "resend_in"]
    assert answer.headers["content-type"] == "application/json"


def test_the_right_code_earns_a_token(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.live.sent(phone)
    answer = customer.live.check(phone, code)
    assert (answer.status, answer.body) == (
        200,
        {"status": "verified", "token": TOKEN, "verification_id": verification_id},
    )


def test_a_token_is_redeemed_for_the_masked_number(customer: Customer) -> None:
    phone = number()
    answer = customer.live.redeem(customer.live.verified(phone))
    assert (answer.status, answer.body) == (
        200,
        {"valid": True, "phone_number": mask(phone), "verification_id": VERIFICATION_ID},
    )


def test_the_message_is_in_the_inbox_as_the_phone_shows_it(customer: Customer) -> None:
    phone = number()
    verification_id, code = customer.live.sent(phone)
    (message,) = inbox(customer.server, phone)
    assert message == {
        "to": phone,
        "text": f"{code} is your verification code. It is valid for 5 minutes. Do not share it.",
        "code": CODE,
        "verification_id": verification_id,
        "segments": 1,
        "encoding": "GSM-7",
        "at": MOMENT,
        "account": customer.account_id[:9] + "****",
        "mode": "live",
        "price_credits": 1,
    }


def test_the_origin_and_the_hash_are_the_last_lines_of_the_message(customer: Customer) -> None:
    phone = number()
    _, code = customer.live.sent(phone, web_origin="https://shop.example", app_hash="FA+9qCX9VSu")
    (message,) = inbox(customer.server, phone)
    assert message["text"].split("\n")[1:] == ["", f"@shop.example #{code}", "FA+9qCX9VSu"]


def curl(*words: str) -> tuple[int, dict[str, object]]:
    """Status and JSON body that the real curl gets."""
    done = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *words], check=True, capture_output=True, text=True, timeout=30
    )
    body, _, status = done.stdout.rpartition("\n")
    return int(status), json.loads(body)


def test_the_published_curls_work_as_they_are(customer: Customer) -> None:
    """The one for check declares no content type: curl then says that the body is a form."""
    base, key, phone = customer.server.base_url, customer.live.key, number()
    sent = curl(
        "-X",
        "POST",
        f"{base}/v1/verify/send",
        "-H",
        f"Authorization: Bearer {key}",
        "-H",
        "Content-Type: application/json",
        "-d",
        f'{{"phone_number": "{phone}"}}',
    )
    code = customer.server.code_for(phone)
    checked = curl(
        "-X",
        "POST",
        f"{base}/v1/verify/check",
        "-H",
        f"Authorization: Bearer {key}",
        "-d",
        f'{{"phone_number": "{phone}", "code": "{code}"}}',
    )
    redeemed = curl(
        f"{base}/v1/verify/validate-token",
        "-H",
        f"Authorization: Bearer {key}",
        "-d",
        json.dumps({"token": checked[1]["token"]}),
    )
    assert [sent, checked, redeemed] == [
        (200, {"status": "pending", "expires_in": 300, "verification_id": VERIFICATION_ID, "resend_in": 30}),
        (200, {"status": "verified", "token": TOKEN, "verification_id": sent[1]["verification_id"]}),
        (200, {"valid": True, "phone_number": mask(phone), "verification_id": sent[1]["verification_id"]}),
    ]


def test_the_two_curls_that_serve_prints_work_pasted_into_a_shell(server: Server) -> None:
    pasted = re.findall(r"^curl .*$", server.said, re.MULTILINE)
    answers = [
        json.loads(subprocess.run(["bash", "-c", line], check=True, capture_output=True, timeout=60).stdout)
        for line in pasted
    ]
    assert answers == [
        {"status": "pending", "expires_in": 300, "verification_id": VERIFICATION_ID, "resend_in": 30},
        {"status": "verified", "token": TOKEN, "verification_id": answers[0]["verification_id"]},
    ]


def test_every_declared_content_type_is_read_as_json(customer: Customer) -> None:
    declared = ("text/plain", "application/xml; charset=latin-1", "multipart/form-data", "nonsense", "application/json")
    answers = [customer.live.send(number(), headers={"Content-Type": one}) for one in declared]
    assert [answer.status for answer in answers] == [200] * len(declared)
