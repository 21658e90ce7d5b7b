"""Who may import what: our own packages by import-linter's contract, everybody else's by the lists below."""

import ast
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from interfaces.cli.audit import MODULES

ROOT = Path(__file__).resolve().parents[2]
OURS = {"application", "domain", "interfaces", "projections"}

# The library of each layer beside Python's own. `interfaces` may use whatever the server's lock holds.
LIBRARIES = {
    "domain": {"msgspec", "phonenumbers"},
    "application": {"cryptography", "eventsourcing", "jwt", "msgspec", "phonenumbers"},
    "projections": {"eventsourcing", "msgspec", "psycopg"},
}
# What Python brings along and these layers get handed instead: time, randomness, the machine and the world beyond it.
OUTSIDE = {
    "glob",
    "http",
    "io",
    "os",
    "pathlib",
    "platform",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "smtplib",
}
OUTSIDE |= {"socket", "sqlite3", "ssl", "subprocess", "sys", "tempfile", "urllib", "uuid"}
HANDED_OVER = {
    "domain": OUTSIDE | {"asyncio", "concurrent", "logging", "multiprocessing", "queue", "threading", "time"},
    "application": OUTSIDE,
    "projections": OUTSIDE - {"os", "pathlib"} | {"time"},
}
# The auditor's tool is a program of its own: these read what it was started with.
STARTED = {"projections/audit/__main__.py", "projections/audit/cli.py"}
# The modules of `interfaces` that may look at views.
READERS = {
    "interfaces/billing/issuing.py",
    "interfaces/billing/pdf.py",
    "interfaces/dashboard/pages/statements.py",
    "interfaces/dashboard/pages/trail.py",
    "interfaces/dashboard/trail.py",
    "interfaces/bench/scale.py",
    "interfaces/cli/bench.py",
    "interfaces/cli/audit.py",
    "interfaces/cli/projector.py",
    "interfaces/cli/seal_check.py",
    "interfaces/cli/sealed.py",
    "interfaces/cli/witness.py",
    "interfaces/http/audit.py",
    "interfaces/sealing.py",
    "interfaces/cli/billing.py",
    "interfaces/cli/projections.py",
    "interfaces/http/statements.py",
    "interfaces/http/reads.py",
    "interfaces/http/reports.py",
    "interfaces/http/views.py",
    "interfaces/key_uses.py",
    "interfaces/projecting.py",
    "interfaces/witness/cosigner.py",
    "interfaces/witness/address.py",
    "interfaces/witness/follower.py",
    "interfaces/witness/http.py",
    "interfaces/witness/asking.py",
}
CLOCKS = {"now", "today", "utcnow"}


def imports(source: str) -> set[str]:
    """The top-level names that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def forbidden(source: str, *, layer: str) -> set[str]:
    wanted = imports(source) - OURS
    return (wanted - sys.stdlib_module_names - LIBRARIES[layer]) | (wanted & HANDED_OVER[layer])


def clocks(source: str) -> list[str]:
    """The calls that read a clock off a date type: `datetime.now(...)` and its like."""
    calls = [node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    attributes = [call for call in calls if isinstance(call, ast.Attribute) and call.attr in CLOCKS]
    return [ast.unparse(call) for call in attributes if ast.unparse(call.value).split(".")[-1] in {"date", "datetime"}]


def modules(layer: str) -> list[Path]:
    found = sorted((ROOT / layer).rglob("*.py"))
    assert found
    return found


def test_the_layers_import_only_downwards() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert (done.returncode, "1 kept, 0 broken" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize("layer", LIBRARIES)
def test_a_layer_uses_its_own_libraries_only(layer: str) -> None:
    found = {str(path.relative_to(ROOT)): forbidden(path.read_text(), layer=layer) for path in modules(layer)}
    assert {path: names for path, names in found.items() if names} == {path: {"sys"} for path in STARTED & found.keys()}


def test_the_auditors_tool_uses_nothing_but_itself_and_pythons_own_library():
    paths = [path for pattern in MODULES for path in sorted(ROOT.glob(pattern))]
    found = {str(path.relative_to(ROOT)): imports(path.read_text()) - sys.stdlib_module_names for path in paths}
    assert {path: names for path, names in found.items() if names - {"projections"}} == {}


@pytest.mark.parametrize("layer", LIBRARIES)
def test_no_layer_inside_reads_a_clock_by_itself(layer: str) -> None:
    found = {str(path.relative_to(ROOT)): clocks(path.read_text()) for path in modules(layer)}
    assert {path: calls for path, calls in found.items() if calls} == {}


def test_only_reads_know_the_views() -> None:
    """What decides, sends or lets in looks at the ledger: a view may be late."""
    found = {
        str(path.relative_to(ROOT)) for path in modules("interfaces") if "projections" in imports(path.read_text())
    }
    assert found == READERS
    assert not {name for path in modules("application") for name in imports(path.read_text())} & {"projections"}


def test_interfaces_use_what_the_servers_lock_holds() -> None:
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line}
    distributions = packages_distributions()
    found = {}
    for path in modules("interfaces"):
        wanted = imports(path.read_text()) - OURS - sys.stdlib_module_names
        names = {name for name in wanted if not locked & {*map(canonicalize_name, distributions.get(name, []))}}
        if names:
            found[str(path.relative_to(ROOT))] = names
    assert found == {"interfaces/cli/test.py": {"pytest"}}


def test_a_forbidden_import_is_found_wherever_it_hides() -> None:
    source = "import msgspec, httpx\ndef decide():\n    from os import urandom\n    import application.writer\n"
    assert forbidden(source, layer="domain") == {"httpx", "os"}
    assert forbidden("import jwt", layer="projections") == {"jwt"}
    assert clocks("import datetime\nat = [datetime.datetime.now(datetime.UTC), clock.now(), date.today()]") == [
        "datetime.datetime.now",
        "date.today",
    ]
