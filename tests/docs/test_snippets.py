"""Every shell and Python block of the documents is run, in the order of its page, and prints what the page says.

What is adapted: where the server is, the keys, ids and tokens that a page shortens with `…`, and where the program is.
"""

import json
import re
import shlex
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from interfaces.cli.audit import TOOL
from interfaces.sms.webhook import sign, spell_secret
from interfaces.sms.webhook_address import read_secret
from tests.docs.pages import AUDITORS, BILLING, OPERATIONS, PAGES, README, ROOT, WEBHOOKS, Block, blocks, name
from tests.support.bills import Months
from tests.support.bundles import write_bundle
from tests.support.log_reader import LogReader
from tests.support.server import Server, environment
from tests.support.witnesses import History

RUN_ELSEWHERE = {
    "./doneotp serve": "tests/docs/conftest.py",
    "./doneotp test": "tests/cli/test_cli.py",
    "./doneotp check": "tests/cli/test_cli.py",
    "./doneotp bench": "tests/bench/test_suite.py",
    "./doneotp witness": "tests/cli/test_witness.py",
    "./doneotp listen": "tests/cli/test_webhooks.py",
    "./doneotp trigger": "tests/cli/test_webhooks.py",
    "./doneotp lists": "tests/cli/test_lists.py",
    "./doneotp operators": "tests/cli/test_operators.py",
    "./doneotp templates": "tests/cli/test_templates.py",
    "./doneotp senders": "tests/cli/test_templates.py",
}
CANNOT_RUN = {"createdb", "docker", "export", "npm", "uv"}
"""What blocks marked `(not run)` begin with: they need a machine, a network or secrets that a test has not."""
LANGUAGES = {"html", "javascript", "sh", "sh (not run)", "python", "json", "json (body)"}


def lines_to_run(block: Block) -> list[str]:
    """The lines of a shell block without those that are run by another test."""
    elsewhere = tuple(RUN_ELSEWHERE)
    return [line for line in block.text.splitlines() if line and not line.startswith(elsewhere)]


def printed(page: Path) -> list[tuple[Block, Block | None]]:
    """Each shell block that is run, with the JSON block right after it, which is what it prints."""
    of_page = blocks(page)
    following: list[Block | None] = [*of_page, None]
    return [
        (block, after if after is not None and after.info == "json" else None)
        for block, after in zip(of_page, following[1:], strict=True)
        if block.info == "sh" and lines_to_run(block)
    ]


def pattern(text: str) -> "re.Pattern[str]":
    """What is printed, where `…` stands for the rest of an id, a key, a token or a moment."""
    return re.compile(re.escape(text.strip()).replace("…", r"[\w.:+-]+"))


class Reader:
    """Somebody who pastes one block after the other into a shell, with the server's keys in the place of the dots."""

    def __init__(self, server: Server, directory: Path) -> None:
        self._server = server
        self._directory = directory
        self._replaced = {
            "http://127.0.0.1:8000": server.base_url,
            "sk_live_…": server.keys["sk_live"],
            "acct_…": server.account_id,
            "python3 doneotp-audit.pyz": f"{sys.executable} -I {ROOT / TOOL}",
            ".venv/lib/python3*/site-packages": str(Path(sys.prefix) / "lib" / "python3*" / "site-packages"),
        }

    def adapted(self, text: str) -> str:
        for shown, real in self._replaced.items():
            text = text.replace(shown, real)
        return text

    def paste(self, block: Block) -> str:
        command = shlex.join([sys.executable, "-m", "interfaces.cli"])
        launcher = f'./doneotp() {{ PYTHONPATH={shlex.quote(str(ROOT))} {command} "$@"; }}'
        program = "\n".join(["set -euo pipefail", launcher, *lines_to_run(block)])
        done = subprocess.run(
            ["bash", "-c", self.adapted(program)],
            check=False,
            capture_output=True,
            text=True,
            cwd=self._directory,
            env=environment(self._server.home),
            timeout=120,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{block.page}, line {block.line}: {done.stderr}"
        token = re.search(r'"token":"(tok_[^"]+)"', done.stdout)
        if token is not None:
            self._replaced["tok_…"] = token[1]
        return done.stdout


def test_the_curls_of_the_readme_print_what_it_says(serve: Callable[..., Server], tmp_path: Path) -> None:
    reader = Reader(serve(), tmp_path)  # a server that nobody has used yet, as the reader's is
    shown = printed(README)
    assert len(shown) == 5
    for block, output in shown:
        assert output is not None, f"{block.page}, line {block.line} has no output"
        said = reader.paste(block)
        assert pattern(reader.adapted(output.text)).fullmatch(said), said


def test_the_curls_of_the_readme_are_those_that_serve_prints(documented: Server) -> None:
    send, check = [block.text.strip() for block, _ in printed(README)][:2]
    said = documented.said.replace(documented.base_url, "http://127.0.0.1:8000")
    said = said.replace(documented.keys["sk_live"], "sk_live_…")
    assert [line for line in said.splitlines() if line.startswith("curl")] == [send, check]


def test_the_commands_of_the_operations_do_what_they_say(documented: Server, tmp_path: Path) -> None:
    reader = Reader(documented, tmp_path)
    said = [reader.paste(block).splitlines() for block, _ in printed(OPERATIONS)]
    administered, examined, projected, dumped, restored = said
    assert (administered[-1], examined[-1]) == (f"{documented.account_id} resumed", "all is well")
    assert [line.split()[0] for line in projected] == [
        "balances",
        "usage",
        "activity",
        "verifications",
        "charges",
        "key_uses",
        "rebuilt",
        "rebuilt",
    ]
    assert (dumped, restored) == ([], ["t"])


def test_the_commands_for_auditors_find_what_they_say(documented: Server, tmp_path: Path) -> None:
    LogReader(documented).sealed(1)
    reader = Reader(documented, tmp_path)
    kept, exported, verified, forged, newer, proved = [reader.paste(block) for block, _ in printed(AUDITORS)]
    assert (kept, newer, proved) == ("", "", "")
    assert exported.count("check it") == 2
    assert "event-type-known" in forged
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "bundle",
        "forged",
        "kept.checkpoint",
        "log.vkey",
        "mine",
        "receipt.json",
    ]
    assert verified
    (block,) = [block for block in blocks(AUDITORS) if block.info == "python"]
    scope: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), scope)
    receipt = json.loads((tmp_path / "receipt.json").read_text())
    assert scope["is_proved"](receipt)
    for place in ("account", "log"):
        changed = receipt[place] | {"entry": receipt[place]["entry"].replace("acct_", "acct-")}
        assert not scope["is_in_tree"](changed)
        assert not scope["is_in_tree"](receipt[place] | {"index": receipt[place]["index"] + 1})


def test_the_snippet_for_auditors_follows_every_path_of_every_tree() -> None:
    (block,) = [block for block in blocks(AUDITORS) if block.info == "python"]
    scope: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), scope)
    history = History([b"%d" % number for number in range(40)])
    for size in range(1, 41):
        for index in range(size):
            given: dict[str, Any] = {
                "index": index,
                "size": size,
                "entry": str(index),
                "hashes": [b64encode(hash_).decode() for hash_ in history.inclusion(index, size)],
                "root": b64encode(history.root_at(size)).decode(),
            }
            assert scope["is_in_tree"](given)
            assert not scope["is_in_tree"](given | {"entry": "x"})
            assert not scope["is_in_tree"](given | {"hashes": [*given["hashes"], given["root"]]})


def test_the_commands_of_the_bills_do_what_they_say(documented: Server, tmp_path: Path) -> None:
    reader = Reader(documented, tmp_path)
    asked, checked = [reader.paste(block).splitlines() for block, _ in printed(BILLING)]
    assert (asked[1].partition(",")[0], asked[-1].partition(",")[0]) == ("record", "total")
    assert "verdict     sound" in checked
    assert sorted(path.suffix for path in tmp_path.glob("bundle/statements/*/*")) == [".csv", ".json", ".jsonl"]


def test_the_sum_of_a_month_needs_nobodys_program(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(BILLING) if block.info == "python"]
    scope: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), scope)
    months = Months(seed=3).go_on(300)
    write_bundle(tmp_path / "bundle", {"acct_a": months.log.entries})
    found = {bill.period: scope["credits_of"](tmp_path / "bundle", "acct_a", bill.period) for bill in months.bills()}
    assert found == {bill.period: bill.credits for bill in months.bills()}


def test_an_output_that_is_another_does_not_match() -> None:
    assert pattern('{"token":"tok_…","status":"verified"}').fullmatch('{"token":"tok_a.b-c","status":"verified"}')
    assert pattern('{"valid":true,"id":"ver_…"}').fullmatch('{"valid":false,"id":"ver_1"}') is None


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_that_says_whether_it_is_run(page: Path) -> None:
    assert [block.line for block in blocks(page) if block.info not in LANGUAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_only_what_needs_another_machine_is_not_run(page: Path) -> None:
    first_words = {block.text.split()[0] for block in blocks(page) if block.info == "sh (not run)"}
    assert first_words - CANNOT_RUN == set()


def test_what_is_run_on_pages_that_no_test_reads_is_run_elsewhere() -> None:
    others = [page for page in PAGES if page not in (README, OPERATIONS, AUDITORS, BILLING, WEBHOOKS)]
    assert [block for page in others for block, _ in printed(page)] == []
    assert [test for test in RUN_ELSEWHERE.values() if not (ROOT / test).is_file()] == []


@pytest.fixture
def is_genuine() -> Callable[[dict[str, str], bytes, str], bool]:
    """The receiver's half of the webhook provider, as the page has it."""
    (block,) = [block for block in blocks(OPERATIONS) if block.info == "python"]
    scope: dict[str, Any] = {}
    exec(compile(block.text, block.page, "exec"), scope)
    found: Callable[[dict[str, str], bytes, str], bool] = scope["is_genuine"]
    return found


@pytest.fixture
def body() -> bytes:
    (block,) = [block for block in blocks(OPERATIONS) if block.info == "json (body)"]
    return block.text.strip().encode()


def signed(secret: str, body: bytes, *, timestamp: int) -> dict[str, str]:
    message_id = json.loads(body)["message_id"]
    signature = sign(read_secret(secret), message_id=message_id, timestamp=timestamp, body=body)
    return {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}


@pytest.mark.parametrize("secret", ["0123456789abcdef0123456789abcdef", spell_secret(bytes(range(32)))])
def test_the_receivers_snippet_takes_what_the_provider_signs_and_nothing_else(
    is_genuine: Callable[[dict[str, str], bytes, str], bool], body: bytes, secret: str
) -> None:
    now = int(time.time())
    headers = signed(secret, body, timestamp=now)
    assert is_genuine(headers, body, secret)
    assert is_genuine(headers | {"webhook-signature": f"v1,bm90 {headers['webhook-signature']}"}, body, secret)
    assert not is_genuine(headers, body.replace(b"493812", b"000000"), secret)
    assert not is_genuine(headers | {"webhook-id": "msg_another"}, body, secret)
    assert not is_genuine(headers, body, "another-secret-of-thirty-two-characters")
    assert not is_genuine(signed(secret, body, timestamp=now - 3_600), body, secret)
