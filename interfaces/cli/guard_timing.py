"""`guard timing`: does the time of an answer tell what became of a number? Exit status 1 when it does."""

import argparse
import tempfile
from pathlib import Path

import msgspec

from interfaces import secrets
from interfaces.bench import scratch, timing
from interfaces.bench.timing import Questions
from interfaces.bootstrap import books
from interfaces.cli.output import Refused, emit


def run(arguments: argparse.Namespace) -> int:
    """Ask, compare and tell."""
    with tempfile.TemporaryDirectory(prefix="doneotp-timing-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # started by root, the database runs as another user
        try:
            with scratch.service(folder / "home", workers=1) as server:
                root = secrets.kept_at(folder / "home").read_bytes().strip()
                with books(server.conninfo, root=root) as opened:
                    account = opened.administration.open_account(name="timed", credits=0, by="timing")
                    changes = {"public_requests_per_second_max": 0}
                    opened.administration.change_policy(account.account_id, changes=changes, by="timing")
                questions = Questions(server.port, account)
                timing.interleaved(questions.classes(), rounds=timing.WARM_ROUNDS)
                pairs = timing.compared(timing.interleaved(questions.classes(), rounds=arguments.rounds))
                states = questions.states()
                questions.close()
        except scratch.StartFailed as error:
            raise Refused("timing_failed", str(error), "Run ./doneotp doctor.") from None
    if states != timing.STATES:
        raise Refused("timing_failed", "A number did not stay what it was meant to be.", "Ask fewer rounds.")
    passed = timing.holds(pairs)
    document = {"rounds": arguments.rounds, "suspect_t": timing.SUSPECT_T, "pairs": msgspec.to_builtins(pairs)}
    lines = [f"{pair.first:14}{pair.second:14}t {pair.t:>8.2f}   {pair.slower_micros:>8.1f} µs" for pair in pairs]
    lines.append("not told apart" if passed else "TOLD APART")
    emit(arguments, document | {"passed": passed}, "\n".join(lines))
    return 0 if passed else 1
