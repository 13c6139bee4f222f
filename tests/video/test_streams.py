"""Of several video streams the film is shown, not a cover, a thumbnail or a track of previews."""

from __future__ import annotations

import pytest
import video_files as files
from av.stream import Disposition

from sf_eval.video import (
    Clip,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    VideoNoteKind,
    available_backends,
    check,
    load_clip,
    probe,
)

FILM = {"frames": 40, "size": (96, 64)}
THUMBNAIL = {"frames": 1, "size": (48, 32), "codec": "mjpeg", "fps": 1}
PREVIEWS = {"frames": 4, "size": (48, 32), "fps": 1}
DEFAULT, NONE = Disposition.default.value, 0
LARGE = {"frames": 40, "size": (192, 128)}


def size_of(path):
    info = probe(path)
    return (info.width, info.height), info.num_frames


@pytest.mark.parametrize("backend", available_backends())
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
@pytest.mark.parametrize("first", [THUMBNAIL, PREVIEWS, {**PREVIEWS, "disposition": DEFAULT}])
def test_a_thumbnail_that_comes_first_is_not_the_film(tmp_path, first, suffix, backend):
    path = files.write_streams(tmp_path / f"video.{suffix}", first, FILM)
    if backend == "decord" and first is not THUMBNAIL and suffix != "mkv":  # it takes the marked one
        with pytest.raises(VideoError) as error:
            load_clip(Clip(path), SamplingRule("published", 64), backend=backend)
        assert error.value.reason is VideoErrorReason.unsupported
        return
    frames = load_clip(Clip(path), SamplingRule("published", 64), backend=backend)
    assert (frames.info.width, frames.info.height, frames.info.num_frames) == (96, 64, 40)
    assert [files.index_of(picture) for picture in frames.pixels] == list(range(0, 40, 5))
    assert [note.kind for note in frames.notes] == [VideoNoteKind.film_stream]
    assert check(path, "full", backend=backend).num_frames == 40


@pytest.mark.parametrize("backend", available_backends())
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_thumbnail_that_comes_last_changes_nothing(tmp_path, suffix, backend):
    path = files.write_streams(tmp_path / f"video.{suffix}", FILM, THUMBNAIL)
    frames = load_clip(Clip(path), SamplingRule("published", 64), backend=backend)
    assert [files.index_of(picture) for picture in frames.pixels] == list(range(0, 40, 5))
    assert frames.notes == ()


def test_the_default_of_two_films_is_shown_else_the_longer_else_the_larger(tmp_path):
    marked = files.write_streams(
        tmp_path / "marked.mkv", {**LARGE, "disposition": NONE}, {**FILM, "disposition": DEFAULT}
    )
    assert size_of(marked) == ((96, 64), 40)
    longer = files.write_streams(
        tmp_path / "longer.mkv",
        {**LARGE, "disposition": DEFAULT},
        {**FILM, "frames": 44, "disposition": DEFAULT},
    )
    assert size_of(longer) == ((96, 64), 44)
    larger = files.write_streams(
        tmp_path / "larger.mkv", {**FILM, "disposition": DEFAULT}, {**LARGE, "disposition": DEFAULT}
    )
    assert size_of(larger) == ((192, 128), 40)


@pytest.mark.skipif("decord" not in available_backends(), reason="decord is not installed")
def test_decord_refuses_streams_that_it_cannot_tell_apart(tmp_path):
    path = files.write_streams(tmp_path / "two.mp4", FILM, {**FILM, "frames": 44})
    with pytest.raises(VideoError) as error:
        load_clip(Clip(path), SamplingRule("uniform", 4), backend="decord")
    assert error.value.reason is VideoErrorReason.unsupported


def test_a_stream_without_a_decoder_is_an_error_of_the_file(tmp_path):
    path = files.write_video(tmp_path / "unknown.avi", codec="mpeg4")
    path.write_bytes(path.read_bytes().replace(b"FMP4", b"ZZZZ"))
    with pytest.raises(VideoError, match="no decoder") as error:
        probe(path)
    assert error.value.reason is VideoErrorReason.not_decodable
