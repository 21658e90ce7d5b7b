"""`guard attack`: three pumping attackers against a server of their own. Exit status 1 when more was lost than promised."""

import argparse
import sys
import tempfile
from pathlib import Path

import msgspec

from interfaces.bench import pumping, scratch
from interfaces.bench.pumping import Town
from interfaces.cli.output import Refused, emit


def run(arguments: argparse.Namespace) -> int:
    """Attack, and tell."""
    with tempfile.TemporaryDirectory(prefix="doneotp-attack-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, the database runs as another user
        try:
            with scratch.service(folder / "home", workers=1) as server:
                town = Town(minutes=arguments.minutes)
                guard = 0 if arguments.without_guard else 2
                tolls = pumping.pump(server, folder / "home", town, guard=guard, say=_say)
        except scratch.StartFailed as error:
            raise Refused("attack_failed", str(error), "Run ./doneotp doctor.") from None
    held = all(toll.holds for toll in tolls)
    document = {
        "minutes": arguments.minutes,
        "guard": not arguments.without_guard,
        "lost_max": pumping.LOST_MAX,
        "refused_share_max": pumping.REFUSED_SHARE_MAX,
        "attacks": msgspec.to_builtins(tolls),
        "passed": held,
    }
    emit(arguments, document, f"{pumping.text(tolls)}\n{'within' if held else 'NOT within'} what is promised")
    return 0 if held else 1


def _say(what: str) -> None:
    if sys.stderr.isatty():
        print(what, file=sys.stderr, flush=True)
