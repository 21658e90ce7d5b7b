"""`test`: pytest over the whole source, in this process, so that an interrupt reaches it and its fixtures clean up."""

import argparse
import os
import sys
from typing import TYPE_CHECKING

from interfaces.cli.checkout import checkout
from interfaces.cli.output import emit

if TYPE_CHECKING:
    import pytest

OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed")


class Tally:
    """A pytest plugin that keeps how many tests came to which outcome."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(OUTCOMES, 0)

    def pytest_terminal_summary(self, terminalreporter: "pytest.TerminalReporter") -> None:
        self.counts = {outcome: len(terminalreporter.stats.get(outcome, ())) for outcome in OUTCOMES}


def run(arguments: argparse.Namespace) -> int:
    os.chdir(checkout())
    import pytest

    tally = Tally()
    stdout = os.dup(1)
    if arguments.json:
        sys.stdout.flush()
        os.dup2(2, 1)
    try:
        status = pytest.main(list(arguments.others), plugins=[tally])
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
    if arguments.json:
        emit(arguments, {"passed": status == pytest.ExitCode.OK, "tests": tally.counts}, "")
    if status == pytest.ExitCode.USAGE_ERROR:
        return 2
    return 0 if status == pytest.ExitCode.OK else 1
