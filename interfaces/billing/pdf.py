"""A statement as PDF, set by typst: the same bytes for the same statement, whatever machine and day it is."""

from hashlib import sha256
from pathlib import Path
from typing import Final

import typst

from domain import periods
from projections.statements.sheet import Statement

_TEMPLATE: Final = Path(__file__).with_name("statement.typ")


def pdf(statement: Statement) -> bytes:
    """Dated with the end of its period: no clock is asked, and no font of the machine is used."""
    written = typst.compile(
        _TEMPLATE.read_bytes(),
        format="pdf",
        ignore_system_fonts=True,
        sys_inputs={
            "statement": statement.json().decode(),
            "csv_sha256": sha256(statement.csv()).hexdigest(),
        },
        timestamp=periods.end(statement.period),
    )
    assert isinstance(written, bytes), "one document is one string of bytes"
    return written
