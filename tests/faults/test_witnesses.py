"""A log whose witnesses cosign, are away, or never answer: it seals on, and publishes what they signed."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from projections.transparency.note import NoteRefused, Verifier, open_note
from tests.support.log_reader import LogReader
from tests.support.notes import WITNESS
from tests.support.postgres import Cluster
from tests.support.server import Server, run, serving, wait_for
from tests.support.witnesses import Witnessing, witnessing


class Place:
    """A home with a database elsewhere, and the key of its log."""

    def __init__(self, home: Path, url: str) -> None:
        self.home = home
        self.more = {"DONEOTP_DATABASE_URL": url}
        with serving(home, more=self.more) as server:
            self.vkey = LogReader(server).verifiers[0].vkey()
            server.stop()

    def serving(self, *witnesses: str) -> Any:
        return serving(self.home, more=self.more | {"DONEOTP_WITNESSES": ",".join(witnesses)})


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    with cluster.database() as name:
        yield Place(tmp_path / "home", cluster.url(name))


def named(witness: Witnessing) -> str:
    return f"{witness.vkey}@{witness.url}"


def is_cosigned(note: bytes, by: Verifier) -> bool:
    with contextlib.suppress(NoteRefused):
        return bool(open_note(note, [by]).signatures)
    return False


def grown(server: Server, reader: LogReader) -> None:
    """One account more, and its heads sealed."""
    size = reader.checkpoint().size
    server.open_account()
    reader.sealed(size + 2)


def complaints(server: Server) -> list[dict[str, Any]]:
    lines = (server.home / "logs" / "server.log").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line.get("part") == "witness"]


def test_what_witnesses_cosigned_is_published_and_exported(place: Place, tmp_path: Path) -> None:
    with (
        witnessing(tmp_path / "w1", "--log", place.vkey) as first,
        witnessing(tmp_path / "w2", "--log", place.vkey) as second,
        place.serving(named(first), named(second)) as server,
    ):
        reader = LogReader(server)
        for turn in range(3):
            grown(server, reader)
            wait_for(lambda: all(is_cosigned(reader.note(), by.verifier) for by in (first, second)))
            assert len(open_note(reader.note(), [*reader.verifiers, first.verifier, second.verifier]).signatures) == 3
            bundle = tmp_path / f"bundle-{turn}"
            assert run("audit", "export", str(bundle), home=place.home, **place.more).status == 0
            assert is_cosigned((bundle / "checkpoint").read_bytes(), first.verifier)
            assert run("audit", "verify", str(bundle), home=place.home).status == 0
        assert complaints(server) == []


def test_a_witness_that_was_away_goes_on_where_it_was(place: Place, tmp_path: Path) -> None:
    with witnessing(tmp_path / "w", "--log", place.vkey) as witness:
        port = witness.url.rpartition(":")[2]
        with place.serving(named(witness)) as server:
            reader = LogReader(server)
            wait_for(lambda: is_cosigned(reader.note(), witness.verifier))
            witness.kill()
            grown(server, reader)
            wait_for(lambda: complaints(server))
            assert not is_cosigned(reader.note(), witness.verifier)
            with witnessing(tmp_path / "w", "--log", place.vkey, "--port", port) as again:
                wait_for(lambda: is_cosigned(reader.note(), again.verifier))


def test_a_witness_that_never_answers_keeps_nobody_waiting(place: Place) -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, place.serving(f"{WITNESS.vkey()}@http://127.0.0.1:{silent.getsockname()[1]}") as server:
        reader = LogReader(server)
        for _ in range(2):
            grown(server, reader)
        assert not is_cosigned(reader.note(), WITNESS)


def test_what_another_key_signs_is_not_published(place: Place, tmp_path: Path) -> None:
    """The negative control: the address answers, but not as the witness that was named."""
    with (
        witnessing(tmp_path / "w", "--log", place.vkey) as other,
        place.serving(f"{WITNESS.vkey()}@{other.url}") as server,
    ):
        wait_for(lambda: complaints(server))
        assert complaints(server)[0]["error_type"] == "NoteRefused"
        assert not is_cosigned(LogReader(server).note(), other.verifier)


def test_a_witness_that_does_not_know_the_log_is_told_of(place: Place, tmp_path: Path) -> None:
    with witnessing(tmp_path / "w", "--log", WITNESS_OF_NOBODY) as witness, place.serving(named(witness)) as server:
        wait_for(lambda: complaints(server))
        assert (complaints(server)[0]["error_type"], complaints(server)[0]["status"]) == ("NotCosigned", 404)


WITNESS_OF_NOBODY = Verifier("log.example/none", 1, WITNESS.public_key).vkey()
