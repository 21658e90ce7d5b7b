"""`check`: what has to hold beside the tests. Each check is a program of the virtual environment."""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from interfaces.cli.checkout import checkout
from interfaces.cli.output import emit

RULES = ("domain", "application")
CHECKS = (
    ("style", ("ruff", "check", "--quiet", ".")),
    ("format", ("ruff", "format", "--quiet", "--diff", ".")),
    ("types", ("mypy", "--no-error-summary")),
    ("widget", ("python", "-m", "interfaces.web.widget.check")),
    ("imports", ("lint-imports", "--no-logo", "--no-cache")),
    # Every branch of the rules, by tests of the rules alone: that a request over HTTP happens to come past one proves little.
    (
        "coverage",
        (
            *("pytest", "--quiet", *(f"tests/{name}" for name in RULES)),
            *(*(f"--cov={name}" for name in RULES), "--cov-branch", "--cov-fail-under=100"),
        ),
    ),
)


def _shown(output: str, *, passed: bool) -> str:
    """Everything of a check that failed; of one that passed what it had to leave out."""
    return "".join(line for line in output.splitlines(keepends=True) if not passed or line.startswith("skipped"))


def run(arguments: argparse.Namespace) -> int:
    root = checkout()
    results = []
    for name, (program, *options) in CHECKS:
        begun = time.monotonic()
        done = subprocess.run(  # noqa: S603 - the table above
            [Path(sys.executable).with_name(program), *options],
            check=False,
            cwd=root,
            env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        passed = done.returncode == 0
        seconds = round(time.monotonic() - begun, 1)
        results.append(
            {"name": name, "passed": passed, "seconds": seconds, "output": _shown(done.stdout, passed=passed)}
        )
        if not arguments.json:
            print(f"{'ok' if passed else 'FAILED':8}{name} ({seconds} s)", flush=True)
            print(results[-1]["output"], end="", flush=True)
    passed = all(result["passed"] for result in results)
    emit(arguments, {"passed": passed, "checks": results}, "everything holds" if passed else "not everything holds")
    return 0 if passed else 1
