"""Asks witnesses to cosign what is sealed: beside the sealer, which never waits for them."""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import psycopg

from interfaces.fetching import FetchFailed, fetch
from interfaces.projecting import connect
from interfaces.sealing import executing
from interfaces.witness.address import WitnessAddress
from projections.transparency import tree
from projections.transparency.note import NoteRefused, add_cosignatures
from projections.transparency.proof import AddCheckpoint
from projections.transparency.receipts import checkpoint_in
from projections.transparency.shelf import GLOBAL, Shelf

LOOK_SECONDS: Final = 0.25
AGAIN_SECONDS: Final = 2.0
"""Before a witness that did not cosign is asked again."""
AGAIN_SECONDS_MAX: Final = 60.0
_LAST: Final = b"SELECT size FROM doneotp.cosignatures WHERE witness = %b"
_KEEP: Final = b"""
INSERT INTO doneotp.cosignatures (witness, size, text, lines) VALUES (%b, %b, %b, %b)
ON CONFLICT (witness) DO UPDATE SET size = excluded.size, text = excluded.text, lines = excluded.lines"""


class NotCosigned(Exception):
    """The witness refused: what it cosigned before is not how our log begins, or it does not know our key."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the witness answered {status}")
        self.status = status


def run(
    conninfo: str,
    witnesses: Sequence[WitnessAddress],
    *,
    stop: threading.Event,
    on_failure: Callable[[Exception], None],
) -> list[threading.Thread]:
    """Begin to ask, a thread for each witness, until `stop` is set."""
    threads = [
        threading.Thread(target=_ask, args=(conninfo, witness, stop, on_failure), name="doneotp-witness", daemon=True)
        for witness in witnesses
    ]
    for thread in threads:
        thread.start()
    return threads


def _ask(
    conninfo: str, witness: WitnessAddress, stop: threading.Event, on_failure: Callable[[Exception], None]
) -> None:
    again_seconds = AGAIN_SECONDS
    while not stop.is_set():
        try:
            with connect(conninfo) as connection:
                submitter = Submitter(connection, witness)
                while not stop.is_set():
                    submitter.once()
                    again_seconds = AGAIN_SECONDS
                    stop.wait(LOOK_SECONDS)
        except (psycopg.Error, FetchFailed, NotCosigned, NoteRefused, LookupError) as error:
            if not stop.is_set():
                on_failure(error)
                stop.wait(again_seconds)
                again_seconds = min(2 * again_seconds, AGAIN_SECONDS_MAX)


class Submitter:
    """Hands the newest checkpoint to one witness, with the proof that it continues what that one knows."""

    def __init__(self, connection: psycopg.Connection[Any], witness: WitnessAddress) -> None:
        self._execute = executing(connection)
        self._shelf = Shelf(self._execute)
        self._witness = witness
        rows = self._execute(_LAST, (witness.verifier.vkey(),))
        self._size = rows[0][0] if rows else 0

    def once(self) -> None:
        """Raises NotCosigned, FetchFailed, and NoteRefused for an answer that is no cosignature of this witness."""
        whole = self._shelf.trees([GLOBAL]).get(GLOBAL)
        if whole is None or not whole.note or checkpoint_in(whole.note).size == self._size:
            return
        answer = self._answer(whole.note, self._size)
        if isinstance(answer, int):  # it knows another size: of a request that we did not hear the end of
            self._size = answer
            answer = self._answer(whole.note, answer)
        if isinstance(answer, int):
            raise NotCosigned(409)
        lines = add_cosignatures(whole.note, answer, [self._witness.verifier])[len(whole.note) :]
        checkpoint = checkpoint_in(whole.note)
        if lines:
            text = checkpoint.text().encode()
            self._execute(_KEEP, (self._witness.verifier.vkey(), checkpoint.size, text, lines))
        self._size = checkpoint.size

    def _answer(self, note: bytes, old: int) -> bytes | int:
        """What the witness wrote below the note, or the size that it knows."""
        size = checkpoint_in(note).size
        if old > size:
            raise NotCosigned(409)
        path = tree.consistency(self._shelf.reader(GLOBAL), old, size) if 0 < old < size else []
        got = fetch(self._witness.url, "/add-checkpoint", body=AddCheckpoint(old, tuple(path), note).text())
        if got.status == 409 and got.content.strip().isdigit() and len(got.content) <= 20:
            known = int(got.content)
            if known != old:
                return known
        if got.status != 200:
            raise NotCosigned(got.status)
        return got.content
