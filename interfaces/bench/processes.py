"""CPU time and memory of process trees, read from /proc. Where there is no /proc they are unknown, not zero."""

import os
from pathlib import Path
from typing import Final

import msgspec

_PROC: Final = Path("/proc")
_KIB: Final = 1_024


class Process(msgspec.Struct, frozen=True):
    """One line of the process table. `ticks` counts the process's own CPU time and that of children it has reaped."""

    pid: int
    parent: int
    name: str
    ticks: int


def table() -> dict[int, Process]:
    """Every process; empty where there is no /proc."""
    found = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit():
            process = _read(int(entry.name))
            if process is not None:
                found[process.pid] = process
    return found


def tree(root: int, *, processes: dict[int, Process], without: int | None = None) -> list[Process]:
    """`root` and all that descends from it, less the tree of `without`."""
    children: dict[int, list[Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent, []).append(process)
    found = []
    waiting = [processes[root]] if root in processes else []
    while waiting:
        process = waiting.pop()
        if process.pid != without:
            found.append(process)
            waiting.extend(children.get(process.pid, ()))
    return found


def cpu_seconds(processes: list[Process]) -> float | None:
    """CPU time of the processes and of the children they have reaped; None when unknown."""
    if not processes:
        return None
    return sum(process.ticks for process in processes) / os.sysconf("SC_CLK_TCK")


def resident_bytes(processes: list[Process]) -> int | None:
    """Resident memory of the processes, what they share counted once for each; None when unknown."""
    total = 0
    for process in processes:
        try:
            status = (_PROC / str(process.pid) / "status").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * _KIB for line in status.splitlines() if line.startswith("VmRSS:"))
    return total or None


def _read(pid: int) -> Process | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    # The name is in parentheses and may hold any character, so the fields are counted from the last one.
    name = text[text.index("(") + 1 : text.rindex(")")]
    fields = text[text.rindex(")") + 2 :].split()
    return Process(pid, int(fields[1]), name, sum(map(int, fields[11:15])))
