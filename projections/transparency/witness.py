"""What a witness decides, as C2SP tlog-witness has it: of each log it cosigns one history, and remembers how far.

It trusts the keys of the logs it was told of, and nothing that is asked.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from projections.transparency.note import Checkpoint, NoteRefused, Verifier, open_note
from projections.transparency.proof import AddCheckpoint
from projections.transparency.tree import EMPTY_ROOT, ProofRefused, verify_consistency

Logs = Mapping[str, Sequence[Verifier]]
"""Origin of each log to its keys."""


class WitnessRefused(Exception):
    """Not cosigned; `status` is that of HTTP. `size` is of the checkpoint that was cosigned last, where that answers it."""

    def __init__(self, status: int, message: str, *, size: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.size = size


class TwoHistories(WitnessRefused):
    """The log signed two trees of one size: nothing excuses that, and whoever holds both notes can show it to anybody."""


class Submitted(NamedTuple):
    """A request, the checkpoint in it, and its note with those signatures alone that are of the log's trusted keys."""

    request: AddCheckpoint
    checkpoint: Checkpoint
    note: bytes


def opened(body: bytes, logs: Logs) -> Submitted:
    """What is asked, after its signature was checked; raises WitnessRefused with 400, 403 or 404."""
    try:
        request = AddCheckpoint.parse(body)
        text = request.checkpoint.decode().rpartition("\n\n")[0] + "\n"
        checkpoint = Checkpoint.parse(text)
    except (ProofRefused, NoteRefused, UnicodeError) as error:
        raise WitnessRefused(400, str(error) if not isinstance(error, UnicodeError) else "not UTF-8") from None
    if checkpoint.origin not in logs:
        raise WitnessRefused(404, "the log is not known here")
    try:
        signatures = open_note(request.checkpoint, logs[checkpoint.origin]).signatures
    except NoteRefused as error:
        raise WitnessRefused(403, str(error)) from None
    note = text + "\n" + "".join(f"{signature.line}\n" for signature in signatures)
    return Submitted(request, checkpoint, note.encode())


def must_continue(submitted: Submitted, latest: Checkpoint | None) -> None:
    """Raises WitnessRefused unless the checkpoint continues what was cosigned last."""
    request, checkpoint = submitted.request, submitted.checkpoint
    size, root = (latest.size, latest.root) if latest is not None else (0, EMPTY_ROOT)
    if request.old > checkpoint.size:
        raise WitnessRefused(400, "the old size is larger than the checkpoint's")
    if latest is not None and checkpoint.size == size and checkpoint.root != root:
        raise TwoHistories(409, f"two trees of size {size} are signed", size=size)
    if request.old != size:
        raise WitnessRefused(409, f"the checkpoint cosigned last is of size {size}", size=size)
    try:
        verify_consistency(size, checkpoint.size, root, checkpoint.root, request.path)
    except ProofRefused as error:
        raise WitnessRefused(422, str(error)) from None
