"""Explain: what a send would come to now, rule by rule; nothing of it is sent, recorded or counted."""

from tests.http.customer import Customer, mask, number, refusal
from tests.http.test_limits import policy, spread

RULES = [
    *("number_lists", "country", "number_type", "account_standing", "number_lock", "messages_of_verification"),
    *("resend_cooldown", "number_sends", "rates", "spend_caps", "fraud_guard", "credit"),
]


def path(customer: Customer, phone: str, **fields: str) -> tuple[str, dict[str, str]]:
    answer = customer.live.ask("POST", "/v1/verify/explain", {"phone_number": phone, **fields}, secrets=(phone,))
    assert answer.status == 200, answer
    steps = answer.body["rules"]
    assert [step["rule"] for step in steps] == RULES
    assert answer.body["code"] == next((step["code"] for step in steps if step["code"]), "")
    return answer.body["outcome"], {step["rule"]: step["code"] or step["outcome"] for step in steps}


def test_a_number_that_may_be_sent_to_passes_every_rule(customer: Customer) -> None:
    phone = number()
    before = customer.live.log()
    assert path(customer, phone) == ("sent", dict.fromkeys(RULES, "passed"))
    assert customer.live.log() == before
    answer = customer.live.ask("POST", "/v1/verify/explain", {"phone_number": phone})
    assert (answer.body["phone_number"], answer.body["country"]) == (mask(phone), "US")
    assert phone not in answer.text


def test_what_send_is_refused_with_is_what_explain_says(customer: Customer) -> None:
    phone = number()
    customer.live.sent(phone)
    outcome, steps = path(customer, phone)
    turn = RULES.index("resend_cooldown")
    assert (outcome, steps) == (
        "refused",
        {
            **dict.fromkeys(RULES[:turn], "passed"),
            "resend_cooldown": "resend_cooldown",
            **dict.fromkeys(RULES[turn + 1 :], "not_reached"),
        },
    )
    assert refusal(customer.live.send(phone)) == (429, "resend_cooldown")
    assert path(customer, "+19005550100")[1]["number_type"] == "destination_unsupported"


def test_asking_why_uses_nothing_up(customer: Customer) -> None:
    policy(customer, sends_per_prefix_max=1, sends_per_address_max=1)
    phone = spread()
    for _ in range(3):
        assert path(customer, phone, client_ip="203.0.113.9")[0] == "sent"
    assert customer.live.send(phone, client_ip="203.0.113.9").status == 200
    assert path(customer, spread(), client_ip="203.0.113.9")[1]["rates"] == "ip_send_limit"


def test_a_public_key_is_told_nothing(customer: Customer) -> None:
    answer = customer.live.ask("POST", "/v1/verify/explain", {"phone_number": number()}, key=customer.live.public)
    assert refusal(answer) == (403, "key_scope_forbidden")
