"""Every container that is opened gives the pictures it holds, whatever its file is called."""

from __future__ import annotations

import av
import pytest
import video_files as files

from sf_eval.video import Clip, ClipLoader, SamplingRule, VideoNoteKind

MPEG2 = {"codec": "mpeg2video", "pix_fmt": "yuv420p"}
# FFmpeg's name of the container: (how it is written, the file's own suffix)
CONTAINERS = {
    "flv": ({}, "flv"),
    "f4v": ({}, "f4v"),
    "mpeg": (MPEG2, "mpg"),
    "vob": (MPEG2, "vob"),
    "svcd": (MPEG2, "mpg"),
    "mpegts": ({}, "ts"),
    "avi": ({"codec": "mpeg4"}, "avi"),
    "3gp": ({"codec": "mpeg4"}, "3gp"),
    "mov": ({}, "mov"),
    "asf": ({"codec": "msmpeg4"}, "wmv"),
    "matroska": ({}, "mkv"),
    "nut": ({}, "nut"),
    "mxf": (MPEG2, "mxf"),
}


@pytest.fixture(scope="module")
def loader():
    with ClipLoader(SamplingRule("uniform", 100), timeout_s=60) as loader:
        yield loader


@pytest.mark.parametrize("named", ["mp4", "as it is"])
@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_container_does_not_kill_the_decoder(tmp_path, loader, kind, named):
    settings, suffix = CONTAINERS[kind]
    path = tmp_path / f"video.{'mp4' if named == 'mp4' else suffix}"
    files.write_video(path, fps=25, container=kind, **settings)
    with av.open(str(path)) as container:
        there = sum(1 for _ in container.decode(video=0))
    frames = loader.load(Clip(path))
    assert there == frames.info.num_frames == len(frames.indices) == 48
    assert [files.index_of(picture) for picture in frames.pixels] == list(range(48))
    assert [note for note in frames.notes if note.kind is not VideoNoteKind.in_order] == []
