"""The stated frame rate counts, but where the pictures' times contradict it by more than a little."""

from __future__ import annotations

import random

import pytest
import video_files as files

from sf_eval.video import (
    Clip,
    ClipLoader,
    SamplingRule,
    VideoNoteKind,
    available_backends,
    check,
    load_clip,
    probe,
)

RULE = SamplingRule("published", 128)
CODECS = {"mkv": "libx264", "webm": "libvpx", "mp4": "libx264"}


def recorded(path, frames=300, stated=1000, every_ms=(33, 34, 33, 34, 50, 17)):
    """What a screen recorder writes: irregular times, and a rate that is its clock's."""
    steps = random.Random(0)
    times_ms = [0]
    for _ in range(frames - 1):
        times_ms.append(times_ms[-1] + steps.choice(every_ms))
    codec = CODECS[path.suffix[1:]]
    options = files.FAST_VPX if codec == "libvpx" else {"preset": "ultrafast"}
    return files.write_video(path, frames, fps=stated, codec=codec, options=options, times_ms=times_ms)


@pytest.mark.parametrize("backend", available_backends())
@pytest.mark.parametrize("suffix", ["mkv", pytest.param("webm", marks=pytest.mark.thorough)])
def test_a_thousand_frames_a_second_are_measured(tmp_path, suffix, backend):
    path = recorded(tmp_path / f"screen.{suffix}")
    frames = load_clip(Clip(path), RULE, backend=backend)
    assert frames.info.fps == pytest.approx(30, abs=0.5)
    assert frames.indices == tuple(range(0, 300, 15))
    (note,) = frames.notes
    assert note.kind is VideoNoteKind.measured_rate
    assert "1000 frames per second" in note.detail
    assert check(path, "full", backend=backend).notes == check(path, backend=backend).notes == (note,)


def test_an_mp4_states_the_average_itself(tmp_path):
    frames = load_clip(Clip(recorded(tmp_path / "screen.mp4")), RULE)
    assert (len(frames.indices), frames.notes) == (20, ())


@pytest.mark.parametrize(("stated", "every_ms"), [(60, 33), (15, 33), (30, 100), (120, 40)])
def test_a_rate_that_is_wrong_either_way_is_measured(tmp_path, stated, every_ms):
    info = probe(recorded(tmp_path / "video.mkv", 60, stated, (every_ms,)))
    assert info.fps == pytest.approx(1000 / every_ms, rel=0.01)
    assert [note.kind for note in info.notes] == [VideoNoteKind.measured_rate]


@pytest.mark.parametrize(("stated", "every_ms"), [(25, 41), (24, 40), (30, 33), (25, 40)])
def test_a_little_is_left_as_published(tmp_path, stated, every_ms):
    info = probe(recorded(tmp_path / "video.mkv", 60, stated, (every_ms,)))
    assert (info.fps, info.notes) == (stated, ())


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_few_frames_are_enough_to_measure_and_one_needs_no_rate(tmp_path, frames):
    info = probe(recorded(tmp_path / "video.mkv", frames, 1000, (500,)))
    assert info.num_frames == frames
    if frames > 1:
        assert info.fps == pytest.approx(2)


def test_sound_that_goes_on_does_not_make_a_rate_wrong(tmp_path):
    info = probe(files.write_late(tmp_path / "late.mkv", 6.0))  # 4 s of pictures in a file of 10 s
    assert (info.fps, info.notes) == (10, ())


def test_a_trimmed_file_keeps_its_rate(tmp_path):
    whole = files.write_video(tmp_path / "whole.mp4", 48, options={"g": "24"})
    info = probe(files.trim_by_edit_list(whole, tmp_path / "trimmed.mp4", 40))
    assert (info.fps, info.notes) == (24, ())


def test_clips_joined_without_mending_their_clocks_keep_their_rate(tmp_path):
    path = files.write_video(tmp_path / "joined.ts")
    path.write_bytes(path.read_bytes() * 3)
    assert (probe(path).num_frames, probe(path).fps, probe(path).notes) == (144, 24, ())


def test_the_note_comes_out_of_the_worker(tmp_path):
    path = recorded(tmp_path / "screen.mkv")
    with ClipLoader(RULE) as loader:
        frames, here = loader.load(Clip(path)), load_clip(Clip(path), RULE)
        assert (frames.notes, frames.info) == (here.notes, here.info)
        assert loader.check(Clip(path), "rule").notes == here.notes
