"""`bench --scale`: the whole read side at a ledger of a given length, with what each step took."""

import json
from pathlib import Path

import pytest

from interfaces.bench import scale
from interfaces.bench.scale import StepFailed
from tests.support.server import run

STEPS = ["fill", "seal", "project", "rebuild", "export", "verify", "replay"]


def test_every_step_is_done_and_measured_for_each_length(tmp_path: Path) -> None:
    done = run("bench", "--scale", "1000", "--scale", "3000", "--json", home=tmp_path / "home")
    assert done.status == 0, done
    sizes = json.loads(done.stdout)["sizes"]
    assert [size["events"] for size in sizes] == [1_000, 3_000]
    assert [[step["name"] for step in size["steps"]] for size in sizes] == [STEPS, STEPS]
    assert all(step["events_per_second"] > 0 and step["memory_mb"] > 0 for size in sizes for step in size["steps"])
    assert all(min(size[f"{part}_bytes"] for part in ("ledger", "seal", "view", "bundle")) > 0 for size in sizes)


def test_a_step_that_fails_ends_the_run(tmp_path: Path) -> None:
    def work() -> None:
        raise StepFailed("inside")

    with pytest.raises(StepFailed, match="nothing failed"):
        scale._timed("nothing", work, events=1)
