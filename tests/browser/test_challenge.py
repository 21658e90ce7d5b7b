"""The widget solves the challenge that its server asks for, under the strictest policy, and nobody notices."""

import shutil
import subprocess
from collections.abc import Callable
from hashlib import sha256

import pytest
from playwright.sync_api import expect

from interfaces.http.widget import FOLDER
from tests.browser.visitor import STRICT, Visitor

GUARDED = {"guard_test_keys": 1, "guard_prefix_unverified_max": 3, "guard_challenge_bits": 12}


def suspicious(visitor: Visitor, *, messages: int) -> None:
    """Messages to the visitor's prefix that nobody verifies."""
    customer = visitor.customer
    customer.server.books.administration.change_policy(customer.account_id, changes=GUARDED, by="test")
    prefix = visitor.phone[:-4]
    others = [f"{prefix}{index:04}" for index in range(100) if f"{prefix}{index:04}" != visitor.phone]
    for phone in others[:messages]:
        assert customer.test.send(phone).status == 200


def test_a_challenge_is_solved_under_the_strictest_policy_with_trusted_types(visit: Callable[..., Visitor]) -> None:
    visitor = visit(policy=STRICT)
    suspicious(visitor, messages=4)
    asked: list[tuple[str, int]] = []
    visitor.page.on("response", lambda answer: asked.append((answer.url.rpartition("/")[2], answer.status)))
    visitor.code_field_filled(visitor.ask_for_code())
    visitor.is_in("verified")
    posts = [one for one in asked if one[0] in ("send", "challenge.js", "check")]
    assert ([one for one in posts if one[1] != 204], visitor.complaints) == (
        [("send", 403), ("challenge.js", 200), ("send", 200), ("check", 200)],
        [],
    )


def test_a_destination_that_is_shut_is_said_and_nothing_is_solved(visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    suspicious(visitor, messages=7)
    visitor.number_field.fill(visitor.phone)
    visitor.main.click()
    expect(visitor.alert).to_have_text("This number cannot be used here. Use another one.")
    assert visitor.heard("failed") == [{"code": "destination_blocked", "final": False}]


@pytest.mark.parametrize("text", ["", "abc", "x" * 55, "y" * 56, "z" * 64, "q" * 200])
def test_the_scripts_hash_is_sha_256(text: str, tmp_path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node to run it")
    script = tmp_path / "challenge.mjs"
    shutil.copy(FOLDER / "challenge.js", script)
    program = (
        f"import {{ digest }} from {str(script)!r};"
        f"console.log([...digest({text!r})].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join(''))"
    )
    done = subprocess.run(
        [node, "--input-type=module", "-e", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == sha256(text.encode()).hexdigest()
