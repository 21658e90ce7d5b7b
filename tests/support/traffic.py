"""A ledger of any length, made through the real event types; the same seed gives the same bytes.

    python -m tests.support.traffic DIR --events 1000000

writes it as a bundle of two live logs and their test logs, sealed as often as a busy day would be.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

from interfaces.bench.traffic import story
from tests.support.bundles import BundleWriter, Log, chunks


def whole(log: str, *, events: int, seed: int = 1) -> Iterator[bytes]:
    """At least so many entries of a log; what was asked for is paid for, what failed is refunded."""
    book = Log(log)
    for stream, event in story(log, events=events, seed=seed):
        yield book.entry(stream, event)


def write(directory: Path, *, events: int, seed: int = 1, sealed_every: int = 2_000) -> None:
    """A bundle of so many events: most in one log, some in a second one and in a test log."""
    writer = BundleWriter(directory)
    shares = {"acct_first": 6, "acct_second": 3, "acct_second-test": 1}
    for log, share in shares.items():
        for part in chunks(whole(log, events=events * share // 10, seed=seed), sealed_every):
            writer.append(log, part)
            writer.seal()
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    write(given.directory, events=given.events, seed=given.seed)
