"""A receipt is checked in the browser: a real one holds, and nothing that was tampered with does."""

import base64
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessible import overflow, violations
from tests.http.customer import Customer, number
from tests.support.server import Server, wait_for

Receipt = dict[str, Any]
STEPS = {
    "entry": "The entry is the event",
    "leaf": "SHA-256 of a zero byte",
    "path": "From the leaf",
    "checkpoint": "checkpoint of this account's log",
    "head": "The head of the account",
    "head path": "From that head",
    "whole": "checkpoint over all logs.",
    "signature": "The account's checkpoint is signed",
    "whole signature": "The checkpoint over all logs is signed",
}


@pytest.fixture(scope="module")
def receipts(server: Server) -> list[Receipt]:
    """The receipts of all events of an account, from first to last, at one checkpoint."""
    customer = Customer(server, server.open_account())
    for _ in range(3):
        customer.live.verified(number())
    events = customer.live.get("/v1/events").body["events"]

    def proofs() -> list[Any]:
        return [customer.live.get(f"/v1/audit/proofs/{event['event_id']}") for event in events]

    def are_sealed() -> bool:
        found = proofs()
        return {answer.status for answer in found} == {200} and len({one.body["account"]["size"] for one in found}) == 1

    wait_for(are_sealed)
    return [answer.body for answer in proofs()]


@pytest.fixture
def receipt(receipts: list[Receipt]) -> Receipt:
    return copy.deepcopy(receipts[4])


@pytest.fixture
def checked(page: Page, server: Server) -> Iterator[Callable[..., tuple[str, list[str]]]]:
    """Checks a receipt on the page: the verdict, and what each step that does not hold begins with."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{server.base_url}/audit/receipt")

    def check(receipt: Any, *, kept: str = "") -> tuple[str, list[str]]:
        page.get_by_label("or as text").fill(receipt if isinstance(receipt, str) else json.dumps(receipt))
        page.get_by_label("The keys that you kept").fill(kept)
        page.evaluate("delete document.getElementById('verdict').dataset.verdict")
        page.get_by_role("button", name="Check").click()
        verdict = page.locator("#verdict[data-verdict]")
        verdict.wait_for()
        items = page.locator("#verdict li:not(.holds)").all_inner_texts()
        wrong = [name for name, words in STEPS.items() if any(words in item for item in items)]
        return str(verdict.get_attribute("data-verdict")), wrong

    yield check
    assert complaints == []


def test_every_event_of_an_account_is_proved(checked: Callable[..., Any], receipts: list[Receipt]) -> None:
    assert len(receipts) > 12
    assert [checked(receipt) for receipt in receipts] == [("sound", [])] * len(receipts)


def test_with_the_key_that_one_kept_it_holds_and_with_another_it_does_not(
    checked: Callable[..., Any], receipt: Receipt, server: Server
) -> None:
    kept = server.get("/v1/audit/vkey").text
    name, _, rest = kept.strip().split("\n")[0].partition("+")
    other = f"{name}+{rest[:8]}+{base64.b64encode(bytes([1]) + bytes(range(32))).decode()}"
    assert checked(receipt, kept=kept) == ("sound", [])
    assert checked(receipt, kept=other) == ("broken", ["signature", "whole signature"])


def flipped(text: str, place: int = 0) -> str:
    """The base64 of other bytes: one bit is another."""
    raw = bytearray(base64.b64decode(text))
    raw[place] ^= 1
    return base64.b64encode(raw).decode()


def replaced(inclusion: dict[str, Any], name: str, old: str, new: str) -> None:
    assert old in inclusion[name]
    inclusion[name] = inclusion[name].replace(old, new)


def tamper(receipt: Receipt, how: str) -> None:
    account, log = receipt["account"], receipt["log"]
    size, hashes, note = log["size"], account["hashes"], account["checkpoint"]
    signed, _, signature = log["checkpoint"].strip().rpartition(" ")
    ways: dict[str, Callable[[], Any]] = {
        "one letter of the event": lambda: replaced(account, "entry", '"at":"20', '"at":"21'),
        "another position": lambda: receipt.update(position=receipt["position"] + 1),
        "another place in the tree": lambda: account.update(index=account["index"] + 1),
        "another size": lambda: account.update(size=account["size"] - 1),
        "one bit of the path": lambda: hashes.insert(0, flipped(hashes.pop(0))),
        "a path without its end": hashes.pop,
        "a path with more": lambda: hashes.append(hashes[0]),
        "one bit of the leaf": lambda: account.update(leaf_hash=flipped(account["leaf_hash"])),
        "one bit of the root": lambda: account.update(root=flipped(account["root"])),
        "another head": lambda: replaced(log, "entry", '"size":', '"size":1'),
        "one bit of the way to the whole": lambda: log["hashes"].append(flipped(log["hashes"].pop())),
        "a checkpoint of more": lambda: replaced(log, "checkpoint", f"\n{size}\n", f"\n{size + 1}\n"),
        "another log's checkpoint": lambda: replaced(account, "checkpoint", "/acct_", "/acct_x"),
        "a signature": lambda: log.update(checkpoint=f"{signed} {flipped(signature, 20)}\n"),
        "no signature": lambda: account.update(checkpoint=note.partition("\n\n")[0] + "\n\n"),
    }
    ways[how]()


@pytest.mark.parametrize(
    ("how", "wrong"),
    [
        ("one letter of the event", ["leaf", "path"]),
        ("another position", ["entry"]),
        ("another place in the tree", ["entry", "path"]),
        ("another size", ["checkpoint", "head"]),
        ("one bit of the path", ["path"]),
        ("a path without its end", ["path"]),
        ("a path with more", ["path"]),
        ("one bit of the leaf", ["leaf"]),
        ("another log's checkpoint", ["checkpoint", "signature"]),
        ("one bit of the root", ["path", "checkpoint", "head"]),
        ("another head", ["head", "head path"]),
        ("one bit of the way to the whole", ["head path"]),
        ("a checkpoint of more", ["whole", "whole signature"]),
        ("a signature", ["whole signature"]),
        ("no signature", ["signature"]),
    ],
)
def test_what_was_tampered_with_is_not_proved_and_the_step_is_named(
    checked: Callable[..., Any], receipt: Receipt, page: Page, how: str, wrong: list[str]
) -> None:
    tamper(receipt, how)
    verdict, found = checked(receipt)
    assert (verdict, found) == ("broken", wrong)
    assert "NOT proved" in page.locator("#verdict").inner_text()
    assert page.locator("#verdict pre").count() == 0  # what is not proved is not shown as if it were


def test_the_receipt_of_another_event_is_none_of_this_one(checked: Callable[..., Any], receipts: list[Receipt]) -> None:
    swapped = {**receipts[4], "account": receipts[5]["account"]}
    assert checked(swapped) == ("broken", ["entry"])


@pytest.mark.parametrize("text", ["x", "{}", "[1]", '{"account":{}}', "null"])
def test_what_is_no_receipt_is_told_so(checked: Callable[..., Any], text: str) -> None:
    assert checked(text) == ("unread", [])


def test_a_browser_without_ed25519_leaves_the_signatures_open_in_words(
    checked: Callable[..., Any], receipt: Receipt, page: Page
) -> None:
    page.evaluate(
        """() => {
            const has = crypto.subtle.importKey.bind(crypto.subtle);
            crypto.subtle.importKey = (format, key, algorithm, ...rest) => algorithm === "Ed25519"
                ? Promise.reject(new DOMException("", "NotSupportedError")) : has(format, key, algorithm, ...rest);
        }"""
    )
    assert checked(receipt) == ("unsigned", ["signature", "whole signature"])
    expect(page.locator("#verdict .verdict")).to_contain_text("this browser has no Ed25519")
    receipt["account"]["hashes"][0] = flipped(receipt["account"]["hashes"][0])
    assert checked(receipt)[0] == "broken"


def test_a_file_is_checked_as_it_is_chosen(page: Page, server: Server, receipt: Receipt, tmp_path: Path) -> None:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt))
    page.goto(f"{server.base_url}/audit/receipt")
    page.get_by_label("The receipt, as a file").set_input_files(path)
    expect(page.locator("#verdict")).to_have_attribute("data-verdict", "sound")
    shown = json.loads(str(page.locator("#verdict pre").text_content()))
    assert shown == json.loads(receipt["account"]["entry"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_where_a_receipt_is_checked(
    browser: Browser, server: Server, receipt: Receipt, scheme: Any
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}, bypass_csp=True)
    page = context.new_page()
    page.goto(f"{server.base_url}/audit/receipt")
    found = [(violations(page), overflow(page))]
    wrong = copy.deepcopy(receipt)
    tamper(wrong, "one bit of the path")
    for given, verdict in ((receipt, "sound"), (wrong, "broken"), ({}, "unread")):
        page.get_by_label("or as text").fill(json.dumps(given))
        page.get_by_role("button", name="Check").click()
        expect(page.locator("#verdict")).to_have_attribute("data-verdict", verdict)
        found.append((violations(page), overflow(page)))
    context.close()
    assert found == [([], 0)] * 4
