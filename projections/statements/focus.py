"""A statement's lines under the column names of FOCUS 1.2, the FinOps Open Cost and Usage Specification, as CSV.

One row a line. Costs are credits: FOCUS wants a national currency, which is agreed elsewhere. Columns of our own begin with
`x_`, as the specification asks; a column that has nothing to say is empty, its null.
"""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from projections.statements import sheet
from projections.statements.sheet import CORRECTION, CURRENCY, Line, Statement

VERSION: Final = "1.2"
_PROVIDER: Final = "DoneOTP"
_DAY: Final = timedelta(days=1)


def csv(statement: Statement) -> bytes:
    """The rows under a header of names; without lines, the header alone."""
    return b"".join(map(sheet.csv_row, _rows(statement)))


def _rows(statement: Statement) -> Iterator[Iterable[str | int]]:
    yield _row(statement, _NOTHING).keys()
    for line in statement.lines:
        yield _row(statement, line).values()


def _row(statement: Statement, line: Line) -> dict[str, str | int]:
    kind, day, country, unit_credits, rate_card = line.key
    costs = dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), line.credits)
    currencies = dict.fromkeys(("BillingCurrency", "PricingCurrency"), CURRENCY)
    names = dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), _PROVIDER)
    fields: dict[str, str | int] = {
        **costs,
        **currencies,
        **names,
        "BillingAccountId": statement.account,
        "BillingAccountName": "",
        "BillingPeriodEnd": f"{sheet.following(statement.period)}-01T00:00:00Z",
        "BillingPeriodStart": f"{statement.period}-01T00:00:00Z",
        "ChargeCategory": "Usage",
        "ChargeClass": "Correction" if kind == CORRECTION else "",
        "ChargeDescription": f"Verification messages to {country or 'unknown'}, {kind}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": f"{date.fromisoformat(day) + _DAY}T00:00:00Z",
        "ChargePeriodStart": f"{day}T00:00:00Z",
        "ConsumedQuantity": line.messages,
        "ConsumedUnit": "Messages",
        "ContractedUnitPrice": unit_credits,
        "InvoiceId": f"{statement.account}/{statement.period}" if statement.is_closed else "",
        "ListUnitPrice": unit_credits,
        "PricingCategory": "Standard",
        "PricingQuantity": line.units,
        "PricingUnit": "Units",
        "RegionId": "",
        "ResourceId": "",
        "ServiceCategory": "Identity",
        "ServiceName": "Phone verification",
        "SkuId": f"message/{country}",
        "SkuPriceId": f"{rate_card}/{country}/{unit_credits}",
        "SubAccountId": "",
        "Tags": "",
    }
    ours: dict[str, str | int] = {
        "x_Country": country,
        "x_Kind": kind,
        "x_Line": statement.line_id(line),
        "x_Root": statement.root,
        "x_TreeSize": statement.tree_size,
    }
    return {**dict(sorted(fields.items())), **ours}


_NOTHING: Final = Line(sheet.Key("", "2000-01-01", "", 0, ""), 0, 0, 0)
