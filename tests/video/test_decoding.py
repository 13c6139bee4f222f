"""The same frames for the same indices, whatever decodes them."""

from __future__ import annotations

import subprocess
import sys

import av
import numpy as np
import pytest
import video_files as files

from sf_eval.core.errors import UsageError
from sf_eval.video import VideoError, VideoErrorReason, available_backends, check, probe, read_frames

BACKENDS = available_backends()


def every_frame(path):
    """All frames as the published evaluation saw them: PyAV in order, rgb24."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def tag_bt709(codec):
    codec.colorspace = 1
    codec.color_range = 1


def tag_full_range(codec):
    codec.color_range = 2


KINDS = {
    "b-frames.mp4": {"options": {"bf": "3", "g": "30"}},
    "open-gop.mp4": {"options": {"x264-params": "open-gop=1:keyint=12:bframes=3"}},
    "all-keyframes.mp4": {"options": {"g": "1"}},
    "vp9.webm": {"codec": "libvpx-vp9", "options": files.FAST_VPX},
    "vp8.webm": {"codec": "libvpx", "options": files.FAST_VPX},
    "h264.mkv": {},
    "mpeg4.avi": {"codec": "mpeg4"},
    "variable.mp4": {"times_ms": [i * 40 + (i % 5) * 7 + (i // 20) * 900 for i in range(48)]},
    "one-frame.mp4": {"frames": 1},
    "odd.mp4": {"size": (101, 67), "pix_fmt": "yuv444p"},
    "odd.webm": {"size": (101, 67), "codec": "libvpx-vp9", "options": files.FAST_VPX},
    "narrow.mp4": {"size": (98, 66)},
    "ten-bit.mp4": {"pix_fmt": "yuv420p10le"},
    "full-range.mp4": {"pix_fmt": "yuvj420p", "prepare": tag_full_range},
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_written_videos_give_the_published_pixels(tmp_path, kind, backend):
    path = files.write_video(tmp_path / kind, **KINDS[kind])
    expected = every_frame(path)
    assert probe(path).num_frames == len(expected)
    np.testing.assert_array_equal(read_frames(path, range(len(expected)), backend=backend), expected)
    some = sorted({0, len(expected) // 3, len(expected) // 2, len(expected) - 1})
    np.testing.assert_array_equal(read_frames(path, some, backend=backend), expected[some])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["long open-gop.mp4", "long variable.mp4", "long.mkv"])
def test_sparse_frames_are_exact(tmp_path, kind, backend):
    """Gaps that a decoder would like to seek across: keyframes within, pictures that refer across them."""
    settings = {"options": {"g": "20", "bf": "3"}}
    if "open-gop" in kind:
        settings = {"options": {"x264-params": "open-gop=1:keyint=30:bframes=3"}}
    if "variable" in kind:
        settings["times_ms"] = [i * 40 + (i % 7) * 5 + (i // 50) * 3000 for i in range(160)]
    path = files.write_video(tmp_path / kind, 160, **settings)
    expected = every_frame(path)
    for some in ([7, 16, 29, 49, 91, 134], [2, 117], [84, 107, 155], [0, 1, 74, 101, 158], [159]):
        np.testing.assert_array_equal(read_frames(path, some, backend=backend), expected[some])


# 720p: the other decoders' turn takes longer than all that it could find beside the other clips.
_LARGE = "bigbuckbunny.mp4"


@pytest.mark.parametrize(
    ("name", "backend"),
    [
        pytest.param(
            name, backend, marks=pytest.mark.thorough if name == _LARGE and backend != "pyav" else ()
        )
        for name in files.REAL_CLIPS
        for backend in BACKENDS
    ],
)
def test_real_clips_give_the_published_pixels(name, backend):
    path = files.real_clip(name)
    last = probe(path).num_frames - 1
    some = [0, 7, 8, last // 2, last]
    np.testing.assert_array_equal(read_frames(path, some, backend=backend), every_frame(path)[some])


def test_the_ith_frame_is_the_ith_written(clip_path):
    pixels = read_frames(clip_path, range(48))
    assert [files.index_of(frame) for frame in pixels] == list(range(48))


@pytest.mark.parametrize("backend", BACKENDS)
def test_any_order_and_repeats(clip_path, backend):
    pixels = read_frames(clip_path, [40, 3, 3, 0], backend=backend)
    assert [files.index_of(frame) for frame in pixels] == [40, 3, 3, 0]
    assert read_frames(clip_path, [], backend=backend).shape[0] == 0


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "torchcodec"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_display_rotation_is_not_applied(tmp_path, degrees, backend):
    plain = files.write_video(tmp_path / "plain.mp4", size=(96, 96))
    expected = every_frame(plain)[[0, 5, 30]]
    turned = files.rotate_display(plain, degrees)
    np.testing.assert_array_equal(read_frames(turned, [0, 5, 30], backend=backend), expected)


def test_a_trimmed_mp4_starts_where_it_is_shown(tmp_path):
    whole = files.write_video(tmp_path / "whole.mp4", options={"g": "24"})
    path = files.trim_by_edit_list(whole, tmp_path / "trimmed.mp4", 10)
    assert [files.index_of(frame) for frame in read_frames(path, [0, 20, 37])] == [10, 30, 47]
    assert probe(path).num_frames == 48  # the container's count, which is the published one


def test_a_colour_tag_is_not_followed(tmp_path):
    plain = files.write_video(tmp_path / "plain.mp4")
    tagged = files.write_video(tmp_path / "tagged.mp4", prepare=tag_bt709)
    with av.open(str(tagged)) as container:
        assert next(container.decode(video=0)).colorspace == 1
    np.testing.assert_array_equal(read_frames(tagged, [0, 9]), read_frames(plain, [0, 9]))


@pytest.mark.skipif("decord" not in BACKENDS, reason="decord is not installed")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(_LARGE, marks=pytest.mark.thorough),
        *(n for n in files.REAL_CLIPS if n != _LARGE),
        "synthetic",
    ],
)
def test_decord_brings_bt709_back_to_the_published_colours(tmp_path, name):
    """The largest difference that docs/video.md states."""
    path = tmp_path / "tagged.mp4"
    if name == "synthetic":
        files.write_video(path, prepare=tag_bt709)
    else:
        files.recode(files.real_clip(name), path, frames=10, prepare=tag_bt709)
    pyav, decord = (read_frames(path, range(10), backend=name).astype(int) for name in ("pyav", "decord"))
    difference = abs(pyav - decord)
    assert difference.max() <= (24 if name == "synthetic" else 10)  # where decord's picture was saturated
    assert (difference > 2).mean() < (0.05 if name == "synthetic" else 0.001)
    assert difference.mean() < (0.6 if name == "synthetic" else 0.35)


@pytest.mark.skipif("decord" not in BACKENDS, reason="decord is not installed")
def test_decord_refuses_colours_it_would_change(tmp_path):
    path = files.write_video(tmp_path / "bt2020.mp4", prepare=lambda codec: setattr(codec, "colorspace", 9))
    with pytest.raises(VideoError) as error:
        read_frames(path, [0], backend="decord")
    assert error.value.reason is VideoErrorReason.unsupported
    assert read_frames(path, [0]).shape == (1, 64, 96, 3)


def test_facts_of_a_file(clip_path):
    info = probe(clip_path)
    assert (info.num_frames, info.fps, info.width, info.height, info.codec) == (48, 24.0, 96, 64, "h264")
    assert info.duration_s == pytest.approx(2.0)
    assert info.path == clip_path


def test_frames_of_mkv_are_counted_by_decoding(tmp_path):
    """There may be more packets than pictures: here those up to the second keyframe refer to a lost one."""
    whole = files.write_video(tmp_path / "whole.mkv", options={"g": "12"})
    path = files.without_first_packet(whole, tmp_path / "video.mkv")
    with av.open(str(path)) as container:
        assert container.streams.video[0].frames == 0
        assert sum(1 for packet in container.demux(video=0) if packet.size) == 47
    decoded = len(every_frame(path))
    assert 0 < decoded < 47
    assert probe(path).num_frames == decoded


@pytest.mark.parametrize("backend", BACKENDS)
def test_check_decodes_what_it_is_told_to(clip_path, backend):
    for indices in ("ends", "full", [3, 40]):
        assert check(clip_path, indices, backend=backend).num_frames == 48
    with pytest.raises(VideoError) as error:
        check(clip_path, [3, 48], backend=backend)
    assert error.value.reason is VideoErrorReason.ends_early


def test_a_negative_index_is_refused(clip_path):
    with pytest.raises(VideoError) as error:
        read_frames(clip_path, [-1])
    assert error.value.reason is VideoErrorReason.bad_range


def test_an_unknown_backend_names_the_nearest(clip_path):
    with pytest.raises(UsageError, match="decord"):
        read_frames(clip_path, [0], backend="decrod")


@pytest.mark.skipif("torchcodec" in BACKENDS, reason="torchcodec is installed")
def test_a_backend_that_is_not_installed_says_how_to_get_it(clip_path):
    with pytest.raises(UsageError, match="pip install torchcodec"):
        read_frames(clip_path, [0], backend="torchcodec")


def test_importing_the_room_loads_no_decoder_and_no_torch():
    code = (
        "import sys, sf_eval.video; print({'av', 'decord', 'torch', 'torchcodec', 'PIL'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
