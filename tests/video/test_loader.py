"""Decoding where it can be stopped: hangs, crashes, Ctrl-C, a parent that is gone.

A named pipe stands for a video that hangs the decoder: opening one blocks until somebody writes to it, and
nobody does.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import video_files as files

from sf_eval.core.errors import UsageError
from sf_eval.video import (
    Clip,
    ClipLoader,
    LoaderClosedError,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    available_backends,
    load_clip,
    plan_frames,
)

RULE = SamplingRule("published", 8)


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    path = tmp_path / "hangs.mp4"
    os.mkfifo(path)
    return path


def wait_for(condition, what: str):
    for _ in range(3000):
        if result := condition():
            return result
        time.sleep(0.01)
    raise AssertionError(f"waited 30 s in vain: {what}")


def reader_of(pipe: Path) -> int:
    """Wait until the decoder has opened the pipe; it then waits until the returned handle is closed."""

    def attempt():
        with suppress(OSError):
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)

    return wait_for(attempt, "the decoder opens the pipe")


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    with suppress(FileNotFoundError):
        return stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def in_thread(action) -> tuple[threading.Thread, list]:
    """Run `action` in a thread; its result or exception lands in the list."""
    outcome: list = []

    def run():
        try:
            outcome.append(action())
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


@pytest.mark.parametrize("backend", available_backends())
def test_frames_are_those_of_this_process(clip_path, backend):
    clip = Clip(clip_path, start_s=0.5)
    here = load_clip(clip, RULE, backend=backend)
    for in_process in (False, True):
        with ClipLoader(RULE, backend=backend, in_process=in_process) as loader:
            there = loader.load(clip)
        np.testing.assert_array_equal(there.pixels, here.pixels)
        assert (there.indices, there.times_s, there.info) == (here.indices, here.times_s, here.info)


def test_a_plan_is_made_in_the_worker_and_is_that_of_this_process(clip_path):
    clip = Clip(clip_path, start_s=0.5)
    for in_process in (False, True):
        with ClipLoader(RULE, in_process=in_process) as loader:
            plan, frames = loader.plan(clip), loader.load(clip)
            assert (loader.worker_pid() is None) is in_process
        assert plan == plan_frames(clip, RULE)
        assert (plan.indices, plan.times_s) == (frames.indices, pytest.approx(frames.times_s))


def test_a_video_that_hangs_while_it_is_planned_is_killed_and_not_tried_again(hanging, clip_path):
    with ClipLoader(RULE, timeout_s=1.0) as loader:
        with pytest.raises(VideoError, match="within 1 s"):
            loader.plan(Clip(hanging))
        hanging.unlink()  # whoever opened it again would find it missing
        for ask in (loader.plan, loader.load):
            with pytest.raises(VideoError) as error:
                ask(Clip(hanging))
            assert error.value.reason is VideoErrorReason.timeout
        assert loader.plan(Clip(clip_path)).indices == (0, 12, 24, 36)


def test_one_worker_serves_many_clips_and_ends_with_the_loader(clip_path):
    with ClipLoader(RULE) as loader:
        assert loader.worker_pid() is None  # nothing is started before it is needed
        loader.load(Clip(clip_path))
        pid = loader.worker_pid()
        for name in files.REAL_CLIPS[2:]:
            assert loader.load(Clip(files.real_clip(name))).pixels.shape[0] == 8
        assert loader.worker_pid() == pid
    assert not is_alive(pid)


def test_errors_cross_the_border_with_their_reason(tmp_path):
    with ClipLoader(RULE) as loader:
        for _ in range(2):
            with pytest.raises(VideoError) as error:
                loader.load(Clip(tmp_path / "none.mp4"))
            assert error.value.reason is VideoErrorReason.missing
            assert error.value.path == tmp_path / "none.mp4"


@pytest.mark.parametrize("backend", available_backends())
def test_what_a_decoder_prints_does_not_get_between_the_frames(tmp_path, clip_path, backend):
    noisy = files.cut(files.write_video(tmp_path / "noisy.mp4", faststart=True), 0.6)
    with ClipLoader(RULE, backend=backend) as loader:
        with pytest.raises(VideoError):
            loader.load(Clip(noisy))
        assert loader.load(Clip(clip_path)).indices == (0, 12, 24, 36)


def test_a_hanging_decoder_is_killed_and_the_next_clip_is_decoded(hanging, clip_path):
    with ClipLoader(RULE, timeout_s=1.0) as loader:
        loader.load(Clip(clip_path))
        pid = loader.worker_pid()
        with pytest.raises(VideoError, match="within 1 s") as error:
            loader.load(Clip(hanging))
        assert error.value.reason is VideoErrorReason.timeout
        assert error.value.path == hanging
        assert not is_alive(pid)
        assert loader.load(Clip(clip_path)).indices == (0, 12, 24, 36)


@pytest.mark.parametrize("death", [pytest.param(signal.SIGKILL, marks=pytest.mark.thorough), signal.SIGSEGV])
def test_a_crashing_decoder_costs_its_clip_only(hanging, clip_path, death):
    with ClipLoader(RULE) as loader:
        thread, outcome = in_thread(lambda: loader.load(Clip(hanging)))
        handle = reader_of(hanging)
        os.kill(loader.worker_pid(), death)
        thread.join(30)
        os.close(handle)
        assert isinstance(outcome[0], VideoError)
        assert outcome[0].reason is VideoErrorReason.crashed
        assert death.name in outcome[0].detail
        assert loader.load(Clip(clip_path)).indices == (0, 12, 24, 36)


def test_a_worker_that_died_while_idle_is_replaced_without_a_word(clip_path):
    with ClipLoader(RULE) as loader:
        loader.load(Clip(clip_path))
        pid = loader.worker_pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(pid), "the worker is dead")
        assert loader.load(Clip(clip_path)).indices == (0, 12, 24, 36)


def test_ctrl_c_does_not_reach_the_worker(clip_path):
    with ClipLoader(RULE) as loader:
        loader.load(Clip(clip_path))
        pid = loader.worker_pid()
        os.kill(pid, signal.SIGINT)
        loader.load(Clip(clip_path))
        assert loader.worker_pid() == pid
        assert os.getpgid(pid) != os.getpgid(0)  # nor does the terminal send it there


def test_ctrl_c_in_the_parent_leaves_a_loader_that_works(hanging, clip_path):
    with ClipLoader(RULE) as loader:
        interrupter, _ = in_thread(lambda: (reader_of(hanging), os.kill(os.getpid(), signal.SIGINT)))
        with pytest.raises(KeyboardInterrupt):
            loader.load(Clip(hanging))
        interrupter.join(30)
        assert loader.load(Clip(clip_path)).indices == (0, 12, 24, 36)


def test_closing_stops_a_clip_in_another_thread(hanging):
    loader = ClipLoader(RULE)
    thread, outcome = in_thread(lambda: loader.load(Clip(hanging)))
    handle = reader_of(hanging)
    pid = loader.worker_pid()
    loader.close()
    thread.join(30)
    os.close(handle)
    assert isinstance(outcome[0], LoaderClosedError)
    assert not is_alive(pid)
    loader.close()
    with pytest.raises(LoaderClosedError):
        loader.load(Clip(hanging))


def test_threads_take_turns(clip_path):
    paths = [clip_path, *(files.real_clip(name) for name in files.REAL_CLIPS[1:])]
    expected = {path: load_clip(Clip(path), RULE).pixels for path in paths}
    with ClipLoader(RULE) as loader:
        jobs = [(path, in_thread(lambda path=path: loader.load(Clip(path)))) for path in paths * 3]
        for path, (thread, outcome) in jobs:
            thread.join(60)
            np.testing.assert_array_equal(outcome[0].pixels, expected[path])


def test_the_thread_that_started_the_worker_may_end(hanging, clip_path):
    with ClipLoader(RULE, timeout_s=2.0) as loader:
        started, may_end = threading.Event(), threading.Event()
        starter, _ = in_thread(lambda: (loader.load(Clip(clip_path)), started.set(), may_end.wait(30)))
        started.wait(30)
        pid = loader.worker_pid()
        thread, outcome = in_thread(lambda: loader.load(Clip(hanging)))
        handle = reader_of(hanging)
        may_end.set()
        starter.join(30)
        assert is_alive(pid)
        thread.join(30)
        os.close(handle)
        assert outcome[0].reason is VideoErrorReason.timeout  # not a crash


def test_a_forgotten_loader_takes_its_worker_along(clip_path):
    loader = ClipLoader(RULE)
    loader.load(Clip(clip_path))
    pid = loader.worker_pid()
    del loader
    gc.collect()
    wait_for(lambda: not is_alive(pid), "the worker is gone")


# A user's script, on purpose without a guard for __main__.
SCRIPT = """
import sys
from pathlib import Path
from sf_eval.video import Clip, ClipLoader, SamplingRule
loader = ClipLoader(SamplingRule("published", 8))
print(loader.load(Clip(Path(sys.argv[1]))).indices, loader.worker_pid(), flush=True)
if len(sys.argv) > 2:
    loader.load(Clip(Path(sys.argv[2])))
"""


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_does_not_outlive_a_killed_parent(tmp_path, hanging, clip_path, busy):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + ("" if busy else "import time; time.sleep(60)\n"))
    command = [sys.executable, str(script), str(clip_path), *([str(hanging)] if busy else [])]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    indices, pid = parent.stdout.readline().rsplit(" ", 1)
    assert indices == "(0, 12, 24, 36)"
    handle = reader_of(hanging) if busy else None
    parent.kill()
    parent.wait()
    wait_for(lambda: not is_alive(int(pid)), "the worker is gone")
    if handle is not None:
        os.close(handle)
    parent.stdout.close()


def test_a_script_that_ends_without_closing_leaves_nothing(tmp_path, clip_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "av.py").write_text("raise ImportError('the working directory was searched')")
    done = subprocess.run(
        [sys.executable, str(script), str(clip_path)],
        capture_output=True, text=True, check=True, cwd=elsewhere,
    )  # fmt: skip
    wait_for(lambda: not is_alive(int(done.stdout.rsplit(" ", 1)[1])), "the worker is gone")


def test_checking_is_protected_too(hanging, clip_path):
    with ClipLoader(RULE, timeout_s=1.0) as loader:
        assert loader.check(Clip(clip_path)).num_frames == 48
        assert loader.check(Clip(clip_path), "full").num_frames == 48
        assert loader.check(Clip(clip_path), [3, 4]).num_frames == 48
        with pytest.raises(VideoError) as error:
            loader.check(Clip(hanging))
        assert error.value.reason is VideoErrorReason.timeout


def test_a_worker_that_cannot_start_is_a_defect_not_a_bad_video(clip_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with ClipLoader(RULE) as loader, pytest.raises(RuntimeError, match="does not start"):
        loader.load(Clip(clip_path))


def test_settings_that_cannot_be_meant_are_refused():
    with pytest.raises(UsageError, match="timeout"):
        ClipLoader(RULE, timeout_s=0)
    with pytest.raises(UsageError, match="pyav"):
        ClipLoader(RULE, backend="pyva")


PEAK = """
import resource, sys
from pathlib import Path
from sf_eval.video import Clip, SamplingRule, load_clip
rule = SamplingRule("uniform", 4)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
load_clip(Clip(Path(sys.argv[1])), rule)
before = peak()
frames = load_clip(Clip(Path(sys.argv[2])), rule)
print(frames.pixels.shape[0], frames.info.num_frames, peak() - before)
"""


@pytest.mark.parametrize("suffix", ["mp4", pytest.param("mkv", marks=pytest.mark.thorough)])
def test_only_the_wanted_frames_are_in_memory(tmp_path, suffix):
    """400 frames of 640x360 are 138 MB as coded planes and 276 MB as RGB; 4 of them are 3 MB."""
    settings = {"size": (640, 360), "codec": "mpeg4", "still": True}
    short = files.write_video(tmp_path / f"short.{suffix}", 8, **settings)
    long = files.write_video(tmp_path / f"long.{suffix}", 400, **settings)
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(short), str(long)], capture_output=True, text=True, check=True
    )
    shown, of, grown_mb = done.stdout.split()
    assert (int(shown), int(of)) == (4, 400)
    assert float(grown_mb) < 60
