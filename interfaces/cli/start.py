"""`serve`, which may be told to stop at any moment: what it imports takes longest, so the signals are ours before that."""

import argparse

from interfaces.stopping import stoppable


def run(arguments: argparse.Namespace) -> int:
    """Serve; exit status 0 when a signal came, however early."""
    with stoppable():
        from interfaces.cli import serve

        return serve.run(arguments)
    return 0
