"""An mp4 cut without coding it anew: what there is, is shown, and what its edit list hides, is counted."""

from __future__ import annotations

import pytest
import video_files as files

from sf_eval.video import (
    Clip,
    ClipLoader,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    available_backends,
    check,
    load_clip,
    plan_clip,
    read_frames,
)
from sf_eval.video.edit_list import hidden_frames

RULE = SamplingRule("published", 64)  # every 12th frame of a video at 24 fps
BACKENDS = [name for name in available_backends() if name != "decord"]  # which refuses such files
# Frames hidden of 200 with a keyframe every 24th: FFmpeg marks some of them and drops whole groups of others.
TRIMMED = (1, 10, 24, 30, 47, 150)


def trimmed(folder, frames, *, of=200, faststart=False):
    whole = files.write_video(folder / "whole.mp4", of, options={"g": "24"})
    return files.trim_by_edit_list(whole, folder / "trimmed.mp4", frames, faststart=faststart)


def reason_of(path, rule=RULE, **settings):
    with pytest.raises(VideoError) as error:
        load_clip(Clip(path), rule, **settings)
    return error.value.reason


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hidden", TRIMMED)
def test_what_there_is_is_shown_and_what_is_hidden_is_counted(tmp_path, hidden, backend):
    path = trimmed(tmp_path, hidden)
    assert hidden_frames(path) == hidden
    _, wanted = plan_clip(Clip(path), RULE)
    assert wanted == list(range(0, 200, 12))  # the rule takes the container's count, as published
    frames = load_clip(Clip(path), RULE, backend=backend)
    existing = [index for index in wanted if index < 200 - hidden]
    assert frames.indices == tuple(existing)
    assert frames.missing == len(wanted) - len(existing)
    assert len(frames.pixels) == len(frames.times_s) == len(existing)
    assert [files.index_of(picture) for picture in frames.pixels] == [hidden + index for index in existing]


def test_nothing_is_missing_of_a_file_that_hides_nothing(clip_path):
    assert hidden_frames(clip_path) == 0
    assert load_clip(Clip(clip_path), RULE).missing == 0
    for name in files.REAL_CLIPS:
        assert hidden_frames(files.real_clip(name)) == 0


def test_nothing_is_missing_where_only_unwanted_frames_are_hidden(tmp_path):
    frames = load_clip(Clip(trimmed(tmp_path, 5)), RULE)
    assert (frames.indices[-1], frames.missing) == (192, 0)


def test_a_span_is_taken_of_what_is_shown(tmp_path):
    frames = load_clip(Clip(trimmed(tmp_path, 30), start_s=5.0, end_s=9.0), RULE)
    assert frames.missing == 0
    assert [files.index_of(picture) for picture in frames.pixels] == [150, 162, 174, 186, 198]


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_an_edit_list_does_not_excuse_a_file_that_is_cut_off(tmp_path, share):
    path = files.cut(trimmed(tmp_path, 10, faststart=True), share)
    # `not_decodable` where the last picture is cut through
    assert reason_of(path, SamplingRule("uniform", 8)).value in ("ends_early", "not_decodable")
    for frames in ("ends", "full"):
        with pytest.raises(VideoError):
            check(path, frames)


def test_an_edit_list_does_not_excuse_a_count_that_is_overstated(tmp_path):
    path = files.overstate_frames(trimmed(tmp_path, 10), 100)
    assert reason_of(path) is VideoErrorReason.ends_early


def test_a_trimmed_file_is_whole_but_has_no_hidden_frame(tmp_path):
    path = trimmed(tmp_path, 30)
    for frames in ("ends", "full", RULE, [0, 169]):
        assert check(path, frames).num_frames == 200
    for ask in (check, read_frames):
        with pytest.raises(VideoError, match="edit list hides it") as error:
            ask(path, [0, 170])
        assert error.value.reason is VideoErrorReason.ends_early


@pytest.mark.parametrize("in_process", [True, False])
def test_the_loader_tells_too(tmp_path, in_process):
    path = trimmed(tmp_path, 47)
    expected = load_clip(Clip(path), RULE)
    with ClipLoader(RULE, in_process=in_process) as loader:
        frames = loader.load(Clip(path))
        assert loader.check(Clip(path), "rule").num_frames == 200
    assert (
        (frames.indices, frames.missing)
        == (expected.indices, expected.missing)
        == (tuple(range(0, 153, 12)), 4)
    )
    assert (frames.pixels == expected.pixels).all()


@pytest.mark.skipif("decord" not in available_backends(), reason="decord is not installed")
@pytest.mark.parametrize("hidden", [10, 24, 30])
def test_decord_refuses_what_it_would_show_otherwise(tmp_path, hidden):
    assert reason_of(trimmed(tmp_path, hidden), backend="decord") is VideoErrorReason.unsupported
