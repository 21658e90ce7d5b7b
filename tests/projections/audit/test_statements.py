"""Statements in a bundle are recomputed from its entries, and whatever differs is named."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.events import StatementIssued
from projections.audit.bundle import Bundle
from projections.audit.replay import replay
from projections.audit.statements import compare
from projections.audit.verify import verify
from projections.statements.sheet import written
from tests.support.bills import Months
from tests.support.bundles import write_bundle
from tests.support.clock import NOON
from tests.support.given import added, opened

LOG = "acct_a"


@pytest.fixture(scope="module")
def months() -> Months:
    return Months(LOG, seed=4).go_on(220)


@pytest.fixture
def bundle(months: Months, tmp_path: Path) -> Path:
    """The entries of the months, and their statements as a server writes them."""
    return with_statements(months, tmp_path / "bundle")


def with_statements(months: Months, directory: Path) -> Path:
    write_bundle(directory, {LOG: months.log.entries, "acct_b": Months("acct_b", seed=9).go_on(20).log.entries})
    place = directory / "statements" / LOG
    place.mkdir(parents=True)
    for bill in months.bills():
        for format_, content in written(bill):
            (place / f"{bill.period}.{format_}").write_bytes(content)
    return directory


def differing(directory: Path) -> list[tuple[str, str]]:
    return [(found.name, found.file) for found in replay(Bundle(directory), compare_statements=compare).findings]


def test_statements_as_they_should_be_are_content(bundle: Path, months: Months) -> None:
    assert months.closed
    assert differing(bundle) == []
    assert verify(Bundle(bundle)).findings == []


def test_a_statement_with_one_other_byte_is_named(bundle: Path) -> None:
    for number, file in enumerate(sorted((bundle / "statements" / LOG).iterdir())):
        content = file.read_bytes()
        at = number * 7919 % len(content)
        file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert differing(bundle) == [("statement-differs", f"statements/{LOG}/{file.name}")]
        file.write_bytes(content)
    assert differing(bundle) == []


def test_a_statement_that_is_missing_too_many_or_no_file_is_named(bundle: Path, months: Months) -> None:
    place, period = bundle / "statements" / LOG, months.bills()[0].period
    (place / f"{period}.csv").unlink()
    assert differing(bundle) == [("missing-file", f"statements/{LOG}/{period}.csv")]
    (place / f"{period}.csv").write_bytes(months.bills()[0].csv())
    (place / "2031-01.csv").write_bytes(months.bills()[0].csv())
    assert differing(bundle) == [("statement-differs", f"statements/{LOG}/2031-01.csv")]
    (place / "2031-01.csv").unlink()
    (place / f"{period}.json").unlink()
    (place / f"{period}.json").symlink_to("/etc/hostname")
    assert differing(bundle) == [("not-a-plain-file", f"statements/{LOG}/{period}.json")]


def test_a_statement_that_was_rewritten_with_its_event_is_named_by_verify(months: Months, tmp_path: Path) -> None:
    """Files and event agree with each other; the entries before them do not agree with either."""
    forged = Months(LOG, seed=4)
    forged.log, forged.events = type(months.log)(LOG), []
    place = 0
    for (position, event), stream in zip(months.events, months.streams, strict=True):
        if isinstance(event, StatementIssued) and not place:
            place = position
            event = replace(event, credits=event.credits + 1, closing_balance=event.closing_balance - 1)  # noqa: PLW2901
        forged.add(event, stream=stream)
    directory = with_statements(forged, tmp_path / "forged")
    found = [(one.name, one.log, one.position) for one in verify(Bundle(directory)).findings]
    assert found == [("statement-as-issued", LOG, place)]


@pytest.mark.parametrize("period", ["", "9999-99", "2099-12", "1000000-01", "\u0662\u0660\u0662\u0666-01", "2026-11\n"])
def test_a_month_that_was_made_up_costs_nothing(tmp_path: Path, period: str) -> None:
    odd = StatementIssued(
        at=NOON,
        period=period,
        tree_size=2,
        root="",
        sha256="",
        credits=0,
        added=0,
        opening_balance=0,
        closing_balance=0,
    )
    log = Months(LOG).log.__class__(LOG)
    far = replace(added(5), at=NOON.replace(year=9999))
    log.add(
        ("", replace(opened(), account_id=LOG)), ("", replace(added(5), at=NOON.replace(year=1))), ("", far), ("", odd)
    )
    directory = tmp_path / "bundle"
    write_bundle(directory, {LOG: log.entries})
    (directory / "statements" / LOG).mkdir(parents=True)
    assert [found.name for found in verify(Bundle(directory)).findings] == ["statement-as-issued"]
    assert {name for name, _ in differing(directory)} == {"missing-file"}
