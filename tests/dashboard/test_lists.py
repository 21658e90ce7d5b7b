"""The page of lists: what is put on them and taken off, by whom, and what of it is never to be read."""

import pytest

from interfaces.listed import shown
from tests.dashboard.clerk import Clerk, at_work
from tests.http.customer import Customer, mask, number
from tests.support.server import Server


@pytest.fixture
def customer(server: Server) -> Customer:
    return Customer(server, server.open_account())


def lists(server: Server, customer: Customer) -> dict[str, dict[str, list[str]]]:
    return shown(server.books.administration.lists(customer.account_id))


def change(clerk: Clerk, customer: Customer, effect: str, kind: str, values: str) -> str:
    """What the page says was done, or the status of a refusal."""
    seen = clerk.post(f"/dashboard/a/{customer.account_id}/lists/{effect}", kind=kind, values=values)
    return seen.location.rpartition("=")[2] or str(seen.status)


def tables_with(server: Server, text: str) -> set[str]:
    """The tables of the database in which a row holds the text, as letters or as bytes."""
    execute = server.books.recorder.execute
    tables = execute(
        b"SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables WHERE schemaname = 'doneotp'"
    )
    either = (text, text.encode().hex())
    return {
        table
        for (table,) in tables
        if execute(
            f"SELECT 1 FROM {table} AS t WHERE position(%s IN t::text) + position(%s IN t::text) > 0 LIMIT 1".encode(),
            either,
        )
    }


def test_entries_of_every_kind_are_put_on_and_taken_off(server: Server, customer: Customer) -> None:
    clerk = at_work(server, "lists-all")
    done = [
        change(clerk, customer, *words)
        for words in (
            ("allow", "country", "us\r\nTR\r\n"),
            ("allow", "country", "TR"),
            ("block", "prefix", "+1900"),
            ("block", "type", "voip"),
            ("allow", "ip", "192.0.2.0/24\n198.51.100.7"),
            ("allow", "origin", "https://shop.example"),
        )
    ]
    assert done == ["changed", "same", "changed", "changed", "changed", "changed"]
    assert lists(server, customer) == {
        "allowed": {
            "country": ["TR", "US"],
            "ip": ["192.0.2.0/24", "198.51.100.0/24 (one /32 in it)"],
            "origin": ["https://shop.example"],
        },
        "blocked": {"prefix": ["1900"], "type": ["voip"]},
    }
    text = clerk.get(f"/dashboard/a/{customer.account_id}/lists?done=changed").text
    wanted = ("Changed.", "<code>198.51.100.0/24 (one /32 in it)</code>", "<code>https://shop.example</code>", "1900")
    assert [one for one in wanted if one not in text] == []
    assert "198.51.100.7" not in text
    for kind, value in (
        ("country", "TR\nUS"),
        ("prefix", "1900"),
        ("type", "voip"),
        ("ip", "192.0.2.0/24"),
        ("ip", "198.51.100.7"),
        ("origin", "https://shop.example"),
    ):
        assert change(clerk, customer, "remove", kind, value) == "changed"
    assert lists(server, customer) == {"allowed": {}, "blocked": {}}
    found = server.books.recorder.select_log(customer.account_id, after=0, limit=1_000)
    changes = [one for one in found if one.topic == "ListChanged.v1"]
    assert [b'"by":"dashboard:lists-all"' in one.state for one in changes] == [True] * 11


def test_a_number_is_put_on_a_list_and_is_nowhere_to_be_read(server: Server, customer: Customer) -> None:
    clerk, e164, at = at_work(server, "lists-number"), number(), f"/dashboard/a/{customer.account_id}/lists"
    assert change(clerk, customer, "block", "number", e164) == "changed"
    sent = server.post("/v1/verify/send", {"phone_number": e164}, key=customer.keys["sk_live"])
    assert (sent.status, sent.body["code"]) == (403, "number_blocklisted")
    page, trail = clerk.get(at), clerk.get(f"/dashboard/a/{customer.account_id}/trail")
    wrong = clerk.post(f"{at}/block", kind="prefix", values=e164)
    assert (mask(e164) in page.text, f'value="{mask(e164)}"' in page.text, wrong.status) == (True, False, 400)
    digits = e164.removeprefix("+")
    stored = server.books.recorder.select_log(customer.account_id, after=0, limit=1_000)
    read = [
        *(seen.text + str(seen.headers) for seen in (page, trail, wrong)),
        *(one.state.decode() for one in stored),
        (server.home / "logs" / "server.log").read_text(),
    ]
    assert len([text for text in read if mask(e164) in text]) >= 2
    assert [text for text in read if digits in text or digits[1:] in text] == []
    assert (tables_with(server, mask(e164)), tables_with(server, digits)) == ({"doneotp.events"}, set())
    assert change(clerk, customer, "remove", "number", e164) == "changed"
    assert server.post("/v1/verify/send", {"phone_number": e164}, key=customer.keys["sk_live"]).status == 200


@pytest.mark.parametrize(
    ("act", "values", "status"),
    [
        ("block/nonsense", "x", 400),
        ("block/", "x", 400),
        ("block/number", "", 400),
        ("block/number", "12", 400),
        ("block/country", "ZZ", 400),
        ("block/prefix", "+", 400),
        ("allow/type", "mobile", 400),
        ("block/origin", "https://<script>alert(1)</script>", 400),
        ("block/ip", "<script>alert(1)</script>", 400),
        ("block/country", "TR\n" * 2_000 + "\0", 400),
        ("forget/country", "TR", 404),
    ],
)
def test_what_cannot_be_on_a_list_is_refused(
    server: Server, customer: Customer, act: str, values: str, status: int
) -> None:
    clerk = at_work(server, f"lists-{customer.account_id[-8:].lower().replace('_', '-')}")
    effect, _, kind = act.partition("/")
    seen = clerk.post(f"/dashboard/a/{customer.account_id}/lists/{effect}", kind=kind, values=values)
    assert (seen.status, "<script>" in seen.text) == (status, False)
    assert lists(server, customer) == {"allowed": {}, "blocked": {}}


def test_an_auditor_reads_a_biller_does_not_and_neither_changes_anything(server: Server, customer: Customer) -> None:
    at = f"/dashboard/a/{customer.account_id}/lists"
    statuses = {}
    for role in ("auditor", "biller"):
        clerk = at_work(server, f"lists-{role}", role=role, account_id=customer.account_id)
        seen = clerk.get(at)
        statuses[role] = (
            seen.status,
            "<textarea" in seen.text,
            [change(clerk, customer, effect, "country", "TR") for effect in ("allow", "block", "remove")],
        )
    assert statuses == {"auditor": (200, False, ["403"] * 3), "biller": (403, False, ["403"] * 3)}
    assert lists(server, customer) == {"allowed": {}, "blocked": {}}


def test_a_form_without_the_token_of_its_session_or_of_another_page_changes_nothing(
    server: Server, customer: Customer
) -> None:
    clerk, at = at_work(server, "lists-forged"), f"/dashboard/a/{customer.account_id}/lists/block"
    fields = {"kind": "country", "values": "TR"}
    forged = clerk.post(at, csrf="0" * 64, **fields)
    foreign = clerk.post_from({"Sec-Fetch-Site": "cross-site"}, at, **fields)
    assert [forged.status, foreign.status] == [403, 403]
    assert lists(server, customer) == {"allowed": {}, "blocked": {}}
    assert clerk.post(at, **fields).status == 303


def test_the_lists_are_for_live_and_test_keys_alike(server: Server, customer: Customer) -> None:
    clerk = at_work(server, "lists-test")
    seen = clerk.post(f"/dashboard/a/{customer.account_id}-test/lists/block", kind="country", values="TR")
    assert seen.location == f"/dashboard/a/{customer.account_id}-test/lists?done=changed"
    assert lists(server, customer) == {"allowed": {}, "blocked": {"country": ["TR"]}}
    assert "<code>TR</code>" in clerk.get(f"/dashboard/a/{customer.account_id}-test/lists").text
