"""The commands of the auditor's tool: `verify`, `replay`, `checkpoint`. Exit status 0 is sound, 1 a finding, 2 wrong usage."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

from projections.audit import statements
from projections.audit.bundle import NOTE_BYTES_MAX, Bundle
from projections.audit.findings import Finding, Found
from projections.audit.replay import COUNTS, Replayed, replay
from projections.audit.seals import Keys, read_checkpoint
from projections.audit.verify import Older, Verdict, verify

Run = Callable[[argparse.Namespace], int]

PROGRAM: Final = "doneotp-audit"
VERIFY_DOES: Final = (
    "check a bundle's signatures and trees and the ledger's invariants; needs no database and no network"
)
REPLAY_DOES: Final = "recompute balances, usage and statements from a bundle's events alone"
CHECKPOINT_DOES: Final = "print a bundle's checkpoint and check its signature"
OLDER_HELP: Final = "a checkpoint kept from before, of the log or of one account; repeat for more"
VKEY_HELP: Final = "the log's keys as you know them, one vkey a line (default: those in the bundle)"
INTERRUPTED: Final = 130
SHOWN_MAX: Final = 20
"""Findings shown to people; `--json` gives all."""


class WrongUsage(Exception):
    """What was given cannot be worked on."""


def main(words: Sequence[str] | None = None) -> int:
    """Parse and run."""
    given = sys.argv[1:] if words is None else words
    try:
        arguments = _parser().parse_args(given)
    except WrongUsage as error:
        return _refuse(error, program=PROGRAM, as_json="--json" in given)
    return guarded(arguments.run, arguments, program=PROGRAM)


def guarded(run: Run, arguments: argparse.Namespace, *, program: str) -> int:
    """The exit status of a command."""
    try:
        return run(arguments)
    except WrongUsage as error:
        return _refuse(error, program=program, as_json=arguments.json)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`); the interpreter must not stumble over the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongUsage(f"{message}\n{self.format_usage()}".rstrip())


def _parser() -> _Parser:
    top = _Parser(prog=PROGRAM, description="Check a DoneOTP audit bundle without its maker.", allow_abbrev=False)
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for name, does, run in (
        ("verify", VERIFY_DOES, run_verify),
        ("replay", REPLAY_DOES, run_replay),
        ("checkpoint", CHECKPOINT_DOES, run_checkpoint),
    ):
        command = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}.", allow_abbrev=False)
        command.add_argument("directory", metavar="DIR", help="the bundle")
        if name == "verify":
            command.add_argument("--checkpoint", metavar="FILE", action="append", default=[], help=OLDER_HELP)
        if name != "replay":
            command.add_argument("--vkey", metavar="FILE", help=VKEY_HELP)
        command.add_argument("--json", action="store_true", help="answer with one JSON document on stdout")
        command.set_defaults(run=run)
    return top


def run_verify(arguments: argparse.Namespace) -> int:
    """`verify DIR [--checkpoint FILE]... [--vkey FILE]`."""
    vkeys = None if arguments.vkey is None else _given(arguments.vkey)
    older = [Older(file, _given(file)) for file in arguments.checkpoint]
    progress = Progress("verifying")
    verdict = verify(_bundle(arguments), vkeys=vkeys, older=older, progress=progress)
    progress.end()
    _emit(verdict.document()) if arguments.json else print(_verdict_text(verdict))
    return 0 if verdict.ok else 1


def run_replay(arguments: argparse.Namespace) -> int:
    """`replay DIR`."""
    progress = Progress("replaying")
    replayed = replay(_bundle(arguments), compare_statements=statements.compare, progress=progress)
    progress.end()
    _emit(replayed.document()) if arguments.json else print(_replay_text(replayed))
    return 1 if replayed.findings else 0


def run_checkpoint(arguments: argparse.Namespace) -> int:
    """`checkpoint DIR [--vkey FILE]`: the note itself on stdout, whether it holds on stderr."""
    bundle = _bundle(arguments)
    findings: list[Finding] = []
    keys = None
    try:
        raw = bundle.read("vkey", bytes_max=NOTE_BYTES_MAX) if arguments.vkey is None else _given(arguments.vkey)
        keys = Keys.parse(raw, file=arguments.vkey or "vkey")
    except Found as found:
        findings.append(found.finding)
    signed, problems = read_checkpoint(bundle, "checkpoint", keys, log="")
    findings += problems
    if arguments.json:
        sealed = signed and {
            "origin": signed.checkpoint.origin,
            "size": signed.checkpoint.size,
            "root": signed.checkpoint.root.hex(),
            "note": signed.note.decode(errors="replace"),
        }
        _emit({"ok": not findings, "checkpoint": sealed, "findings": [finding.document() for finding in findings]})
        return 1 if findings else 0
    if signed is not None:
        print(signed.note.decode(errors="backslashreplace"), end="", flush=True)
    for finding in findings:
        print(_line(finding), file=sys.stderr)
    return 1 if findings else 0


class Progress:
    """A bar on stderr, and only when that is a terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._is_shown = sys.stderr.isatty()
        self._percent = -1

    def __call__(self, done: int, total: int) -> None:
        percent = min(100, 100 * done // max(1, total))
        if self._is_shown and percent != self._percent:
            self._percent = percent
            print(f"\r{self._what} [{'#' * (percent // 4):25}] {percent:3} %", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line as it was found."""
        if self._percent >= 0:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _bundle(arguments: argparse.Namespace) -> Bundle:
    root = Path(arguments.directory)
    if not root.is_dir():
        raise WrongUsage(f"{arguments.directory} is not a directory")
    return Bundle(root)


def _given(file: str) -> bytes:
    """A file that the auditor named."""
    try:
        with Path(file).open("rb") as opened:
            content = opened.read(NOTE_BYTES_MAX + 1)
    except (OSError, ValueError):
        raise WrongUsage(f"{file} cannot be read") from None
    if len(content) > NOTE_BYTES_MAX:
        raise WrongUsage(f"{file} is too big")
    return content


def _verdict_text(verdict: Verdict) -> str:
    sealed = verdict.checkpoint
    lines = []
    if sealed is not None:
        lines.append(f"checkpoint  {sealed.origin}, size {sealed.size}, root {sealed.root.hex()}")
    lines.append(f"checked     {verdict.events:,} events in {verdict.logs:,} logs")
    if verdict.ok:
        return "\n".join([*lines, "verdict     sound"])
    return "\n".join([*lines, f"verdict     NOT SOUND: {_count(len(verdict.findings))}", *_listed(verdict.findings)])


def _replay_text(replayed: Replayed) -> str:
    lines = []
    for log, books in replayed.books.items():
        lines.append(
            f"{log}  available {books.available:,}  added {books.added:,}  debited {books.debited:,}"
            f"  refunded {books.refunded:,}  events {books.size:,}"
        )
        totals = [sum(row[column] for row in books.usage.values()) for column in range(len(COUNTS))]
        lines.append("    " + ", ".join(f"{name} {total:,}" for name, total in zip(COUNTS, totals, strict=True)))
    if replayed.findings:
        lines += [f"NOT COMPLETE: {_count(len(replayed.findings))}", *_listed(replayed.findings)]
    return "\n".join(lines)


def _listed(findings: Sequence[Finding]) -> list[str]:
    lines = [_line(finding) for finding in findings[:SHOWN_MAX]]
    more = len(findings) - SHOWN_MAX
    return [*lines, f"and {more} more; --json lists all"] if more > 0 else lines


def _line(finding: Finding) -> str:
    return f"{finding.name}  ({finding.where})  {finding.sentence}"


def _count(number: int) -> str:
    return "1 finding" if number == 1 else f"{number:,} findings"


def _refuse(error: WrongUsage, *, program: str, as_json: bool) -> int:
    print(f"{program}: {error}", file=sys.stderr)
    if as_json:
        _emit({"error": {"code": "wrong_usage", "detail": str(error)}})
    return 2


def _emit(document: dict[str, Any]) -> None:
    print(json.dumps(document), flush=True)
