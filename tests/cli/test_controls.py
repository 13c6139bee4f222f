"""`--control` and `--options shuffled`: ordinary runs under names of their own, and what they show."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sf_eval.cli.main import _run
from sf_eval.harness.finished import read_finished
from sf_eval.harness.record import RunRecord
from sf_eval.harness.recorded.samples import QuestionRecord, SampleRecord
from sf_eval.report.comparison.record import ComparedRun, ComparisonRecord
from sf_eval.report.export.exported import Exported

TASKS = ("videomme", "longvideobench")
RUN = (
    "run",
    "--model",
    "mini",
    "--data",
    "mini",
    "--tasks",
    ",".join(TASKS),
    "--limit",
    "20",
    "--num-frames",
    "8",
)
FOLDERS = {
    "mini": "mini",
    "mini (blind)": "mini-blind",
    "mini (shuffled)": "mini-shuffled",
    "choice": "choice",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model and its three controls."""
    folder = tmp_path_factory.mktemp("controls") / "out"
    assert _run([*RUN, "--control", "blind,shuffled,choice", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def comparison(out: Path) -> ComparisonRecord:
    return ComparisonRecord.model_validate_json((out / "comparison.json").read_bytes())


def samples_of(run: Path) -> list[SampleRecord]:
    lines = (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [SampleRecord.model_validate_json(line) for line in lines]


def record_of(run: Path) -> RunRecord:
    return RunRecord.model_validate_json((run / "results.json").read_bytes())


def run_called(comparison: ComparisonRecord, name: str) -> ComparedRun:
    return next(run for run in comparison.runs if run.name == name)


def chance_of(samples: list[SampleRecord], task: str) -> float:
    options = [len(sample.options) for sample in samples if sample.task == task]
    return 100 * sum(1 / count for count in options) / len(options)


def test_each_control_is_a_run_of_its_own_under_its_own_name(out: Path, comparison: ComparisonRecord) -> None:
    assert {run.name: run.folder or run.name for run in comparison.runs} == FOLDERS
    for name, folder in FOLDERS.items():
        assert record_of(out / folder).complete
        assert name in (out / "comparison.md").read_text(encoding="utf-8")
    titles = {run.name: run.title for run in comparison.runs}
    assert titles["mini (blind)"] == "Mini slow-fast model (blind), 0 frames"
    assert titles["choice"] == "Most frequent right letter (choice), 0 frames"
    assert {gain.reference for gain in comparison.gains} == {*FOLDERS} - {"mini"}
    assert "Ratios and the last column are to mini." in (out / "comparison.md").read_text(encoding="utf-8")
    assert all(gain.reference in gain.verdict.sentence for gain in comparison.gains if gain.verdict)
    board = (out / "mini-blind" / "leaderboard.md").read_text(encoding="utf-8")
    assert "Mini slow-fast model (blind)" in board
    assert "no video was shown" in board


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["mini (blind)", "mini (shuffled)"])
def test_without_its_video_it_is_at_chance(
    out: Path, comparison: ComparisonRecord, name: str, task: str
) -> None:
    score = next(one.score for one in run_called(comparison, name).scores if one.benchmark == task)
    assert score.interval95 is not None
    low, high = score.interval95
    assert low <= chance_of(samples_of(out / "mini"), task) <= high, score


@pytest.mark.parametrize("task", TASKS)
def test_with_its_video_it_is_not(out: Path, comparison: ComparisonRecord, task: str) -> None:
    score = next(one.score for one in run_called(comparison, "mini").scores if one.benchmark == task)
    assert score.interval95 is not None
    assert score.interval95[0] > chance_of(samples_of(out / "mini"), task)


def test_blind_shows_nothing_and_costs_only_its_words(out: Path, comparison: ComparisonRecord) -> None:
    for sample in samples_of(out / "mini-blind"):
        assert (sample.num_frames, sample.fast_tokens, sample.slow_tokens) == (0, 0, 0)
        assert sample.change is None
    profile = json.loads((out / "mini-blind" / "profile.json").read_bytes())
    costs = next(row["flops"] for row in profile["flops"] if row["group"] == "all" and row["who"] == "model")
    assert costs["vision_flops"] == costs["cross_attention_flops"] == 0
    assert costs["prefill_flops"] > 0
    plain, blind = (run_called(comparison, name).cost for name in ("mini", "mini (blind)"))
    assert plain is not None
    assert blind is not None
    assert blind.total_flops is not None
    assert plain.total_flops is not None
    assert blind.total_flops < plain.total_flops


def test_shuffled_shows_another_video_of_the_same_benchmark_and_records_which(out: Path) -> None:
    plain, shuffled = samples_of(out / "mini"), samples_of(out / "mini-shuffled")
    shown: dict[tuple[str, str], set[str]] = {}
    digest_of = {(sample.task, sample.video): sample.pixels_digest for sample in plain}
    for own, other in zip(plain, shuffled, strict=True):
        assert (own.video, own.options, own.target) == (other.video, other.options, other.target)
        assert other.change is not None
        assert other.change.shown_video is not None
        assert other.change.shown_video != own.video
        assert other.pixels_digest != own.pixels_digest
        seen = digest_of.get((own.task, other.change.shown_video))
        assert seen in (None, other.pixels_digest)  # None: its own questions are beyond --limit
        shown.setdefault((own.task, own.video), set()).add(other.change.shown_video)
    assert all(len(each) == 1 for each in shown.values())
    pairs = [(task, *each) for (task, _), each in shown.items()]
    assert len(set(pairs)) == len(pairs)
    assert record_of(out / "mini-shuffled").conditions.video_seed == 0


def test_choice_is_the_most_frequent_right_letter_and_asks_no_model(out: Path) -> None:
    plain, choice = samples_of(out / "mini"), samples_of(out / "choice")
    for task in TASKS:
        right = Counter(sample.target for sample in plain if sample.task == task)
        for sample in (sample for sample in choice if sample.task == task):
            assert sample.output == max(sorted(sample.options), key=lambda letter: right[letter])
    record = record_of(out / "choice")
    assert record.model.parameters == 0
    assert any("taken from the truth" in note for note in record.notes)


def test_finished_folders_are_compared_under_their_names(sf_eval: Callable[..., Any], out: Path) -> None:
    ended = sf_eval("compare", out / "mini-shuffled", out / "mini", out / "mini-blind")
    assert ended.code == 0, ended.err
    assert "mini (shuffled): Mini slow-fast model (shuffled), 8 frames." in ended.out
    assert "showed other" not in ended.out  # a control does by its nature
    assert "mini (blind)" in ended.out


def test_the_page_names_them(sf_eval: Callable[..., Any], out: Path) -> None:
    ended = sf_eval("view", out, "--no-frames")
    assert ended.code == 0, ended.err
    html = (out / "view" / "index.html").read_text(encoding="utf-8")
    assert "mini against mini (blind), mini (shuffled), choice" in html
    data = "".join(path.read_text(encoding="utf-8") for path in sorted((out / "view" / "data").glob("*.js")))
    assert "another video was shown" in data


def test_what_leaves_the_house_says_what_it_is(out: Path) -> None:
    for folder, name in (("mini-blind", "blind"), ("choice", "choice")):
        exported = Exported(read_finished(out / folder))
        assert exported.file_name("samples", "csv") == f"samples.mini-edition.{name}.subset.csv"
        assert name in exported.alterations()
        assert exported.model_id.startswith("local/")
    assert Exported(read_finished(out / "mini")).alterations() == []


def test_a_control_of_a_comparison_is_resumed_by_itself(out: Path) -> None:
    folder = out / "mini-shuffled"
    before = (folder / "journal.jsonl").read_bytes()
    assert _run([*RUN, "--control", "shuffled", "--control-only", "--output", str(folder)]) == 0
    assert (folder / "journal.jsonl").read_bytes() == before
    assert record_of(folder).resumed == 40


def test_shuffled_options_are_recorded_followed_and_scored_again(
    sf_eval: Callable[..., Any], out: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "o"
    few = (
        "run",
        "--model",
        "mini",
        "--data",
        "mini",
        "--tasks",
        "videomme",
        "--limit",
        "10",
        "--num-frames",
        "4",
    )
    ended = sf_eval(*few, "--options", "shuffled", "--options-seed", "7", "--output", folder)
    assert ended.code == 0, ended.err
    assert "Mini slow-fast model (options shuffled), 4 frames" in ended.out
    record = record_of(folder)
    assert (record.conditions.options, record.conditions.options_seed, record.conditions.order_kept) == (
        "shuffled", 7, 0,
    )  # fmt: skip
    published = {(sample.task, sample.doc_id): sample for sample in samples_of(out / "mini")}
    moved = 0
    for sample in samples_of(folder):
        plain = published[sample.task, sample.doc_id]
        assert sample.change is not None
        assert sample.change.options_order is not None
        assert [plain.options[letter] for letter in sample.change.options_order] == list(
            sample.options.values()
        )
        assert sample.target is not None
        assert plain.target is not None
        assert sample.options[sample.target] == plain.options[plain.target]
        assert all(f"\n{letter}. {text}\n" in sample.prompt for letter, text in sample.options.items())
        moved += sample.options != plain.options
    assert moved >= 7
    compared = sf_eval("compare", folder, out / "mini")
    assert "options or truth differ" not in compared.out
    scores = record.tasks[0].score
    assert sf_eval("score", folder).code == 0
    assert record_of(folder).tasks[0].score == scores
    line = (folder / "questions.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert QuestionRecord.model_validate_json(line).change == samples_of(folder)[0].change
    other = sf_eval(*few, "--options", "shuffled", "--output", folder)
    assert other.code == 2
    assert "options_seed was 7, now 0" in other.err


def test_a_dry_run_names_the_controls(sf_eval: Callable[..., Any]) -> None:
    ended = sf_eval(
        "run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--control",
        "blind,choice", "--control-only", "--dry-run",
    )  # fmt: skip
    assert ended.code == 0, ended.err
    assert "Dry run: Mini slow-fast model (blind), no video" in ended.out
    assert "Most frequent right letter (choice): no model is asked" in ended.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--control", "blnd"), "there is no control called 'blnd'. Did you mean blind?"),
        (("--control", "blind,blind"), "names one twice"),
        (("--control-only",), "--control-only names no control"),
        (
            ("--subtitles", "interleaved"),
            "videomme has no subtitles that can be shown so. It has none, text.",
        ),
    ],
)
def test_mistakes_are_one_clear_line(
    sf_eval: Callable[..., Any], options: tuple[str, ...], says: str
) -> None:
    ended = sf_eval("run", "--model", "mini", "--data", "mini", "--tasks", "videomme", *options)
    assert ended.code == 2
    assert says in ended.err
    assert len(ended.err.strip().splitlines()) == 1
