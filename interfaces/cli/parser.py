"""From words to a namespace: `handler`, `json`, `traceback`, `others` and the command's own arguments.

Exits with 0 after help and with 2 on wrong usage.
"""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from interfaces.cli.commands import COMMANDS, GROUPS, Command

DESCRIPTION = (
    "Phone verification whose ledger can be proved. Settings come from DONEOTP_ variables: see `doneotp config`."
)


class WrongUsageError(Exception):
    """What was typed is no command. The text says why, `usage` what would have been one."""

    def __init__(self, message: str, *, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise WrongUsageError(message, usage=self.format_usage())


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = build()
    if not words:
        parser.print_help(sys.stderr)
        sys.exit(2)
    try:
        # A subcommand's namespace is laid over this one: `--json` counts wherever it stands.
        arguments, others = parser.parse_known_args(words, argparse.Namespace(json=False, traceback=False))
        if others and not arguments.passes_on:
            raise WrongUsageError(f"unrecognized arguments: {' '.join(others)}", usage=parser.format_usage())
    except WrongUsageError as error:
        print(f"{error.usage}doneotp: {error}", file=sys.stderr)
        if "--json" in words:
            import json

            print(json.dumps({"error": {"code": "wrong_usage", "detail": str(error)}}))
        sys.exit(2)
    arguments.others = others
    return arguments


def build() -> _Parser:
    parser = _Parser(prog="doneotp", description=DESCRIPTION, allow_abbrev=False)
    _add_common_to(parser)
    top = parser.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[_Parser]] = {}
    for command in COMMANDS:
        group, _, word = command.words.rpartition(" ")
        if group and group not in groups:
            group_parser = top.add_parser(
                group, help=GROUPS[group], description=_sentence(GROUPS[group]), allow_abbrev=False
            )
            _add_common_to(group_parser)
            groups[group] = group_parser.add_subparsers(metavar="COMMAND", required=True)
        _add(command, word, groups.get(group, top))
    return parser


def _add(command: Command, word: str, place: "argparse._SubParsersAction[_Parser]") -> None:
    parser = place.add_parser(word, help=command.does, description=_sentence(command.does), allow_abbrev=False)
    _add_common_to(parser)
    for argument in command.arguments:
        parser.add_argument(*argument.names, **argument.options)
    parser.set_defaults(handler=command.handler, passes_on=command.passes_on)


def _add_common_to(parser: argparse.ArgumentParser) -> None:
    for name, does in (
        ("--json", "answer with one JSON document on stdout"),
        ("--traceback", "show where an unexpected error came from"),
    ):
        parser.add_argument(name, action="store_true", default=argparse.SUPPRESS, help=does)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
