"""Given events, these are the statements: whole rows, in every format."""

import csv
import dataclasses
import io
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace

from domain.events import CreditRefunded, Event, StatementIssued
from domain.rates import RateCard
from interfaces.billing.issuing import issued_at
from interfaces.billing.pdf import pdf
from projections.statements import focus
from projections.statements.sheet import COLUMNS, Key, Line, Statement
from tests.support.bills import Months, reference, root_over
from tests.support.bundles import Log
from tests.support.given import added, debited, moment, opened, requested, send_failed, verified

ROOT = Path(__file__).resolve().parents[3]
DAY = 86_400
CARD = RateCard(per="segment", prices={"*": 3}).id


def paid(*, of: str, at: float, country: str = "TR", units: int = 2) -> list[Event]:
    asked = replace(requested(of=of, at=at, price=3 * units), country=country, segments=units)
    debit = replace(debited(3 * units, of=of), at=moment(at), rate_card=CARD, country=country)
    return [asked, replace(debit, units=units, unit_credits=3)]


def given_back(*, of: str, at: float, credits: int = 6) -> list[Event]:
    refund = CreditRefunded(at=moment(at), verification_id=of, send=1, credits=credits, reason="unreachable")
    return [send_failed(of=of, at=at), refund]


NOVEMBER = [
    opened(),
    added(100),
    *paid(of="ver_1", at=0),
    *paid(of="ver_2", at=60),
    *paid(of="ver_3", at=DAY, country="US", units=1),
    verified(of="ver_1", at=70),
    *given_back(of="ver_2", at=DAY),
]
DECEMBER = [
    *paid(of="ver_4", at=40 * DAY),
    *given_back(of="ver_1", at=40 * DAY),  # of a message of November
    *paid(of="ver_5", at=20 * DAY, units=1),  # in November by its own clock, and late
    replace(added(5), at=moment(21 * DAY)),
]


def statements(*events: Event) -> list[Statement]:
    log = Log("acct_a").add(*[("", event) for event in events])
    return list(reference("acct_a", list(enumerate(events, 1)), root_over(log.entries)))


def closing(*events: Event) -> StatementIssued:
    return issued_at(statements(*events)[0], moment(32 * DAY), by="cli:ann")


def test_a_month_has_a_line_for_each_kind_day_country_and_price() -> None:
    (bill,) = statements(*NOVEMBER)
    assert bill.lines == (
        Line(Key("charge", "2026-11-01", "TR", 3, CARD), 2, 4, 12),
        Line(Key("charge", "2026-11-02", "US", 3, CARD), 1, 1, 3),
        Line(Key("refund", "2026-11-02", "TR", 3, CARD), -1, -2, -6),
    )
    assert (bill.credits, bill.added, bill.opening_balance, bill.closing_balance) == (9, 100, 0, 91)
    assert (bill.verifications, bill.verified, bill.conversion_bp) == (3, 1, 3_333)


def test_what_comes_after_a_closing_is_a_correction_of_the_next_month() -> None:
    november, december = statements(*NOVEMBER, closing(*NOVEMBER), *DECEMBER)
    assert (november.is_closed, november.tree_size, november.closed()) == (True, len(NOVEMBER), november)
    assert dataclasses.replace(november, is_closed=False) == statements(*NOVEMBER)[0]
    assert december.lines == (
        Line(Key("charge", "2026-12-11", "TR", 3, CARD), 1, 2, 6),
        Line(Key("correction", "2026-11-21", "TR", 3, CARD), 1, 1, 3),
        Line(Key("correction", "2026-12-11", "TR", 3, CARD), -1, -2, -6),
    )
    assert (december.opening_balance, december.added, december.credits, december.closing_balance) == (91, 5, 3, 93)
    assert (december.verifications, december.verified) == (2, 0)


def test_the_csv_is_these_bytes() -> None:
    (bill,) = statements(*NOVEMBER)
    root, lines = bill.root, sha256(b"".join(bill.jsonl().splitlines(keepends=True)[1:])).hexdigest()
    name = f"acct_a/2026-11/charge/2026-11-01/TR/3/{CARD}"
    rows = bill.csv().decode().split("\r\n")
    assert rows[0] == ",".join(COLUMNS)
    assert rows[1] == f"header,acct_a,2026-11,open,credit,,,,,,,,0,,,,,,,{len(NOVEMBER)},{root},{lines},"
    assert rows[2] == f"line,acct_a,2026-11,,,charge,2026-11-01,TR,{CARD},3,2,4,12,,,,,,,,,,{name}"
    assert rows[4].split(",")[10:13] == ["-1", "-2", "-6"]
    assert rows[5:] == ["total,acct_a,2026-11,,,,,,,,2,3,9,100,3,1,3333,0,91,,,,", ""]


def test_json_and_json_lines_say_the_same() -> None:
    (bill,) = statements(*NOVEMBER)
    header, *lines, total = (json.loads(line) for line in bill.jsonl().splitlines())
    document = json.loads(bill.json())
    shared = ("record", "account", "period")
    assert document.pop("lines") == [{n: v for n, v in line.items() if n not in shared} for line in lines]
    assert document.pop("total") == {name: value for name, value in total.items() if name not in shared}
    assert document == {name: value for name, value in header.items() if name not in {"record", "credits"}}


def test_no_cell_is_a_formula_and_every_cell_is_read_back() -> None:
    odd = Line(Key("charge", "2026-11-01", "=1+1", 3, '@a",\r\nb'), -1, -1, -3)
    (bill,) = statements(*NOVEMBER)
    rows = list(csv.DictReader(io.StringIO(dataclasses.replace(bill, lines=(odd,)).csv().decode(), newline="")))
    assert (rows[1]["country"], rows[1]["rate_card"], rows[1]["credits"]) == ("'=1+1", "'@a\",\r\nb", "-3")


def test_a_month_of_nothing_has_a_total() -> None:
    first, second, third = statements(*NOVEMBER, replace(added(1), at=moment(70 * DAY)))
    assert (second.lines, second.added, second.opening_balance, second.closing_balance) == ((), 0, 91, 91)
    assert (second.conversion_bp, third.opening_balance, third.closing_balance) == (0, 91, 92)
    assert first.closing_balance == 91


def test_focus_has_a_row_for_each_line_under_its_names() -> None:
    _, bill = statements(*NOVEMBER, closing(*NOVEMBER), *DECEMBER)
    rows = list(csv.DictReader(io.StringIO(focus.csv(bill).decode(), newline="")))
    assert [row["BilledCost"] for row in rows] == ["6", "3", "-6"]
    assert sum(int(row["EffectiveCost"]) for row in rows) == bill.credits
    assert [row["ChargeClass"] for row in rows] == ["", "Correction", "Correction"]
    assert rows[1] | {"x_Root": ""} == {
        "BilledCost": "3",
        "BillingAccountId": "acct_a",
        "BillingAccountName": "",
        "BillingCurrency": "credit",
        "BillingPeriodEnd": "2027-01-01T00:00:00Z",
        "BillingPeriodStart": "2026-12-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction",
        "ChargeDescription": "Verification messages to TR, correction",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": "2026-11-22T00:00:00Z",
        "ChargePeriodStart": "2026-11-21T00:00:00Z",
        "ConsumedQuantity": "1",
        "ConsumedUnit": "Messages",
        "ContractedCost": "3",
        "ContractedUnitPrice": "3",
        "EffectiveCost": "3",
        "InvoiceId": "",
        "InvoiceIssuerName": "DoneOTP",
        "ListCost": "3",
        "ListUnitPrice": "3",
        "PricingCategory": "Standard",
        "PricingCurrency": "credit",
        "PricingQuantity": "1",
        "PricingUnit": "Units",
        "ProviderName": "DoneOTP",
        "PublisherName": "DoneOTP",
        "RegionId": "",
        "ResourceId": "",
        "ServiceCategory": "Identity",
        "ServiceName": "Phone verification",
        "SkuId": "message/TR",
        "SkuPriceId": f"{CARD}/TR/3",
        "SubAccountId": "",
        "Tags": "",
        "x_Country": "TR",
        "x_Kind": "correction",
        "x_Line": f"acct_a/2026-12/correction/2026-11-21/TR/3/{CARD}",
        "x_Root": "",
        "x_TreeSize": str(bill.tree_size),
    }


PRINT = """
from hashlib import sha256
from interfaces.billing.pdf import pdf
from tests.support.bills import Months
print(sha256(pdf(Months(seed=5).go_on(250).bills()[1])).hexdigest())
"""


def test_a_pdf_is_the_same_bytes_each_time_and_in_another_process() -> None:
    bill = Months(seed=5).go_on(250).bills()[1]
    content = pdf(bill)
    assert (content[:5], pdf(bill)) == (b"%PDF-", content)
    other = subprocess.run(
        [sys.executable, "-c", PRINT],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "TZ": "Asia/Tokyo", "LC_ALL": "C", "HOME": "/nonexistent"},
        timeout=120,
        check=True,
    )
    assert other.stdout.strip() == sha256(content).hexdigest()
    assert pdf(bill) != pdf(Months(seed=6).go_on(250).bills()[1])
