"""`audit`: the auditor's tool, from inside the checkout and as one file for everybody else."""

import argparse
import hashlib
import io
import zipfile
from pathlib import Path
from typing import Final

from interfaces.cli.checkout import checkout
from interfaces.cli.output import emit
from projections.audit import cli

PROGRAM: Final = "doneotp audit"
TOOL: Final = "doneotp-audit.pyz"
MODULES: Final = (
    "projections/__init__.py",
    "projections/audit/*.py",
    "projections/statements/__init__.py",
    "projections/statements/sheet.py",
    "projections/transparency/__init__.py",
    *(f"projections/transparency/{name}.py" for name in ("ed25519", "entry", "note", "proof", "tiles", "tree")),
)
"""What the tool is made of: these import nothing but each other and Python's standard library."""

_MAIN: Final = """\
import sys

if sys.version_info < (3, 11):
    sys.exit("doneotp-audit: needs Python 3.11 or newer")

from projections.audit.cli import main

sys.exit(main())
"""


def verify(arguments: argparse.Namespace) -> int:
    return cli.guarded(cli.run_verify, arguments, program=PROGRAM)


def replay(arguments: argparse.Namespace) -> int:
    return cli.guarded(cli.run_replay, arguments, program=PROGRAM)


def checkpoint(arguments: argparse.Namespace) -> int:
    """Of a bundle, or of this installation."""
    if arguments.directory is not None:
        return cli.guarded(cli.run_checkpoint, arguments, program=PROGRAM)
    from interfaces.cli import sealed

    return sealed.checkpoint(arguments)


def tool(arguments: argparse.Namespace) -> int:
    """Write the tool to the root of the checkout."""
    root = checkout()
    content = build(root)
    path = root / TOOL
    path.write_bytes(content)
    path.chmod(0o755)
    digest = hashlib.sha256(content).hexdigest()
    emit(arguments, {"path": str(path), "sha256": digest}, f"{path}\nsha256 {digest}")
    return 0


def build(root: Path) -> bytes:
    """The tool's bytes: the same for the same source, on any machine and Python."""
    files = {str(path.relative_to(root)): path.read_bytes() for pattern in MODULES for path in root.glob(pattern)}
    files |= {"__main__.py": _MAIN.encode(), "LICENSE": (root / "LICENSE").read_bytes()}
    written = io.BytesIO()
    written.write(b"#!/usr/bin/env python3\n")
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            about = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            about.create_system = 3
            about.external_attr = 0o100644 << 16
            archive.writestr(about, content)
    return written.getvalue()
