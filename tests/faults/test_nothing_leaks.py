"""What must never be written is looked for where everything is written: every file of the home, tables and WAL with it.

Negative control: what may be written is found by the same search, and so is a number that somebody does write.
"""

from pathlib import Path

import psycopg
import pytest

from domain.keys import log_of
from interfaces.webhooks import signing
from tests.support.customer_hook import hooked
from tests.support.server import Server, wait_for

NUMBERS = ["+14155557391", "+905321232719", "+447911123456"]
ADDRESSES = ["203.0.113.201", "198.51.100.173", "2001:db8:77:88::9"]
WRONG_CODE = "9182736450"
MAY_BE_WRITTEN = "order-5e1f0c7a"
WRITTEN_BY_SOMEBODY = "+14155557392"


def digits(number: str) -> list[str]:
    """The spellings of a number that would give it away: without the plus, and without the country code."""
    return [number[1:], number[-9:]]


def found_in(home: Path, secrets: list[str]) -> set[str]:
    """Those of `secrets` that are in some file. The ready file is left out: it is there to hold the first keys."""
    found = set()
    for path in home.rglob("*"):
        if path.is_file() and path.name != "ready.json":
            content = path.read_bytes()
            found |= {secret for secret in secrets if secret.encode() in content}
    return found


def flow(server: Server, key: str, number: str, address: str) -> list[str]:
    """All three calls, with mistakes; returns what must not be written of them."""
    body = {"phone_number": number, "client_ip": address, "metadata": {"order": MAY_BE_WRITTEN}}
    headers = {"X-Forwarded-For": address, "Idempotency-Key": f"once-{number}"}
    assert server.post("/v1/verify/send", body, key=key, headers=headers).status == 200
    message = server.get(f"/inbox/latest?to=%2B{number[1:]}&wait=10").body
    assert len(message["code"]) == 10
    wrong = server.post("/v1/verify/check", {"phone_number": number, "code": WRONG_CODE}, key=key)
    assert wrong.body["code"] == "wrong_code"
    token = server.post("/v1/verify/check", {"phone_number": number, "code": message["code"]}, key=key).body["token"]
    assert server.post("/v1/verify/validate-token", {"token": token}, key=key).status == 200
    refused = [
        server.post("/v1/verify/validate-token", {"token": token, "phone_number": f"{number}0"}, key=key),
        server.post("/v1/verify/check", {"phone_number": number, "code": message["code"] + "x"}, key=key),
        server.post("/v1/verify/send", {"phone_number": number, "metadata": {"note": number}}, key=key),
        server.post(f"/v1/verify/{number}", {"phone_number": number}, key=key),
        server.get(f"/v1/verifications/{number}?cursor={token}", key=key),
        server.get("/v1/balance", key=key + "x", headers=headers),
    ]
    assert all(400 <= answer.status < 500 for answer in refused)
    said = "".join(answer.text for answer in refused) + server.get("/metrics").text
    secrets = [*digits(number), address, message["code"], WRONG_CODE, token[-40:], f"once-{number}"]
    assert [secret for secret in secrets if secret in said] == []
    return secrets


@pytest.mark.parametrize("mode", ["sk_live", "sk_test"])
def test_no_number_address_code_token_or_key_is_in_any_file(serve, mode: str) -> None:
    server = serve(embedded=True, DONEOTP_TRUSTED_PROXIES="127.0.0.0/8", DONEOTP_LOG_LEVEL="debug")
    account = server.open_account(20)
    server.books.administration.change_policy(account.account_id, changes={"code_digits": 10}, by="test")
    server.books.administration.change_policy(f"{account.account_id}-test", changes={"code_digits": 10}, by="test")
    key = account.keys[mode]
    log = log_of(account.account_id, mode="live" if mode == "sk_live" else "test")
    with hooked() as hook:
        endpoint = server.books.webhooks.add(log, url=hook.url, types=("verification.*", "account.*"), by="test")
        (signer,) = signing.spelled(server.books.webhooks.signers(log, endpoint, now=endpoint.added_at))
        secrets = [
            secret
            for number, address in zip(NUMBERS, ADDRESSES, strict=True)
            for secret in flow(server, key, number, address)
        ]
        wait_for(lambda: [got for got in hook.got if got.document["type"] == "verification.token_redeemed"])
        posted = b"".join(got.body for got in hook.got).decode()
    assert [secret for secret in secrets if secret in posted] == []
    assert hook.got[0].verified_with(signer["secret"])
    secrets.append(signer["secret"].removeprefix("whsec_"))
    secrets += [each.removeprefix(f"{kind}_")[16:] for kind, each in account.keys.items()]
    events = server.get("/v1/events?limit=1000", key=key).text
    assert [secret for secret in secrets if secret in events] == []
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        assert found_in(server.home, [*secrets, MAY_BE_WRITTEN]) == {MAY_BE_WRITTEN}
        connection.execute("CREATE TABLE public.careless AS SELECT %s::text AS phone_number", (WRITTEN_BY_SOMEBODY,))
    wait_for(lambda: found_in(server.home, digits(WRITTEN_BY_SOMEBODY)))
