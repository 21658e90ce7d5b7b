"""The entry point: parses, imports the one handler that is wanted, turns what comes of it into an exit status."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from interfaces.cli.output import Refused, emit_refusal
from interfaces.cli.parser import parse

INTERRUPTED = 130


def main(words: Sequence[str] | None = None) -> int:
    """0 is success, 1 a refusal or a failed verification, 2 wrong usage."""
    arguments = parse(sys.argv[1:] if words is None else words)
    module, _, function = arguments.handler.partition(":")
    try:
        status: int = getattr(importlib.import_module(module), function)(arguments)
    except Refused as refusal:
        emit_refusal(arguments, refusal)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has enough (`| head`); the interpreter must not stumble over the rest at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the last place that can answer in the form that was asked for
        if arguments.traceback:
            traceback.print_exception(error)
        # The error's own text stays out: it may hold a key or a number.
        message = f"unexpected {type(error).__name__}: a fault of DoneOTP's own"
        emit_refusal(arguments, Refused("internal_error", message, "run it again with --traceback to see where"))
        return 1
    return status


if __name__ == "__main__":
    sys.exit(main())
