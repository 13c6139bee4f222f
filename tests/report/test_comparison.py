"""What a comparison says of runs: which benchmarks count, on which questions, and in whose favour.

The questions are the mini editions'; the answers are given by functions instead of models, so that each test
knows what must come out.
"""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sf_eval.benchmarks.document import Document
from sf_eval.data.kinds import kinds_of
from sf_eval.editions import mini_root
from sf_eval.harness import recording
from sf_eval.harness.ask import Asked
from sf_eval.harness.facts import documents_of, task_facts
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.record import MemoryRecord, ModelRecord, RunFacts, Usage
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.inference import Answer, Failure, FailureKind, QuestionKey
from sf_eval.inference.question import StageTimings
from sf_eval.report import leaderboard
from sf_eval.report.comparison import plot as comparison_plot
from sf_eval.report.comparison import tables as comparison_tables
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.record import ComparisonRecord, GainRecord, KindRecord, PairRecord

Player = Callable[[TaskPlan, Document], str | None]  # a letter; None for a question that failed

KEY = QuestionKey("task", 0)
SUBTASKS = ("mvbench_action_count", "mvbench_moving_count")
TASKS = ",".join(("videomme", "videomme_w_subtitle", "mlvu", "egoschema", "egoschema_subset", *SUBTASKS))


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    output = tmp_path_factory.mktemp("comparison") / "run"
    output.mkdir()
    settings = RunSettings(model="mini", tasks=TASKS, data="mini", output=output, limit=parse_limit("30"))
    whole = make_plan(settings)
    # Fewer questions of one subtask: a mean of subtasks is not that of all questions.
    counts = {SUBTASKS[0]: 2}
    return replace(
        whole,
        tasks=tuple(replace(task, count=counts.get(task.benchmark.name, task.count)) for task in whole.tasks),
    )


def right(_: TaskPlan, document: Document) -> str:
    return document.answer or "A"


def wrong(_: TaskPlan, document: Document) -> str:
    return next(letter for letter in document.options if letter != document.answer)


def at_random(seed: int, share: float) -> Player:
    """Right on about this share of the questions."""

    def play(task: TaskPlan, document: Document) -> str:
        generator = random.Random(f"{seed} {task.benchmark.name} {document.index}")
        return (right if generator.random() < share else wrong)(task, document)

    return play


def finished(plan: RunPlan, play: Player, *, frames: int = 64, name: str = "mini") -> Finished:
    """A run in which `play` was the model."""
    results = {
        QuestionKey(task.benchmark.name, document.index): result(play(task, document), frames)
        for task in plan.tasks
        for document in task.documents
    }
    facts = RunFacts(
        created="2025-04-01T00:00:00+00:00",
        command=["sf-eval", "run"],
        settings={"batch_size": 1},
        versions={},
        git_commit=None,
        machine={"processor": "a processor"},
        model=model_record(name, frames),
        data=plan.data_label,
        clip="whole",
        scoring="sf-eval",
        load_seconds=0.1,
        planned=[task_facts(task) for task in plan.tasks],
    )
    memory = MemoryRecord(
        process_peak_bytes=1, device_allocated_peak_bytes=None, device_reserved_peak_bytes=None
    )
    output = recording.record(
        plan.output, facts, list(documents_of(plan)), Asked(results), Usage(seconds=1.0, memory=memory)
    )
    return Finished(output, profile(len(results), frames))


def model_record(name: str, frames: int) -> ModelRecord:
    return ModelRecord(
        name=name, title=f"Model {name}", weights="", revision="", weights_digest="", parameters=1,
        untrained=True, slow_path="on", decode_slow_attention=True, num_frames=frames, sampling="published",
        target_fps=2.0, dtype="float32", attn="sdpa", licence="", published="", config={},
        text_before_video=14,
    )  # fmt: skip


def result(letter: str | None, frames: int) -> Answer | Failure:
    if letter is None:
        return Failure(KEY, FailureKind.DECODE_ERROR, "damaged")
    timings = StageTimings(0.1, 0.1, 0, 0.1, 0.1, 0.1, 1)
    return Answer(KEY, "What?", letter, frames, (), 100, 16, 4 * frames, 1, "stop", timings)


def profile(questions: int, frames: int) -> dict[str, Any]:
    flops = {"prefill_flops": 1e6 * frames, "total_flops": 5e6 * frames}
    tokens = {"prompt_tokens": 100.0, "fast_tokens": 16.0, "slow_tokens": 4.0 * frames}
    return {
        "flops": [{"group": "all", "who": "model", "questions": questions, "flops": flops, "seconds": 0.5}],
        "tokens": {name: {"mean": value} for name, value in tokens.items()},
        "resumed": 0,
    }


def the_gain(record: ComparisonRecord) -> GainRecord:
    (gain,) = record.gains
    return gain


def overall(record: ComparisonRecord) -> PairRecord:
    pair = the_gain(record).overall
    assert pair is not None
    return pair


def kinds(record: ComparisonRecord) -> dict[str, KindRecord]:
    return {kind.name: kind for kind in record.kinds}


# --- the mean ----------------------------------------------------------------------------------------------


def test_the_mean_takes_each_benchmark_once_and_none_whose_truth_is_not_public(plan: RunPlan) -> None:
    record = build({"one": finished(plan, at_random(1, 0.7)), "two": finished(plan, at_random(2, 0.4))})
    in_mean = {column.name: column.in_mean for column in record.benchmarks}
    assert in_mean == {
        "videomme": True,
        "videomme_w_subtitle": False,
        "mlvu": True,
        "egoschema": False,
        "egoschema_subset": True,
        "mvbench": True,
    }
    (one, _) = record.runs
    scores = {score.benchmark: score.score.accuracy for score in one.scores}
    assert scores["egoschema"] is None
    assert one.mean is not None
    entering = [scores[name] for name, is_in in in_mean.items() if is_in]
    assert one.mean.value == pytest.approx(sum(value for value in entering if value is not None) / 4)
    assert "Video-MME, MLVU (dev), EgoSchema (subset), MVBench (2 of 20 subtasks)" in record.mean_rule
    assert record.mean_rule in comparison_tables.markdown(record)


def test_another_edition_stands_in_where_the_benchmark_itself_was_not_asked(plan: RunPlan) -> None:
    alone = replace(plan, tasks=tuple(t for t in plan.tasks if t.benchmark.name == "videomme_w_subtitle"))
    record = build({"one": finished(alone, right), "two": finished(alone, wrong)})
    assert [column.in_mean for column in record.benchmarks] == [True]
    assert overall(record).difference.value == 100


def test_every_score_is_that_of_the_runs_own_leaderboard(plan: RunPlan) -> None:
    run = finished(plan, at_random(1, 0.6))
    record = build({"one": run, "two": run})
    shown = {entry.name: entry.score for entry in leaderboard.entries(run.record)}
    for score in record.runs[0].scores:
        assert score.score == shown[score.benchmark]


# --- gains -------------------------------------------------------------------------------------------------


def test_gains_are_of_the_scores_where_both_answered_everything(plan: RunPlan) -> None:
    record = build({"one": finished(plan, at_random(1, 0.7)), "two": finished(plan, at_random(2, 0.3))})
    one, two = record.runs
    pair = overall(record)
    assert one.mean is not None
    assert two.mean is not None
    assert pair.tested == pytest.approx(one.mean.value)
    assert pair.reference == pytest.approx(two.mean.value)
    assert pair.difference.value == pytest.approx(one.mean.value - two.mean.value)
    assert pair.relative is not None
    assert pair.relative.value == pytest.approx(100 * (one.mean.value / two.mean.value - 1))
    low, high = pair.difference.interval95 or (0, 0)
    assert 0 < low < pair.difference.value < high
    scores = {score.benchmark: score.score.accuracy for score in one.scores}
    for part in the_gain(record).by_benchmark:
        assert part.benchmark is not None
        assert part.tested == pytest.approx(scores[part.benchmark])
    assert the_gain(record).same_questions
    assert the_gain(record).left_out == 0


def test_subtasks_of_a_group_count_alike(plan: RunPlan) -> None:
    def knows_one(task: TaskPlan, document: Document) -> str:
        return (wrong if task.benchmark.name == SUBTASKS[1] else right)(task, document)

    record = build({"one": finished(plan, knows_one), "two": finished(plan, right)})
    (mvbench,) = (pair for pair in the_gain(record).by_benchmark if pair.benchmark == "mvbench")
    assert (mvbench.n, mvbench.tested, mvbench.reference) == (2 + 6, 50, 100)


def test_the_first_is_held_against_each_of_the_others(plan: RunPlan) -> None:
    runs = {name: finished(plan, at_random(seed, 0.5)) for seed, name in enumerate(("a", "b", "c"))}
    record = build(runs)
    assert [(gain.tested, gain.reference) for gain in record.gains] == [("a", "b"), ("a", "c")]


def test_a_run_against_itself_gains_exactly_nothing(plan: RunPlan) -> None:
    run = finished(plan, at_random(1, 0.6))
    record = build({"one": run, "two": run})
    for pair in (overall(record), *the_gain(record).by_benchmark):
        assert pair.difference.value == 0
        assert pair.difference.interval95 == (None if pair.videos < 6 else (0, 0))


def test_questions_that_one_failed_on_are_left_out_of_the_gain_and_said(plan: RunPlan) -> None:
    def fails_on_one(task: TaskPlan, document: Document) -> str | None:
        is_bad = task.benchmark.name == "videomme" and document.index == 7
        return None if is_bad else right(task, document)

    whole, lacking = finished(plan, right), finished(plan, fails_on_one)
    record = build({"one": whole, "two": lacking})
    assert the_gain(record).left_out == 1
    assert the_gain(record).same_questions
    (videomme,) = (pair for pair in the_gain(record).by_benchmark if pair.benchmark == "videomme")
    assert videomme.n == len(plan.tasks[0].documents) - 1
    text = comparison_tables.markdown(record)
    assert "Left out, as one or two failed on them: 1 questions." in text
    assert f"two: 1 of {plan.total} questions failed" in text


def test_a_mean_that_lacks_a_benchmark_is_none(plan: RunPlan) -> None:
    def fails_on_mlvu(task: TaskPlan, document: Document) -> str | None:
        return None if task.benchmark.name == "mlvu" else right(task, document)

    record = build({"one": finished(plan, right), "two": finished(plan, fails_on_mlvu)})
    assert record.runs[1].mean is None
    assert the_gain(record).overall is None
    assert "mlvu" not in {pair.benchmark for pair in the_gain(record).by_benchmark}


def test_runs_that_were_asked_other_questions_are_told_apart(plan: RunPlan) -> None:
    fewer = replace(
        plan,
        settings=replace(plan.settings, limit=parse_limit("5")),
        tasks=tuple(replace(task, count=5) for task in plan.tasks),
    )
    record = build({"one": finished(plan, right), "two": finished(fewer, right)})
    assert not the_gain(record).same_questions
    assert "NOT asked the same questions" in comparison_tables.markdown(record)
    assert {pair.n for pair in the_gain(record).by_benchmark if pair.benchmark == "videomme"} == {5}


# --- kinds of questions ------------------------------------------------------------------------------------


def test_kinds_are_pooled_over_all_benchmarks_and_each_row_counts_once(plan: RunPlan) -> None:
    def sees_moments(task: TaskPlan, document: Document) -> str:
        kind = kinds_of(task.opened)[document.index]
        return (right if kind.group == "brief" else wrong)(task, document)

    record = build({"one": finished(plan, sees_moments), "two": finished(plan, wrong)})
    table = kinds(record)
    once = [task for task in plan.tasks if task.benchmark.name not in ("videomme_w_subtitle", "egoschema")]
    asked = [kinds_of(task.opened)[document.index] for task in once for document in task.documents]
    for name in ("brief", "global"):
        one, two = table[name].scores
        assert one.n == two.n == sum(kind.group == name for kind in asked)
        assert one.accuracy == (100 if name == "brief" else 0)
        assert two.accuracy == 0
    in_brief = [kind for kind in record.kinds if not kind.is_group and kind.scores[0].accuracy == 100]
    assert {kind.name for kind in in_brief} == {"disc_colour", "bar_count", "disc_background"}
    assert sum(kind.scores[0].n for kind in in_brief) == table["brief"].scores[0].n


def test_words_of_the_subtitles_are_apart_where_no_subtitles_are_shown(plan: RunPlan) -> None:
    def reads(task: TaskPlan, document: Document) -> str:
        return (wrong if document.subtitles is None else right)(task, document)

    table = kinds(build({"one": finished(plan, reads), "two": finished(plan, reads)}))
    shown, hidden = table["subtitle_word"].scores[0], table["subtitle_word, none shown"].scores[0]
    assert shown.n == hidden.n > 0
    assert (shown.accuracy, hidden.accuracy) == (100, 0)


def test_chance_is_that_of_the_options(plan: RunPlan) -> None:
    table = kinds(build({"one": finished(plan, right), "two": finished(plan, wrong)}))
    options = [
        len(document.options)
        for task in plan.tasks
        if task.benchmark.name not in ("videomme_w_subtitle", "egoschema")
        for document in task.documents
        if kinds_of(task.opened)[document.index].name == "disc_colour"
    ]
    assert len(set(options)) > 1
    assert table["disc_colour"].chance == pytest.approx(100 * sum(1 / n for n in options) / len(options))


def test_real_data_has_no_kinds(tmp_path: Path) -> None:
    """Without the index file nothing says that the rows are a mini edition's."""
    shutil.copytree(mini_root(["mlvu"]) / "mlvu", tmp_path / "data" / "mlvu")
    (tmp_path / "data" / "mlvu" / "mini_edition.json").unlink()
    settings = RunSettings(model="mini", tasks="mlvu", data=str(tmp_path / "data"), output=tmp_path / "run")
    real = make_plan(settings)
    record = build({"one": finished(real, right), "two": finished(real, wrong)})
    assert record.kinds == []
    assert comparison_tables.kind_table(record) is None
    assert "By kind" not in comparison_tables.markdown(record)


# --- files -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def record(plan: RunPlan) -> ComparisonRecord:
    return build(
        {
            f"{name}-{frames}f": finished(plan, at_random(frames, share), frames=frames, name=name)
            for name, share in (("a", 0.7), ("b", 0.5))
            for frames in (16, 64)
        }
    )


def test_the_record_survives_its_file(record: ComparisonRecord) -> None:
    assert ComparisonRecord.model_validate_json(record.model_dump_json()) == record


def test_every_page_says_that_data_are_synthetic_and_weights_untrained(record: ComparisonRecord) -> None:
    for text in (
        record.model_dump_json(),
        comparison_tables.markdown(record),
        comparison_tables.csv_text(record),
        comparison_plot.svg(record),
    ):
        assert "mini edition" in text
        assert "untrained" in text


def test_a_note_of_some_runs_names_them(plan: RunPlan) -> None:
    run = finished(plan, right)
    trained = run.record.model_copy(
        update={"model": run.record.model.model_copy(update={"untrained": False})}
    )
    notes = build({"one": run, "two": replace(run, output=replace(run.output, record=trained))}).notes
    assert next(note for note in notes if "untrained" in note).startswith("one: ")
    assert sum("synthetic" in note for note in notes) == 1


def test_the_csv_holds_every_number_of_the_record(record: ComparisonRecord) -> None:
    lines = list(csv.DictReader(comparison_tables.csv_text(record).splitlines()))

    def value(**wanted: str) -> float:
        (line,) = (line for line in lines if all(line[key] == text for key, text in wanted.items()))
        return float(line["value"])

    for run in record.runs:
        assert run.mean is not None
        assert run.cost is not None
        assert value(run=run.name, measure="accuracy", of="mean") == run.mean.value
        assert value(run=run.name, measure="prefill_flops") == run.cost.prefill_flops
        assert value(run=run.name, measure="slow_tokens") == 4 * run.num_frames
        for kind in record.kinds:
            wanted = {"run": run.name, "of": kind.name}
            scores = {score.run: score.accuracy for score in kind.scores}
            assert value(**wanted) == scores[run.name]
    for gain in record.gains:
        for pair in gain.by_benchmark:
            wanted = {"reference": gain.reference, "of": pair.benchmark or ""}
            assert value(**wanted, measure="difference") == pair.difference.value


def test_the_plot_has_a_panel_of_frames_only_where_they_differ(
    record: ComparisonRecord, plan: RunPlan
) -> None:
    assert comparison_plot.svg(record) == comparison_plot.svg(record)
    assert "frames shown" in comparison_plot.svg(record)
    alone = build({name: finished(plan, right, name=name) for name in ("a", "b")})
    assert "frames shown" not in comparison_plot.svg(alone)


# --- the answer in words -----------------------------------------------------------------------------------


def of_gain(record: ComparisonRecord, number: int = 0) -> str:
    """Tested, reference and difference of the mean, as a reader of `comparison.md` finds them."""
    pair = record.gains[number].overall
    assert pair is not None
    low, high = pair.difference.interval95 or (0, 0)
    return (
        f"({pair.tested:.1f}% against {pair.reference:.1f}%: {pair.difference.value:+.1f} points "
        f"[{low:.1f}, {high:.1f}])"
    )


def test_the_answer_says_what_won_by_how_much_and_at_what_cost(plan: RunPlan) -> None:
    good, bad = finished(plan, at_random(1, 0.9), frames=64), finished(plan, at_random(2, 0.3), frames=16)
    record = build({"good": good, "bad": bad})
    assert answer(record) == [
        f"good is more accurate than bad {of_gain(record)}, in the mean over 4 benchmarks.",
        "Per question good cost 320 MFLOP end to end and 500.0 ms: 4.00 times the FLOPs and 1.00 times the "
        "time of bad.",
    ]
    turned = build({"bad": bad, "good": good})
    assert answer(turned)[0] == (
        f"bad is less accurate than good {of_gain(turned)}, in the mean over 4 benchmarks."
    )
    assert "0.25 times the FLOPs" in answer(turned)[1]


def test_an_interval_that_holds_0_is_no_win(plan: RunPlan) -> None:
    """The very same answers, and answers that differ by chance; a winner beside them is told apart."""
    run = finished(plan, at_random(1, 0.6))
    record = build({"one": run, "same": run, "bad": finished(plan, wrong)})
    better, undecided, _ = answer(record)
    assert better.startswith(f"one is more accurate than bad {of_gain(record, 1)}, in the mean")
    assert undecided.startswith(f"No difference in accuracy is shown between one and same {of_gain(record)}")


def test_the_answer_names_one_benchmark_instead_of_a_mean(plan: RunPlan) -> None:
    alone = replace(plan, tasks=tuple(t for t in plan.tasks if t.benchmark.name == "mlvu"))
    record = build({"one": finished(alone, right), "two": finished(alone, wrong)})
    assert answer(record)[0].endswith(", on MLVU (dev).")


def test_a_mean_that_cannot_be_compared_is_said(plan: RunPlan) -> None:
    def fails_on_mlvu(task: TaskPlan, document: Document) -> str | None:
        return None if task.benchmark.name == "mlvu" else right(task, document)

    record = build({"one": finished(plan, right), "lacking": finished(plan, fails_on_mlvu)})
    assert answer(record)[0].startswith("The accuracies of one and lacking cannot be compared in the mean")


def test_the_short_tables_have_the_numbers_of_the_record(record: ComparisonRecord) -> None:
    summary = comparison_tables.summary_table(record)
    by_benchmark = comparison_tables.benchmark_table(record)
    assert [row[0] for row in summary.rows] == [run.name for run in record.runs]
    for row, run in zip(summary.rows, record.runs, strict=True):
        assert run.mean is not None
        assert row[2].startswith(f"{run.mean.value:.1f} [")
    assert all(note in summary.notes for note in record.notes)
    for row, column in zip(by_benchmark.rows, record.benchmarks, strict=True):
        assert row[0].endswith(comparison_tables.OUTSIDE) == (not column.in_mean)
        scores = [
            score.score for run in record.runs for score in run.scores if score.benchmark == column.name
        ]
        shown = [comparison_tables.percent(score.accuracy) for score in scores]
        assert list(row[2:]) == shown
