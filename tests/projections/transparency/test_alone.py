"""What checks a log must run where there is nothing but Python."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = ("ed25519", "entry", "note", "proof", "tiles", "tree")


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_pythons_library_and_its_neighbours_only(name):
    source = (ROOT / "projections" / "transparency" / f"{name}.py").read_text()
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {str(node.module) if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes}
    package = "projections.transparency"
    ours = {package, *(f"{package}.{neighbour}" for neighbour in MODULES)}
    assert {
        module for module in modules if module not in ours and module.split(".")[0] not in sys.stdlib_module_names
    } == set()


def test_a_bare_python_runs_them():
    """Without site-packages, and with warnings as errors."""
    program = "import sys; sys.path.insert(0, sys.argv[1])\n" + "".join(
        f"import projections.transparency.{name}\n" for name in MODULES
    )
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", program, str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
