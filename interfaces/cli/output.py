"""How commands speak: one document or one text on stdout; a refusal ends a command with exit status 1."""

import argparse
import json
import sys
from collections.abc import Mapping


class Refused(Exception):
    """The command cannot be done. `code` is for programs, `message` and `fix` are sentences for people."""

    def __init__(self, code: str, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fix = fix


def emit(arguments: argparse.Namespace, document: Mapping[str, object], text: str) -> None:
    """Print the document with `--json`, else the text."""
    print(json.dumps(document) if arguments.json else text, flush=True)


def emit_refusal(arguments: argparse.Namespace, refusal: Refused) -> None:
    if arguments.json:
        error = {"code": refusal.code, "detail": refusal.message} | ({"fix": refusal.fix} if refusal.fix else {})
        print(json.dumps({"error": error}), flush=True)
        return
    print(f"doneotp: {refusal.message}", file=sys.stderr)
    if refusal.fix:
        print(f"fix: {refusal.fix}", file=sys.stderr)
