"""Subtitles as JSON, as one text and between frames: places worked out by hand and by the authors' code."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sf_eval.benchmarks.catalog import get_benchmark, resolve_tasks, with_subtitles
from sf_eval.benchmarks.document import Document, MediaRef
from sf_eval.benchmarks.interleaved import InterleavedPrompt
from sf_eval.benchmarks.prompts import SubtitledPrompt
from sf_eval.benchmarks.subtitles import lines_at, read_srt
from sf_eval.core.errors import DataError, UsageError
from sf_eval.data.opening import open_benchmark
from sf_eval.data.source import parse_source
from sf_eval.editions.longvideobench import longvideobench
from sf_eval.harness.questions import prompt_of

CLOCK = [
    {"start": "00:00:01.000", "end": "00:00:03.500", "line": "one"},
    {"start": "00:01:00.000", "end": "00:01:02.000", "line": "two"},
]
SECONDS = [{"timestamp": [1.0, 3.5], "text": "one"}, {"timestamp": [60.0, None], "text": "two"}]


def prompt(path: Path | None, *, begins: float = 0.0, duration: float | None = 100.0) -> InterleavedPrompt:
    document = Document(
        index=0, id="q", video_id="v", media=MediaRef(("v.mp4",)), subtitles="s.json", question="Q?",
        options={"A": "a", "B": "b"}, answer="A", categories={}, prompt="Q?\nA. a\nB. b",
        subtitles_from_s=begins, duration_s=duration,
    )  # fmt: skip
    return InterleavedPrompt(document, path)


def written(folder: Path, entries: Any) -> Path:
    path = folder / "s.json"
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


@pytest.mark.parametrize("entries", [CLOCK, SECONDS])
def test_both_forms_are_read(tmp_path: Path, entries: Any) -> None:
    path = written(tmp_path, entries)
    text = read_srt(path)
    assert lines_at(text, [0.0, 2.0, 61.0], source="s") == ["one", "two"]
    assert lines_at(text, [0.0, 10.0], source="s") == []
    assert prompt(path).said([2.0, 61.0]) == [(2.25, "one"), (61.0 if entries is CLOCK else 80.0, "two")]


def test_times_are_those_of_the_video(tmp_path: Path) -> None:
    """The video begins at second 58 of the subtitles."""
    path = written(tmp_path, CLOCK)
    assert prompt(path, begins=58.0).said([0.0, 3.0]) == [(3.0, "two")]


def test_a_short_subtitle_counts_as_a_second_around_its_middle(tmp_path: Path) -> None:
    path = written(tmp_path, [{"timestamp": [5.0, 5.2], "text": "hey"}])
    assert prompt(path).said([4.65]) == [(5.1, "hey")]
    assert prompt(path).said([4.55]) == []


def test_without_a_file_nothing_is_said() -> None:
    assert prompt(None).said([0.0, 1.0]) == []
    assert prompt(None).text([0.0]) == "Q?\nA. a\nB. b"


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([{"timestamp": [1.0], "text": "x"}], "entry 0 whose timestamp"),
        ([{"start": "soon", "end": "00:00:02.000", "line": "x"}], "time that cannot be read: 'soon'"),
        ([{"timestamp": [2.0, 1.0], "text": "x"}], "ends before it starts"),
        ([{"timestamp": [1.0, 2.0]}], "without a text"),
        ([[]], "no object"),
        ([], "holds no subtitle"),
    ],
)
def test_what_is_no_such_list_is_refused(tmp_path: Path, entries: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_srt(written(tmp_path, entries))


TIMES = st.lists(st.integers(0, 400), min_size=1, max_size=12, unique=True).map(sorted)
CUES = st.lists(st.tuples(st.integers(0, 400), st.integers(1, 80)), max_size=8).map(
    lambda cues: sorted(cues, key=lambda cue: 2 * cue[0] + cue[1])  # by their middles, as in a film
)


@pytest.fixture(scope="module")
def authors() -> Any:
    """The authors' function, as lmms-eval carries it."""
    source = importlib.util.find_spec("lmms_eval").submodule_search_locations[0]  # type: ignore[union-attr, index]
    text = (Path(source) / "tasks/longvideobench/utils.py").read_text(encoding="utf-8")
    start, end = text.index("def insert_subtitles_into_frames"), text.index("def _load_task_config")
    scope: dict[str, Any] = {}
    exec(text[start:end], scope)
    return scope["insert_subtitles_into_frames"]


@given(times=TIMES, cues=CUES)
def test_places_are_the_authors(
    authors: Any, tmp_path_factory: pytest.TempPathFactory, times: Any, cues: Any
) -> None:
    entries = [{"timestamp": [a / 4, (a + b) / 4], "text": f"line {n}"} for n, (a, b) in enumerate(cues)]
    frames = [time / 4 for time in times]
    theirs = authors(frames, entries, 0.0, 500.0).split("\n")
    said = prompt(written(tmp_path_factory.mktemp("s"), entries)).said(frames) if entries else []
    ours, at = [], 0
    for time_s, text in said:
        while at < len(frames) and frames[at] <= time_s:
            ours, at = [*ours, "<image>"], at + 1
        ours.append(text)
    assert [*ours, *["<image>"] * (len(frames) - at)] == theirs


def test_video_mme_with_subtitles_is_one_edition_under_two_names() -> None:
    (chosen,) = with_subtitles(resolve_tasks("videomme"), "text")
    assert chosen is get_benchmark("videomme_w_subtitle")
    assert with_subtitles([chosen], "none") == [get_benchmark("videomme")]
    assert with_subtitles(resolve_tasks("videomme,videomme_w_subtitle"), "text") == [chosen]


@pytest.mark.parametrize(
    ("task", "how"), [("egoschema", "text"), ("videomme", "interleaved"), ("mvbench", "none")]
)
def test_a_way_that_a_benchmark_does_not_have_is_refused(task: str, how: str) -> None:
    if how == "none":
        assert with_subtitles(resolve_tasks(task), how) == resolve_tasks(task)
        return
    with pytest.raises(UsageError, match=f"{task} has no subtitles that can be shown so"):
        with_subtitles(resolve_tasks(task), how)


def test_longvideobench_shows_them_in_three_ways(tmp_path: Path) -> None:
    edition = longvideobench()
    replace(edition, videos={}).write(tmp_path / "longvideobench", lambda done, total: None)
    shown = {}
    for name in ("longvideobench", "longvideobench_w_subtitle", "longvideobench_interleaved"):
        opened = open_benchmark(get_benchmark(name), parse_source(str(tmp_path)))
        asked = prompt_of(opened, opened.documents[0])
        shown[name] = asked if isinstance(asked, str) else asked.text([0.5])
    plain = shown["longvideobench"]
    assert shown["longvideobench_interleaved"] == plain
    assert shown["longvideobench_w_subtitle"] == (
        f"This video's subtitles are listed below: \nHere it begins.\n{plain}"
    )
    assert isinstance(asked, InterleavedPrompt)
    assert [text for _, text in asked.said([0.5])] == ["Here it begins."]


def test_a_prompt_with_subtitles_is_another_one_where_the_video_begins_elsewhere_in_them(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, SECONDS)
    asked = [SubtitledPrompt(prompt(path, begins=begins).document, path) for begins in (0.0, 58.0)]
    assert [each.text([2.0]).count("one") for each in asked] == [1, 0]
    assert asked[0].identity != asked[1].identity
    assert " from " not in asked[0].identity.splitlines()[0]  # keys of earlier runs stay
