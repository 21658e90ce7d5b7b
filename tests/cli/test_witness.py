"""`witness` as a process: asked by many at once, killed, lied to; and following a real log."""

import threading
import time
from pathlib import Path

import pytest

from interfaces.witness.http import BODY_BYTES_MAX
from projections.transparency.note import open_checkpoint, open_note
from projections.transparency.proof import AddCheckpoint
from tests.support.callers import at_once
from tests.support.log_reader import LogReader
from tests.support.server import Server, run, wait_for
from tests.support.witnesses import History, Told, Witnessing, publishing, witnessing

FIRST, OTHER = History([b"%d" % n for n in range(400)]), History([b"%d" % n for n in (7, *range(1, 400))])
CALLERS = 16


def cosigned(told: Told, *, by: Witnessing, size: int, history: History = FIRST) -> bool:
    """Whether this answer is a cosignature of the checkpoint of this size."""
    if told.status != 200:
        return False
    opened = open_note(history.note(size) + told.content, [by.verifier])
    (signature,) = opened.signatures
    return opened.text == history.checkpoint(size).text() and abs((signature.timestamp or 0) - time.time()) < 60


def kept(state: Path) -> bytes:
    """The one checkpoint in its directory."""
    (path,) = state.glob("*/checkpoint")
    return path.read_bytes()


def test_it_cosigns_what_continues_and_names_the_size_otherwise(tmp_path: Path) -> None:
    with witnessing(tmp_path / "w", "--log", FIRST.vkey, "--name", "witness.example/w1") as it:
        assert it.verifier.name == "witness.example/w1"
        assert cosigned(it.ask(FIRST.request(0, 10)), by=it, size=10)
        assert cosigned(it.ask(FIRST.request(10, 300)), by=it, size=300)
        assert cosigned(it.ask(FIRST.request(300, 300)), by=it, size=300)
        assert it.ask(FIRST.request(10, 400)) == Told(409, "text/x.tlog.size", b"300\n")
        assert it.ask(FIRST.request(10, 200)) == Told(409, "text/x.tlog.size", b"300\n")
        assert it.ask(OTHER.request(300, 400)).status == 422
        assert it.ask(OTHER.request(300, 300)) == Told(409, "text/x.tlog.size", b"300\n")
        stranger = History([b"a"], seed=b"\6" * 32)
        assert it.ask(stranger.request(0, 1)).status == 403
        assert it.ask(History([b"a"], origin="log.example/two").request(0, 1)).status == 404
        assert it.ask(b"old 0\n").status == 400
        assert it.ask(b"x" * (BODY_BYTES_MAX + 1)).status == 413
        assert (it.ask(None, method="GET").status, it.ask(b"", path="/").status) == (405, 404)
        opened = open_checkpoint(kept(tmp_path / "w"), [FIRST.verifier, it.verifier], origin=FIRST.verifier.name)
        assert opened == FIRST.checkpoint(300)
        assert it.stop() == 0


def test_two_trees_of_one_size_are_kept_as_evidence(tmp_path: Path) -> None:
    with witnessing(tmp_path / "w", "--log", FIRST.vkey) as it:
        it.ask(FIRST.request(0, 300))
        assert it.ask(OTHER.request(300, 300)).status == 409
        assert it.ask(OTHER.request(0, 300)).status == 409
        found = {path.name: path.read_bytes() for path in (tmp_path / "w").glob("*/fork-*")}
        both = [open_checkpoint(note, [FIRST.verifier], origin=FIRST.verifier.name) for note in found.values()]
        assert sorted(found) == ["fork-first", "fork-second"]
        assert {checkpoint.root for checkpoint in both} == {FIRST.root_at(300), OTHER.root_at(300)}
        # What it knows goes on to be cosigned, and the other never is.
        assert it.ask(OTHER.request(300, 400)).status == 422
        assert cosigned(it.ask(FIRST.request(300, 400)), by=it, size=400)


def test_a_proof_that_does_not_hold_is_no_evidence(tmp_path: Path) -> None:
    """Anybody may send it with a checkpoint that is public."""
    with witnessing(tmp_path / "w", "--log", FIRST.vkey) as it:
        it.ask(FIRST.request(0, 300))
        assert it.ask(AddCheckpoint(300, (bytes(32),), FIRST.note(400)).text()).status == 422
        assert list((tmp_path / "w").glob("*/fork-*")) == []
        assert cosigned(it.ask(FIRST.request(300, 400)), by=it, size=400)


def test_of_many_at_once_each_continues_the_one_before(tmp_path: Path) -> None:
    with witnessing(tmp_path / "w", "--log", FIRST.vkey) as it:
        it.ask(FIRST.request(0, 10))
        bodies = [history.request(10, 11 + place) for place in range(CALLERS) for history in (FIRST, OTHER)]
        answers = at_once([lambda body=body: it.ask(body) for body in bodies])  # type: ignore[misc]
        good = [place for place, told in enumerate(answers) if told.status == 200]
        assert len(good) == 1
        size = 11 + good[0] // 2
        assert (good[0] % 2, cosigned(answers[good[0]], by=it, size=size)) == (0, True)
        assert {told.status for told in answers} <= {200, 409, 422}
        assert {told.content for told in answers if told.status == 409} <= {f"{size}\n".encode(), b"10\n"}


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--kills"))


def test_killed_at_any_moment_it_has_cosigned_one_history(tmp_path: Path, kills: int) -> None:
    """Two callers tell it different stories for as long as it lives; all that it ever cosigned is on one line of them."""
    state = tmp_path / "w"
    answers: list[tuple[History, int]] = []

    def tell(it: Witnessing, history: History, ending: threading.Event) -> None:
        old = 0
        while not ending.is_set():
            try:
                told = it.ask(history.request(old, min(old + 1, history.size)))
            except OSError:
                return
            if told.status == 200:
                old = min(old + 1, history.size)
                answers.append((history, old))
            elif told.status == 409:
                old = int(told.content)
                ending.wait(0.002)
            else:
                ending.wait(0.002)

    vkey = ""
    for turn in range(2 * kills):
        with witnessing(state, "--log", FIRST.vkey) as it:
            vkey = vkey or it.vkey
            assert it.vkey == vkey
            ending = threading.Event()
            threads = [threading.Thread(target=tell, args=(it, history, ending)) for history in (FIRST, OTHER)]
            for thread in threads:
                thread.start()
            before = len(answers)
            wait_for(lambda before=before: len(answers) > before + 3)  # type: ignore[misc]
            time.sleep(0.01 * turn)
            it.kill()
            ending.set()
            for thread in threads:
                thread.join()
    assert len({id(history) for history, _ in answers}) == 1
    largest = max(size for _, size in answers)
    with witnessing(state, "--log", FIRST.vkey) as it:
        assert int(it.ask(answers[0][0].request(0, 1)).content) >= largest


def test_without_its_memory_it_would_cosign_the_other_history(tmp_path: Path) -> None:
    """The negative control: what keeps it to one history is what it wrote down."""
    state = tmp_path / "w"
    with witnessing(state, "--log", FIRST.vkey) as it:
        assert it.ask(FIRST.request(0, 300)).status == 200
        it.kill()
    with witnessing(state, "--log", FIRST.vkey) as it:
        assert it.ask(OTHER.request(0, 300)).status == 409
        it.kill()
    for path in state.glob("*/checkpoint"):
        path.unlink()
    with witnessing(state, "--log", FIRST.vkey) as it:
        assert cosigned(it.ask(OTHER.request(0, 300)), by=it, size=300, history=OTHER)


def test_its_key_is_its_own_and_stays(tmp_path: Path) -> None:
    state = tmp_path / "w"
    with witnessing(state, "--log", FIRST.vkey) as it:
        assert ((state / "key").stat().st_mode & 0o777, (state / "vkey").read_text()) == (0o600, f"{it.vkey}\n")
        it.ask(FIRST.request(0, 10))
        assert run("witness", "--log", FIRST.vkey, "--state", str(state), home=tmp_path).status == 1, "one at a time"
    (state / "key").chmod(0o644)
    assert "read by others" in run("witness", "--log", FIRST.vkey, "--state", str(state), home=tmp_path).stderr
    (state / "key").unlink()
    assert "is missing" in run("witness", "--log", FIRST.vkey, "--state", str(state), home=tmp_path).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--log", "x"], "cannot be read"),
        (["--log", "a+b+c"], "holds no vkey"),
        (["--log", FIRST.vkey, "--follow", "ftp://x"], "--follow must be"),
        (["--log", FIRST.vkey, "--name", "a b"], "blank"),
    ],
)
def test_what_it_cannot_work_with_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    ended = run("witness", "--state", str(tmp_path / "w"), *words, home=tmp_path)
    assert (ended.status, said in ended.stderr) == (1, True), ended


def test_it_follows_a_log_and_cosigns_what_that_becomes(server: Server, tmp_path: Path) -> None:
    keys = tmp_path / "log.vkey"
    reader = LogReader(server)
    keys.write_bytes(reader.get("/v1/audit/vkey").content)
    state = tmp_path / "w"
    with witnessing(state, "--log", str(keys), "--follow", server.base_url) as it:
        for _ in range(2):
            size = reader.checkpoint().size
            server.open_account()
            reader.sealed(size + 2)
            wait_for(lambda size=size: list(state.glob("*/checkpoint")) and size_in(kept(state)) >= size + 2)  # type: ignore[misc]
        opened = open_note(kept(state), [*reader.verifiers, it.verifier])
        assert {signature.name for signature in opened.signatures} == {reader.origin, it.verifier.name}
        assert it.stop() == 0


def size_in(note: bytes) -> int:
    return int(note.split(b"\n")[1])


def followed(state: Path, size: int) -> None:
    """Return once a log was cosigned up to this size."""
    wait_for(lambda: list(state.glob("*/checkpoint")) and size_in(kept(state)) == size)


def assert_told(it: Witnessing, state: Path) -> None:
    """It ended with 1, said so, kept both notes, and does not begin again."""
    assert it.wait_end() == 1
    assert "TWO HISTORIES" in it.said
    assert all(str(path) in it.said for path in state.glob("*/fork-*"))
    assert len(list(state.glob("*/fork-*"))) == 2


@pytest.mark.parametrize("size", [300, 350])
def test_a_log_that_tells_another_history_is_refused_for_ever(tmp_path: Path, size: int) -> None:
    state = tmp_path / "w"
    with publishing(FIRST, 300) as log:
        words = ("--log", FIRST.vkey, "--follow", log.url)
        with witnessing(state, *words) as it:
            followed(state, 300)
            log.history, log.shown = OTHER, size
            assert_told(it, state)
        log.history, log.shown = FIRST, 400
        with witnessing(state, *words) as it:
            assert_told(it, state)
        assert size_in(kept(state)) == 300


def test_a_log_that_only_grows_is_followed_on(tmp_path: Path) -> None:
    """The negative control: the same, without the lie. A log that is away, or shows an old copy, is waited for."""
    state = tmp_path / "w"
    with publishing(FIRST, 300) as log, witnessing(state, "--log", FIRST.vkey, "--follow", log.url) as it:
        followed(state, 300)
        log.shown = 200
        wait_for(lambda: "shows 200 leaves, and 300 were cosigned" in it.said)
        log.status = 503
        wait_for(lambda: "status 503" in it.said)
        log.shown, log.status = 350, 200
        followed(state, 350)
        log.shown = 400
        followed(state, 400)
        assert it.stop() == 0


def test_it_follows_and_serves_at_once(tmp_path: Path) -> None:
    state = tmp_path / "w"
    with (
        publishing(FIRST, 300) as log,
        witnessing(state, "--log", FIRST.vkey, "--follow", log.url, "--port", "0") as it,
    ):
        followed(state, 300)
        assert cosigned(it.ask(FIRST.request(300, 350)), by=it, size=350)
        assert it.stop() == 0
