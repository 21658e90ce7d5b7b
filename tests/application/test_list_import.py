"""A file of list entries: what it comes to, and that a wrong line is named by its number alone."""

import pytest

from application import list_import
from application.keyring import Keyring
from application.list_import import BadLine, Change, Plan
from domain.lists import ENTRIES_MAX, Lists
from domain.refusals import InvalidRequest
from tests.application.world import ACCOUNT, ROOT

HEAD = "effect,kind,value\n"


def plan(*lines: str, lists: Lists | None = None, head: str = HEAD) -> Plan:
    return list_import.plan(
        [head, *(f"{line}\n" for line in lines)], keyring=Keyring(ROOT), account=ACCOUNT, lists=lists or Lists()
    )


def test_lines_of_one_effect_and_kind_are_one_change_and_what_is_there_already_changes_nothing():
    found = plan(
        "block,prefix,+90532",
        "allow,country,tr",
        "",
        "block,prefix,+9053",
        "block,prefix,+90532",
        "remove,country,DE",
        lists=Lists(blocked={"prefix": {"9053": "9053"}}, allowed={"country": {"DE": "DE"}}),
    )
    assert found == Plan(
        changes=(
            Change(effect="block", kind="prefix", values=("+90532", "+9053")),
            Change(effect="allow", kind="country", values=("tr",)),
            Change(effect="remove", kind="country", values=("DE",)),
        ),
        lines=5,
        entries=3,
    )


def test_a_wrong_line_is_named_by_its_number_and_never_by_its_value():
    found = plan(
        "block,number,+14155552671",
        "block,number,415555267",
        "shut,number,+14155552671",
        "block,planet,+14155552671",
        "block,number",
        f"block,origin,{'x' * 301}",
        "remove,number,+14155552671",
        "block,number,+14155552672",
        "allow,type,voip",
        "allow,type,mobile",
    )
    assert [(bad.line, bad.why.split()[0]) for bad in found.bad] == [
        (3, "A"),
        (4, "An"),
        (5, "A"),
        (6, "A"),
        (7, "A"),
        (8, "Another"),
        (11, "Only"),
    ]
    assert (found.changes, found.lines, "415555" in str(found.bad)) == ((), 10, False)
    assert found.bad[1] == BadLine(line=4, why="An effect is one of allow, block, remove.")


@pytest.mark.parametrize("head", ["", "kind,effect,value\n", "block,country,TR\n"])
def test_a_file_says_its_columns_first(head: str):
    with pytest.raises(InvalidRequest, match="first line"):
        plan("block,country,TR", head=head)


def test_what_is_no_csv_is_refused():
    with pytest.raises(InvalidRequest, match="no CSV"):
        plan("block,number," + "1" * 200_000)


def test_many_values_are_changes_of_at_most_five_hundred_and_no_more_than_lists_hold():
    many = [f"block,number,+1212{2_000_000 + n}" for n in range(ENTRIES_MAX)]
    found = plan(*many)
    assert ([len(change.values) for change in found.changes], found.entries) == ([500] * 4, ENTRIES_MAX)
    with pytest.raises(InvalidRequest, match="2000 entries together"):
        plan(*many, "block,country,TR")
    with pytest.raises(InvalidRequest, match="at most 4000 lines"):
        plan(*["block,country,TR"] * 4_001)
