"""Several decoders: the same frames, bounded by bytes, and one bad clip costs itself alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import video_files as files
from processes import hanging, is_alive, wait_for

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize
from sf_eval.video import (
    Clip,
    ClipPool,
    LoaderClosedError,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    load_clip,
    plan_frames,
    probe,
)

RULE = SamplingRule("uniform", 4)
CLIP_BYTES = 4 * 64 * 96 * 3


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("pool")
    return [Clip(files.write_video(folder / f"{count}.mp4", count)) for count in (40, 5, 30, 6, 20, 7)]


@pytest.mark.parametrize("decoders", [0, 1, 3])
def test_clips_come_in_order_and_as_one_process_decodes_them(clips, tmp_path, decoders):
    missing = Clip(tmp_path / "none.mp4")
    asked = [*clips[:2], missing, *clips[2:], clips[0]]
    with ClipPool(RULE, decoders=decoders) as pool:
        outcomes = list(pool.in_order(asked))
    assert [clip for clip, _ in outcomes] == asked
    for clip, outcome in outcomes:
        if clip is missing:
            assert isinstance(outcome, VideoError)
            assert outcome.reason is VideoErrorReason.missing
        else:
            here = load_clip(clip, RULE)
            np.testing.assert_array_equal(outcome.pixels, here.pixels)
            assert (outcome.indices, outcome.times_s, outcome.info) == (here.indices, here.times_s, here.info)


def load(pool, clip):
    ((_, outcome),) = pool.in_order([clip])
    return outcome


def taken_beside(pool, asked) -> tuple[list, threading.Thread]:
    """What a thread that takes all of `asked` has been given so far; and the thread."""
    outcomes: list = []
    waiter = threading.Thread(target=lambda: outcomes.extend(pool.in_order(asked)))
    waiter.start()
    return outcomes, waiter


@pytest.mark.parametrize("decoders", [0, 2])
def test_it_takes_the_place_of_a_loader(clips, decoders):
    with ClipPool(RULE, decoders=decoders, resize=Resize(32)) as pool:
        for _, outcome in pool.in_order([*clips, clips[0]]):
            assert outcome.pixels.shape == (4, 32, 32, 3)
        assert pool.plan(clips[0]) == plan_frames(clips[0], RULE)
        assert pool.check(clips[0], "full") == probe(clips[0].path)
        assert pool.waited_s > 0
        assert pool.held_bytes == 0


def test_pictures_are_read_into_the_memory_that_it_is_given(clips):
    """Such as page-locked memory, from which a GPU copies by itself; decoders that join later do so too."""
    given = []

    def room(shape):
        given.append(np.full(shape, 255, np.uint8))
        return given[-1]

    with ClipPool(RULE, decoders=1) as pool:
        first = load(pool, clips[0])
        assert given == []
        pool.read_into(room)
        pool.grow(2)
        outcomes = [outcome for _, outcome in pool.in_order(clips)]
    assert len(given) == len(clips)
    assert all(any(outcome.pixels is one for one in given) for outcome in outcomes)
    np.testing.assert_array_equal(outcomes[0].pixels, first.pixels)


def test_it_tells_for_how_long_a_clip_is_waited_for(tmp_path):
    pipe = Clip(hanging(tmp_path / "hangs.mp4"))
    with ClipPool(RULE, decoders=1, timeout_s=2.0) as pool:
        assert pool.waiting_s == 0
        waiter = threading.Thread(target=lambda: list(pool.in_order([pipe])))
        waiter.start()
        longest = 0.0
        while waiter.is_alive():
            longest = max(longest, pool.waiting_s)
            waiter.join(0.01)
        assert longest > 0
        assert pool.waiting_s == 0


def test_a_clip_that_hangs_costs_itself_and_is_not_tried_again(clips, tmp_path):
    pipe = Clip(hanging(tmp_path / "hangs.mp4"))
    with ClipPool(RULE, decoders=2, timeout_s=2.0) as pool:
        outcomes = list(pool.checked([pipe, *clips]))
        assert {clip for clip, _ in outcomes} == {pipe, *clips}
        assert outcomes[-1][0] is pipe  # the others did not wait for it
        assert outcomes[-1][1].reason is VideoErrorReason.timeout
        assert load(pool, pipe).reason is VideoErrorReason.timeout
        pipe.path.unlink()  # whoever opened it again would find it missing
        with pytest.raises(VideoError) as error:
            pool.plan(pipe)
        assert error.value.reason is VideoErrorReason.timeout
        assert dict(pool.in_order([clips[0], pipe]))[pipe].reason is VideoErrorReason.timeout


def test_a_clip_that_hangs_in_the_middle_leaves_the_order_as_it_is(clips, tmp_path):
    asked = [clips[1], Clip(hanging(tmp_path / "hangs.mp4")), *clips[2:]]
    with ClipPool(RULE, decoders=2, timeout_s=1.0) as pool:
        outcomes = list(pool.in_order(asked))
    assert [clip for clip, _ in outcomes] == asked
    assert [isinstance(outcome, VideoError) for _, outcome in outcomes] == [False, True, *[False] * 4]


def test_a_decoder_that_dies_costs_its_clip(clips, tmp_path):
    pipe = Clip(hanging(tmp_path / "hangs.mp4"))
    with ClipPool(RULE, decoders=1) as pool:
        outcomes, waiter = taken_beside(pool, [pipe])
        (pid,) = wait_for(pool.worker_pids, "a decoder runs")
        opened = wait_for(lambda: _opened(pipe.path), "it has the clip")
        os.kill(pid, signal.SIGSEGV)
        waiter.join(30)
        os.close(opened)
        assert outcomes[0][1].reason is VideoErrorReason.crashed
        assert load(pool, clips[0]).indices == (0, 13, 26, 39)


def _opened(pipe: Path) -> int | None:
    """A handle of the pipe as soon as a decoder has opened it."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return None


@pytest.mark.parametrize("resize", [None, Resize(48)])
def test_no_more_is_decoded_ahead_than_fits(clips, resize):
    room = 2 * (CLIP_BYTES if resize is None else 4 * 48 * 48 * 3)
    with ClipPool(RULE, decoders=2, resize=resize, max_bytes=room) as pool:
        seen = set()
        for number, _ in enumerate(pool.in_order(clips * 2)):
            if number == 0:
                wait_for(lambda: len(pool.worker_pids()) == 2, "both decoders run")
            seen.add(pool.held_bytes)
        assert max(seen) <= room


def test_a_clip_larger_than_the_room_is_decoded_alone(clips):
    with ClipPool(RULE, decoders=2, max_bytes=1) as pool:
        assert [outcome.pixels.shape[0] for _, outcome in pool.in_order(clips)] == [4] * 6


def test_what_is_waited_for_needs_no_room(clips):
    """All room is taken by a clip that is asked for last."""
    with ClipPool(RULE, decoders=1, max_bytes=CLIP_BYTES) as pool:
        ahead = pool.in_order(clips)
        next(ahead)
        wait_for(lambda: pool.held_bytes == CLIP_BYTES, "the room is taken")
        assert load(pool, clips[-1]).info.path == clips[-1].path
        assert [clip for clip, _ in ahead] == clips[1:]
        assert pool.held_bytes == 0


def test_who_stops_early_leaves_no_room_taken(clips):
    with ClipPool(RULE, decoders=2) as pool:
        outcomes = pool.in_order(clips * 3)
        next(outcomes)
        outcomes.close()
        wait_for(lambda: pool.held_bytes == 0, "what was begun is given up")
        assert load(pool, clips[0]).indices == (0, 13, 26, 39)


def test_many_clips_are_checked(clips, tmp_path):
    broken = Clip(files.cut(files.write_video(tmp_path / "v.mp4", 30, faststart=True), 0.6))
    with ClipPool(RULE, decoders=2) as pool:
        found = dict(pool.checked([clips[0], broken, clips[1]], "full"))
    assert {clip: found[clip] for clip in clips[:2]} == {clip: probe(clip.path) for clip in clips[:2]}
    assert isinstance(found[broken], VideoError)


def test_closing_ends_everything_in_the_middle(clips, tmp_path):
    pipes = [Clip(hanging(tmp_path / f"{name}.mp4")) for name in "abc"]
    pool = ClipPool(RULE, decoders=2)
    outcome: list[BaseException] = []

    def wait() -> None:
        try:
            list(pool.in_order([*pipes, *clips]))
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    pids = wait_for(lambda: len(pool.worker_pids()) == 2 and pool.worker_pids(), "both decoders run")
    pool.close()
    thread.join(30)
    assert isinstance(outcome[0], LoaderClosedError)
    assert not any(is_alive(pid) for pid in pids)
    pool.close()
    for use in (
        lambda: pool.plan(clips[0]),
        lambda: list(pool.checked(clips)),
        lambda: list(pool.in_order(clips)),
    ):
        with pytest.raises(LoaderClosedError):
            use()


SCRIPT = """
import sys, time
from pathlib import Path
from sf_eval.video import Clip, ClipPool, SamplingRule
good, *bad = [Clip(Path(path)) for path in sys.argv[2:]]
pool = ClipPool(SamplingRule("uniform", 4), decoders=3)
ahead = pool.in_order([good] if sys.argv[1] == "ends" else [good, *bad])
next(ahead)
while sys.argv[1] != "ends" and len(pool.worker_pids()) < 3:
    time.sleep(0.01)
print(*pool.worker_pids(), flush=True)
if sys.argv[1] == "waits":
    with pool:
        next(ahead)
if sys.argv[1] == "killed":
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("how", "end"), [("waits", signal.SIGINT), ("killed", signal.SIGKILL), ("ends", None)]
)
def test_no_process_is_left_behind(clips, tmp_path, how, end):
    pipes = [hanging(tmp_path / f"{name}.mp4") for name in "ab"]
    command = [sys.executable, "-c", SCRIPT, how, str(clips[0].path), *map(str, pipes)]
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert pids
    if end is not None:
        assert len(pids) == 3
        parent.send_signal(end)
    _, printed = parent.communicate(timeout=60)
    assert ("KeyboardInterrupt" in printed) is (end is signal.SIGINT)
    for pid in pids:
        wait_for(lambda pid=pid: not is_alive(pid), "the decoder is gone")


def test_settings_that_cannot_be_meant_are_refused():
    for settings in (
        {"decoders": -1},
        {"decoders": 0, "helpers": 1},
        {"decoders": 1, "max_bytes": 0},
        {"decoders": 1, "timeout_s": 0},
    ):
        with pytest.raises(UsageError):
            ClipPool(RULE, **settings)


def test_what_was_prefetched_is_taken_in_order_and_the_rest_given_up(clips):
    """What was begun before it was known what is wanted costs no second decoding, and keeps no room."""
    with ClipPool(RULE, decoders=1) as pool:
        pool.prefetch([clips[0], clips[1], clips[2]])
        wait_for(lambda: pool.held_bytes >= CLIP_BYTES, "something is decoded")
        given = [clip for clip, _ in pool.in_order([clips[2], clips[0]])]
        assert given == [clips[2], clips[0]]
        wait_for(lambda: pool.held_bytes == 0, "nothing is kept")


def test_a_pool_goes_on_with_more_decoders(clips):
    with ClipPool(RULE, decoders=1) as pool:
        load(pool, clips[0])
        pool.grow(3)
        assert pool.decoders == 3
        assert len(list(pool.in_order(clips))) == len(clips)
    assert not pool.worker_pids()


def test_a_helper_decodes_while_a_clip_is_waited_for_and_no_more_than_one_ahead(clips, tmp_path):
    slow, later = (Clip(hanging(tmp_path / f"{name}.mp4")) for name in ("slow", "later"))
    asked = [slow, clips[0], later, *clips]
    with ClipPool(RULE, decoders=1, helpers=1) as pool:
        pool.prefetch(asked)
        opened = wait_for(lambda: _opened(slow.path), "the decoder has the slow one")
        assert len(pool.worker_pids()) == 1  # nobody waits for a clip
        outcomes, waiter = taken_beside(pool, asked)
        wait_for(lambda: pool.first_decoded_at, "the helper decodes what comes next")
        assert _opened(later.path) is None  # one is decoded: that is enough
        os.close(opened)  # empty
        os.close(wait_for(lambda: _opened(later.path), "somebody has it"))
        waiter.join(30)
    assert [clip for clip, _ in outcomes] == asked
    assert [isinstance(outcome, VideoError) for _, outcome in outcomes] == [True, False, True, *[False] * 6]
    for clip, outcome in outcomes:
        if not isinstance(outcome, VideoError):
            np.testing.assert_array_equal(outcome.pixels, load_clip(clip, RULE).pixels)


def test_for_a_few_clips_no_helper_is_started(clips, tmp_path):
    slow = Clip(hanging(tmp_path / "slow.mp4"))
    with ClipPool(RULE, decoders=1, helpers=1) as pool:
        outcomes, waiter = taken_beside(pool, [slow, *clips])
        opened = wait_for(lambda: _opened(slow.path), "the decoder has it")
        assert len(pool.worker_pids()) == 1
        os.close(opened)
        waiter.join(30)
        assert len(pool.worker_pids()) == 1
    assert len(outcomes) == 1 + len(clips)


def test_it_is_told_whether_decoders_are_busy(clips, tmp_path):
    told: list[bool] = []
    with ClipPool(RULE, decoders=1, timeout_s=2.0) as pool:
        pool.tell_busy(told.append)
        list(pool.in_order([clips[0], Clip(hanging(tmp_path / "slow.mp4"))]))
    assert told == [True, False]


def test_a_pool_says_whether_it_decodes_as_another_would():
    same = {"resize": Resize(64), "backend": "pyav", "timeout_s": 9.0, "seek": True}
    with ClipPool(RULE, decoders=0, **same) as pool:
        assert pool.decodes_as(RULE, **same)
        others = ({"resize": None}, {"resize": Resize(32)}, {"timeout_s": 8.0}, {"seek": False})
        assert not any(pool.decodes_as(RULE, **{**same, **other}) for other in others)
        assert not pool.decodes_as(SamplingRule("uniform", 5), **same)


def test_the_first_decoded_clip_is_one_that_gave_pictures(clips, tmp_path):
    with ClipPool(RULE, decoders=1) as pool:
        list(pool.in_order([Clip(tmp_path / "none.mp4")]))
        assert pool.first_decoded_at is None
        load(pool, clips[0])
        assert pool.first_decoded_at is not None
