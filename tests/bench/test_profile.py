"""Reading py-spy's stacks and weighing them."""

import subprocess
import sys
import threading

import pytest

from interfaces.bench import profile
from interfaces.bench.profile import OTHER, Sample, part_of, read, weigh

STACKS = """\
thread (7): MainThread;<module> (interfaces/cli/__main__.py:9);run (uvicorn/server.py:1);post (litestar/app.py:5) 3
thread (7): MainThread;run (uvicorn/server.py:1);issue (application/tokens.py:9);dumps (json/__init__.py:9) 1
thread (7): MainThread;run (uvicorn/server.py:1);uv_run (core.c:2);epoll_wait (libc.so.6) 90
thread (8): doneotp-writer;_run (application/writer.py:3);evolve (domain/account.py:8) 2
thread (8): doneotp-writer;_run (application/writer.py:3);wait (threading.py:331);pthread_cond_timedwait (libc.so.6) 50
thread (8): doneotp-writer;_run (application/writer.py:3);Condition.wait (threading.py:331) 50
"""


def test_what_waits_is_no_work():
    assert [(sample.thread, sample.thread_name, sample.count) for sample in read(STACKS)] == [
        (7, "MainThread", 3),
        (7, "MainThread", 1),
        (8, "doneotp-writer", 2),
    ]


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        (("run (uvicorn/server.py:1)", "handle (litestar/app.py:1)"), "Litestar"),
        (("handle (litestar/app.py:1)", "send (uvicorn/x.py:1)"), "HTTP server (uvicorn, httptools)"),
        (("check (interfaces/http/verify.py:1)", "digest (hmac.py:198)"), "HTTP handlers of DoneOTP"),
        (("_try (application/writer.py:1)", "record (application/mapper.py:1)"), "event encoding"),
        (("_try (application/writer.py:1)", "gc_collect_main (libpython3.11.so.1.0)"), "garbage collection"),
        (("start (threading.py:1)",), OTHER),
    ],
)
def test_a_sample_belongs_to_its_innermost_known_part(frames, part):
    assert part_of(frames) == part


def test_samples_divide_the_cpu_time_of_their_thread_and_no_other():
    weighed = weigh(read(STACKS), {7: 8.0, 8: 1.0, 9: 0.5})
    assert weighed == profile.Profile(
        cpu_seconds=9.5,
        samples=6,
        parts={"Litestar": 6.0, "token signing and checking": 2.0, "decide and evolve": 1.0, OTHER: 0.5},
        threads={"MainThread": 8.0, "doneotp-writer": 1.0, "never seen at work": 0.5},
        functions={"post (litestar/app.py)": 6.0, "dumps (json/__init__.py)": 2.0, "evolve (domain/account.py)": 1.0},
    )


VENV = profile.__file__.removesuffix("interfaces/bench/profile.py") + ".venv/lib/python3.11"


@pytest.mark.parametrize(
    ("frame", "kept"),
    [
        (f"append ({profile.__file__}:7)", "append (interfaces/bench/profile.py:7)"),
        ("run (/any/venv/lib/python3.9/site-packages/uvicorn/server.py:1)", "run (uvicorn/server.py:1)"),
        (f"run ({VENV}/site-packages/uvicorn/server.py:1)", "run (uvicorn/server.py:1)"),
        (f"_run ({threading.__file__}:2)", "_run (threading.py:2)"),
        ("send (/lib/x86_64-linux-gnu/libc.so.6)", "send (libc.so.6)"),
        ("uv_run (core.c:2)", "uv_run (core.c:2)"),
    ],
)
def test_the_directories_of_a_machine_are_left_out(frame, kept):
    ((only,),) = [sample.frames for sample in read(f"thread (1): a;{frame} 1\n")]
    assert only == kept


def test_a_line_that_names_no_thread_is_left_out():
    assert read("process 1;main (a.py:1) 3\n") == []
    assert Sample(1, "a", ("main (a.py:1)",), 3) in read("thread (1): a;main (a.py:1) 3\n")


SPIN = """
def spin():
    while True:
        pass

print("ready", flush=True)
spin()
"""


@pytest.mark.skipif(not profile.is_available(), reason="needs py-spy and /proc")
def test_a_process_that_spins_is_seen_spinning():
    with subprocess.Popen([sys.executable, "-S", "-c", SPIN], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            seen = profile.record(process.pid, seconds=1)
        except profile.Unwatchable as error:
            pytest.skip(f"processes may not be watched here: {error}")
        finally:
            process.kill()
    assert next(iter(seen.functions)) == "spin (<string>)"
    assert 0 < seen.cpu_seconds == pytest.approx(sum(seen.parts.values())) == pytest.approx(sum(seen.threads.values()))


@pytest.mark.skipif(not profile.is_available(), reason="needs py-spy and /proc")
def test_a_process_that_is_gone_cannot_be_watched():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with pytest.raises(profile.Unwatchable):
        profile.record(process.pid, seconds=1)
