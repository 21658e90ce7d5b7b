"""The tables of docs/operations.md against what they are tables of."""

import importlib
import re

from interfaces.log_shapes import SHAPES
from interfaces.settings import SETTINGS
from tests.docs.pages import OPERATIONS, README, prose, rows
from tests.support.server import Server

OTHER_FIELDS = {"ts", "level", "dropped_fields"}


def names_in(cells: list[str]) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cells[0]))


def test_every_setting_is_there_with_its_default_and_meaning() -> None:
    expected = []
    for setting in SETTINGS:
        default = "~/.local/share/doneotp" if setting.field == "home" else setting.default
        expected.append([f"`{setting.name}`", f"`{default}`" if default else "unset", setting.meaning])
    assert list(rows(OPERATIONS, "Settings")) == expected


def test_no_document_names_a_setting_that_is_none() -> None:
    named = set(re.findall(r"\bDONEOTP_[A-Z_]+\b", OPERATIONS.read_text() + README.read_text()))
    assert named - {setting.name for setting in SETTINGS} <= {"DONEOTP_"}


def test_every_field_of_a_log_line_is_there() -> None:
    named = set().union(*(names_in(row) for row in rows(OPERATIONS, "Logs")))
    assert named == SHAPES.keys() | OTHER_FIELDS


def test_every_metric_is_there(documented: Server) -> None:
    documented.get("/healthz")
    exposed = re.findall(r"^# TYPE (\w+) \w+$", documented.get("/metrics").text, re.MULTILINE)
    named = set().union(*(names_in(row) for row in rows(OPERATIONS, "Metrics")))
    assert named == {metric for metric in exposed if not metric.endswith("_created")}


def test_every_limit_is_that_of_the_code() -> None:
    wrong = []
    for what, limit, constant in rows(OPERATIONS, "Limits"):
        module, _, variable = constant.strip("`").rpartition(".")
        if float(limit) != float(getattr(importlib.import_module(module), variable)):
            wrong.append(what)
    assert wrong == []


def test_every_path_that_anyone_may_ask_for_answers(documented: Server) -> None:
    paths = re.findall(r"`(/(?:\.well-known/)?[a-z./]+)`", prose(OPERATIONS.read_text() + README.read_text()))
    assert {path: documented.get(path).status for path in paths} == dict.fromkeys(paths, 200)
