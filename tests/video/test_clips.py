"""From a clip and a rule to frames: files, spans of files, folders of frames."""

from __future__ import annotations

import os

import numpy as np
import pytest
import video_files as files
from PIL import Image

from sf_eval.video import (
    Clip,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    available_backends,
    check,
    load_clip,
    plan_clip,
    plan_frames,
    probe,
    read_frames,
)


def write_folder(folder, count=12, suffix="png", size=(96, 64)):
    folder.mkdir()
    for index in range(count):
        Image.fromarray(files.picture(index, *size)).save(folder / f"frame_{index + 1}.{suffix}")
    return folder


def test_the_published_rule_on_a_file(clip_path):
    frames = load_clip(Clip(clip_path), SamplingRule("published", 64))
    assert frames.indices == (0, 12, 24, 36)
    assert frames.times_s == pytest.approx((0, 0.5, 1.0, 1.5))
    assert frames.pixels.shape == (4, 64, 96, 3)
    assert frames.pixels.dtype == np.uint8
    assert frames.info == probe(clip_path)
    assert frames.decode_s > 0
    np.testing.assert_array_equal(frames.pixels, read_frames(clip_path, frames.indices))


def test_the_uniform_rule_on_a_file(clip_path):
    assert load_clip(Clip(clip_path), SamplingRule("uniform", 3)).indices == (0, 23, 47)


@pytest.mark.parametrize("backend", available_backends())
def test_times_are_those_of_presentation(tmp_path, backend):
    times_ms = [i * 40 + (i % 5) * 7 + (i // 20) * 900 for i in range(48)]
    path = files.write_video(tmp_path / "variable.mp4", times_ms=times_ms)
    frames = load_clip(Clip(path), SamplingRule("uniform", 6), backend=backend)
    assert frames.times_s == pytest.approx([times_ms[i] / 1000 for i in frames.indices], abs=1e-3)


@pytest.mark.parametrize("backend", available_backends())
def test_a_span_is_sampled_as_if_it_were_the_video(clip_path, backend):
    clip = Clip(clip_path, start_s=0.5, end_s=1.25)
    frames = load_clip(clip, SamplingRule("published", 64), backend=backend)
    assert frames.indices == (12, 24)
    assert [files.index_of(frame) for frame in frames.pixels] == [12, 24]
    assert load_clip(clip, SamplingRule("uniform", 3), backend=backend).indices == (12, 21, 30)


def test_a_span_follows_real_times_not_the_average_rate(tmp_path):
    times_ms = [i * 40 for i in range(24)] + [10_000 + i * 40 for i in range(24)]
    path = files.write_video(tmp_path / "gap.mp4", times_ms=times_ms)
    frames = load_clip(Clip(path, start_s=10.0, end_s=10.1), SamplingRule("uniform", 8))
    assert frames.indices == (24, 25, 26)


def test_a_span_of_a_trimmed_file_counts_from_what_is_shown(tmp_path):
    whole = files.write_video(tmp_path / "whole.mp4", options={"g": "24"})
    path = files.trim_by_edit_list(whole, tmp_path / "trimmed.mp4", 10)
    frames = load_clip(Clip(path, start_s=0.5, end_s=9.0), SamplingRule("uniform", 2))
    assert frames.indices == (12, 37)
    assert [files.index_of(frame) for frame in frames.pixels] == [22, 47]


def test_a_span_outside_the_file_is_a_bad_range(clip_path):
    for start_s, end_s in ((5, 9), (1.0, 0.5), (-1, 1)):
        with pytest.raises(VideoError) as error:
            load_clip(Clip(clip_path, start_s, end_s), SamplingRule("published", 8))
        assert error.value.reason is VideoErrorReason.bad_range


def test_a_plan_says_what_loading_will_take(clip_path):
    rule = SamplingRule("published", 64)
    info, indices = plan_clip(Clip(clip_path, start_s=1.0), rule)
    assert (info.num_frames, tuple(indices)) == (48, load_clip(Clip(clip_path, start_s=1.0), rule).indices)


@pytest.mark.parametrize("start_s", [None, 1.0])
@pytest.mark.parametrize("kind", ["steady", "variable", "trimmed", "webm", "folder"])
def test_a_plan_tells_when_frames_are_shown(tmp_path, clip_path, kind, start_s):
    paths = {
        "steady": lambda: clip_path,
        "variable": lambda: files.write_video(
            tmp_path / "variable.mp4", 40, times_ms=[index * index * 2 for index in range(40)]
        ),
        "trimmed": lambda: files.trim_by_edit_list(clip_path, tmp_path / "trimmed.mp4", 12),
        "webm": lambda: files.write_video(tmp_path / "clip.webm", 36, codec="libvpx", options=files.FAST_VPX),
        "folder": lambda: write_folder(tmp_path / "frames"),
    }
    clip, rule = Clip(paths[kind](), start_s=start_s), SamplingRule("uniform", 40)
    plan, frames = plan_frames(clip, rule), load_clip(clip, rule)
    assert plan.info == frames.info
    assert plan.indices == frames.indices
    assert plan.times_s == pytest.approx(frames.times_s, abs=1e-3)


def test_a_folder_of_frames_in_the_order_of_its_numbers(tmp_path):
    folder = write_folder(tmp_path / "frames")
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden.png").write_bytes(b"")
    info = probe(folder)
    assert (info.num_frames, info.fps, info.duration_s, info.width, info.height) == (12, 3.0, 4.0, 96, 64)
    frames = load_clip(Clip(folder), SamplingRule("uniform", 12))
    for index in range(12):
        np.testing.assert_array_equal(frames.pixels[index], files.picture(index, 96, 64))
    assert frames.times_s == pytest.approx([index / 3 for index in range(12)])


@pytest.mark.parametrize("what", ["outside", "pipe", "folder", "dangling"])
def test_a_folder_that_leads_to_what_is_not_its_own_is_refused(tmp_path, what):
    folder = write_folder(tmp_path / "frames")
    write_folder(tmp_path / "secret", count=1)
    picture = folder / "frame_5.png"
    picture.unlink()
    if what == "pipe":
        os.mkfifo(picture)
    elif what == "folder":
        picture.mkdir()
    else:
        picture.symlink_to(tmp_path / "secret" / ("frame_1.png" if what == "outside" else "none.png"))
    with pytest.raises(VideoError) as error:
        load_clip(Clip(folder), SamplingRule("uniform", 2))  # not even where that picture is not wanted
    assert error.value.path == picture
    assert error.value.reason is VideoErrorReason.unsupported


def test_links_inside_a_folder_of_frames_and_on_the_folder_are_fine(tmp_path):
    folder = write_folder(tmp_path / "frames")
    (folder / "frame_13.png").symlink_to(folder / "frame_12.png")
    (tmp_path / "link").symlink_to(folder)
    assert load_clip(Clip(tmp_path / "link"), SamplingRule("uniform", 13)).pixels.shape[0] == 13


def test_a_folders_rate_is_the_clips(tmp_path):
    folder = write_folder(tmp_path / "frames")
    # 3 fps for a target of 2: round(1.5) = 2 frames a step; 8 fps: 4
    assert load_clip(Clip(folder), SamplingRule("published", 64)).indices == (0, 2, 4, 6, 8, 10)
    assert load_clip(Clip(folder, fps=8), SamplingRule("published", 64)).indices == (0, 4, 8)
    span = load_clip(Clip(folder, start_s=1.0, end_s=2.0), SamplingRule("uniform", 64))
    assert span.indices == (3, 4, 5, 6)
    with pytest.raises(VideoError) as error:
        load_clip(Clip(folder, fps=0), SamplingRule("published", 64))
    assert error.value.reason is VideoErrorReason.bad_range


def test_jpeg_and_grey_pictures_become_rgb(tmp_path):
    folder = write_folder(tmp_path / "frames", count=1, suffix="jpg")
    Image.new("L", (96, 64), 77).save(folder / "frame_2.jpg")
    pixels = read_frames(folder, [0, 1])
    assert pixels.shape == (2, 64, 96, 3)
    assert (pixels[1] == 77).all()


def test_a_damaged_picture_is_named(tmp_path):
    folder = write_folder(tmp_path / "frames")
    files.cut(folder / "frame_5.png", 0.5)
    with pytest.raises(VideoError, match=r"frame_5\.png") as error:
        load_clip(Clip(folder), SamplingRule("uniform", 12))
    assert error.value.reason is VideoErrorReason.not_decodable
    with pytest.raises(VideoError, match=r"frame_5\.png"):
        check(folder, "full")
    assert check(folder, "ends").num_frames == 12  # the first, the middle and the last one are whole


def test_pictures_of_different_sizes_are_no_video(tmp_path):
    folder = write_folder(tmp_path / "frames", count=3)
    Image.new("RGB", (10, 10)).save(folder / "frame_4.png")
    with pytest.raises(VideoError, match="sizes differ"):
        load_clip(Clip(folder), SamplingRule("uniform", 8))
