"""A benchmark is a folder: an adapter, a yaml, rows and videos of one's own, and nothing else to change."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from zygote import Ended, shared_zygote

from sf_eval.core.paths import tasks_dir
from sf_eval.editions import mini_root

ADAPTER = '''
"""Two questions about two videos of my own."""

from sf_eval.benchmarks.document import Benchmark, Document, MediaRef
from sf_eval.benchmarks.options import by_position
from sf_eval.benchmarks.prompts import ANSWER_DIRECTLY, SELECT, join, listed
from sf_eval.benchmarks.rows import RowReader


def read_row(index, row):
    reader = RowReader(row, index, "My own")
    video, options = reader.file_name("video"), by_position(reader.texts("options"))
    question = reader.text("question")
    return Document(
        index=index, id=reader.identifier("id"), video_id=video, media=MediaRef((f"videos/{video}.mp4",)),
        subtitles=None, question=question, options=options, answer=reader.letter("answer", options),
        categories={"kind": reader.identifier("kind")},
        prompt=join(SELECT, question, listed(options), ANSWER_DIRECTLY),
    )


BENCHMARKS = (
    Benchmark(
        name="my_own", title="My own benchmark", lmms_task="sf_my_own", hub_id="me/my-own", hub_config=None,
        split="test", annotation_files=("*.parquet",), media_root="", read_row=read_row, breakdown=("kind",),
        expected_questions=None, expected_videos=None, published_column=None, licence="mine",
        aliases=("mine",), mean_over="kind",
    ),
)
'''
YAML = """
include: ../_sf_task
task: sf_my_own
dataset_path: me/my-own
test_split: test
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like `tasks/`, with one benchmark in it, and its data."""
    base = tmp_path_factory.mktemp("own")
    own = base / "tasks" / "my_own"
    own.mkdir(parents=True)
    for name in ("_sf_task", "lmms_task.py"):
        shutil.copy(tasks_dir() / name, base / "tasks" / name)
    (own / "adapter.py").write_text(ADAPTER)
    (own / "sf_my_own.yaml").write_text(YAML)
    videos = base / "data" / "my_own" / "videos"
    videos.mkdir(parents=True)
    films = sorted((mini_root(["videomme"]) / "videomme").rglob("*.mp4"))[:2]
    for number, film in enumerate(films):
        shutil.copy(film, videos / f"v{number}.mp4")
    rows = [
        {
            "id": f"q{number}", "video": f"v{number}", "question": "Which way does it go?",
            "options": ["left", "right", "up"], "answer": "B", "kind": f"k{number}",
        }
        for number in range(2)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), base / "data" / "my_own" / "rows.parquet")
    return base


@pytest.fixture
def own(folder: Path) -> Callable[[str], Ended]:
    """`sf-eval ARGS` in a process of its own: what benchmarks there are is read once a process."""
    tasks = {"SF_EVAL_TASKS": str(folder / "tasks")}
    return lambda args: shared_zygote().run(folder, *args.split(), env=tasks)


def test_it_is_run_scored_and_replayed_like_any_other(own: Callable[[str], Ended], folder: Path) -> None:
    done = own("run --model mini --data data --tasks mine --num-frames 4 --scoring both --output run")
    assert done.code == 0, done.err
    assert "My own benchmark" in done.out
    assert "replay of the answers agrees in 1 of 1 tasks" in done.out
    (task,) = json.loads((folder / "run" / "results.json").read_text())["tasks"]
    assert (task["task"], task["questions_asked"], task["mean_over"]) == ("my_own", 2, "kind")
    assert task["published"] is None  # nobody published a scorer for it
    assert "My own benchmark" in (folder / "run" / "leaderboard.md").read_text()


@pytest.mark.thorough
def test_without_a_mini_edition_it_is_left_out_in_one_line_and_refused_by_name(
    own: Callable[[str], Ended],
) -> None:
    done = own("run --model mini --data mini --tasks my_own,videomme --limit 1")
    assert done.code == 2
    assert done.err.splitlines() == [
        "sf-eval: error: my_own has no mini edition. Leave it out, or give real data (--data DIR)."
    ]
    done = own("run --model mini --data mini --tasks all --limit 1 --num-frames 2 --dry-run")
    assert done.code == 0, done.err
    assert "Left out: my_own has no mini edition" in done.out


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (ADAPTER.replace('name="my_own"', 'name="My-Own"'), "a benchmark's name is small letters"),
        (ADAPTER.replace("sf_my_own", "my_own"), "its lmms_task is sf_NAME"),
        (ADAPTER.replace("my_own", "nobody"), "has no sf_nobody.yaml"),
        ("import nosuchmodule", "cannot be read: ModuleNotFoundError"),
        ("BENCHMARKS = 3", "does not define BENCHMARKS"),
    ],
)
def test_a_folder_that_could_not_be_scored_is_refused_before_anything_is_asked(
    adapter: str, said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "tasks" / "my_own"
    folder.mkdir(parents=True)
    (folder / "adapter.py").write_text(adapter)
    (folder / "sf_my_own.yaml").write_text(YAML)
    done = subprocess.run(
        [sys.executable, "-m", "sf_eval.cli", "ls", "tasks"],
        env={**os.environ, "SF_EVAL_TASKS": str(tmp_path / "tasks")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert said in line
