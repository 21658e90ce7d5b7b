"""A witness that looks after a log by itself: fetches its checkpoints, and cosigns what continues the last one."""

import json
from base64 import b64decode
from typing import Any

from interfaces.fetching import Fetched, FetchFailed, fetch
from interfaces.witness.cosigner import Witness
from projections.transparency.note import Checkpoint
from projections.transparency.proof import AddCheckpoint
from projections.transparency.tree import ProofRefused
from projections.transparency.witness import Logs, TwoHistories, WitnessRefused, opened


class Behind(Exception):
    """The log shows less than was cosigned: an old copy, or a history that somebody cut."""


def follow_once(url: str, witness: Witness, logs: Logs) -> Checkpoint:
    """Look once; the checkpoint that is cosigned now. Raises TwoHistories, Behind, WitnessRefused and FetchFailed.

    A log that cannot show that it continues what it signed has two histories, too.
    """
    note = _answered(fetch(url, "/v1/audit/checkpoint")).content
    submitted = opened(AddCheckpoint(0, (), note).text(), logs)
    origin, size = submitted.checkpoint.origin, submitted.checkpoint.size
    latest = witness.latest(origin)
    old = latest.size if latest is not None else 0
    if size < old:
        raise Behind(f"the log shows {size} leaves, and {old} were cosigned")
    path = _path(url, old, size) if 0 < old < size else ()
    try:
        witness.add(AddCheckpoint(old, path, note).text())
    except TwoHistories:
        raise
    except WitnessRefused as refused:
        if refused.status != 422:
            raise
        witness.keep_evidence(submitted)
        raise TwoHistories(422, f"size {size} does not continue size {old}: {refused}", size=old) from None
    return submitted.checkpoint


def _path(url: str, old: int, size: int) -> tuple[bytes, ...]:
    answer = _answered(fetch(url, f"/v1/audit/consistency?from={old}&to={size}"))
    try:
        document: Any = json.loads(answer.content)
        path = tuple(b64decode(hash_, validate=True) for hash_ in document["hashes"])
        AddCheckpoint(old, path, b"")
    except (ValueError, TypeError, KeyError, ProofRefused, RecursionError):
        raise FetchFailed("that is no consistency proof") from None
    return path


def _answered(answer: Fetched) -> Fetched:
    if answer.status != 200:
        raise FetchFailed(f"status {answer.status}")
    return answer
