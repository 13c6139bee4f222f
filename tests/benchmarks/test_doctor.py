"""The doctor's library part: every kind of fault is found and named, and sound data passes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path

import av
import pytest

from sf_eval.benchmarks.catalog import get_benchmark
from sf_eval.data.doctor import (
    CheckResult,
    check_benchmark,
    check_decoding,
    check_disk,
    check_libraries,
    check_manifest,
    check_subtitles,
    would_fail,
)
from sf_eval.data.hub.manifest import DataFile, Manifest
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions import mini_root
from sf_eval.editions.encode import write_video
from sf_eval.editions.index import INDEX
from sf_eval.editions.questions import SceneMaker
from sf_eval.video import SamplingRule


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _as_if_real(tmp_path_factory.mktemp("sound"), "egoschema", "mvbench")


def _as_if_real(root: Path, *editions: str) -> Path:
    """Mini editions without the file that tells them from the real benchmarks."""
    for name in editions:
        shutil.copytree(mini_root([name]) / name, root / name)
        (root / name / INDEX).unlink()
    return root


@pytest.fixture
def data(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))


def opened_in(root: Path, name: str) -> OpenBenchmark:
    return open_benchmark(get_benchmark(name), parse_source(str(root)), fetch_media=False)


def examine(root: Path, name: str = "egoschema", **settings: object) -> dict[str, CheckResult]:
    results = check_benchmark(get_benchmark(name), parse_source(str(root)), **settings)  # type: ignore[arg-type]
    return {result.name: result for result in results}


@pytest.mark.parametrize("full", [False, True])
def test_sound_data_passes(data: Path, full: bool) -> None:
    told: list[tuple[str, int, int]] = []
    found = examine(data, full=full, decoders=2, progress=lambda *call: told.append(call))
    assert not would_fail(found.values())
    assert found["decoding"].status == "ok"
    assert sorted(told)[-1] == ("egoschema", 28, 28)
    assert len(told) == 28


def test_a_folder_of_frames_and_clips_pass(data: Path) -> None:
    found = examine(data, "mvbench_episodic_reasoning")
    assert not would_fail(found.values()), found


def test_numbers_that_differ_from_the_real_benchmark_are_warned_of(data: Path) -> None:
    counts = examine(data)["counts"]
    assert counts.status == "warning"
    assert "112 questions instead of 5031" in counts.detail


def test_a_mini_edition_is_measured_against_itself() -> None:
    results = check_benchmark(get_benchmark("egoschema_subset"), parse_source("mini"))
    assert {result.status for result in results} == {"ok"}


def test_each_damaged_video_is_named_with_its_reason(data: Path) -> None:
    videos = data / "egoschema/videos"
    (videos / "mini-ego-00.mp4").write_bytes(b"")
    (videos / "mini-ego-01.mp4").write_text("this is a text, renamed to mp4")
    whole = (videos / "mini-ego-02.mp4").read_bytes()
    (videos / "mini-ego-02.mp4").write_bytes(whole[: len(whole) // 2])
    _write_audio_only(videos / "mini-ego-03.mp4")
    (videos / "mini-ego-04.mp4").unlink()

    found = examine(data)
    assert would_fail(found.values())
    (missing,) = found["media"].bad_files
    assert missing.path == str(videos / "mini-ego-04.mp4")
    assert "mini-ego-04.MP4" in missing.reason, "every place is named"
    reasons = {Path(bad.path).name: bad.reason.split(":")[0] for bad in found["decoding"].bad_files}
    assert set(reasons) == {f"mini-ego-0{number}.mp4" for number in range(4)}
    assert reasons["mini-ego-00.mp4"] == "empty"
    assert reasons["mini-ego-01.mp4"] == "not_decodable"
    assert reasons["mini-ego-03.mp4"] == "no_video_stream"


def test_damage_between_the_looked_at_frames_is_found_by_full(data: Path) -> None:
    folder = data / "mvbench/tvqa/frames_fps3_hq/mini_episodic_reasoning_0"
    (folder / "00005.jpg").write_bytes(b"not a picture")
    assert not would_fail(examine(data, "mvbench_episodic_reasoning").values())
    found = examine(data, "mvbench_episodic_reasoning", full=True)
    assert found["decoding"].status == "failure"
    assert found["decoding"].bad_files[0].path == str(folder)


def test_a_question_about_what_comes_after_the_end_is_warned_of(data: Path) -> None:
    path = data / "mvbench/json/action_sequence.json"
    rows = json.loads(path.read_text())
    path.write_text(
        json.dumps([{**row, "start": row["start"] + 100, "end": row["end"] + 100} for row in rows])
    )
    found = examine(data, "mvbench_action_sequence")["decoding"]
    assert found.status == "warning"
    assert "the last frame is shown at" in found.bad_files[0].reason


def test_a_question_about_a_moment_is_warned_of(data: Path) -> None:
    path = data / "mvbench/json/action_sequence.json"
    rows = json.loads(path.read_text())
    path.write_text(json.dumps([{**rows[0], "end": rows[0]["start"]}, *rows[1:]]))
    found = examine(data, "mvbench_action_sequence")["decoding"]
    assert found.status == "warning"
    (bad,) = found.bad_files
    assert bad.reason == (
        "the part of question action_sequence-0 ends where it starts: --clip cut shows one frame of it"
    )


def test_what_is_no_video_file_fails_before_anything_is_decoded(data: Path) -> None:
    video = data / "egoschema/videos/mini-ego-00.mp4"
    video.unlink()
    os.mkfifo(video)  # whoever opened it would wait for ever
    found = examine(data)
    assert found["media"].status == "failure"
    assert "is not a plain file" in found["media"].detail
    assert "decoding" not in found


def test_videos_on_another_disk_pass(data: Path) -> None:
    """The folder of them is a link, or each is one: both are the user's own."""
    videos = data / "egoschema/videos"
    disk = data.parent / "disk2"
    shutil.move(videos, disk)
    videos.symlink_to(disk)
    first = disk / "mini-ego-00.mp4"
    first.rename(data.parent / "elsewhere.mp4")
    first.symlink_to(data.parent / "elsewhere.mp4")
    assert not would_fail(examine(data).values())


def test_missing_annotations_end_the_examination(tmp_path: Path) -> None:
    found = examine(tmp_path)
    assert set(found) == {"annotations"}
    assert would_fail(found.values())


def test_fetched_data_is_held_against_its_manifest(data: Path) -> None:
    def manifested(full: bool = False) -> CheckResult:
        found = check_manifest(opened_in(data, "egoschema"), full=full)
        assert found is not None
        return found

    root = data / "egoschema"
    assert check_manifest(opened_in(data, "egoschema"), full=False) is None
    videos = sorted((root / "videos").iterdir())
    manifest = Manifest("lmms-eval/egoschema", "0" * 40, "main", repository=[])
    manifest.want(["videos_chunked_01.zip", "videos_chunked_02.zip"])
    entries = [
        DataFile(
            f"videos/{path.name}",
            path.stat().st_size,
            hashlib.sha256(path.read_bytes()).hexdigest(),
            "videos_chunked_01.zip",
        )
        for path in videos
    ]
    manifest.add("videos_chunked_01.zip", entries)
    manifest.save(root)
    found = manifested()
    assert found.status == "failure"
    assert [bad.path for bad in found.bad_files] == ["videos_chunked_02.zip"], "half-unpacked archives fail"

    manifest.add("videos_chunked_02.zip", [])
    manifest.save(root)
    assert manifested().status == "ok"
    original = videos[0].read_bytes()
    videos[0].write_bytes(bytes([original[0] ^ 1]) + original[1:])
    assert manifested().status == "ok", "sizes alone do not show it"
    found = manifested(full=True)
    assert [bad.path for bad in found.bad_files] == [f"videos/{videos[0].name}"]


def test_missing_subtitles_are_told(tmp_path: Path) -> None:
    _as_if_real(tmp_path, "videomme")
    opened = opened_in(tmp_path, "videomme_w_subtitle")
    assert check_subtitles(opened).detail == "22 of 24 videos have subtitles"
    damaged = tmp_path / "videomme/subtitle/mini-000.srt"
    damaged.write_text("<html>404 not found</html>")
    found = check_subtitles(opened)
    assert found.status == "failure"
    assert [file.path for file in found.bad_files] == [str(damaged)]
    shutil.rmtree(tmp_path / "videomme/subtitle")
    assert check_subtitles(opened).status == "failure"


def test_a_file_that_ends_early_but_not_for_this_run_is_at_most_warned_of(data: Path) -> None:
    """237 frames and a container that states 238; every 6th is sampled, the last of them is frame 234."""
    path = data / "egoschema/videos/mini-ego-00.mp4"
    write_video(path, SceneMaker("a test").scene(19.75, 12))
    path.write_bytes(_overstated(path.read_bytes()))
    opened = opened_in(data, "egoschema")
    present = {path: opened.documents[:3]}
    assert check_decoding(opened, present).status == "failure"
    rule = SamplingRule("published", 16)
    assert check_decoding(opened, present, rule=rule).status == "ok"
    found = check_decoding(opened, present, rule=rule, full=True)
    assert found.status == "warning"
    assert "does not miss it" in found.bad_files[0].reason


def _overstated(mp4: bytes) -> bytes:
    """The same file with one more frame in its table of times (stts) than it holds."""
    count_at = mp4.index(b"stts") + 12  # after the version, flags and number of entries
    count = int.from_bytes(mp4[count_at : count_at + 4], "big")
    return mp4[:count_at] + (count + 1).to_bytes(4, "big") + mp4[count_at + 4 :]


def test_the_disk_is_measured_where_the_folder_will_be(tmp_path: Path) -> None:
    assert check_disk(tmp_path / "not" / "yet", needed_bytes=1).status == "ok"
    result = check_disk(tmp_path, needed_bytes=1 << 60)
    assert result.status == "failure"
    assert str(tmp_path) in result.detail


def test_the_installed_libraries_are_those_that_the_package_requires() -> None:
    assert check_libraries().status == "ok"


def _write_audio_only(path: Path) -> None:
    import numpy as np

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        for packet in (*stream.encode(frame), *stream.encode()):
            container.mux(packet)
