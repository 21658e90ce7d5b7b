"""`serve`: everything on this machine, from one command."""

import argparse
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvloop

from interfaces import bootstrap, first_account, logs, secrets, serving, settings
from interfaces.bench import noop
from interfaces.cli import failures, operators
from interfaces.cli.output import Refused, emit
from interfaces.first_account import DEVELOPMENT_CREDITS, FirstAccount
from interfaces.postgres.database import database
from interfaces.settings import Settings
from interfaces.supervision import WorkerFailed

_EXAMPLE_NUMBER = "+14155552671"


def run(arguments: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; exit status 0 when all that was accepted is done."""
    try:
        with failures.in_words():
            configured = settings.current()
            root = secrets.root(configured)
            _log(configured)
            with database(configured, serve=True) as conninfo:
                failures.make_ready(conninfo)
                with _ready_file_kept_true(configured.ready_file), _listen(configured) as listener:
                    _serve(arguments, configured, conninfo, root, listener)
    except WorkerFailed as error:
        raise Refused("worker_failed", f"{error}.", "Read logs/server.log in DONEOTP_HOME.") from None
    return 0


def _log(configured: Settings) -> None:
    path = configured.home / "logs" / "server.log"
    try:
        logs.configure(path, configured.log_level)
    except OSError as error:
        detail = f"{error.filename or path} cannot be used: {error.strerror}."
        raise Refused("cannot_start", detail, "DONEOTP_HOME must be yours.") from None


@contextlib.contextmanager
def _ready_file_kept_true(path: Path | None) -> Iterator[None]:
    """Whatever a killed server left is taken away first, and ours when we end. Only who holds the home's lock may."""
    if path is None:
        yield
        return
    path.unlink(missing_ok=True)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _serve(
    arguments: argparse.Namespace, configured: Settings, conninfo: str, root: bytes, listener: socket.socket
) -> None:
    is_development = configured.env == "development"
    with bootstrap.books(conninfo, root=root) as books:
        first = first_account.ensure(books, root=root, credits=DEVELOPMENT_CREDITS if is_development else 0)
        document = _document(configured, listener, first)

        def ready() -> None:
            if configured.ready_file is not None:
                _write_ready_file(configured.ready_file, document)
            emit(
                arguments,
                document,
                _banner(
                    document,
                    shows_keys=is_development or first.is_new,
                    has_inbox=is_development,
                    ticket=operators.first_link(books) if is_development else "",
                ),
            )
            logs.log.info("serving", pid=os.getpid())

        if arguments.workers == 1:
            extra = (noop.route(),) if arguments.noop else ()
            uvloop.run(serving.serve_alone(books, configured, listener, ready=ready, extra=extra))
    if arguments.workers > 1:
        words = ["--noop"] if arguments.noop else []
        uvloop.run(serving.serve_with_workers(configured, listener, count=arguments.workers, ready=ready, extra=words))


def _listen(configured: Settings) -> socket.socket:
    try:
        return serving.listen(configured.host, configured.port)
    except OSError as error:
        raise Refused(
            "cannot_listen",
            f"Cannot listen on {configured.host}:{configured.port}: {error.strerror}.",
            "Set another DONEOTP_PORT; 0 picks a free one.",
        ) from None


def _document(configured: Settings, listener: socket.socket, first: FirstAccount) -> dict[str, Any]:
    host = configured.host if ":" not in configured.host else f"[{configured.host}]"
    base_url = f"http://{host}:{listener.getsockname()[1]}"
    return {
        "base_url": base_url,
        "dashboard_url": f"{base_url}/dashboard",
        "inbox_url": f"{base_url}/inbox",
        "docs_url": f"{base_url}/docs",
        "pid": os.getpid(),
        "account_id": first.opened.account_id,
        **{str(kind): key for kind, key in first.opened.keys.items()},
    }


def _write_ready_file(path: Path, document: dict[str, Any]) -> None:
    """All of it or nothing: whoever sees the file may read it."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.touch(mode=0o600)
    aside.write_text(json.dumps(document) + "\n")
    aside.rename(path)


def _banner(document: dict[str, Any], *, shows_keys: bool, has_inbox: bool, ticket: str) -> str:
    base = document["base_url"]
    lines = ["DoneOTP is running.", "", f"  API        {base}", f"  Reference  {document['docs_url']}"]
    if has_inbox:
        lines += [f"  Inbox      {document['inbox_url']}", f"  Demo       {base}/demo"]
    dashboard = document["dashboard_url"]
    lines.append(f"  Dashboard  {dashboard}" + (f"/login?ticket={ticket}" if ticket else ""))
    if shows_keys:
        kinds = ("sk_live", "pk_live", "sk_test", "pk_test")
        lines += ["", f"  account    {document['account_id']}", *(f"  {kind}    {document[kind]}" for kind in kinds)]
    if has_inbox:
        lines += ["", *_example(base, document["sk_live"])]
    return "\n".join(lines)


def _example(base: str, key: str) -> list[str]:
    inbox = f"{base}/inbox/latest?to={quote(_EXAMPLE_NUMBER)}&wait=5"
    code = rf"""$(curl -s '{inbox}' | sed 's/.*"code":"\([0-9]*\)".*/\1/')"""
    authorization = f"-H 'Authorization: Bearer {key}'"
    sent = f'{{"phone_number":"{_EXAMPLE_NUMBER}"}}'
    checked = f'{{\\"phone_number\\":\\"{_EXAMPLE_NUMBER}\\",\\"code\\":\\"{code}\\"}}'
    return [
        "Verify a number: paste these two. The first sends a code, the second takes it from the inbox and checks it.",
        "",
        f"curl -s {base}/v1/verify/send {authorization} -d '{sent}'",
        "",
        f'curl -s {base}/v1/verify/check {authorization} -d "{checked}"',
        "",
    ]
