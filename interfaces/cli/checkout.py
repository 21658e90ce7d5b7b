"""Where the source is, for the commands that work on it: an installed server has no tests to run."""

from pathlib import Path

from interfaces.cli.output import Refused

ROOT = Path(__file__).resolve().parents[2]


def checkout() -> Path:
    if not (ROOT / "pyproject.toml").exists():
        message = "this is an installed server without its source"
        raise Refused("no_checkout", message, "run ./doneotp in a checkout of the source")
    return ROOT
