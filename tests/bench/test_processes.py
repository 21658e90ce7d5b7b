"""CPU time and memory of process trees."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from interfaces.bench import processes
from interfaces.bench.processes import Process

TABLE = {
    1: Process(1, 0, "init", 5),
    2: Process(2, 1, "serve", 100),
    3: Process(3, 2, "worker", 30),
    4: Process(4, 2, "postgres", 20),
    5: Process(5, 4, "postgres", 7),
}
linux_only = pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")


def test_a_tree_is_a_process_and_all_that_descends_from_it():
    assert {process.pid for process in processes.tree(2, processes=TABLE)} == {2, 3, 4, 5}


def test_a_tree_may_leave_a_tree_out():
    assert {process.pid for process in processes.tree(2, processes=TABLE, without=4)} == {2, 3}


def test_what_is_not_there_has_no_cpu_time_rather_than_none():
    assert processes.cpu_seconds(processes.tree(9, processes=TABLE)) is None
    assert processes.resident_bytes([]) is None


def test_cpu_time_is_the_sum_of_the_tree():
    ticks = os.sysconf("SC_CLK_TCK")
    assert processes.cpu_seconds(processes.tree(4, processes=TABLE)) == 27 / ticks


@linux_only
def test_a_child_that_worked_is_counted_with_its_parent_even_when_it_is_gone():
    def used() -> float:
        return processes.cpu_seconds(processes.tree(os.getpid(), processes=processes.table())) or 0.0

    before = used()
    subprocess.run([sys.executable, "-S", "-c", "for _ in range(3_000_000): pass"], check=True)
    assert used() - before > 0


@linux_only
def test_this_process_is_resident():
    me = processes.tree(os.getpid(), processes=processes.table())
    assert (processes.resident_bytes(me) or 0) > 1_000_000
