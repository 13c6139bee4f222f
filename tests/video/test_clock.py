"""Times count from where the file starts playing, be it with sound: as subtitles and questions count."""

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
    load_clip,
    plan_frames,
)

BACKENDS = available_backends()
EVERY_TENTH = SamplingRule("uniform", 4)  # of 40 frames at 10 per second: 0, 13, 26, 39
# decord 0.6.0 cannot open every file: then it says so.
REFUSED_BY_DECORD = {("mp4", 6.0), ("mov", 6.0), ("mkv", 6.0)}
A_TICK = 0.03  # sound that warms up moves a transport stream's clock by 21 ms


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "ts", "flv"])
@pytest.mark.parametrize("first_s", [2.0, 6.0])
def test_pictures_that_start_later_than_the_sound_are_shown_when_they_are_seen(
    tmp_path, suffix, first_s, backend
):
    path = files.write_late(tmp_path / f"late.{suffix}", first_s)
    if backend == "decord" and (suffix, first_s) in REFUSED_BY_DECORD:
        with pytest.raises(VideoError, match="decord cannot decode it"):
            load_clip(Clip(path), EVERY_TENTH, backend=backend)
        return
    frames = load_clip(Clip(path), EVERY_TENTH, backend=backend)
    assert frames.indices == (0, 13, 26, 39)
    assert frames.times_s == pytest.approx([first_s + index / 10 for index in frames.indices], abs=A_TICK)
    assert plan_frames(Clip(path), EVERY_TENTH).times_s == pytest.approx(frames.times_s, abs=2e-3)
    span = load_clip(Clip(path, first_s + 1.05, first_s + 1.35), SamplingRule("uniform", 8), backend=backend)
    assert [files.index_of(picture) for picture in span.pixels] == [11, 12, 13]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_span_before_the_first_picture_shows_none(tmp_path, suffix):
    path = files.write_late(tmp_path / f"late.{suffix}", 2.0)
    with pytest.raises(VideoError, match="first frame is shown at 2") as error:
        load_clip(Clip(path, 0.0, 1.0), EVERY_TENTH)
    assert error.value.reason is VideoErrorReason.bad_range
    assert load_clip(Clip(path, 0.0, 2.15), SamplingRule("uniform", 8)).indices == (0, 1)


@pytest.mark.parametrize(
    ("suffix", "backend"),
    [(suffix, backend) for suffix in ("mp4", "mkv", "avi", "flv") for backend in BACKENDS] + [("ts", "pyav")],
)
def test_a_file_whose_pictures_come_first_starts_at_zero(tmp_path, suffix, backend):
    """A transport stream's own clock starts anywhere: that is no delay. (decord refuses this one.)"""
    path = files.write_video(tmp_path / f"video.{suffix}", codec="mpeg4" if suffix == "avi" else "libx264")
    frames = load_clip(Clip(path), SamplingRule("published", 3), backend=backend)
    assert frames.indices == (0, 24, 36)
    assert frames.times_s == pytest.approx([0, 1, 1.5], abs=1e-3)


def test_the_worker_tells_the_same_times(tmp_path):
    path = files.write_late(tmp_path / "late.mp4", 2.0)
    with ClipLoader(EVERY_TENTH) as loader:
        assert loader.plan(Clip(path)).times_s == pytest.approx((2.0, 3.3, 4.6, 5.9))
        assert loader.load(Clip(path)).times_s == pytest.approx((2.0, 3.3, 4.6, 5.9))
