"""The digest of what was shown: the same pictures, the same digest, in whatever process they were decoded."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from sf_eval.core.resize import Resize
from sf_eval.editions import mini_root
from sf_eval.video import Clip, ClipLoader, DecodeOptions, SamplingRule, load_clip
from sf_eval.video.digest import digest_of_indices, digest_of_pixels

RULE = SamplingRule("uniform", 4)


@pytest.fixture(scope="module")
def clip() -> Clip:
    return Clip(min((mini_root(["videomme"]) / "videomme" / "data").glob("*.mp4")))


def test_the_workers_digest_is_that_of_the_pixels_it_sends(clip: Clip) -> None:
    options = DecodeOptions(resize=Resize(32))
    here = load_clip(clip, RULE, options=options)
    with ClipLoader(RULE, resize=options.resize) as loader:
        there = loader.load(clip)
    assert there.pixels_digest == here.pixels_digest == digest_of_pixels(there.pixels)


def test_it_is_plain_sha_256_of_shape_and_bytes(clip: Clip) -> None:
    frames = load_clip(clip, RULE)
    shape = "x".join(map(str, frames.pixels.shape))
    assert frames.pixels_digest == hashlib.sha256(f"{shape} ".encode() + frames.pixels.tobytes()).hexdigest()
    assert digest_of_indices((0, 15, 30)) == hashlib.sha256(b"0,15,30").hexdigest()


def test_one_value_of_one_pixel_and_the_shape_change_it() -> None:
    pixels = np.zeros((2, 4, 6, 3), np.uint8)
    other = pixels.copy()
    other[1, 3, 5, 2] = 1
    turned = pixels.reshape(2, 6, 4, 3)
    assert len({digest_of_pixels(each) for each in (pixels, other, turned)}) == 3
    assert digest_of_pixels(pixels[:, ::2]) == digest_of_pixels(np.zeros((2, 2, 6, 3), np.uint8))
