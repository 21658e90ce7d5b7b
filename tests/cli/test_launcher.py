"""The launcher on trees of its own, with the system's Python, the pip that lies in the repository, and an empty home.

Most trees have a lock of two packages and a `doctor` that tells what it runs in, so that an installation takes two seconds.
"""

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ("application", "domain", "interfaces", "projections")
SYSTEM_PYTHON = Path("/usr/bin/python3")
PYTHON = SYSTEM_PYTHON if SYSTEM_PYTHON.exists() else Path(sys._base_executable)  # type: ignore[attr-defined]
PROBE = """
import argparse, importlib.metadata, os, sys
from interfaces.cli.output import emit

def run(arguments: argparse.Namespace) -> int:
    packages = {found.metadata["Name"]: found.version for found in importlib.metadata.distributions()}
    emit(arguments, {"prefix": sys.prefix, "packages": packages, "source": __file__, "cwd": os.getcwd()}, "well")
    return 0
"""


class Tree:
    """A copy of what a stranger has after cloning, and a machine that has nothing but Python."""

    def __init__(self, place: Path, *, names: tuple[str, ...] = ("msgspec", "idna")) -> None:
        self.root = place / "clone"
        self.home = place / "home"
        self.path = place / "bin"
        for directory in (self.root, self.home, self.path):
            directory.mkdir(parents=True)
        (self.path / "python3").symlink_to(PYTHON)
        for name in ("doneotp", "requirements.lock", "requirements-dev.lock", "pyproject.toml"):
            shutil.copy2(ROOT / name, self.root)
        for name in (*SOURCE, "bootstrap"):
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.venv = self.root / ".venv"
        if names:
            (self.root / "interfaces/cli/doctor.py").write_text(PROBE)
            self.lock(*names)

    def lock(self, *names: str) -> None:
        for name in ("requirements.lock", "requirements-dev.lock"):
            (self.root / name).write_text("".join(locked(ROOT / name)[package] for package in names))

    def start(self, *words: str, cwd: Path | None = None, **settings: str) -> subprocess.Popen[str]:
        left = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV", "UV_"))
        }
        return subprocess.Popen(
            [self.root / "doneotp", *words],
            cwd=cwd or self.home,
            env=left | {"HOME": str(self.home), "PATH": str(self.path)} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *words: str, cwd: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, cwd=cwd, **settings)
        stdout, stderr = process.communicate(timeout=240)
        return subprocess.CompletedProcess(words, process.returncode, stdout, stderr)

    def doctor(self, **settings: str) -> dict[str, Any]:
        done = self.run("doctor", "--json", cwd=None, **settings)
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def python_version(self) -> str:
        """Of the Python that the clone was given, which need not be that of these tests."""
        asked = [str(self.venv / "bin" / "python"), "-c", "import platform; print(platform.python_version())"]
        said: str = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        return said.strip()

    def packages(self) -> set[str]:
        (site_packages,) = self.venv.glob("lib/*/site-packages")
        return {canonical(found.metadata["Name"]) for found in distributions(path=[str(site_packages)])}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(lock: Path) -> dict[str, str]:
    """The lock's entries by name."""
    entries = re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.MULTILINE)
    return {entry.split("==")[0]: entry for entry in entries if "==" in entry}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_clone_becomes_what_the_lock_says_and_nothing_else(tmp_path: Path) -> None:
    clone = Tree(tmp_path, names=())
    first = clone.run("config", "--json", cwd=Path("/"))
    assert (first.returncode, [line.split()[1] for line in first.stderr.splitlines()]) == (
        0,
        ["installing", "installed"],
    )
    assert isinstance(json.loads(first.stdout), dict)
    pins = re.findall(r"^[a-z0-9][^\\\n]*", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE)
    there = {"python_full_version": clone.python_version()}
    requirements = [Requirement(pin) for pin in pins]
    assert clone.packages() == {one.name for one in requirements if not one.marker or one.marker.evaluate(there)}
    second = clone.run("config", "--json", cwd=Path("/"))
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")


def test_help_and_wrong_usage_never_wait_for_an_installation(tree: Tree) -> None:
    shown = tree.run("accounts", "open", "--help")
    refused = tree.run("accounts", "close")
    assert (shown.returncode, shown.stdout[:28], refused.returncode, refused.stdout) == (
        0,
        "usage: doneotp accounts open",
        2,
        "",
    )
    assert not tree.venv.exists()


def test_an_installed_tree_starts_again_without_a_word_and_keeps_its_venv(tree: Tree) -> None:
    first = tree.doctor()
    (tree.venv / "mark").touch()
    again = tree.run("doctor", "--json")
    assert (json.loads(again.stdout), again.stderr) == (first, "")
    assert (tree.venv / "mark").exists()


def test_neither_the_callers_directory_nor_his_python_settings_nor_a_missing_home_matter(
    tree: Tree, tmp_path: Path
) -> None:
    trap = tmp_path / "trap"
    (trap / "interfaces").mkdir(parents=True)
    (trap / "interfaces" / "__init__.py").write_text("raise SystemExit('the wrong code ran')")
    (trap / "argparse.py").write_text("raise SystemExit('the wrong library ran')")
    (trap / "venv.py").write_text("raise SystemExit('the wrong library ran')")
    tree.home.rmdir()
    first = tree.run("doctor", "--json", cwd=trap, PYTHONPATH=str(trap))
    again = tree.run("doctor", "--json", cwd=trap, PYTHONPATH=str(trap))
    assert (first.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert json.loads(again.stdout)["source"] == str(tree.root / "interfaces/cli/doctor.py")


def test_two_launchers_at_once_install_once(tree: Tree) -> None:
    processes = [tree.start("doctor", "--json") for _ in range(2)]
    answers = [process.communicate(timeout=240) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert answers[0][0] == answers[1][0]
    assert "".join(stderr for _, stderr in answers).count("installed in") == 1


@pytest.mark.parametrize("kill", [os.killpg, os.kill], ids=["with its installer", "alone, and the installer lives on"])
def test_an_installation_that_was_killed_is_made_anew(tree: Tree, kill: Callable[[int, int], None]) -> None:
    process = tree.start("doctor")
    while not (tree.venv / "bin" / "python").exists():
        time.sleep(0.01)
    kill(process.pid, signal.SIGKILL)
    process.communicate()
    (tree.venv / "mark").touch()
    assert tree.doctor()["prefix"] == str(tree.venv)
    assert not (tree.venv / "mark").exists()


def test_a_changed_lock_updates_the_venv_in_place(tree: Tree) -> None:
    tree.doctor()
    (tree.venv / "mark").touch()
    tree.lock("msgspec", "h11")
    tree.doctor()
    assert (tree.packages(), (tree.venv / "mark").exists()) == ({"msgspec", "h11"}, True)


def test_a_tree_that_moved_is_installed_again_where_it_is_now(tree: Tree) -> None:
    tree.doctor()
    tree.root = tree.root.rename(tree.root.with_name("elsewhere"))
    tree.venv = tree.root / ".venv"
    assert tree.doctor()["source"] == str(tree.root / "interfaces/cli/doctor.py")


def test_uv_installs_the_same_where_it_is_present(tree: Tree) -> None:
    with_pip = tree.doctor()
    shutil.rmtree(tree.venv)
    (tree.path / "uv").symlink_to(Path(sys.executable).with_name("uv"))
    assert tree.doctor(UV_SYSTEM_PYTHON="1", UV_PYTHON="2.7") == with_pip
    assert "uv = " in (tree.venv / "pyvenv.cfg").read_text()


def test_a_uv_that_does_not_work_is_no_obstacle(tree: Tree) -> None:
    (tree.path / "uv").write_text("#!/bin/sh\nexit 127\n")
    (tree.path / "uv").chmod(0o755)
    assert set(tree.doctor()["packages"]) == {"msgspec", "idna"}


def test_a_package_with_another_hash_than_the_locks_is_refused(tree: Tree) -> None:
    lock = tree.root / "requirements.lock"
    good = lock.read_text()
    lock.write_text(re.sub("sha256:.{8}", "sha256:00000000", good))
    refused = tree.run("doctor", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "installation_failed")
    assert tree.packages() == set()
    lock.write_text(good)
    assert set(tree.doctor()["packages"]) == {"msgspec", "idna"}


def test_a_bundled_pip_that_was_changed_is_not_run(tree: Tree) -> None:
    (wheel,) = (tree.root / "bootstrap").glob("pip-*.whl")
    with wheel.open("ab") as file:
        file.write(b"\0")
    refused = tree.run("doctor")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1].endswith("is not the file that belongs here")


def test_an_older_python_is_told_so_in_one_line() -> None:
    ast.parse((ROOT / "doneotp").read_text(), feature_version=(3, 7))
    old = f"import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path({str(ROOT / 'doneotp')!r}, run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", old], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (1, "doneotp: needs Python 3.11 or later, this is 3.9\n")
