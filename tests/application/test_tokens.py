"""Tokens: anyone can verify them, and we take exactly the spelling that we gave."""

import base64
import hashlib
import json
from datetime import timedelta
from itertools import count
from typing import Any

import jwt
import pytest
from hypothesis import given, strategies

from application.keyring import Keyring
from application.tokens import ISSUER, TOKEN_TYPE, TOKENS_KEPT_MAX, Claims, Tokens
from domain.events import Verified
from domain.refusals import InvalidToken
from tests.application.world import ACCOUNT, ROOT
from tests.support.clock import NOON

VERIFIED = Verified(
    at=NOON,
    verification_id="ver_1",
    phone="+1415****2671",
    token_id="0123456789abcdef",
    token_expires_at=NOON + timedelta(seconds=600),
)
TOKENS = Tokens(Keyring(ROOT))
TOKEN = TOKENS.issue(ACCOUNT, VERIFIED)
CLAIMS = Claims(
    iss="doneotp",
    aud=ACCOUNT,
    sub="ver_1",
    jti="0123456789abcdef",
    iat=int(NOON.timestamp()),
    exp=int(NOON.timestamp()) + 600,
)
HEADER, PAYLOAD, SIGNATURE = TOKEN.removeprefix("tok_").split(".")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refuses(token: str, *, account: str = ACCOUNT, tokens: Tokens = TOKENS) -> bool:
    try:
        tokens.read(account, token)
    except InvalidToken:
        return True
    return False


def signed(claims: dict[str, object], headers: dict[str, str] | None = None, *, key: Keyring | None = None) -> str:
    """A token with our key, as PyJWT would make it of any claims."""
    own = {"typ": TOKEN_TYPE, "kid": str(TOKENS.jwks["keys"][0]["kid"])}
    secret = (key or Keyring(ROOT)).token_key
    return "tok_" + jwt.encode(claims, secret, algorithm="EdDSA", headers=headers or own)


def decoded(part: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


def test_a_token_is_tok_and_a_compact_jws_without_a_phone_number():
    kid = TOKENS.jwks["keys"][0]["kid"]
    assert decoded(HEADER) == {"alg": "EdDSA", "typ": "doneotp-verification+jwt", "kid": kid}
    assert decoded(PAYLOAD) == {
        "iss": ISSUER,
        "aud": ACCOUNT,
        "sub": "ver_1",
        "jti": "0123456789abcdef",
        "iat": 1793534400,
        "exp": 1793535000,
    }
    assert (TOKEN.startswith("tok_"), len(TOKEN.split("."))) == (True, 3)


def test_anyone_verifies_a_token_with_the_published_keys():
    key = jwt.PyJWK(TOKENS.jwks["keys"][0])
    timeless: Any = {"require": ["exp", "iat", "jti", "aud", "iss"], "verify_exp": False, "verify_iat": False}

    def verify(token: str, audience: str, **more: Any) -> Any:
        return jwt.decode(token[4:], key, algorithms=["EdDSA"], audience=audience, issuer=ISSUER, **more)

    assert verify(TOKEN, ACCOUNT, options=timeless) == decoded(PAYLOAD)
    with pytest.raises(jwt.InvalidAudienceError):
        verify(TOKEN, "acct_b", options=timeless)
    with pytest.raises(jwt.ExpiredSignatureError):
        verify(signed({**decoded(PAYLOAD), "exp": 1, "iat": 0}), ACCOUNT)


def test_the_published_key_is_named_by_its_thumbprint_and_holds_nothing_secret():
    [key] = TOKENS.jwks["keys"]
    assert {name: value for name, value in key.items() if name not in ("x", "kid")} == {
        "kty": "OKP",
        "crv": "Ed25519",
        "use": "sig",
        "alg": "EdDSA",
    }
    # RFC 7638, as RFC 8037 appendix A.3 does it for such keys.
    assert len(key["x"]) == len(key["kid"]) == 43
    digest = hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{key["x"]}"}}'.encode()).digest()
    assert key["kid"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")


def test_the_same_fact_earns_the_same_bytes_wherever_it_is_asked_for():
    assert Tokens(Keyring(ROOT)).issue(ACCOUNT, VERIFIED) == TOKEN == TOKENS.issue(ACCOUNT, VERIFIED)
    assert Tokens(Keyring(b"another root secret, 32 bytes...")).issue(ACCOUNT, VERIFIED) != TOKEN


def test_we_read_back_what_we_issued_even_when_it_has_expired():
    assert TOKENS.read(ACCOUNT, TOKEN) == CLAIMS
    assert Tokens(Keyring(ROOT)).read(ACCOUNT, TOKEN) == CLAIMS


def test_a_token_of_another_account_issuer_or_key_is_refused():
    assert refuses(TOKEN, account="acct_b")
    assert refuses(TOKEN, tokens=Tokens(Keyring(b"another root secret, 32 bytes...")))
    assert refuses(signed({**decoded(PAYLOAD), "iss": "another"}))
    assert refuses(signed(decoded(PAYLOAD), key=Keyring(b"another root secret, 32 bytes...")))
    assert not refuses(signed(decoded(PAYLOAD)))


def same_bits(part: str) -> str:
    """The same bytes with another last character: base64 leaves bits of it unused."""
    unused = {0: 0, 2: 4, 3: 2}[len(part) % 4]
    last = LETTERS.index(part[-1])
    return part[:-1] + LETTERS[last ^ (1 << (unused - 1))] if unused else part + "="


@pytest.mark.parametrize(
    "spelling",
    [
        TOKEN + "=",
        TOKEN + "==",
        TOKEN + ".",
        TOKEN + "\n",
        TOKEN + " ",
        " " + TOKEN,
        TOKEN + "A",
        TOKEN[:-1],
        TOKEN.removeprefix("tok_"),
        "tok_" + TOKEN,
        "TOK_" + TOKEN.removeprefix("tok_"),
        TOKEN.swapcase(),
        TOKEN.upper(),
        f"tok_{HEADER}=.{PAYLOAD}.{SIGNATURE}",
        f"tok_{HEADER}.{PAYLOAD}=.{SIGNATURE}",
        f"tok_{same_bits(HEADER)}.{PAYLOAD}.{SIGNATURE}",
        f"tok_{HEADER}.{same_bits(PAYLOAD)}.{SIGNATURE}",
        f"tok_{HEADER}.{PAYLOAD}.{same_bits(SIGNATURE)}",
        f"tok_{HEADER}.{PAYLOAD}.",
        f"tok_{HEADER}..{SIGNATURE}",
        f"tok_.{PAYLOAD}.{SIGNATURE}",
        f"tok_{HEADER}.{PAYLOAD}.{SIGNATURE}.{SIGNATURE}",
        f"tok_{PAYLOAD}.{HEADER}.{SIGNATURE}",
        f"tok_{HEADER}.{PAYLOAD}",
        "tok_",
        "tok_a.b.c",
        "tok_a.%%%.c",
        "tok_a.\u00e9.c",
        "",
        "." * 100,
        "tok_a." + "A" * 1_100 + ".c",
    ],
    ids=count(1),
)
def test_every_other_spelling_is_refused(spelling):
    assert spelling != TOKEN
    assert refuses(spelling)


@given(place=strategies.integers(0, len(TOKEN) - 1), letter=strategies.sampled_from(LETTERS + ".= "))
def test_any_changed_character_is_refused(place, letter):
    changed = TOKEN[:place] + letter + TOKEN[place + 1 :]
    assert refuses(changed) == (changed != TOKEN)


@given(strategies.text(max_size=60) | strategies.text(alphabet=LETTERS + ".", max_size=60).map("tok_".__add__))
def test_whatever_comes_is_refused_and_breaks_nothing(text):
    assert refuses(text)


@given(strategies.binary(max_size=80))
def test_whatever_payload_comes_is_refused_and_breaks_nothing(payload):
    assert refuses(f"tok_{HEADER}.{base64.urlsafe_b64encode(payload).decode().rstrip('=')}.{SIGNATURE}")


@pytest.mark.parametrize(
    "claims",
    [
        {**decoded(PAYLOAD), "phone": "+1415****2671"},
        {name: value for name, value in decoded(PAYLOAD).items() if name != "jti"},
        {**decoded(PAYLOAD), "aud": [ACCOUNT]},
        {**decoded(PAYLOAD), "exp": 1793535000.5},
        dict(reversed(decoded(PAYLOAD).items())),
        {},
    ],
)
def test_claims_of_another_shape_are_refused_though_we_might_have_signed_them(claims):
    assert refuses(signed(claims))


def test_a_header_of_another_shape_is_refused_though_the_signature_is_ours():
    assert refuses(signed(decoded(PAYLOAD), {"typ": "JWT"}))
    assert refuses(signed(decoded(PAYLOAD), {"typ": TOKEN_TYPE, "kid": "another"}))


def test_the_longest_token_we_read_is_far_longer_than_any_we_issue():
    assert len(TOKEN) < 512
    assert refuses("tok_" + "a" * 1_020)


def test_what_is_remembered_of_tokens_has_a_limit():
    tokens = Tokens(Keyring(ROOT))
    assert tokens._spell.cache_info().maxsize == TOKENS_KEPT_MAX
