"""`bench`: what this server does on this machine. Exit status 1 when a request failed or a floor was missed."""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from interfaces.bench import accounts, profile, profile_page, scale, suite, tables
from interfaces.bench.scratch import StartFailed
from interfaces.bench.suite import Plan
from interfaces.cli.output import Refused, emit
from projections.transparency.sealer import LOCK
from projections.views import RUNNER_LOCK

_PROFILE_SECONDS = 10
WORK = {"seal": suite.behind(LOCK), "views": suite.behind(RUNNER_LOCK), "guard": accounts.unguarded}
"""How each of these is kept from its work."""


def run(arguments: argparse.Namespace) -> int:
    if arguments.scale:
        return _scale(arguments)
    if arguments.without:
        return _without(arguments)
    if arguments.profile and not profile.is_available():
        raise Refused("no_profiler", "--profile needs py-spy and Linux.", "Install what requirements-dev.lock names.")
    try:
        measured = suite.measure(plan(arguments), say=_say)
    except StartFailed as error:
        raise Refused("bench_failed", str(error), "Run ./doneotp doctor.") from None
    except profile.Unwatchable as error:
        raise Refused("no_profile", f"py-spy cannot watch the server: {error}", "Run it as root.") from None
    finally:
        _say("")
    if measured.profile is not None and measured.profiled is not None:
        page = profile_page.page(measured.profile, measured.profiled, measured.report)
        Path(arguments.profile).write_text(page, encoding="utf-8")
    emit(arguments, msgspec.to_builtins(measured.report), tables.text(measured.report))
    return 0 if measured.report.passed else 1


def _scale(arguments: argparse.Namespace) -> int:
    """The read side at ledgers of these lengths."""
    with tempfile.TemporaryDirectory(prefix="doneotp-scale-") as name:
        Path(name).chmod(0o711)  # started by root, the database runs as another user
        try:
            sizes = [scale.measure(events, Path(name), say=_say) for events in arguments.scale]
        except scale.StepFailed as error:
            raise Refused("bench_failed", f"{error}.", "Run ./doneotp doctor.") from None
        finally:
            _say("")
    emit(arguments, {"sizes": msgspec.to_builtins(sizes)}, scale.text(sizes))
    return 0


def _without(arguments: argparse.Namespace) -> int:
    """The reference scenario with some work beside it and without, in turn."""
    quick = Plan(workers=(1,), accounts=(1,), reference_clients=arguments.clients, seconds=arguments.seconds, rounds=5)
    try:
        pairs = suite.compare(quick, WORK[arguments.without], say=_say)
    except StartFailed as error:
        raise Refused("bench_failed", str(error), "Run ./doneotp doctor.") from None
    finally:
        _say("")
    emit(arguments, tables.pairs_document(pairs), tables.pairs(pairs, work=arguments.without))
    return 0


def plan(arguments: argparse.Namespace) -> Plan:
    """The whole grid, or with `--quick` one scenario of it and the limits."""
    quick = Plan(
        workers=(1,),
        accounts=(1,),
        clients=(arguments.clients,),
        reference_clients=arguments.clients,
        seconds=arguments.seconds,
        profile_seconds=_PROFILE_SECONDS if arguments.profile else 0,
    )
    if arguments.quick:
        return quick
    return Plan(seconds=quick.seconds, profile_seconds=quick.profile_seconds)


def _say(what: str) -> None:
    """Progress, for people who watch."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)
