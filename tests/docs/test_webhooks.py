"""The page on webhooks: its snippets verify what is really posted, and its commands do what they say."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from application.webhooks import Signers
from interfaces.webhooks import signing
from interfaces.world import SystemClock
from tests.docs.pages import WEBHOOKS, blocks
from tests.docs.test_snippets import Reader, printed
from tests.support.server import Server

BODY = b'{"type":"verification.verified"}'
SIGNERS = Signers(
    (b"n" * 32, b"o" * 32),
    (Ed25519PrivateKey.from_private_bytes(b"n" * 32), Ed25519PrivateKey.from_private_bytes(b"o" * 32)),
)


def snippet(language: str) -> str:
    (block,) = [block for block in blocks(WEBHOOKS) if block.info == language]
    return block.text


def posted(*, late_seconds: int = 0, signers: Signers = SIGNERS) -> dict[str, str]:
    timestamp = int(SystemClock().now().timestamp()) - late_seconds
    return signing.headers(signers, message_id="1-2", timestamp=timestamp, body=BODY)


def test_the_python_snippet_verifies_what_is_posted_and_nothing_else() -> None:
    scope: dict[str, Any] = {}
    exec(compile(snippet("python"), "docs/webhooks.md", "exec"), scope)
    is_genuine = scope["is_genuine"]
    new, old = [one["secret"] for one in signing.spelled(SIGNERS)]
    other = signing.spelled(Signers((b"x" * 32,), SIGNERS.keys[:1]))[0]["secret"]
    assert [is_genuine(secret, posted(), BODY) for secret in (new, old, other)] == [True, True, False]
    assert not is_genuine(new, posted(), BODY + b" ")
    assert not is_genuine(new, posted() | {"webhook-id": "1-3"}, BODY)
    assert not is_genuine(new, posted(late_seconds=400), BODY)


def test_the_javascript_snippet_verifies_what_is_posted_and_nothing_else(tmp_path: Path) -> None:
    new, old = [one["public_key"] for one in signing.spelled(SIGNERS)]
    other = signing.spell_public(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
    cases = [
        [new, posted(), BODY.decode()],
        [old, posted(), BODY.decode()],
        [other, posted(), BODY.decode()],
        [new, posted(), BODY.decode() + " "],
        [new, posted(late_seconds=400), BODY.decode()],
    ]
    program = tmp_path / "verify.js"
    program.write_text(
        snippet("javascript")
        + "\nconst cases = JSON.parse(require('node:fs').readFileSync(0));"
        + "\nconsole.log(JSON.stringify(cases.map(([key, headers, body]) => isGenuine(key, headers, Buffer.from(body)))));"
    )
    try:
        done = subprocess.run(
            ["node", str(program)], input=json.dumps(cases), capture_output=True, text=True, timeout=60
        )
    except FileNotFoundError:
        pytest.skip("there is no Node here")
    assert (done.stderr, done.stdout) == ("", "[true,true,false,false,false]\n")


def test_the_commands_of_the_page_do_what_they_say(documented: Server, tmp_path: Path) -> None:
    reader = Reader(documented, tmp_path)
    first, *others = [block for block, _ in printed(WEBHOOKS)]
    added = reader.paste(first)
    (endpoint_id,) = set(re.findall(r"we_[a-z2-7]{16}", added))
    reader._replaced["we_…"] = endpoint_id
    rotated, asked = [reader.paste(block) for block in others]
    assert [text.count("whsec_") for text in (added, rotated)] == [1, 2]
    assert "https://shop.example/hooks  verification.verified" in added
    assert asked.splitlines()[-1].endswith("deliveries are waiting again")
