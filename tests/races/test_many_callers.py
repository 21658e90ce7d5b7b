"""Real parallel callers against the real server, with one and with two processes that write."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from tests.support.books import assert_sound, log_of
from tests.support.callers import at_once
from tests.support.postgres import Cluster
from tests.support.server import Answer, Server, serving

NUMBER = "+14155552671"


@pytest.fixture(scope="module", params=[1, 2], ids=["one-writer", "two-writers"])
def racing(
    request: pytest.FixtureRequest, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("racing") / "home"
    with (
        cluster.database() as name,
        serving(home, workers=request.param, more={"DONEOTP_DATABASE_URL": cluster.url(name)}) as server,
    ):
        yield server


@pytest.fixture
def key(racing: Server) -> Iterator[str]:
    """The key of an account of the test's own, whose log must be sound when the test ends."""
    key = racing.open_account(10).keys["sk_live"]
    yield key
    assert_sound(log_of(racing, key))


def send(server: Server, key: str, number: str = NUMBER, **headers: str) -> Callable[[], Answer]:
    return lambda: server.post("/v1/verify/send", {"phone_number": number}, key=key, headers=headers)


def check(server: Server, key: str, code: str) -> Callable[[], Answer]:
    return lambda: server.post("/v1/verify/check", {"phone_number": NUMBER, "code": code}, key=key)


def codes_of(answers: list[Answer]) -> Counter[tuple[int, str | None]]:
    return Counter((answer.status, answer.body.get("code")) for answer in answers)


def sent_code(server: Server, key: str) -> str:
    """Send, and take the code of this very verification: the inbox is shared by all accounts."""
    verification_id = send(server, key)().body["verification_id"]
    for message in reversed(server.get("/inbox/messages?limit=1000").body["messages"]):
        if message["verification_id"] == verification_id:
            return str(message["code"])
    return server.code_for(NUMBER)


def test_of_a_hundred_wrong_guesses_at_once_exactly_five_are_compared(racing, key):
    right = sent_code(racing, key)
    wrong = [f"{(int(right) + offset) % 1_000_000:06}" for offset in range(1, 101)]
    answers = at_once([check(racing, key, code) for code in wrong])
    assert codes_of(answers) == {(400, "wrong_code"): 5, (400, "attempts_exhausted"): 95}
    assert sorted(a.body["attempts_left"] for a in answers if a.body["code"] == "wrong_code") == [0, 1, 2, 3, 4]
    assert codes_of([check(racing, key, right)()]) == {(400, "attempts_exhausted"): 1}
    assert sum(event["type"] == "AttemptFailed" for event in log_of(racing, key)) == 5


def test_sixty_four_right_codes_at_once_earn_one_token_and_sixty_four_redemptions_use_it_once(racing, key):
    code = sent_code(racing, key)
    answers = at_once([check(racing, key, code)] * 64)
    assert codes_of(answers) == {(200, None): 1, (404, "already_verified"): 63}
    (token,) = [answer.body["token"] for answer in answers if answer.status == 200]
    redeem = at_once([lambda: racing.post("/v1/verify/validate-token", {"token": token}, key=key)] * 64)
    assert codes_of(redeem) == {(200, None): 1, (400, "token_already_redeemed"): 63}


def test_sixty_four_sends_on_ten_credits_are_exactly_ten(racing, key):
    answers = at_once([send(racing, key, f"+1415555{number:04}") for number in range(64)])
    assert codes_of(answers) == {(200, None): 10, (402, "insufficient_credit"): 54}
    balance = racing.get("/v1/balance", key=key).body
    assert {name: balance[name] for name in ("available", "debited", "refunded", "added")} == {
        "available": 0,
        "debited": 10,
        "refunded": 0,
        "added": 10,
    }


def test_sixty_four_equal_requests_with_one_idempotency_key_have_one_effect_and_one_answer(racing, key):
    answers = at_once([send(racing, key, **{"Idempotency-Key": "once"})] * 64)
    assert {(answer.status, answer.text) for answer in answers} == {(200, answers[0].text)}
    assert racing.get("/v1/balance", key=key).body["debited"] == 1


def test_sixty_four_sends_to_one_number_are_one_message(racing, key):
    answers = at_once([send(racing, key)] * 64)
    assert codes_of(answers) == {(200, None): 1, (429, "resend_cooldown"): 63}
    assert racing.get("/v1/balance", key=key).body["debited"] == 1


def test_wrong_codes_a_right_one_and_a_cancellation_at_once_end_in_one_state(racing, key):
    right = sent_code(racing, key)
    verification_id = racing.get("/v1/verifications", key=key).body["verifications"][0]["verification_id"]
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    answers = at_once(
        [
            *[check(racing, key, wrong)] * 4,
            *[check(racing, key, right)] * 8,
            *[lambda: racing.post(f"/v1/verifications/{verification_id}/cancel", key=key)] * 8,
        ]
    )
    ends = Counter(e["type"] for e in log_of(racing, key))
    assert ends["Verified"] + ends["VerificationCancelled"] == 1
    assert all(answer.status in (200, 400, 404, 409) for answer in answers)
