"""Tokens: single use, bound to a number when asked, ten minutes, and anyone can verify them with the published keys."""

import base64
import json

import jwt
import pytest

from tests.http.customer import Customer, Side, mask, number, refusal
from tests.support.server import Server


def parts(token: str) -> tuple[str, str, str]:
    """Header, payload and signature of a token, as spelled."""
    header, payload, signature = token.removeprefix("tok_").split(".")
    return header, payload, signature


def part(document: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def opened(text: str) -> dict[str, object]:
    document: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return document


def test_a_token_counts_once(customer: Customer) -> None:
    token = customer.live.verified(number())
    answers = [customer.live.redeem(token) for _ in range(3)]
    assert [answers[0].status, *map(refusal, answers[1:])] == [200, *[(400, "token_already_redeemed")] * 2]
    assert customer.live.types().count("TokenRedeemed") == 1


def test_a_token_is_bound_to_the_number_that_earned_it(customer: Customer) -> None:
    phone = number()
    token = customer.live.verified(phone)
    mismatched = [customer.live.redeem(token, phone_number=number()) for _ in range(2)]
    assert [refusal(answer) for answer in mismatched] == [(400, "token_phone_mismatch")] * 2
    assert "TokenRedeemed" not in customer.live.types()
    spelled = f"{phone[:2]} ({phone[2:5]}) {phone[5:]}"
    assert customer.live.redeem(token, phone_number=spelled).body["phone_number"] == mask(phone)


def test_a_token_lives_for_ten_minutes(customer: Customer) -> None:
    it = customer.test
    early, late = it.verified(number()), it.verified(number())
    it.advance(seconds=590)
    assert it.redeem(early).status == 200
    it.advance(seconds=10)
    assert [refusal(it.redeem(late)), refusal(it.redeem(early))] == [
        (400, "token_expired"),
        (400, "token_already_redeemed"),
    ]


def test_every_verification_earns_a_token_of_its_own(customer: Customer) -> None:
    phone = number()
    first, second = customer.live.verified(phone), customer.live.verified(phone)
    assert [customer.live.redeem(token).status for token in (second, first)] == [200, 200]


def spoiled(it: Side) -> dict[str, str]:
    """Texts that resemble a good token of this side."""
    token = it.verified(number())
    header, payload, signature = parts(token)
    claims = opened(payload)
    return {
        "empty": "",
        "no prefix": token.removeprefix("tok_"),
        "prefix alone": "tok_",
        "padded": token + "=",
        "with a line": token + "\n",
        "in upper case": token.upper(),
        "unsigned": f"tok_{header}.{payload}.",
        "algorithm none": f"tok_{part({'alg': 'none', 'typ': 'JWT'})}.{payload}.",
        "another key's": "tok_" + jwt.encode(claims, "a" * 32, algorithm="HS256"),
        "another account": f"tok_{header}.{part(claims | {'aud': 'acct_aaaaaaaaaaaaaaaa'})}.{signature}",
        "for ever": f"tok_{header}.{part(claims | {'exp': 2**40})}.{signature}",
        "other json": f"tok_{header}.{base64.urlsafe_b64encode(json.dumps(claims, indent=1).encode()).decode()}.{signature}",
        "another id": f"tok_{header}.{part(claims | {'jti': '0' * 32})}.{signature}",
        "no json": f"tok_{header}.bm90IGpzb24.{signature}",
        "deep": f"tok_{header}.{base64.urlsafe_b64encode(b'[' * 600).decode()}.{signature}",
        "other alphabet": "tok_" + "é" * 100,
        "long": token + "A" * 10_000,
        "dots": "tok_....",
        "swapped": f"tok_{signature}.{payload}.{header}",
        "last bit": token[:-1] + ("A" if token[-1] != "A" else "B"),
    }


def test_what_resembles_a_token_is_none(customer: Customer) -> None:
    answers = {name: customer.live.redeem(token) for name, token in spoiled(customer.live).items()}
    assert {name: refusal(answer) for name, answer in answers.items()} == dict.fromkeys(answers, (400, "invalid_token"))


def test_strangers_verify_a_token_with_the_published_keys(customer: Customer) -> None:
    token = customer.live.verified(number()).removeprefix("tok_")
    (published,) = customer.server.get("/.well-known/jwks.json").body["keys"]
    assert {name: published[name] for name in ("kty", "crv", "use", "alg")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    assert set(published) == {"kty", "crv", "x", "use", "alg", "kid"}, "no private part"
    assert jwt.get_unverified_header(token) == {
        "alg": "EdDSA",
        "kid": published["kid"],
        "typ": "doneotp-verification+jwt",
    }
    claims = jwt.decode(
        token,
        jwt.PyJWK(published),
        algorithms=["EdDSA"],
        audience=customer.account_id,
        issuer="doneotp",
        options={"require": ["exp", "iat", "jti", "aud", "iss", "sub"]},
    )
    assert set(claims) == {"iss", "aud", "sub", "jti", "iat", "exp"}
    assert (claims["exp"] - claims["iat"], claims["aud"]) == (600, customer.account_id)
    assert customer.live.verification(claims["sub"]).body["status"] == "verified"
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(token[:-4] + "AAAA", jwt.PyJWK(published), algorithms=["EdDSA"], audience=customer.account_id)


def test_the_published_keys_are_a_jwk_set_that_pyjwt_finds_the_key_in(server: Server) -> None:
    keys = jwt.PyJWKSet.from_dict(server.get("/.well-known/jwks.json").body)
    assert [key.algorithm_name for key in keys.keys] == ["EdDSA"]
