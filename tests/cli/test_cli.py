"""The command line: its table, its exit statuses, and that one JSON document is all that `--json` prints."""

import argparse
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from interfaces.cli import check
from interfaces.cli.__main__ import main
from interfaces.cli.checkout import ROOT
from interfaces.cli.commands import COMMANDS, GROUPS, Command
from interfaces.cli.output import Refused, emit
from interfaces.cli.parser import parse

Handler = Callable[[argparse.Namespace], int]
WORDS = [command.words for command in COMMANDS]


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Callable[[Handler], None]:
    """Puts a handler of the test's own in the doctor's place."""

    def place(handler: Handler) -> None:
        module = ModuleType("interfaces.cli.doctor")
        module.__dict__["run"] = handler
        monkeypatch.setitem(sys.modules, "interfaces.cli.doctor", module)

    return place


def refusing(arguments: argparse.Namespace) -> int:
    raise Refused("no_database", "the database does not answer", "start it")


def failing(arguments: argparse.Namespace) -> int:
    raise LookupError("sk_live_secret")


@pytest.mark.parametrize("command", COMMANDS, ids=WORDS)
def test_every_command_has_a_handler(command: Command) -> None:
    module, _, function = command.handler.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("words", [*WORDS, *GROUPS, ""])
def test_help_is_there_at_every_level(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        parse([*words.split(), "--help"])
    assert (stopped.value.code, capsys.readouterr().out.startswith(f"usage: doneotp {words}".rstrip())) == (0, True)


def test_help_imports_nothing_but_the_standard_library_and_the_table() -> None:
    program = (
        "import sys; from interfaces.cli.__main__ import main; print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    imported = set(done.stdout.split()) - sys.stdlib_module_names
    assert {name for name in imported if not name.startswith(("_", "sitecustomize"))} == {"interfaces"}


@pytest.mark.parametrize(
    "words",
    [["--json", "keys", "list", "acct_1"], ["keys", "--json", "list", "acct_1"], ["keys", "list", "acct_1", "--json"]],
)
def test_json_counts_wherever_it_stands(words: list[str]) -> None:
    assert parse(words).json
    assert not parse([word for word in words if word != "--json"]).json


def test_a_command_gets_its_arguments_as_values() -> None:
    arguments = vars(parse(["policy", "set", "acct_1", "code_length=8", "note=a=b"]))
    assert arguments == {
        "account": "acct_1",
        "changes": [("code_length", "8"), ("note", "a=b")],
        "handler": "interfaces.cli.policy:set_",
        "json": False,
        "others": [],
        "passes_on": "",
        "traceback": False,
    }


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["accounts"],
        ["accounts", "open"],
        ["accounts", "open", "--name", "A", "--credits", "-1"],
        ["accounts", "open", "--name", "A", "--credits", "1.5"],
        ["accounts", "open", "--name", "A", "--cred", "1"],
        ["credits", "add", "acct_1", "0", "--reference", "R"],
        ["credits", "add", "acct_1", "٣", "--reference", "R"],
        ["credits", "add", "acct_1", "9" * 40, "--reference", "R"],
        ["keys", "issue", "acct_1", "--name", "N", "--kind", "live"],
        ["policy", "set", "acct_1"],
        ["policy", "set", "acct_1", "=8"],
        ["serve", "--workers", "0"],
        ["serve", "now"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_said_on_stderr_and_stops_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    said = capsys.readouterr()
    assert (stopped.value.code, said.out, "usage: doneotp" in said.err) == (2, "", True)


def test_wrong_usage_is_one_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--json", "accounts", "open"])
    document = {"error": {"code": "wrong_usage", "detail": "the following arguments are required: --name"}}
    assert json.loads(capsys.readouterr().out) == document


def test_an_answer_is_text_or_with_json_one_document(
    doctor: Callable[[Handler], None], capsys: pytest.CaptureFixture[str]
) -> None:
    def answering(arguments: argparse.Namespace) -> int:
        emit(arguments, {"healthy": True}, "all is well")
        return 0

    doctor(answering)
    statuses = (main(["doctor"]), main(["doctor", "--json"]))
    assert (statuses, capsys.readouterr()) == ((0, 0), ('all is well\n{"healthy": true}\n', ""))


def test_a_refusal_stops_with_1_and_says_what_to_do(
    doctor: Callable[[Handler], None], capsys: pytest.CaptureFixture[str]
) -> None:
    doctor(refusing)
    statuses = (main(["doctor"]), main(["doctor", "--json"]))
    document = {"error": {"code": "no_database", "detail": "the database does not answer", "fix": "start it"}}
    said = capsys.readouterr()
    assert (statuses, json.loads(said.out)) == ((1, 1), document)
    assert said.err == "doneotp: the database does not answer\nfix: start it\n"


def test_an_unexpected_error_names_its_type_and_keeps_its_text_to_itself(
    doctor: Callable[[Handler], None], capsys: pytest.CaptureFixture[str]
) -> None:
    doctor(failing)
    status = main(["doctor"])
    said = capsys.readouterr()
    assert (status, said.out, said.err.splitlines()[0]) == (
        1,
        "",
        "doneotp: unexpected LookupError: a fault of DoneOTP's own",
    )
    assert "sk_live_secret" not in said.err
    main(["doctor", "--traceback"])
    assert "in failing" in capsys.readouterr().err


def test_an_interrupt_is_no_error(doctor: Callable[[Handler], None], capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: argparse.Namespace) -> int:
        raise KeyboardInterrupt

    doctor(interrupted)
    assert (main(["doctor"]), capsys.readouterr()) == (130, ("", ""))


def test_a_reader_that_has_enough_leaves_no_traceback() -> None:
    program = (
        "import sys, types; from interfaces.cli.__main__ import main; from interfaces.cli.output import emit\n"
        "module = sys.modules['interfaces.cli.doctor'] = types.ModuleType('doctor')\n"
        "module.run = lambda arguments: emit(arguments, {}, 'line\\n' * 100_000)\n"
        "sys.exit(main(['doctor']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    process.stdout.read(5)
    process.stdout.close()
    assert (process.stderr.read() if process.stderr else None, process.wait(timeout=60)) == (b"", 1)
    if process.stderr:
        process.stderr.close()


VIOLATIONS = {
    "style": ("projections/unused.py", "import os\n"),
    "format": ("projections/loose.py", "name   =  1\n"),
    "types": ("projections/wrong.py", 'number: int = "one"\n'),
    "widget": ("interfaces/web/widget/xx.json", "[]\n"),
    "imports": ("projections/upward.py", 'import interfaces\n\n__all__ = ["interfaces"]\n'),
    "coverage": ("domain/untested.py", "def larger(one: int) -> int:\n    return one + 1 if one else one\n"),
}
RULE = "def double(one: int) -> int:\n    return 2 * one\n"
RULE_TEST = "from {}.rule import double\n\n\ndef test_twice_as_much():\n    assert double(1) == 2\n"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small source in which everything holds."""
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)
    for name in ("application", "domain", "interfaces", "projections", "tests"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    for name in ("application", "domain"):
        (tmp_path / name / "rule.py").write_text(RULE)
        (tmp_path / "tests" / name).mkdir()
        (tmp_path / "tests" / name / "test_rule.py").write_text(RULE_TEST.format(name))
    shutil.copytree(ROOT / "interfaces" / "web" / "widget", tmp_path / "interfaces" / "web" / "widget")
    (tmp_path / "doneotp").touch()
    monkeypatch.setattr(check, "checkout", lambda: tmp_path)
    return tmp_path


def test_check_passes_where_everything_holds(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["check"])
    said = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("skipped: ")]
    assert (status, [line.split()[0] for line in said[:-1]], said[-1]) == (
        0,
        ["ok"] * len(check.CHECKS),
        "everything holds",
    )


@pytest.mark.parametrize("names", [("style", "widget", "imports"), ("format", "types", "coverage")], ids=" ".join)
def test_check_names_what_does_not_hold(
    names: tuple[str, ...], source: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each by the check that it breaks, and no other check: a run takes seconds, so three are broken at once."""
    stems = {name: Path(VIOLATIONS[name][0]).stem for name in names}
    for name in names:
        path, text = VIOLATIONS[name]
        (source / path).write_text(text)
    status = main(["check", "--json"])
    document = json.loads(capsys.readouterr().out)
    broken = {
        found["name"]: [stem for stem in stems.values() if stem in found["output"]]
        for found in document["checks"]
        if not found["passed"]
    }
    assert (status, document["passed"], broken) == (1, False, {name: [stem] for name, stem in stems.items()})


def test_test_passes_arguments_on_to_pytest_and_counts_outcomes(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_good(): pass\ndef test_bad(): assert 1 == 2\n")
    command = [sys.executable, "-m", "interfaces.cli", "test", "-p", "no:cacheprovider", str(tmp_path)]
    both, good = (
        subprocess.run([*command, *more], capture_output=True, text=True, cwd=ROOT, timeout=120)
        for more in (["--json"], ["-k", "good"])
    )
    document = {"passed": False, "tests": {"passed": 1, "failed": 1, "error": 0, "skipped": 0, "xfailed": 0}}
    assert (both.returncode, json.loads(both.stdout)) == (1, document)
    assert (good.returncode, "1 passed, 1 deselected" in good.stdout) == (0, True)
