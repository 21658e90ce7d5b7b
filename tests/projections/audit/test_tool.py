"""The tool as one file, on a machine that has Python and nothing else; and the same commands in the checkout."""

import ast
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from interfaces.cli import audit
from projections.audit import cli
from tests.support.auditor import Desk

ROOT = Path(__file__).resolve().parents[3]
PYZ = ROOT / audit.TOOL


def run(*words: object, at: Path, program: tuple[object, ...] = ("-I", "-S", PYZ)) -> subprocess.CompletedProcess[str]:
    """The tool, in an empty environment and an empty directory."""
    empty = at / "empty"
    empty.mkdir(exist_ok=True)
    command = [sys.executable, *map(str, program), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=empty, env={}, timeout=120)
    assert "Traceback" not in done.stderr
    assert list(empty.iterdir()) == []
    return done


def test_the_committed_tool_is_a_fresh_build():
    """After a change below `projections/audit`: `./doneotp audit tool`."""
    assert PYZ.read_bytes() == audit.build(ROOT)


def test_the_tool_imports_nothing_but_itself_and_pythons_own_library():
    own = {str(path.relative_to(ROOT)) for pattern in audit.MODULES for path in ROOT.glob(pattern)}
    foreign = set()
    for path in own:
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
            for name in names:
                inside = {f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py"} & own
                inside = inside or {f"{name.rpartition('.')[0].replace('.', '/')}.py"} & own
                if not inside and name.split(".")[0] not in sys.stdlib_module_names:
                    foreign.add((path, name))
    assert foreign == set()


def test_a_sound_bundle_is_said_to_be_sound(desk: Desk, tmp_path: Path):
    directory = desk.bundle().directory
    done = run("verify", directory, at=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (0, "verdict     sound", "")
    answer = json.loads(run("verify", directory, "--json", at=tmp_path).stdout)
    assert (answer["ok"], answer["logs"], answer["findings"]) == (True, 3, [])
    assert answer["events"] == sum(map(len, desk.logs.values()))
    replayed = json.loads(run("replay", directory, "--json", at=tmp_path).stdout)
    assert replayed["position"] == answer["events"]
    assert replayed["accounts"].keys() == {"acct_first", "acct_second"}
    assert run("replay", directory, at=tmp_path).stdout.startswith("acct_first  available ")


def test_what_is_wrong_is_said_and_ends_with_status_1(desk: Desk, tmp_path: Path):
    writer = desk.bundle()
    kept, vkey = tmp_path / "kept", tmp_path / "vkey"
    kept.write_bytes(writer.signer.sign("", 99, bytes(32)))
    vkey.write_bytes(writer.signer.vkey)
    done = run("verify", writer.directory, "--checkpoint", kept, "--vkey", vkey, at=tmp_path)
    sentence = "The global log has 12 entries, but 99 were signed before: its tail was cut."
    last = ["verdict     NOT SOUND: 1 finding", f"log-shorter-than-checkpoint  (bundle)  {sentence}"]
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (1, last)
    (writer.directory / "accounts/acct_second/checkpoint").unlink()
    answer = json.loads(run("verify", writer.directory, "--json", at=tmp_path).stdout)
    assert answer["findings"] == [
        {
            "name": "missing-file",
            "where": "acct_second, accounts/acct_second/checkpoint",
            "sentence": "There is no accounts/acct_second/checkpoint.",
            "log": "acct_second",
            "file": "accounts/acct_second/checkpoint",
        }
    ]
    assert run("replay", writer.directory, at=tmp_path).returncode == 1


def test_the_checkpoint_is_printed_as_it_was_signed(desk: Desk, tmp_path: Path):
    writer = desk.bundle()
    done = run("checkpoint", writer.directory, at=tmp_path)
    assert (done.returncode, done.stdout.encode(), done.stderr) == (0, writer.checkpoint(), "")
    (writer.directory / "checkpoint").write_bytes(writer.checkpoint().replace(b"\n12\n", b"\n13\n"))
    done = run("checkpoint", writer.directory, at=tmp_path)
    assert (done.returncode, done.stderr.split("  ")[0]) == (1, "checkpoint-refused")
    answer = json.loads(run("checkpoint", writer.directory, "--json", at=tmp_path).stdout)
    assert (answer["ok"], answer["checkpoint"]["size"]) == (False, 13)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_moves_on_a_terminal_and_nowhere_else(desk: Desk, monkeypatch, capsys):
    words = ["verify", str(desk.bundle().directory)]
    assert cli.main(words) == 0
    assert capsys.readouterr().err == ""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert cli.main(words) == 0
    shown = terminal.getvalue()
    assert shown.startswith("\rverifying [")
    assert "100 %" in shown
    assert shown.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    "words", [["verify"], ["verify", "."], ["verify", "nowhere"], ["guess", "."], [], ["replay", ".", "--vkey", "f"]]
)
def test_wrong_usage_ends_with_status_2(words, tmp_path: Path):
    given = ["--checkpoint", "nothing-there"] if words == ["verify", "."] else []
    done = run(*words, *given, "--json", at=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (2, "wrong_usage")
    assert done.stderr.startswith("doneotp-audit: ")


def test_the_checkout_has_the_same_commands(desk: Desk, tmp_path: Path):
    directory = desk.bundle().directory
    source = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import interfaces.cli.__main__ as cli; sys.exit(cli.main())"
    )
    program = ("-P", "-c", source)
    for words in (["verify", directory], ["replay", directory, "--json"], ["checkpoint", directory]):
        there, here = run(*words, at=tmp_path), run("audit", *words, at=tmp_path, program=program)
        assert (here.returncode, here.stdout) == (there.returncode, there.stdout)
    done = run("audit", "verify", "nowhere", at=tmp_path, program=program)
    assert (done.returncode, done.stderr) == (2, "doneotp audit: nowhere is not a directory\n")
