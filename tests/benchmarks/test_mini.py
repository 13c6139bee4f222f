"""The mini editions: real format, true answers, the same on every run, never half-written."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sf_eval.benchmarks.catalog import benchmark_names, get_benchmark
from sf_eval.benchmarks.data import OpenBenchmark, open_benchmark, parse_source
from sf_eval.benchmarks.document import Document
from sf_eval.benchmarks.mini import EDITIONS, LABEL, VERSION, mini_root
from sf_eval.benchmarks.mini.cache import digest, is_complete
from sf_eval.benchmarks.mini.encode import write_video
from sf_eval.benchmarks.mini.questions import SceneMaker
from sf_eval.benchmarks.mini.scene import BRIGHT, DARK, flash_at
from sf_eval.core.errors import DataError, UsageError
from sf_eval.video import published_indices

LONGEST_WATCHED_S = 24  # the solver below watches only the shorter videos of each edition


def opened(name: str) -> OpenBenchmark:
    return open_benchmark(get_benchmark(name), parse_source("mini"))


# --- format ---------------------------------------------------------------------------------------------

PARQUET_COLUMNS = {
    "videomme/videomme/test-00000-of-00001.parquet": {
        "video_id", "duration", "domain", "sub_category", "url", "videoID", "question_id", "task_type",
        "question", "options", "answer",
    },
    "mlvu/data/test-00000-of-00001.parquet": {"video_name", "duration", "question", "answer", "task_type"},
    "mlvu_test/data/test-00000-of-00001.parquet": {
        "video_name", "duration", "question", "answer", "task_type",
    },
    "egoschema/GENERATION/test-00000-of-00001.parquet": {
        "question_idx", "question", "video_idx", "option", "answer",
    },
    "egoschema/Subset/test-00000-of-00001.parquet": {
        "question_idx", "question", "video_idx", "option", "answer",
    },
    "longvideobench/validation-00000-of-00001.parquet": {
        "video_id", "video_path", "id", "question", "option0", "option1", "option2", "option3", "option4",
        "correct_choice", "duration_group", "question_category", "duration", "subtitle_path",
        "starting_timestamp_for_subtitles",
    },
}  # fmt: skip


@pytest.mark.parametrize("path", PARQUET_COLUMNS)
def test_parquet_files_have_the_columns_of_the_hub(path: str) -> None:
    root = mini_root([path.split("/")[0]])
    assert set(pq.read_schema(root / path).names) == PARQUET_COLUMNS[path]


def test_mvbench_has_one_json_file_a_subtask() -> None:
    folder = mini_root(["mvbench"]) / "mvbench"
    files = sorted((folder / "json").iterdir())
    assert len(files) == 20
    bounded = set()
    for file in files:
        for row in json.loads(file.read_text()):
            assert {"video", "question", "candidates", "answer"} <= set(row)
            if "start" in row:
                bounded.add(file.stem)
    assert bounded == {
        "action_sequence", "action_prediction", "object_interaction", "action_localization",
        "episodic_reasoning",
    }  # fmt: skip
    frames = sorted((folder / "tvqa/frames_fps3_hq/mini_episodic_reasoning_0").iterdir())
    assert [frame.name for frame in frames] == [f"{number:05d}.jpg" for number in range(1, 37)]


@pytest.mark.parametrize("name", benchmark_names())
def test_every_benchmark_opens_and_has_all_its_videos(name: str) -> None:
    benchmark = opened(name)
    assert benchmark.is_mini
    assert benchmark.source_label == LABEL
    assert "synthetic" in benchmark.source_label
    assert benchmark.missing_media() == []
    videos = {document.video_id for document in benchmark.documents}
    assert len(benchmark.documents) >= 2 * len(videos), "several questions a video"
    if benchmark.benchmark.group is None:
        assert len(benchmark.documents) >= 24, "dozens of questions"


def test_durations_reach_from_5_seconds_to_2_minutes() -> None:
    scenes = [scene for films in EDITIONS["videomme"]().videos.values() for scene in films]
    assert (min(s.duration_s for s in scenes), max(s.duration_s for s in scenes)) == (5, 120)


def test_options_differ_in_number_as_in_the_real_sets() -> None:
    def sizes(name: str) -> set[int]:
        return {len(document.options) for document in opened(name).documents}

    assert sizes("videomme") == {4}
    assert sizes("mlvu") == {4}
    assert sizes("mlvu_test") == {6}
    assert sizes("egoschema_subset") == {5}
    assert sizes("longvideobench") == {2, 3, 4, 5}
    assert sizes("mvbench_episodic_reasoning") | sizes("mvbench_object_shuffle") == {5, 3}


def test_the_full_egoschema_set_hides_its_answers() -> None:
    assert {document.answer for document in opened("egoschema").documents} == {None}


@pytest.mark.parametrize("name", ["videomme", "mlvu", "mlvu_test", "egoschema_subset"])
def test_answer_letters_are_balanced(name: str) -> None:
    documents = opened(name).documents
    counts = Counter(document.answer for document in documents)
    assert set(counts) == set(documents[0].options)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_subtitles_come_in_both_forms_and_some_videos_have_none() -> None:
    benchmark = opened("videomme_w_subtitle")
    found = {document.video_id: benchmark.subtitle_path(document) for document in benchmark.documents}
    texts = [path.read_text() for path in found.values() if path]
    assert {"<font" in text for text in texts} == {True, False}
    assert None in found.values()


# --- the answers are true: a viewer that knows only pixels and the questions' words -----------------------


def _nearest(pixel: np.ndarray, palette: dict[str, tuple[int, int, int]]) -> str:
    return min(palette, key=lambda name: float(np.abs(np.subtract(pixel, palette[name], dtype=float)).sum()))


class Viewer:
    """What a person would note down who watches frames [T, H, W, 3]."""

    def __init__(self, frames: list[np.ndarray]) -> None:
        height, width = frames[0].shape[:2]
        side = min(height, width)
        self.background = _nearest(frames[0][1, 1], DARK)
        ends = frames[0], frames[-1]
        far = [np.abs(f.astype(int) - np.array(DARK[self.background])).sum(-1) > 150 for f in ends]
        y, x = np.mgrid[:height, :width]
        in_middle = np.hypot(y - height / 2, x - width / 2) < 0.22 * side
        centre = [
            _nearest(f[height // 2, width // 2], {**BRIGHT, "none": DARK[self.background]}) for f in frames
        ]
        self.flashes = [colour for colour, _ in groupby(centre) if colour != "none"]
        outside = [mask & ~in_middle for mask in far]
        first, last = np.argwhere(outside[0]), np.argwhere(outside[-1])
        (dy, dx) = last.mean(0) - first.mean(0)
        if abs(dx) > abs(dy):
            self.direction = "from left to right" if dx > 0 else "from right to left"
        else:
            self.direction = "from top to bottom" if dy > 0 else "from bottom to top"
        self.mover = _nearest(np.median(frames[0][outside[0]], axis=0), BRIGHT)
        box = np.prod(first.max(0) - first.min(0) + 1)
        filled = len(first) / box
        self.shape = "square" if filled > 0.9 else "circle" if filled > 0.66 else "triangle"

    def answer(self, question: str) -> str:
        text = question.lower()
        if "background" in text:
            return self.background
        if "moving shape?" in text:
            return self.mover
        if "direction" in text:
            return self.direction
        if "how many" in text:
            return str(len(self.flashes))
        if "which order" in text:
            return ", ".join(self.flashes)
        if "flashes for a moment" in text:
            assert len(set(self.flashes)) == 1
            return self.flashes[0]
        if "is there a moving" in text:
            return "yes" if f" {self.mover} " in text else "no"
        if "the shape that moves" in text:
            return self.shape
        raise AssertionError(question)


@cache
def decode(path: Path) -> tuple[list[np.ndarray], float]:
    if path.is_dir():
        return [np.asarray(Image.open(file)) for file in sorted(path.iterdir())], 3.0
    with av.open(str(path)) as container:
        rate = float(container.streams.video[0].average_rate)
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)], rate


def seconds(path: Path) -> float:
    if path.is_dir():
        return len(list(path.iterdir())) / 3
    with av.open(str(path)) as container:
        return float(container.duration) / 1e6


ANSWERED = [name for name in benchmark_names() if name not in ("egoschema", "videomme_w_subtitle")]


def watched(benchmark: OpenBenchmark) -> list[tuple[Document, Path]]:
    pairs = [(document, benchmark.media_path(document)) for document in benchmark.documents]
    shortest = min(seconds(path) for _, path in pairs)
    return [pair for pair in pairs if seconds(pair[1]) <= max(shortest, LONGEST_WATCHED_S)]


@pytest.mark.parametrize("name", ANSWERED)
def test_a_viewer_of_the_decoded_video_agrees_with_every_answer(name: str) -> None:
    pairs = watched(opened(name))
    assert pairs
    for document, path in pairs:
        frames, rate = decode(path)
        media = document.media
        if media.start_s is not None and media.end_s is not None:
            frames = frames[round(media.start_s * rate) : round(media.end_s * rate)]
        said = Viewer(frames).answer(document.question)
        right = document.options[document.answer or ""].rstrip(".").lower()
        assert said == right, (name, document.id, document.question, document.options)


def test_cutting_a_clip_changes_what_is_seen() -> None:
    benchmark = opened("mvbench_action_sequence")
    frames, _ = decode(benchmark.media_path(benchmark.documents[0]))
    assert _nearest(frames[0][1, 1], DARK) != _nearest(frames[-1][1, 1], DARK)


def test_every_flash_is_sampled_by_the_published_rule_at_128_frames() -> None:
    for edition in ("videomme", "mlvu", "longvideobench"):
        for path, (scene,) in EDITIONS[edition]().videos.items():
            indices = published_indices(scene.num_frames, float(scene.fps), num_frames=128)
            shown = {flash_at(scene, index) for index in indices} - {None}
            assert shown == set(scene.flashes), path


# --- determinism ----------------------------------------------------------------------------------------


def test_the_same_video_is_rendered_twice_alike(tmp_path: Path) -> None:
    scene = SceneMaker("a test").scene(6, 12)
    for name in ("one.mp4", "two.mp4"):
        write_video(tmp_path / name, scene)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()
    other = replace(scene, background="dark grey" if scene.background != "dark grey" else "dark red")
    write_video(tmp_path / "three.mp4", other)
    assert (tmp_path / "one.mp4").read_bytes() != (tmp_path / "three.mp4").read_bytes()


def test_another_process_makes_the_same_rows() -> None:
    program = (
        "import json; from sf_eval.benchmarks.mini import EDITIONS;"
        "print(json.dumps({name: [make().tables, {p: repr(s) for p, s in make().videos.items()}]"
        " for name, make in EDITIONS.items()}))"
    )
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1]


# --- the cache ------------------------------------------------------------------------------------------

# Enough videos to be killed between, few enough to be rendered by several tests.
TINY = """
from sf_eval.benchmarks.mini import EDITIONS, mini_root
from sf_eval.benchmarks.mini.edition import Edition
from sf_eval.benchmarks.mini.questions import SceneMaker

def tiny():
    maker = SceneMaker("tiny")
    return Edition("tiny", {"rows.json": []}, {f"videos/{i}.mp4": (maker.scene(6, 12),) for i in range(12)})

EDITIONS["tiny"] = tiny
"""
RENDER = f"{TINY}mini_root(['tiny'], lambda name, done, total: print(done, flush=True))"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and an edition called tiny."""
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path))
    names: dict[str, Any] = {}
    exec(TINY, names)  # the same as in the other processes
    tiny = EDITIONS.pop("tiny")
    monkeypatch.setitem(EDITIONS, "tiny", tiny)
    return tmp_path


def _start(cache_dir: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "SF_EVAL_CACHE": str(cache_dir)}
    return subprocess.Popen(
        [sys.executable, "-c", RENDER], env=environment, stdout=subprocess.PIPE, text=True
    )


def test_a_killed_renderer_leaves_nothing_that_is_taken_for_whole(own_cache: Path) -> None:
    process = _start(own_cache)
    assert process.stdout is not None
    while process.stdout.readline().strip() != "5":
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(own_cache.glob("mini-v*/tiny"))
    assert list(own_cache.glob("mini-v*/.tiny.*.part")), "it was killed in the middle"

    folder = mini_root(["tiny"]) / "tiny"
    assert is_complete(folder)
    assert not list(own_cache.glob("mini-v*/.tiny.*.part")), "left-overs are cleared away"


def test_two_processes_at_once_make_one_edition(own_cache: Path) -> None:
    processes = [_start(own_cache) for _ in range(2)]
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    (folder,) = own_cache.glob("mini-v*/tiny")
    assert is_complete(folder)


def test_only_what_is_asked_for_is_rendered_once_or_when_a_file_was_deleted(own_cache: Path) -> None:
    calls: list[tuple[str, int, int]] = []
    root = mini_root(["tiny"], lambda *call: calls.append(call))
    assert [path.name for path in root.iterdir() if not path.name.startswith(".")] == ["tiny"]
    assert calls[0] == ("tiny", 0, 12)
    assert calls[-1] == ("tiny", 12, 12)
    mini_root(["tiny"], lambda *call: pytest.fail("rendered again"))

    folder = root / "tiny"
    before = digest(folder)
    (folder / "videos/3.mp4").unlink()
    mini_root(["tiny"])
    assert digest(folder) == before


def test_an_unwritable_cache_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("SF_EVAL_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="SF_EVAL_CACHE"):
        mini_root(["egoschema"])


def test_an_unknown_edition_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="videomme"):
        mini_root(["videome"])


def test_a_change_of_any_row_or_scene_needs_a_new_version() -> None:
    """A cached edition is used for ever: whoever changes one raises VERSION, and then this pair."""
    everything = repr([(e.tables, e.videos, e.texts) for e in (make() for make in EDITIONS.values())])
    assert (VERSION, hashlib.sha256(everything.encode()).hexdigest()[:16]) == (1, "b52b3e860d203406")
