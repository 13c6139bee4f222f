"""`sf-eval doctor`: sound data passes; whatever is wrong is named, and decides the exit code."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "video"))

import video_files as files

from sf_eval.data.hub.manifest import DataFile, Manifest

DOCTOR = ("doctor", "--tasks", "videomme", "--data")
VIDEOS = 4


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four short videos with two questions each, laid out as Video-MME."""
    root = tmp_path_factory.mktemp("sound")
    rows = [
        {
            "video_id": f"{video:03}", "duration": "short", "domain": "Knowledge", "sub_category": "Biology",
            "url": "", "videoID": f"video{video}", "question_id": f"{video:03}-{number}",
            "task_type": "Counting Problem", "question": "How many?",
            "options": ["A. One.", "B. Two.", "C. Three.", "D. Four."], "answer": "B",
        }
        for video in range(VIDEOS) for number in range(2)
    ]  # fmt: skip
    (root / "videomme.json").write_text(json.dumps(rows))
    (root / "data").mkdir()
    for video in range(VIDEOS):
        files.write_video(root / "data" / f"video{video}.mp4", faststart=True)
    return root


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data set"))


def video(data: Path, number: int) -> Path:
    return data / "data" / f"video{number}.mp4"


def with_manifest(data: Path, *, unpacked: bool) -> None:
    """As `sf-eval data fetch` leaves it, all but the second archive if that is not `unpacked`."""
    manifest = Manifest("lmms-eval/Video-MME", "0" * 40, "main", repository=[])
    manifest.want(["videos_chunked_01.zip", "videos_chunked_02.zip"])
    entries = [
        DataFile(
            f"data/{path.name}",
            path.stat().st_size,
            hashlib.sha256(path.read_bytes()).hexdigest(),
            "videos_chunked_01.zip",
        )
        for path in sorted((data / "data").iterdir())
    ]
    manifest.add("videos_chunked_01.zip", entries)
    if unpacked:
        manifest.add("videos_chunked_02.zip", [])
    manifest.save(data)


def test_the_mini_edition_is_sound(sf_eval: Callable) -> None:
    done = sf_eval(
        "doctor", "--tasks", "egoschema_subset", "--data", "mini", "--model", "mini", "--device", "cpu"
    )
    assert done.code == 0, done
    assert "synthetic" in done.out
    for check in ("libraries", "disk", "memory", "annotations", "counts", "media", "decoding"):
        assert check in done.out
    assert "weights 1.94 MB" in done.out
    assert "0 warnings, 0 failures." in done.out


@pytest.mark.parametrize("flags", [(), ("--full",), ("--model", "mini")])
def test_a_number_that_is_not_the_benchmarks_is_a_warning(
    sf_eval: Callable, data: Path, flags: tuple
) -> None:
    done = sf_eval(*DOCTOR, data, *flags)
    assert done.code == 0, done
    assert "8 questions instead of 2700 and 4 videos instead of 900" in done.out
    assert "1 warnings, 0 failures." in done.out
    frames = {(): "first, middle and last frame", ("--full",): "all frames"}.get(flags, "the model's frames")
    assert f"4 videos decode ({frames})" in done.out


@pytest.mark.parametrize("flags", [(), ("--full",), ("--model", "mini")])
def test_every_bad_video_is_named_with_its_reason(sf_eval: Callable, data: Path, flags: tuple) -> None:
    video(data, 0).write_text("This is a page that says that the video was moved.\n" * 99)
    video(data, 1).unlink()
    files.cut(video(data, 2), 0.4)
    done = sf_eval(*DOCTOR, data, *flags)
    assert done.code == 1
    lines = done.out.splitlines()
    (text,) = (line for line in lines if line.startswith(f"{video(data, 0)}: "))
    assert "not_decodable" in text
    (missing,) = (line for line in lines if line.startswith(f"{video(data, 1)}: "))
    assert "missing, needed by 2 questions" in missing
    (truncated,) = (line for line in lines if line.startswith(f"{video(data, 2)}: "))
    assert "ends_early" in truncated or "not_decodable" in truncated
    assert str(video(data, 3)) not in done.out
    assert "1 of 4 videos are missing (2 questions)" in done.out
    assert "2 of 3 videos are damaged" in done.out
    assert "Traceback" not in done.out + done.err


def test_with_a_model_a_file_is_judged_by_the_frames_that_it_is_shown(sf_eval: Callable, data: Path) -> None:
    """A container that states a frame too many, behind the last one that the model wants."""
    files.overstate_frames(files.write_video(video(data, 0), 50), 1)
    done = sf_eval(*DOCTOR, data)
    assert done.code == 1
    assert "only 50 frames can be decoded; the container states 51" in done.out
    assert sf_eval(*DOCTOR, data, "--model", "mini").code == 0
    done = sf_eval(*DOCTOR, data, "--model", "mini", "--full")
    assert done.code == 0
    assert "a run with these settings does not miss it" in done.out


def test_what_a_run_shows_otherwise_than_stated_is_warned_of(sf_eval: Callable, data: Path) -> None:
    thumbnail, film = {"frames": 1, "size": (48, 32), "codec": "mjpeg"}, {"frames": 40, "size": (96, 64)}
    files.write_streams(video(data, 0), thumbnail, film)
    for flags in ((), ("--full",), ("--model", "mini")):
        done = sf_eval(*DOCTOR, data, *flags)
        assert done.code == 0
        assert f"{video(data, 0)}: film_stream: the film is stream 1" in done.out
        assert "1 of 4 videos are shown otherwise than their files state" in done.out


def test_full_finds_a_size_that_changes_midway(sf_eval: Callable, data: Path, tmp_path: Path) -> None:
    """In the part that the looked at frames leave out: large pictures between small ones."""
    small, large = ({"fps": 10, "size": size, "container": "mpegts"} for size in ((96, 64), (192, 128)))
    parts = [
        files.write_video(tmp_path / f"part {number}", frames, **settings)
        for number, (frames, settings) in enumerate(((26, small), (3, large), (31, small)))
    ]
    video(data, 0).write_bytes(b"".join(part.read_bytes() for part in parts))
    assert sf_eval(*DOCTOR, data).code == 0
    done = sf_eval(*DOCTOR, data, "--full")
    assert done.code == 1
    assert "not_decodable: the picture size changes at frame 26" in done.out


def test_a_video_cut_without_coding_it_anew_is_sound(sf_eval: Callable, sound: Path, data: Path) -> None:
    files.trim_by_edit_list(video(sound, 0), video(data, 0), 20)
    for flags in ((), ("--full",), ("--model", "mini")):
        assert sf_eval(*DOCTOR, data, *flags).code == 0


def test_an_archive_that_is_not_completely_unpacked_is_named(sf_eval: Callable, data: Path) -> None:
    with_manifest(data, unpacked=False)
    done = sf_eval(*DOCTOR, data)
    assert done.code == 1
    assert "videos_chunked_02.zip: is not completely fetched and unpacked" in done.out
    assert "run sf-eval data fetch again" in done.out


def test_files_are_held_against_the_manifest(sf_eval: Callable, data: Path) -> None:
    """Another film of the same size is found by its digest alone, a shorter one by its size."""
    films = [files.write_video(data / "data" / f"video{number}.mp4", options={"g": "1"}) for number in (0, 1)]
    tail = b"\0\0\0\x0cfreesame"  # a box that no decoder looks at
    for film in films:
        film.write_bytes(film.read_bytes() + tail)
    with_manifest(data, unpacked=True)
    assert sf_eval(*DOCTOR, data, "--full").code == 0

    films[0].write_bytes(films[0].read_bytes()[:-4] + b"else")
    assert sf_eval(*DOCTOR, data).code == 0
    done = sf_eval(*DOCTOR, data, "--full")
    assert done.code == 1
    assert "data/video0.mp4: has other content than was fetched" in done.out

    films[1].write_bytes(films[1].read_bytes()[: -len(tail)])
    done = sf_eval(*DOCTOR, data)
    assert done.code == 1
    assert "data/video1.mp4: has " in done.out


def test_missing_annotations_are_told_with_every_place(sf_eval: Callable, tmp_path: Path) -> None:
    done = sf_eval(*DOCTOR, tmp_path)
    assert done.code == 1
    assert "the annotations of videomme are missing" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("--tasks", "videome", "--data", "mini"), "Did you mean videomme"),
        (("--tasks", "videomme", "--data", "minni"), "Did you mean mini"),
        (("--tasks", "videomme", "--data", "mini", "--model", "mni"), "Did you mean mini"),
        (("--data", "mini"), "--tasks"),
    ],
)
def test_a_wrong_name_is_one_line(sf_eval: Callable, args: tuple, complaint: str) -> None:
    done = sf_eval("doctor", *args)
    assert done.code == 2
    assert complaint in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert done.out == ""
