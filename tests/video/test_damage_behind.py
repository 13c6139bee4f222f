"""Damage behind the last wanted frame costs nothing, on any machine; `full` finds what a run finds."""

from __future__ import annotations

import os

import av
import pytest
import video_files as files
from PIL import Image

from sf_eval.video import (
    Clip,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    VideoNoteKind,
    available_backends,
    check,
    load_clip,
    read_frames,
)

BACKENDS = available_backends()
RULE = SamplingRule("published", 128)  # every 5th frame of a video at 10 fps


def cut_through(path, packet, frames=130):
    """A video without B-frames whose coded picture `packet` is cut through, and all behind it is missing."""
    files.write_video(path, frames, fps=10, options={"g": "12", "bf": "0"}, faststart=True)
    with av.open(str(path)) as container:
        places = [(each.pos, each.size) for each in container.demux(video=0) if each.size]
    position, size = places[packet]
    path.write_bytes(path.read_bytes()[: position + size // 2])
    return path


@pytest.mark.parametrize("backend", BACKENDS)
def test_damage_right_behind_the_last_wanted_frame_is_not_met(tmp_path, backend):
    path = cut_through(tmp_path / "cut.mp4", 126)
    if backend == "decord":  # it looks through the whole file first
        with pytest.raises(VideoError) as error:
            load_clip(Clip(path), RULE, backend=backend)
        assert error.value.reason is VideoErrorReason.not_decodable
        return
    frames = load_clip(Clip(path), RULE, backend=backend)
    assert frames.indices == tuple(range(0, 130, 5))
    assert [files.index_of(picture) for picture in frames.pixels] == list(frames.indices)


@pytest.mark.skipif(os.cpu_count() == 1, reason="one core reads nothing ahead")
def test_what_was_decoded_again_is_said(tmp_path):
    """As on a machine of many cores, which reads the damaged picture ahead of a wanted one long before it."""
    path = cut_through(tmp_path / "cut.mp4", 126)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", 16
        with pytest.raises(av.error.InvalidDataError):
            for _ in zip(range(121), container.decode(stream), strict=False):
                pass
    frames = load_clip(Clip(path), RULE)
    assert [note.kind for note in frames.notes] == [VideoNoteKind.in_order, VideoNoteKind.one_thread]
    assert check(path, RULE).notes == frames.notes
    whole = files.write_video(tmp_path / "whole.mp4", 130, fps=10)
    assert load_clip(Clip(whole), RULE).notes == ()


@pytest.mark.parametrize("backend", BACKENDS)
def test_damage_before_a_wanted_frame_is_an_error_still(tmp_path, backend):
    path = cut_through(tmp_path / "cut.mp4", 124)
    with pytest.raises(VideoError):
        load_clip(Clip(path), RULE, backend=backend)
    assert files.index_of(read_frames(path, [123])[0]) == 123
    with pytest.raises(VideoError):
        check(path, "full", backend=backend)


def of_two_sizes(folder, name, frames=(20, 20), settings=None):
    first = files.write_video(folder / "first.ts", frames[0], fps=10, **(settings or {}))
    second = files.write_video(folder / "second.ts", frames[1], fps=10, size=(120, 80), **(settings or {}))
    path = folder / name
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("wanted", [RULE, "ends", "full"])
def test_a_size_that_changes_midway_is_found_by_whatever_looks(tmp_path, wanted, backend):
    path = of_two_sizes(tmp_path, "changes.mp4")
    with pytest.raises(VideoError):
        load_clip(Clip(path), RULE, backend=backend)
    with pytest.raises(VideoError) as error:
        check(path, wanted, backend=backend)
    assert error.value.reason is VideoErrorReason.not_decodable
    assert "size changes at frame" in error.value.detail


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_size_that_changes_behind_the_last_wanted_frame_is_not_met(tmp_path, backend):
    path = of_two_sizes(tmp_path, "changes.ts", (36, 3))
    if backend != "decord":  # which cannot read a transport stream to its end
        pixels = read_frames(path, [0, 35], backend=backend)
        assert [files.index_of(picture) for picture in pixels] == [0, 35]
    with pytest.raises(VideoError, match="size changes at frame 36"):
        check(path, "full", backend=backend)


def test_pictures_of_another_size_in_a_folder_are_found_by_full(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for index in range(9):
        size = (10, 10) if index == 3 else (96, 64)
        Image.new("RGB", size).save(folder / f"{index}.png")
    assert check(folder, "ends").num_frames == 9
    with pytest.raises(VideoError, match="sizes differ") as error:
        check(folder, "full")
    assert error.value.path == folder / "3.png"
