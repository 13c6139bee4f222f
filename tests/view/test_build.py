"""What `sf-eval look` and `sf-eval view` write, and what they refuse."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from sf_eval.cli.actions.look import look_after_run
from sf_eval.cli.main import _run
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.editions.cache import EDITIONS
from sf_eval.editions.scene import event_at
from sf_eval.harness.looking.kept_source import source_of
from sf_eval.harness.looking.look import plan_looks
from sf_eval.harness.looking.record import read_looks
from sf_eval.harness.rescoring import read_run
from sf_eval.harness.settings import RunSettings
from sf_eval.model.tokens import fast_tokens
from sf_eval.profiler.cost.tokens import fast_windows
from sf_eval.report.view import kept
from sf_eval.report.view.build import plan_page
from sf_eval.report.view.page import INDEX, write
from sf_eval.report.view.questions import chunks

EVENTS = {"disc", "bars"}


def test_the_mini_model_looks_most_at_the_frame_of_a_brief_event(finished_run: Path) -> None:
    scenes = {Path(path).stem: of_video[0] for path, of_video in EDITIONS["videomme"]().videos.items()}
    samples = kept.read(finished_run).runs[0].samples
    looks = list(read_looks(finished_run))
    assert len(looks) == 5
    for look in looks:
        record = look.record
        scene = scenes[samples[record.task, record.doc_id].video]
        shown = [event_at(scene, frame) for frame in record.frame_indices]
        shares = look.shares("question")
        assert shown[int(shares.argmax())] in EVENTS, record.question_id
        assert shares.max() > 1.5 / len(shown)


def test_a_look_is_of_the_very_answer_that_was_recorded(finished_run: Path) -> None:
    for look in read_looks(finished_run):
        assert look.record.as_asked
        assert look.record.same_output
        assert look.frames.dtype == look.grid.dtype == look.gates.dtype == np.float16
        np.testing.assert_allclose(look.frames.sum(-1, dtype=np.float64), 1.0, atol=0.01)
        np.testing.assert_allclose(look.grid.mean((1, 2, 3), dtype=np.float64), 1.0, atol=0.01)


def test_the_summary_counts_what_was_judged_and_names_what_was_not(
    finished_run: Path, tmp_path: Path
) -> None:
    run = kept.read(finished_run).runs[0]
    outcomes = ["correct", "wrong", "no_answer", "unjudged", "unjudged", "timeout"]
    samples = {
        key: sample.model_copy(update={"outcome": outcome})
        for (key, sample), outcome in zip(run.samples.items(), outcomes, strict=False)
    }
    write(tmp_path, kept.Viewed(tmp_path, (replace(run, samples=samples),), None))
    html = unescape((tmp_path / INDEX).read_text())
    assert "1 of 3 judged answers right, 2 unjudged (their truth is not public), 1 failed." in html


@pytest.mark.parametrize(("tokens", "named"), [(16, True), (None, False)])
def test_a_time_is_the_towers_only_where_the_stages_are_known(
    finished_run: Path, tokens: int | None, named: bool
) -> None:
    """An endpoint's "vision" is the making of JPEGs, and its prefill nobody measured."""
    viewed = kept.read(finished_run)
    key = viewed.keys[0]
    run = viewed.runs[0]
    sample = run.samples[key].model_copy(update={"fast_tokens": tokens})
    changed = kept.Viewed(viewed.folder, (replace(run, samples={key: sample}),), None)
    (chunk,) = chunks(changed, [{}], {})
    timings = {name: value for name, value, _ in chunk.questions[0]["runs"][0]["timings"]}
    assert ("vision tower" in timings, "prefill" in timings) == (named, named)
    assert sample.timings is not None
    if not named:
        assert timings["the model"] == sample.timings["prefill_s"] + sample.timings["generate_s"]


def test_a_run_without_a_slow_path_and_an_unknown_question_are_refused(finished_run: Path) -> None:
    run = read_run(finished_run)
    with pytest.raises(UsageError, match="did not ask 'nothing'"):
        plan_looks(run, questions=["nothing"])
    off = run.facts.model.model_copy(update={"slow_path": "off"})
    without = type(run)(**{**run.__dict__, "facts": run.facts.model_copy(update={"model": off})})
    with pytest.raises(UsageError, match="no slow path"):
        plan_looks(without)


def test_a_damaged_look_is_named(finished_run: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(finished_run, tmp_path / "run")
    damaged = next((copy / "look").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:50])
    with pytest.raises(OutputError, match=re.escape(damaged.name)):
        list(read_looks(copy))


@pytest.mark.parametrize("frames", [1, 2, 5, 8, 16, 17, 64, 90, 128])
@pytest.mark.parametrize("strides", [(1, 4, 16), (2, 4, 16), (1, 6, 16), (2, 1, 4), (1, 1, 1), (3, 5, 4)])
def test_the_windows_on_the_page_are_those_of_the_model(frames: int, strides: tuple[int, int, int]) -> None:
    sampling, temporal, least = strides
    windows = fast_windows(frames, sampling_stride=sampling, temporal_stride=temporal, min_fast_frames=least)
    marked = torch.eye(frames, dtype=torch.float64)[:, None, None, :]  # each frame has a channel of its own
    tokens = fast_tokens(
        marked, sampling_stride=sampling, temporal_stride=temporal, spatial_stride=1, min_fast_frames=least
    )
    assert [tuple(row.nonzero()[:, 0].tolist()) for row in tokens] == windows


def test_the_page_holds_no_data_in_its_html_and_no_code_in_its_data(page: Path) -> None:
    html = unescape(page.read_text(encoding="utf-8"))
    assert "script-src 'self'" in html
    assert not re.search(r"<script(?![^>]*\ssrc=)|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", "".join(
        path.read_text(encoding="utf-8") for path in page.parent.glob("*.js")
    ))  # fmt: skip
    for path in (page.parent / "data").iterdir():
        called = re.fullmatch(r'sfView\.take\(("[a-z0-9-]+"),(".*")\);\n', path.read_text(encoding="ascii"))
        assert called is not None
        json.loads(json.loads(called[2]))


def test_videos_that_are_gone_leave_a_page_that_says_so(finished_run: Path, tmp_path: Path, sf_eval) -> None:
    output = tmp_path / "page"
    done = sf_eval("view", finished_run, "--output", output, "--data", _empty(tmp_path))
    assert done == 0
    data = "".join(path.read_text(encoding="ascii") for path in (output / "data").glob("chunk-*.js"))
    assert "sprite" in data
    assert not list(output.glob("frames/*"))


def test_a_folder_that_is_no_run_or_no_page_is_refused_in_one_line(
    finished_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="neither a run nor a comparison"):
        kept.read(tmp_path)
    (tmp_path / "mine.txt").write_text("mine")
    viewed = kept.read(finished_run)
    with pytest.raises(OutputError, match="not a page of sf-eval"):
        plan_page(viewed, tmp_path, with_frames=False, budget=1)
    with pytest.raises(UsageError, match="--no-frames"):
        plan_page(viewed, None, with_frames=True, budget=1)


@pytest.fixture
def sf_eval():
    from sf_eval.cli.main import _run

    return lambda *arguments: _run([str(argument) for argument in arguments])


def _empty(tmp_path: Path) -> Path:
    folder = tmp_path / "no-data"
    folder.mkdir()
    return folder


def test_the_data_of_a_kept_run_is_that_of_the_run(finished_run: Path, tmp_path: Path) -> None:
    facts = read_run(finished_run).facts
    assert source_of(facts, "videomme").kind == "mini"
    assert source_of(facts, "videomme", str(tmp_path)).root == tmp_path
    commit = "0123456789" * 4
    planned = [task.model_copy(update={"revision": commit}) for task in facts.planned]
    of_hub = facts.model_copy(update={"settings": {"data": "hub"}, "planned": planned})
    assert source_of(of_hub, "videomme").revision == commit
    untold = facts.model_copy(update={"settings": {}, "data": "directory of long ago"})
    with pytest.raises(UsageError, match="--data DIR"):
        source_of(untold, "videomme")


def test_a_run_looks_at_its_own_questions_and_at_none_twice(
    finished_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`sf-eval run --attention N`, from where the answers are recorded on."""
    copy = tmp_path / "run"
    shutil.copytree(finished_run, copy, ignore=shutil.ignore_patterns("view", "look"))
    settings = RunSettings(model="mini", tasks="videomme", data="mini", attention=2)
    assert look_after_run(settings, copy, Console(width=400)) == 0
    assert "Looked at 2 questions in" in capsys.readouterr().out
    first, second = (look.record for look in sorted(read_looks(copy), key=lambda look: look.record.doc_id))
    assert (first.doc_id, second.doc_id) == (0, 1)
    assert first.as_asked
    assert first.same_output
    assert look_after_run(settings, copy, Console()) == 0
    assert capsys.readouterr().out == ""


def test_a_run_whose_model_has_nothing_to_look_at_is_refused_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["run", "--model", "mini-pooled", "--tasks", "videomme", "--data", "mini", "--attention"]
    assert _run([*asked, "--output", str(tmp_path / "run")]) == 2
    assert "mini-pooled has no slow path" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
