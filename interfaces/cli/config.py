"""`config`: every setting, its value and where it comes from; of secrets only whether they are set."""

import argparse
import os

from interfaces import secrets, settings
from interfaces.cli.output import emit


def run(arguments: argparse.Namespace) -> int:
    """Show the settings in force. Exit status 1 when they cannot be used."""
    rows = settings.sources(os.environ)
    try:
        configured = settings.current()
    except settings.SettingsError as error:
        problems = error.problems
    else:
        problems = []
        if configured.secret_key is None and secrets.kept_at(configured.home).exists():
            (row,) = (row for row in rows if row["name"] == "DONEOTP_SECRET_KEY")
            row.update(value="set", source="DONEOTP_HOME")
    widths = [max(len(row[column]) for row in rows) for column in ("name", "value", "source")]
    lines = [
        f"{row['name']:{widths[0]}}  {row['value'] or '-':{widths[1]}}  {row['source']:{widths[2]}}  {row['meaning']}"
        for row in rows
    ]
    lines += [f"PROBLEM  {problem}" for problem in problems]
    emit(arguments, {"settings": rows, "problems": problems}, "\n".join(lines))
    return 1 if problems else 0
