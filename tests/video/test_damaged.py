"""A file that cannot be shown raises one error that names it and says why; no frame is made up."""

from __future__ import annotations

import pickle

import pytest
import video_files as files

from sf_eval.video import (
    Clip,
    SamplingRule,
    VideoError,
    VideoErrorReason,
    available_backends,
    check,
    load_clip,
    probe,
    read_frames,
)

RULE = SamplingRule("published", 64)
BACKENDS = available_backends()


def zeros_in_the_middle(path):
    data = bytearray(path.read_bytes())
    third = len(data) // 3
    data[third : third + 4000] = bytes(4000)
    path.write_bytes(data)
    return path


def written(path, text):
    path.write_text(text)
    return path


SUBTITLES = "1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:03,000 --> 00:00:04,000\nyou\n"
DAMAGED = {
    "missing": ("missing", lambda folder: folder / "none.mp4"),
    "inside a file": ("missing", lambda folder: written(folder / "file", "x") / "none.mp4"),
    "zero bytes": ("empty", lambda folder: written(folder / "zero.mp4", "")),
    "text": ("not_decodable", lambda folder: written(folder / "text.mp4", "This is no video.\n" * 200)),
    "subtitles": ("not_decodable", lambda folder: written(folder / "srt.mp4", SUBTITLES)),
    "audio only": ("no_video_stream", lambda folder: files.write_audio(folder / "audio.mp4")),
    "header only": ("not_decodable", lambda folder: files.cut(files.write_video(folder / "v.mp4"), 0.005)),
    "no index": ("not_decodable", lambda folder: files.cut(files.write_video(folder / "v.mp4"), 0.6)),
    "cut mp4": (
        "not_decodable|ends_early",
        lambda folder: files.cut(files.write_video(folder / "v.mp4", faststart=True), 0.6),
    ),
    "cut mkv": ("ends_early", lambda folder: files.cut(files.write_video(folder / "v.mkv"), 0.6)),
    "cut webm": (
        "ends_early",
        lambda folder: files.cut(
            files.write_video(folder / "v.webm", codec="libvpx-vp9", options=files.FAST_VPX), 0.6
        ),
    ),
    "overstated": (
        "ends_early",
        lambda folder: files.overstate_frames(files.write_video(folder / "v.mp4"), 900),
    ),
    "zeros inside": (
        "not_decodable|ends_early",
        lambda folder: zeros_in_the_middle(files.write_video(folder / "v.mp4", frames=200)),
    ),
    "empty folder": ("empty", lambda folder: folder),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", DAMAGED)
def test_damage_is_named(tmp_path, kind, backend):
    reasons, make = DAMAGED[kind]
    path = make(tmp_path)
    with pytest.raises(VideoError) as error:
        load_clip(Clip(path), RULE, backend=backend)
    assert error.value.reason.value in reasons.split("|")
    assert error.value.path == path
    assert str(path) in str(error.value)
    with pytest.raises(VideoError):
        check(path, "full", backend=backend)


def test_an_overstated_count_names_both_counts(tmp_path):
    path = files.overstate_frames(files.write_video(tmp_path / "v.mp4"), 52)
    assert probe(path).num_frames == 100
    with pytest.raises(VideoError, match=r"only 48 frames.* states 100"):
        read_frames(path, [0, 99])


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_count_that_is_off_does_no_harm_while_the_wanted_frames_exist(tmp_path, backend):
    path = files.overstate_frames(files.write_video(tmp_path / "v.mp4", frames=50), 3)
    frames = load_clip(Clip(path), RULE, backend=backend)
    assert frames.info.num_frames == 53
    assert [files.index_of(frame) for frame in frames.pixels] == [0, 12, 24, 36, 48]


@pytest.mark.parametrize("share", [0.75, 0.95])
def test_frames_before_the_cut_can_still_be_read(tmp_path, share):
    path = files.cut(files.write_video(tmp_path / "v.mp4", faststart=True), share)
    assert files.index_of(read_frames(path, [3])[0]) == 3


def test_a_playlist_under_a_videos_name_is_not_followed(tmp_path):
    """It would make the decoder read a file that the path does not name."""
    files.write_video(tmp_path / "secret.mp4")
    hls = written(
        tmp_path / "hls.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nsecret.mp4\n#EXT-X-ENDLIST\n"
    )
    concat = written(tmp_path / "concat.mp4", "ffconcat version 1.0\nfile secret.mp4\n")
    for path in (hls, concat):
        with pytest.raises(VideoError) as error:
            probe(path)
        assert error.value.reason is VideoErrorReason.not_decodable


def test_a_path_is_never_a_url_or_a_protocol(tmp_path, monkeypatch):
    files.write_video(tmp_path / "v.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:v.mp4").write_bytes((tmp_path / "v.mp4").read_bytes())
    assert probe("concat:v.mp4").num_frames == 48  # the file of that name
    with pytest.raises(VideoError) as error:
        probe("http://127.0.0.1/v.mp4")
    assert error.value.reason is VideoErrorReason.missing


def test_odd_names_are_only_names(tmp_path):
    for name in ("with space.mp4", "%03d.mp4", "ümläut 视频.mp4", "-dash.mp4", "quote'\".mp4"):
        assert read_frames(files.write_video(tmp_path / name, frames=3), [2]).shape == (1, 64, 96, 3)


def test_the_error_survives_a_process_border():
    error = VideoError("a/b.mp4", VideoErrorReason.timeout, "it took too long")
    again = pickle.loads(pickle.dumps(error))
    assert (again.path, again.reason, again.detail, str(again)) == (
        error.path,
        error.reason,
        error.detail,
        str(error),
    )
