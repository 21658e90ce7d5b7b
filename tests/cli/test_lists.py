"""`lists import` and `lists try` beside a running server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.http.customer import Customer, number
from tests.http.test_lists import refused_soon
from tests.support.server import Ended, Server, run


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


def lists(customer: Customer, *words: str) -> Ended:
    more = {name: value for name, value in customer.server.environment.items() if name == "DONEOTP_DATABASE_URL"}
    return run("lists", *words, "--json", home=customer.server.home, **more)


def listed(customer: Customer, *words: str) -> Any:
    ended = lists(customer, *words)
    assert (ended.status, ended.stderr) == (0, ""), ended
    return json.loads(ended.stdout)


def test_a_file_is_tried_dry_and_then_taken_with_an_event_for_each_kind(customer: Customer, tmp_path: Path) -> None:
    phone, file = number(), tmp_path / "lists.csv"
    file.write_text(
        f"effect,kind,value\nblock,number,{phone}\nblock,country,TR\nblock,country,DE\n", encoding="utf-8-sig"
    )
    before = len(customer.live.log())
    dry = listed(customer, "import", customer.account_id, str(file), "--dry-run")
    assert (dry["entries_changed"], len(customer.live.log())) == (3, before)
    taken = listed(customer, "import", customer.account_id, str(file))
    assert taken == {**dry, "dry_run": False}
    assert customer.live.types()[-2:] == ["ListChanged", "ListChanged"]
    assert refused_soon(lambda: customer.live.send(phone)) == (403, "number_blocklisted")
    assert listed(customer, "import", customer.account_id, str(file))["entries_changed"] == 0
    assert len(customer.live.log()) == before + 2


def test_one_bad_line_refuses_the_file_and_is_named_by_its_number(customer: Customer, tmp_path: Path) -> None:
    phone, file = number(), tmp_path / "lists.csv"
    file.write_text(f"effect,kind,value\nblock,country,TR\nblock,number,{phone[1:]}\n")
    before = customer.live.log()
    ended = lists(customer, "import", customer.account_id, str(file))
    error = json.loads(ended.stdout)["error"]
    assert (ended.status, error["code"], error["detail"].startswith("line 3: ")) == (1, "invalid_request", True)
    assert phone[1:] not in ended.stdout + ended.stderr
    assert customer.live.log() == before


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"x" * 2_000_001])
def test_a_file_that_cannot_be_read_is_refused(customer: Customer, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "lists.csv"
    if content is not None:
        file.write_bytes(content)
    ended = lists(customer, "import", customer.account_id, str(file))
    assert (ended.status, json.loads(ended.stdout)["error"]["code"]) == (1, "invalid_request")


def test_a_rule_is_tried_on_what_was_sent(customer: Customer) -> None:
    phone = number()
    customer.live.verified(phone)
    customer.live.sent(number())
    before = customer.live.settled()
    found = listed(customer, "try", customer.account_id, "block", "number", phone)
    figures = {
        "messages": 2,
        "refused": 1,
        "credits": 1,
        "numbers": 1,
        "verified": 1,
        "untold": 0,
        "untold_verified": 0,
    }
    assert found == {"account_id": customer.account_id, "days": 30, **figures}
    assert customer.live.log() == before
    assert lists(customer, "try", customer.account_id, "block", "type", "voip").status == 1
