"""Pictures resized by the decoder's process are those of the model's preprocessing, to the last bit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import video_files as files
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from sf_eval.core.errors import UsageError
from sf_eval.core.resize import Resize, centre_squares
from sf_eval.model.preprocess import centre_square, preprocess_frames, resize_squares
from sf_eval.video import Clip, ClipLoader, DecodeOptions, SamplingRule, available_backends, load_clip
from sf_eval.video.pictures import PictureStack

RULE = SamplingRule("uniform", 4)
SIZES = [(96, 64), (64, 96), (72, 72), (130, 48), (48, 48)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("seek", [True, False])
def test_resized_pictures_are_those_of_the_preprocessing(tmp_path, size, seek):
    clip = Clip(files.write_video(tmp_path / "v.mp4", 24, size=size))
    full = load_clip(clip, RULE, options=DecodeOptions(seek=seek))
    with ClipLoader(RULE, resize=Resize(48), seek=seek) as loader:
        frames = loader.load(clip)
    assert frames.pixels.shape == (4, 48, 48, 3)
    np.testing.assert_array_equal(frames.pixels, np.stack([centre_square(each, 48) for each in full.pixels]))
    assert (frames.indices, frames.times_s, frames.info) == (full.indices, full.times_s, full.info)
    # The preprocessing leaves a square of the right size as it is, so nothing is resized twice.
    assert torch.equal(preprocess_frames(frames.pixels, 48), preprocess_frames(full.pixels, 48))


@pytest.mark.parametrize("backend", available_backends())
def test_every_backend_resizes(clip_path, backend):
    full = load_clip(Clip(clip_path), RULE, backend=backend)
    frames = load_clip(Clip(clip_path), RULE, backend=backend, options=DecodeOptions(resize=Resize(40)))
    np.testing.assert_array_equal(frames.pixels, np.stack([centre_square(each, 40) for each in full.pixels]))
    assert frames.resize_s > 0
    assert full.resize_s == 0


def test_pictures_of_a_folder_are_resized_too(tmp_path):
    for index in range(4):
        Image.fromarray(files.picture(index, 96, 64)).save(tmp_path / f"{index}.png")
    frames = load_clip(Clip(tmp_path), RULE, options=DecodeOptions(resize=Resize(40)))
    expected = np.stack([centre_square(files.picture(index, 96, 64), 40) for index in range(4)])
    np.testing.assert_array_equal(frames.pixels, expected)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    size=st.integers(1, 80),
    count=st.integers(1, 3),
    seed=st.integers(0, 999),
    noise=st.booleans(),
)
@example(height=96, width=128, size=64, count=3, seed=0, noise=True)
@example(height=128, width=96, size=64, count=3, seed=0, noise=True)  # rows that no wanted row is made of
@example(height=130, width=60, size=40, count=2, seed=0, noise=True)  # more than twice as tall as wide
@example(height=40, width=64, size=40, count=2, seed=0, noise=True)  # nothing but the crop
@example(height=20, width=31, size=64, count=2, seed=0, noise=False)  # enlarged
def test_pictures_resized_together_are_those_resized_one_by_one(
    height: int, width: int, size: int, count: int, seed: int, noise: bool
) -> None:
    """To the last bit: noise, and edges from 0 to 255, at which bicubic kernels leave the range of a byte."""
    pictures = np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    if not noise:
        pictures = (pictures > 127).astype(np.uint8) * 255
    one_by_one = np.stack([centre_square(picture, size) for picture in pictures])
    np.testing.assert_array_equal(centre_squares(pictures, size), one_by_one)
    np.testing.assert_array_equal(Resize(size).stack(pictures), one_by_one)


def test_many_large_pictures_are_not_copied_to_be_resized() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (8, 720, 1280, 3), dtype=np.uint8)
    tracemalloc.start()
    try:
        small = Resize(64).stack(pictures)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * pictures[0].nbytes
    np.testing.assert_array_equal(small[5], centre_square(pictures[5], 64))


@pytest.mark.parametrize(
    "pix_fmt", ["yuv420p", "yuvj420p", "yuv422p", "yuv420p10le", "gbrp", "gray", "rgb24", "bgr24", "yuva420p"]
)
@pytest.mark.parametrize("resize", [None, Resize(40)])
def test_pictures_of_any_pixel_format_are_those_of_pyavs_own_conversion(pix_fmt, resize):
    """One converter for all frames of a clip, its lines maybe padded, gives what each frame's own gives."""
    count, width, height = 9, 70, 54
    drawn = [files.picture(index, width, height) for index in range(count)]
    frames = [av.VideoFrame.from_ndarray(one, format="rgb24").reformat(format=pix_fmt) for one in drawn]
    stack = PictureStack(Path("clip"), count, resize)
    for row in reversed(range(count)):
        stack.put_frame(row, row, frames[row])
    own = [frame.to_ndarray(format="rgb24") for frame in frames]
    expected = np.stack([one if resize is None else centre_square(one, 40) for one in own])
    np.testing.assert_array_equal(stack.first(count), expected)


@settings(max_examples=60, deadline=None)
@given(
    shown=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    side=st.sampled_from([24, 300]),
    again=st.integers(0, 12),
    backwards=st.booleans(),
    looked_at=st.integers(0, 12),
)
def test_pictures_that_come_again_are_resized_as_each_would_be(
    shown: list[int], side: int, again: int, backwards: bool, looked_at: int
) -> None:
    """Next to each other or not, one after the other or many at a time; and where a decoder starts anew, in
    which case the later of two pictures counts."""
    drawn = [files.picture(0, side, side), files.picture(0, side, side), files.picture(9, side, side)]
    drawn[1][-1, -1] ^= 1  # the same but for the last pixel
    rows = list(range(len(shown)))[:: -1 if backwards else 1]
    stack = PictureStack(Path("clip"), len(shown), Resize(16))
    for row in rows[:again]:
        stack.put(row, row, drawn[(shown[row] + 1) % 3])
    for row in rows:
        stack.put(row, row, drawn[shown[row]])
        if row == looked_at:
            stack.first(1)
    expected = np.stack([centre_square(drawn[each], 16) for each in shown])
    np.testing.assert_array_equal(stack.first(len(shown)), expected)


def test_what_cannot_be_meant_is_refused():
    with pytest.raises(UsageError, match="0 pixels"):
        Resize(0)
    with pytest.raises(UsageError, match="nearest"):
        Resize(48, "nearest")


@settings(max_examples=40)
@given(
    height=st.integers(8, 200),
    width=st.integers(8, 200),
    size=st.integers(1, 96),
    seed=st.integers(0, 999),
    smooth=st.booleans(),
)
def test_the_device_resizes_within_two_grey_levels(
    height: int, width: int, size: int, seed: int, smooth: bool
) -> None:
    """Noise is the worst case; real pictures are smooth."""
    assume(height <= 2 * width)  # for taller ones versions of Pillow differ in which pass comes first
    pictures = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    if smooth:
        pictures = np.sort(pictures, axis=1)
    expected = np.stack([centre_square(picture, size) for picture in pictures]).astype(int)
    resized = resize_squares(torch.from_numpy(pictures), size)
    assert resized.dtype == torch.uint8
    assert np.abs(resized.numpy().astype(int) - expected).max() <= 2
