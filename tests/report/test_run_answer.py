"""What a single run says in a few sentences, before its table."""

from __future__ import annotations

import io
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent))

from test_comparison import Player, at_random, finished, right

from sf_eval.benchmarks.document import Document
from sf_eval.harness.plan import RunPlan, TaskPlan, make_plan
from sf_eval.harness.recording import RunOutput
from sf_eval.harness.settings import RunSettings, parse_limit
from sf_eval.report import leaderboard
from sf_eval.report.run_answer import answer
from sf_eval.report.run_profile_record import CostRecord, FlopsRecord, RunProfile, Who
from sf_eval.report.run_report import Report, show
from sf_eval.video import VideoErrorReason

LIMIT = 8


def planned(folder: Path, tasks: str) -> RunPlan:
    limit = parse_limit(str(LIMIT))
    return make_plan(RunSettings(model="mini", tasks=tasks, data="mini", limit=limit, output=folder / "out"))


def played(plan: RunPlan, play: Player) -> RunOutput:
    plan.output.mkdir(parents=True, exist_ok=True)
    return finished(plan, play).output


def cost(who: Who, prefill: float, total: float, seconds: float | None) -> CostRecord:
    flops = FlopsRecord(
        vision_flops=total - prefill, projector_flops=0, pooling_flops=0, prefill_flops=prefill,
        cross_attention_flops=0, decode_flops=0, total_flops=total,
    )  # fmt: skip
    return CostRecord(
        group="all", who=who, questions=LIMIT, flops=flops, flops_per_correct=None, seconds=seconds
    )


PROFILE = RunProfile.model_construct(
    flops=[cost("model", 115e6, 588e6, 0.25), cost("same_budget", 100e6, 147e6, None)]
)
COST = (
    "Per question 588 MFLOP end to end and 250.0 ms: 4.00 times the FLOPs of self-attention only on as many "
    "frames as this model has fast ones, in the LLM's prefill 1.15 times."
)


def test_one_benchmark_is_said_with_its_interval_and_what_it_cost(tmp_path: Path) -> None:
    output = played(planned(tmp_path, "videomme"), at_random(1, 0.6))
    (task,) = output.record.tasks
    score = task.score
    assert score.interval95 is not None
    low, high = score.interval95
    assert answer(output, PROFILE) == [
        f"Model mini, 64 frames, untrained: {score.accuracy:.1f}% of Video-MME right "
        f"[{low:.1f}, {high:.1f}].",
        COST,
    ]


def test_of_many_benchmarks_the_lowest_and_the_highest_are_named(tmp_path: Path) -> None:
    def knows_all_but_mlvu(task: TaskPlan, document: Document) -> str:
        return (at_random(3, 0.2) if task.benchmark.name == "mlvu" else right)(task, document)

    output = played(planned(tmp_path, "mlvu,videomme,egoschema_subset,mvbench"), knows_all_but_mlvu)
    first, *_ = answer(output, PROFILE)
    assert "on 4 benchmarks, from " in first
    assert first.index("of MLVU (dev) right") < first.index(" to 100.0% of ")


def test_what_failed_is_said_by_kind_with_the_coverage(tmp_path: Path) -> None:
    def fails_first(task: TaskPlan, document: Document) -> str | None:
        return None if document.index < 2 else right(task, document)

    output = played(planned(tmp_path, "videomme"), fails_first)
    assert answer(output, PROFILE)[1] == (
        "2 of 8 questions failed and are in no score (2 decode_error): coverage 75.0%."
    )


def test_damaged_files_are_counted_and_nothing_else_is_called_damaged(tmp_path: Path) -> None:
    """One file known to be bad, one other asked about twice, and what is no damage of a file."""
    of_film: list[tuple[str, VideoErrorReason | None]] = [
        ("YcU9d-RPEog", VideoErrorReason.not_decodable),
        ("a", VideoErrorReason.ends_early),
        ("a", VideoErrorReason.ends_early),
        ("b", VideoErrorReason.empty),
        ("c", VideoErrorReason.bad_range),
        ("d", VideoErrorReason.unsupported),
        ("e", VideoErrorReason.crashed),
        ("f", None),  # of an older record
    ]
    output = played(planned(tmp_path, "videomme"), lambda *_: None)
    samples = [
        sample.model_copy(update={"video": film, "video_error": why})
        for sample, (film, why) in zip(output.samples, of_film, strict=True)
    ]
    assert answer(replace(output, samples=samples), PROFILE)[1].endswith(
        "coverage 0.0%. Files that cannot be decoded: 1 known bad, 2 not on the list (more likely damaged "
        "here)."
    )


def test_answers_whose_truth_is_not_public_are_no_score(tmp_path: Path) -> None:
    output = played(planned(tmp_path, "egoschema"), lambda *_: "A")
    assert answer(output, PROFILE)[0] == "Model mini, 64 frames, untrained: no answer could be judged."


def on_screen(output: RunOutput, **options: bool) -> str:
    console = Console(file=io.StringIO(), width=100)
    show(output, Report(PROFILE, None), console, **options)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_screen_is_the_answer_then_a_table_then_the_files(tmp_path: Path) -> None:
    output = played(planned(tmp_path, "videomme,mvbench"), at_random(1, 0.6))
    shown = " ".join(on_screen(output).split())
    places = [shown.index(sentence) for sentence in answer(output, PROFILE)]
    places += [shown.index("Measured:"), shown.index(f"Details in {output.folder}: samples.jsonl")]
    assert places == sorted(places)
    assert "Reported:" not in shown
    for note in leaderboard.caveats(output.record):
        assert note in shown


@pytest.mark.parametrize("answered", [True, False])
def test_a_group_is_one_line_on_the_screen_also_where_it_is_not_complete(
    tmp_path: Path, answered: bool
) -> None:
    pose = "mvbench_fine_grained_pose"

    def play(task: TaskPlan, document: Document) -> str | None:
        return right(task, document) if answered or task.benchmark.name != pose else None

    record = played(planned(tmp_path, "mvbench"), play).record
    assert [entry.name for entry in leaderboard.entries(record, folded=True)] == ["mvbench"]
    (row,) = leaderboard.measured_table(record, folded=True).rows
    assert row[0] == ("MVBench" if answered else "MVBench (19 of 20 subtasks, without fine_grained_pose)")
    assert len(leaderboard.entries(record)) == (1 if answered else 21)


def test_questions_left_out_of_a_group_are_one_count(tmp_path: Path) -> None:
    limit = parse_limit("2")
    settings = RunSettings(model="mini", tasks="mvbench", data="mini", limit=limit, output=tmp_path / "out")
    record = played(make_plan(settings), right).record
    assert "Not all questions were asked: MVBench 40 of 120." in leaderboard.caveats(record)
