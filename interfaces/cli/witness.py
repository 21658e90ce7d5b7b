"""`witness`: cosigns the checkpoints of logs, for those who ask it, or of a log that it follows by itself."""

import argparse
import asyncio
import json
import sys
import threading
from pathlib import Path
from typing import Final

import uvicorn

from interfaces import serving, stopping
from interfaces.cli.output import Refused, emit
from interfaces.fetching import FetchFailed, checked_base
from interfaces.witness.cosigner import Witness, WitnessUnusable, alone
from interfaces.witness.follower import Behind, follow_once
from interfaces.witness.http import server
from projections.transparency.note import ED25519, NoteRefused, Verifier
from projections.transparency.witness import Logs, TwoHistories, WitnessRefused

FOLLOW_SECONDS: Final = 2.0
"""Between two looks at a log."""


def run(arguments: argparse.Namespace) -> int:
    """Work until told to stop: 0 then, and 1 when the log that is followed has two histories."""
    logs = _logs(arguments.log)
    try:
        url = checked_base(arguments.follow) if arguments.follow else ""
    except ValueError as error:
        raise Refused("invalid_request", f"--follow {error}.") from None
    directory = Path(arguments.state)
    try:
        with alone(directory):
            return _work(arguments, Witness(directory, logs, name=arguments.name), logs, url)
    except WitnessUnusable as error:
        raise Refused("cannot_start", f"{error}.") from None
    except OSError as error:
        raise Refused("cannot_start", f"{error.filename or directory} cannot be used: {error.strerror}.") from None


def _work(arguments: argparse.Namespace, witness: Witness, logs: Logs, url: str) -> int:
    stop, forked = threading.Event(), threading.Event()
    answering: uvicorn.Server | None = None
    document: dict[str, object] = {"vkey": witness.verifier.vkey(), "follows": url, "url": ""}

    def told(*_: object) -> None:
        stop.set()
        if answering is not None:
            answering.should_exit = True

    def follow() -> None:
        if not _follow(arguments, url, witness, logs, stop):
            forked.set()
        told()

    stopping.handle(told)
    follower = threading.Thread(target=follow, daemon=True)
    if not url or arguments.port is not None:
        with serving.listen(arguments.host, arguments.port or 0) as listener:
            host = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
            document["url"] = f"http://{host}:{listener.getsockname()[1]}"
            answering = server(witness)
            _tell(arguments, document)
            if url:
                follower.start()
            asyncio.run(answering.serve(sockets=[listener]))
            stop.set()
    else:
        _tell(arguments, document)
        follower.start()
    if url:
        follower.join()
    return 1 if forked.is_set() else 0


def _follow(arguments: argparse.Namespace, url: str, witness: Witness, logs: Logs, stop: threading.Event) -> bool:
    """Until told to stop; False when there are two histories."""
    for origin in logs:
        if witness.evidence(origin):
            return _two(witness, origin, "it was seen before")
    size, complaint = -1, ""
    while not stop.is_set():
        try:
            checkpoint = follow_once(url, witness, logs)
        except TwoHistories as refused:
            (origin,) = [origin for origin in logs if witness.evidence(origin)][:1]
            return _two(witness, origin, str(refused))
        except (Behind, WitnessRefused, FetchFailed) as error:
            if str(error) != complaint:  # said once, however long it lasts
                complaint = str(error)
                print(f"doneotp: not cosigned: {complaint}", file=sys.stderr, flush=True)
        else:
            complaint = ""
            if checkpoint.size != size:
                size = checkpoint.size
                _progress(arguments, checkpoint.origin, size)
        stop.wait(FOLLOW_SECONDS)
    return True


def _two(witness: Witness, origin: str, why: str) -> bool:
    print(f"doneotp: TWO HISTORIES of {origin}: {why}", file=sys.stderr)
    print("doneotp: nothing more is cosigned. Show both notes to whoever relies on this log:", file=sys.stderr)
    for path in witness.evidence(origin):
        print(f"doneotp:   {path}", file=sys.stderr, flush=True)
    return False


def _tell(arguments: argparse.Namespace, document: dict[str, object]) -> None:
    lines = [f"witness    {document['vkey']}"]
    lines += [f"serves     {document['url']}/add-checkpoint"] if document["url"] else []
    lines += [f"follows    {document['follows']}"] if document["follows"] else []
    emit(arguments, document, "\n".join(lines))


def _progress(arguments: argparse.Namespace, origin: str, size: int) -> None:
    if not arguments.json:
        print(f"cosigned   {json.dumps(origin)[1:-1]}, size {size}", flush=True)


def _logs(given: list[str]) -> Logs:
    """The keys by origin, which is their name; each of `given` is a vkey or a file of them. Raises Refused."""
    logs: dict[str, list[Verifier]] = {}
    for text in given:
        try:
            lines = [text] if "+" in text and not Path(text).is_file() else Path(text).read_text().splitlines()
            for line in lines:
                verifier = Verifier.parse(line)
                if verifier.type != ED25519:
                    raise NoteRefused("that is the key of a witness")
                known = logs.setdefault(verifier.name, [])
                if verifier not in known:
                    known.append(verifier)
        except OSError as error:
            raise Refused("invalid_request", f"{text} cannot be read: {error.strerror}.") from None
        except (NoteRefused, UnicodeError) as error:
            raise Refused("invalid_request", f"{text} holds no vkey: {error}.") from None
    return logs
