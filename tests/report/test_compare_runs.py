"""`sf-eval compare`: folders of runs and lmms-eval's logs become the comparison that one command makes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from test_comparison import Player, at_random, finished, right, wrong

from sf_eval.cli.main import _run
from sf_eval.core import files
from sf_eval.core.errors import DataError, OutputError, UsageError
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.settings import RunSettings
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.budget import budget_svg, measured_points, published_points
from sf_eval.report.comparison.build import build
from sf_eval.report.comparison.community import community_table
from sf_eval.report.comparison.finished import Finished
from sf_eval.report.comparison.gate import GateBy, check_names, gated, parse_gate
from sf_eval.report.comparison.lmms_logs import Unread, matched, read_log
from sf_eval.report.comparison.reading import contestants
from sf_eval.report.comparison.record import ComparisonRecord
from sf_eval.scoring import paired
from sf_eval.scoring.paired import Judged

STOCK = Path(__file__).parent / "stock_lmms_eval"
"""Made once by the stock command, of a Qwen2.5-VL of 2 layers with random weights (its README)."""

TASKS = "videomme,mlvu,mvbench_action_count"
SAME = {"created", "command", "runs", "gains"}


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    output = tmp_path_factory.mktemp("compare") / "run"
    output.mkdir()
    return make_plan(RunSettings(model="mini", tasks=TASKS, data="mini", output=output))


@pytest.fixture(scope="module")
def saved(plan: RunPlan, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Path, Finished]]:
    """A run in a folder of its own, in which `play` was the model."""

    def save(name: str, play: Player, **options: Any) -> tuple[Path, Finished]:
        folder = tmp_path_factory.mktemp("runs") / name
        folder.mkdir()
        run = finished(replace(plan, output=folder), play, name=name, **options)
        files.write_json(folder / "profile.json", run.profile)
        return folder, run

    return save


@pytest.fixture(scope="module")
def two(saved: Callable[..., tuple[Path, Finished]]) -> dict[str, tuple[Path, Finished]]:
    return {"good": saved("good", at_random(1, 0.8)), "bad": saved("bad", at_random(2, 0.4), frames=16)}


@pytest.fixture(scope="module")
def compared(two: dict[str, tuple[Path, Finished]]) -> ComparisonRecord:
    return build(contestants([path for path, _ in two.values()]))


def edited(folder: Path, to: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> Path:
    """A copy of a run whose samples went through `change`; None drops one."""
    shutil.copytree(folder, to)
    lines = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    kept = [changed for line in lines if (changed := change(line)) is not None]
    (to / "samples.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in kept))
    return to


# --- folders -----------------------------------------------------------------------------------------------


def test_two_folders_give_the_numbers_of_one_command_to_the_last_digit(
    two: dict[str, tuple[Path, Finished]], compared: ComparisonRecord
) -> None:
    one_command = build({name: run for name, (_, run) in two.items()})
    assert compared.gains == one_command.gains
    assert compared.model_dump(exclude=SAME) == one_command.model_dump(exclude=SAME)
    for ours, theirs in zip(compared.runs, one_command.runs, strict=True):
        assert ours.model_copy(update={"folder": None}) == theirs
        assert ours.folder == str(two[ours.name][0])


def test_the_folder_of_a_comparison_stands_for_its_runs(
    two: dict[str, tuple[Path, Finished]], compared: ComparisonRecord, tmp_path: Path
) -> None:
    for name, (path, _) in two.items():
        shutil.copytree(path, tmp_path / "both" / name)
    state = {
        "schema_version": 2,
        "plan": {"comparison": True, "runs": {name: {} for name in two}},
        "complete": True,
    }
    (tmp_path / "both" / "run.json").write_text(json.dumps(state))
    assert build(contestants([tmp_path / "both"])).gains == compared.gains


def test_runs_of_one_name_are_called_by_their_folders(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    for name, (path, _) in two.items():
        shutil.copytree(path, tmp_path / name / "run")
    assert list(contestants([tmp_path / "good" / "run", tmp_path / "bad" / "run"])) == ["good/run", "bad/run"]


def test_outputs_are_read_by_todays_extractor(two: dict[str, tuple[Path, Finished]], tmp_path: Path) -> None:
    path, run = two["good"]

    def misread(line: dict[str, Any]) -> dict[str, Any]:
        return {**line, "outcome": "wrong", "answer": None}

    old = edited(path, tmp_path / "old", misread)
    read = contestants([old, path])["old"]
    assert read.tasks == run.record.tasks
    right_then = sum(sample.outcome == "correct" for sample in run.samples)
    assert f"{right_then} answers are read otherwise" in " ".join(read.notes)


def test_questions_are_matched_by_id_not_by_row(
    two: dict[str, tuple[Path, Finished]], compared: ComparisonRecord, tmp_path: Path
) -> None:
    moved = edited(two["bad"][0], tmp_path / "bad", lambda line: {**line, "doc_id": line["doc_id"] + 1000})
    assert build(contestants([two["good"][0], moved])).gains == compared.gains


def test_what_cannot_be_matched_is_counted_and_named(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    def change(line: dict[str, Any]) -> dict[str, Any] | None:
        if line["task"] == "videomme" and line["doc_id"] == 0:
            return None
        if line["task"] == "videomme" and line["doc_id"] == 1:
            return {**line, "options": {**line["options"], "A": "something else"}}
        return line

    fewer = edited(two["bad"][0], tmp_path / "bad", change)
    record = build(contestants([two["good"][0], fewer]))
    (gain,) = record.gains
    assert gain.unmatched is not None
    first, second = (sample.question_id for sample in two["good"][1].samples[:2])
    assert gain.unmatched.only_tested == [f"videomme/{first}"]
    assert gain.unmatched.differing == [f"videomme/{second}"]
    assert gain.unmatched.only_reference == []
    whole = sum(sample.task == "videomme" for sample in two["good"][1].samples)
    assert {pair.n for pair in gain.by_benchmark if pair.benchmark == "videomme"} == {whole - 2}


def test_it_says_where_two_runs_did_not_show_the_same(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    def shown(frames: str, pixels: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda line: {
            **line,
            "frames_digest": frames if line["doc_id"] == 1 else "same",
            "pixels_digest": (frames if line["doc_id"] == 1 else "")
            + (pixels if line["doc_id"] == 2 else "x"),
        }

    one = edited(two["good"][0], tmp_path / "one", shown("1", "1"))
    other = edited(two["bad"][0], tmp_path / "other", shown("2", "2"))
    (gain,) = build(contestants([one, other])).gains
    names = {(s.task, s.doc_id): f"{s.task}/{s.question_id}" for s in two["good"][1].samples}
    assert gain.shown is not None
    assert gain.shown.unknown == 0
    assert gain.shown.other_frames == sorted(name for (_, row), name in names.items() if row == 1)
    assert gain.shown.other_pixels == sorted(name for (_, row), name in names.items() if row == 2)
    (before,) = build(contestants([two["good"][0], one])).gains
    assert before.shown is not None
    assert (before.shown.compared, before.shown.unknown) == (0, len(names))


def test_flips_are_listed_both_ways(
    compared: ComparisonRecord, two: dict[str, tuple[Path, Finished]]
) -> None:
    good, bad = (
        {(s.task, s.question_id): s.outcome == "correct" for s in run.samples} for _, run in two.values()
    )
    (gain,) = compared.gains
    flips = {(flip.task, flip.question_id): flip.gained for flip in gain.flips}
    assert flips == {key: good[key] for key in good if good[key] != bad[key]}
    for pair in gain.by_benchmark:
        task = "mvbench_action_count" if pair.benchmark == "mvbench" else pair.benchmark
        own = [gained for (name, _), gained in flips.items() if name == task]
        assert (pair.gained, pair.lost) == (sum(own), len(own) - sum(own))


def test_agreement_is_the_share_of_the_same_letters(
    plan: RunPlan, two: dict[str, tuple[Path, Finished]]
) -> None:
    run = two["good"][1]
    (same,) = build({"one": run, "two": run}).gains
    assert same.overall is not None
    assert same.overall.agreement == 100
    (never,) = build({"one": finished(plan, right), "two": finished(plan, wrong)}).gains
    assert never.overall is not None
    assert never.overall.agreement == 0


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: [path], "two runs or more"),
        (lambda path: [path, path], "is named twice"),
        (lambda path: [path, path.parent / "nowhere"], "does not exist"),
        (lambda path: [path, path.parent], "holds no results.json"),
    ],
)
def test_a_mistake_is_one_clear_line(
    two: dict[str, tuple[Path, Finished]], make: Callable[[Path], list[Path]], complaint: str, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(two["good"][0], tmp_path / "deep" / "good"))
    with pytest.raises((UsageError, OutputError), match=complaint):
        contestants(make(path))


def test_mini_data_are_not_compared_with_a_benchmark(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    real = Path(shutil.copytree(two["bad"][0], tmp_path / "real"))
    results = json.loads((real / "results.json").read_text())
    for task in results["planned"]:
        task["is_mini"] = False
    (real / "results.json").write_text(json.dumps(results))
    with pytest.raises(UsageError, match="Compare like with like"):
        contestants([two["good"][0], real])


# --- lmms-eval's logs --------------------------------------------------------------------------------------


def test_a_stock_log_of_another_model_on_our_task_is_compared(two: dict[str, tuple[Path, Finished]]) -> None:
    record = build(contestants([two["good"][0], STOCK]))
    _, log = record.runs
    assert log.source == "lmms-eval"
    assert log.num_frames is None
    assert log.title == "stock_lmms_eval (lmms-eval log)"
    assert record.unread == []
    lines = [json.loads(line) for line in next(STOCK.rglob("*.jsonl")).read_text().splitlines()]
    (pair,) = record.gains[0].by_benchmark
    assert (pair.benchmark, pair.n) == ("videomme", len(lines))
    by_id = {s.question_id: s for s in two["good"][1].samples if s.task == "videomme"}
    own = [by_id[line["accuracy"]["question_id"]].outcome == "correct" for line in lines]
    assert pair.tested == pytest.approx(100 * sum(own) / len(own))
    (gain,) = record.gains
    assert gain.mean_over == ["videomme"], "the mean is over what both were asked"
    assert gain.overall is not None
    assert gain.overall.difference == pair.difference
    assert gain.left_out == 0


def log_of(samples: list[dict[str, Any]], folder: Path, task: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"20260101_000000_samples_{task}.jsonl"
    path.write_text("".join(f"{json.dumps(sample)}\n" for sample in samples))
    return path


def built_in(run: Finished, task: str, metric: Callable[[Any], dict[str, Any]]) -> list[dict[str, Any]]:
    """What lmms-eval's own task of the benchmark logs of a model that answers A."""
    return [
        {
            "doc_id": sample.doc_id,
            "target": sample.target,
            "filtered_resps": "A",
            "resps": [["<think>B?</think> The best answer is: A"]],
            "input": "\n".join(f"{letter}. {text}" for letter, text in sample.options.items()),
            "some_score": metric(sample),
        }
        for sample in run.samples
        if sample.task == task
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "metric"),
    [
        ("videomme", "videomme", lambda sample: {"question_id": sample.question_id}),
        ("mlvu", "mlvu_dev", lambda sample: {"question_id": "the question's text"}),
        ("mvbench_action_count", "mvbench_action_count", lambda sample: {"pred_answer": "A"}),
    ],
)
def test_a_log_of_a_built_in_task_is_matched_by_id_or_row(
    two: dict[str, tuple[Path, Finished]],
    tmp_path: Path,
    ours: str,
    theirs: str,
    metric: Callable[[Any], dict[str, Any]],
) -> None:
    path, run = two["good"]
    log = log_of(built_in(run, ours, metric), tmp_path / "model", theirs)
    found = matched(read_log(log), run.samples)
    assert found.unread == {}
    asked = [sample for sample in run.samples if sample.task == ours]
    assert [sample.question_id for sample in found.samples] == [sample.question_id for sample in asked]
    assert {sample.answer for sample in found.samples} == {"A"}
    truth = sum(sample.target == "A" for sample in asked) / len(asked)
    assert contestants([path, log])[log.stem].tasks[0].micro.accuracy == pytest.approx(100 * truth)


BUILT_IN = Path(__file__).parent / "builtin_lmms_eval"
"""Made once by lmms-eval's own tasks of both benchmarks, on the mini edition (make_logs.py there)."""


def test_logs_that_built_in_tasks_wrote_of_egoschema_and_longvideobench_are_compared(
    plan: RunPlan, tmp_path: Path
) -> None:
    tasks = ("egoschema_subset", "longvideobench", "longvideobench_interleaved")
    settings = RunSettings(model="mini", tasks=",".join(tasks), data="mini", output=tmp_path)
    ours = finished(make_plan(settings), right)
    found = matched(read_log(BUILT_IN), ours.samples)
    assert found.unread == {}
    logged = {path.stem.partition("_samples_")[2]: path for path in BUILT_IN.glob("*.jsonl")}
    theirs = {"longvideobench": "longvideobench_val_v", "longvideobench_interleaved": "longvideobench_val_i"}
    for task in tasks:
        lines = [json.loads(line) for line in logged[theirs.get(task, task)].read_text().splitlines()]
        samples = [sample for sample in found.samples if sample.task == task]
        assert [(sample.doc_id, sample.output) for sample in samples] == [
            (line["doc_id"], line["filtered_resps"]) for line in lines
        ]
        # What they call the right option is what our adapters do.
        assert ["ABCDE".index(sample.target or "") for sample in samples] == [
            int(line["target"]) for line in lines
        ]
    by_id = [
        json.loads(line)["lvb_acc"]["id"] for line in logged["longvideobench_val_v"].read_text().splitlines()
    ]
    assert [sample.question_id for sample in found.samples if sample.task == "longvideobench"] == by_id
    files.write_json(tmp_path / "profile.json", ours.profile)
    (gain,) = build(contestants([tmp_path, BUILT_IN])).gains
    assert {pair.benchmark: pair.n for pair in gain.by_benchmark} == dict.fromkeys(tasks, 8)


def test_what_built_in_tasks_have_and_we_have_not_is_named(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    """By likelihood, or without public truth."""
    lines = [{"doc_id": 3, "target": "1", "filtered_resps": "A", "input": "What?"}]
    for task in ("egoschema_subset_mcppl", "longvideobench_test_v"):
        log_of(lines, tmp_path, task)
    found = matched(read_log(tmp_path), two["good"][1].samples)
    assert found.unread == {
        Unread.no_benchmark: ["egoschema_subset_mcppl/3", "longvideobench_test_v/3"],
    }


def test_a_number_that_is_an_option_may_be_the_options_number(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    """LongVideoBench and EgoSchema log the place of the right option, MVBench its text."""
    _, run = two["good"]
    (asked, *_) = [sample for sample in run.samples if sample.task == "videomme"]
    question = asked.model_copy(update={"options": {"A": "3", "B": "2", "C": "1", "D": "0"}, "target": "B"})
    line = built_in(run, "videomme", lambda sample: {"question_id": sample.question_id})[0]
    line["input"] = "A. 3\nB. 2\nC. 1\nD. 0"
    for target, is_read in (("1", True), ("2", True), ("B", True), ("3", False), ("0", False)):
        log = log_of([{**line, "target": target}], tmp_path, "videomme")
        found = matched(read_log(log), [question])
        assert (found.unread == {}) == is_read
        assert is_read or list(found.unread) == [Unread.other_truth]


def test_a_line_whose_question_is_not_certain_is_not_counted(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    _, run = two["good"]
    lines = built_in(run, "videomme", lambda sample: {"question_id": sample.question_id})
    lines[0]["target"] = "B" if lines[0]["target"] == "A" else "A"
    lines[1]["input"] = "\n".join(reversed(lines[1]["input"].split("\n")))
    lines[2]["some_score"] = {"question_id": "unheard of"}
    lines[2]["doc_id"] = 999_999
    lines[4] = {**lines[3], "doc_id": lines[4]["doc_id"]}
    lines[5]["resps"] = [[{"tool": 1}]]
    found = matched(read_log(log_of(lines, tmp_path, "videomme")), run.samples)
    rows = [line["doc_id"] for line in lines]
    assert found.unread == {
        Unread.other_truth: [f"videomme/{rows[0]}"],
        Unread.other_options: [f"videomme/{rows[1]}"],
        Unread.not_asked: ["videomme/999999"],
        Unread.repeated: [f"videomme/{rows[4]}"],
        Unread.no_text: [f"videomme/{rows[5]}"],
    }
    assert len(found.samples) == len(lines) - 5


def test_without_a_prompt_only_the_id_says_which_question_it_was(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path
) -> None:
    """The row and the right letter alone are those of any other edition of the data, too."""
    _, run = two["good"]
    by_id = built_in(run, "videomme", lambda sample: {"question_id": sample.question_id})
    by_row = built_in(run, "videomme", lambda sample: {"pred_answer": "A"})
    half = len(by_id) // 2
    lines = [*by_id[:half], *by_row[half:]]
    for number, line in enumerate(lines):
        if number % 2:
            del line["input"]
        else:
            line["input"] = " \n"
    found = matched(read_log(log_of(lines, tmp_path, "videomme")), run.samples)
    assert found.unread == {Unread.no_prompt: [f"videomme/{line['doc_id']}" for line in by_row[half:]]}
    assert len(found.samples) == half


@pytest.mark.parametrize("unused", ["resps", "filtered_resps"])
def test_one_of_the_two_forms_of_an_answer_is_enough(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path, unused: str
) -> None:
    _, run = two["good"]
    lines = built_in(run, "mlvu", lambda sample: {"question_id": sample.question_id})
    for line in lines:
        del line[unused]
    found = matched(read_log(log_of(lines, tmp_path, "mlvu")), run.samples)
    assert found.unread == {}
    assert {sample.answer for sample in found.samples} == {"A"}


def test_logs_that_say_nothing_are_refused(two: dict[str, tuple[Path, Finished]], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold its questions"):
        contestants([STOCK, log_of([], tmp_path / "empty", "videomme")])
    other = log_of(
        [{"doc_id": 0, "target": "A", "filtered_resps": "A", "input": ""}], tmp_path / "other", "mmmu_val"
    )
    with pytest.raises(UsageError, match="1: its task is none of our benchmarks"):
        contestants([two["good"][0], other])
    broken = tmp_path / "20260101_samples_videomme.jsonl"
    broken.write_text('{"doc_id": 0}\n')
    with pytest.raises(DataError, match="line 1: no sample of lmms-eval"):
        contestants([two["good"][0], broken])


# --- verdicts and the gate ---------------------------------------------------------------------------------


def test_the_verdict_is_a_sentence_with_its_numbers(compared: ComparisonRecord) -> None:
    (gain,) = compared.gains
    assert gain.verdict is not None
    assert gain.overall is not None
    assert gain.verdict.verdict == gain.overall.verdict == "better"
    assert gain.verdict.sentence.startswith("good is better than bad in the mean over 3 benchmarks: +")
    for number in (gain.overall.difference.value, gain.overall.tested, gain.overall.reference):
        assert f"{number:.1f}" in gain.verdict.sentence
    assert f"{gain.overall.n} questions about {gain.overall.videos} videos" in gain.verdict.sentence


def test_a_difference_that_is_not_shown_says_what_would_have_been(
    two: dict[str, tuple[Path, Finished]],
) -> None:
    run = two["good"][1]
    (few,) = build({"one": run, "two": run}, tell=0.5).gains
    assert few.verdict is not None
    assert few.verdict.verdict == "too_few"
    assert "Too few questions to tell one from two" in few.verdict.sentence
    assert "such videos" in few.verdict.sentence
    (enough,) = build({"one": run, "two": run}, tell=1000).gains
    assert enough.verdict is not None
    assert enough.verdict.verdict == "no_difference"
    assert "points would have been seen (power 80%)" in enough.verdict.sentence


def test_two_videos_are_no_verdict_in_any_place(plan: RunPlan) -> None:
    """Both gained: neither sentence, nor table, nor the gate by the interval takes it for a difference."""
    alone = replace(plan, tasks=tuple(t for t in plan.tasks if t.benchmark.name == "mvbench_action_count"))
    record = build({"all": finished(alone, right), "none": finished(alone, wrong)})
    (gain,) = record.gains
    assert gain.overall is not None
    assert gain.verdict is not None
    assert (gain.overall.videos, gain.overall.difference.value) == (2, 100)
    assert gain.verdict.verdict == gain.overall.verdict == gain.by_benchmark[0].verdict == "too_few"
    assert "Fewer than 6 videos show no difference, however large; 5 points take" in gain.verdict.sentence
    assert answer(record)[0].startswith("No difference in accuracy is shown between all and none")
    assert not gated(parse_gate("mean>=-1"), record, GateBy.low).passed


@pytest.mark.parametrize(
    ("gate", "by", "passes"),
    [
        ("mean>=0", GateBy.estimate, True),
        ("mean>0,videomme>=-1.0", GateBy.low, True),
        ("mean>=99", GateBy.high, False),
        ("videomme >= +1, mlvu>200", GateBy.estimate, False),
    ],
)
def test_the_gate_opens_if_every_difference_is_large_enough(
    compared: ComparisonRecord, gate: str, by: GateBy, passes: bool
) -> None:
    conditions = parse_gate(gate)
    check_names(conditions, compared)
    result = gated(conditions, compared, by)
    assert result.passed is passes
    assert result.sentence.startswith("Gate open" if passes else "Gate closed")
    (gain,) = compared.gains
    assert gain.verdict is not None
    assert gain.verdict.sentence in result.sentence


@pytest.mark.parametrize(
    ("first", "second", "gate", "holds"),
    [(27, 28, "x>=-2", True), (27, 28, "x>-2", False), (29, 28, "x>=2", True), (28, 27, "x>2", False),
     (28, 29, "x>=-1.9", False), (29, 28, "x>1.9", True)],
)  # fmt: skip
def test_a_gate_at_exactly_the_difference_is_decided_by_its_sign(
    first: int, second: int, gate: str, holds: bool
) -> None:
    """One question of 50 is 2 points, whatever the last digit of the float."""
    items = [Judged(str(number), "", (number < first, number < second)) for number in range(50)]
    _, each = paired.compare({"x": items}, ["x"], resamples=10)
    (condition,) = parse_gate(gate)
    assert condition.holds(each["x"].difference.value) is holds


def test_what_cannot_be_told_does_not_open_the_gate(plan: RunPlan) -> None:
    def fails(task: Any, document: Any) -> str | None:
        return None if task.benchmark.name == "mlvu" else right(task, document)

    record = build({"one": finished(plan, right), "two": finished(plan, fails)})
    result = gated(parse_gate("mean>=-50"), record, GateBy.estimate)
    assert not result.passed
    assert "mean>=-50 against two cannot be told" in result.sentence


@pytest.mark.parametrize("gate", ["mean", "mean=>0", "mean>=", "", "mean>=0,", "mean>=1e3x"])
def test_a_gate_that_means_nothing_is_refused(gate: str) -> None:
    with pytest.raises(UsageError, match="--gate"):
        parse_gate(gate)


def test_a_gate_on_what_is_not_compared_is_refused(compared: ComparisonRecord) -> None:
    with pytest.raises(UsageError, match=r"videome is not compared\. Did you mean videomme"):
        check_names(parse_gate("videome>=0"), compared)


# --- the command -------------------------------------------------------------------------------------------


def test_the_command_writes_what_it_says_and_the_gate_is_its_exit_code(
    two: dict[str, tuple[Path, Finished]], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COLUMNS", "300")
    good, bad = (str(path) for path, _ in two.values())
    out = tmp_path / "out"
    assert _run(["compare", good, bad, "--output", str(out), "--gate", "mean>=0"]) == 0
    record = ComparisonRecord.model_validate_json((out / "comparison.json").read_text())
    said = capsys.readouterr().out
    (gain,) = record.gains
    assert gain.verdict is not None
    assert said.startswith(gain.verdict.sentence)
    assert "Gate open: mean>=0 against bad holds" in said
    page = (out / "comparison.md").read_text()
    assert "How sure: good against each" in page
    assert _run(["compare", bad, good, "--output", str(out), "--gate", "mean>=0"]) == 1, (
        "its own may be replaced"
    )
    assert _run(["compare", bad, good, "--gate", "nothing"]) == 2
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    assert _run(["compare", bad, good, "--output", str(tmp_path / "mine")]) == 2


def test_a_partial_run_is_called_so(two: dict[str, tuple[Path, Finished]], tmp_path: Path) -> None:
    stopped = Path(shutil.copytree(two["bad"][0], tmp_path / "stopped"))
    results = json.loads((stopped / "results.json").read_text())
    (stopped / "results.json").write_text(json.dumps({**results, "complete": False}))
    record = build(contestants([two["good"][0], stopped]))
    assert [run.complete for run in record.runs] == [True, False]
    assert any(note.startswith("stopped: The run was stopped before its end") for note in record.notes)


# --- as papers report it -----------------------------------------------------------------------------------


def test_the_community_table_says_what_was_measured_and_its_ratios(plan: RunPlan) -> None:
    record = build(
        {"many": finished(plan, right, frames=64), "few": finished(plan, at_random(1, 0.5), frames=16)}
    )
    table = community_table(record)
    assert table is not None
    many, few = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    assert (many["ratio, LLM"], many["ratio, all"], few["ratio, all"]) == ("400.0%", "400.0%", "100.0%")
    assert (many["TTFT"], many["tower"], many["LLM"]) == ("200.0 ms", "100.0 ms", "100.0 ms")
    assert many["samples/s"] == f"{plan.total / 0.9:.3g}"
    means = [run.mean.value for run in record.runs if run.mean is not None]
    assert many["of ref. %"] == f"{100 * means[0] / means[1]:.1f}"
    (row,) = (run.community for run in record.runs[:1])
    assert row is not None
    assert row.retained is None, "this model's configuration says nothing of its tokens"


def test_points_at_one_budget_are_relative_to_the_fewest_frames(plan: RunPlan) -> None:
    """Every run here has 16 visual tokens in its prompt."""
    record = build(
        {"many": finished(plan, right, frames=64), "few": finished(plan, at_random(1, 0.5), frames=16)}
    )
    few, many = measured_points(record)
    (gain,) = record.gains
    assert (few.frames, few.relative_accuracy) == (16, 100)
    assert gain.overall is not None
    assert gain.overall.relative is not None
    assert many.relative_accuracy == pytest.approx(100 + gain.overall.relative.value)
    assert many.interval95 is not None
    plot = budget_svg(record)
    assert plot == budget_svg(record)
    assert plot is not None
    assert "mini edition" in plot
    for point in published_points():
        assert f"reported: {point.system}" in plot
    assert budget_svg(build({"one": finished(plan, right), "two": finished(plan, wrong)})) is None


def test_nothing_is_said_of_a_tower_or_a_budget_where_nobody_knows_the_visual_tokens(plan: RunPlan) -> None:
    """As of an endpoint: "vision" is the making of JPEGs, the process is the client."""

    def unknown(run: Finished) -> Finished:
        first, *others = run.samples
        some = [first.model_copy(update={"fast_tokens": None}), *others]
        return replace(run, output=replace(run.output, samples=some))

    record = build(
        {
            "many": unknown(finished(plan, right, frames=64)),
            "few": unknown(finished(plan, at_random(1, 0.5), frames=16)),
        }
    )
    for run in record.runs:
        row = run.community
        assert row is not None
        assert row.frames
        assert row.wall_s
        assert (row.visual_tokens, row.tower_s, row.other_s, row.llm_s) == (None, None, None, None)
        assert (row.tokens_per_s, row.peak_bytes, row.retained) == (None, None, None)
    table = community_table(record)
    assert table is not None
    (cells, _) = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    unmeasured = ("visual tokens", "TTFT", "tower", "other", "LLM", "tokens/s", "peak memory")
    assert {cells[name] for name in unmeasured} == {"–"}
    assert budget_svg(record) is None


@pytest.mark.parametrize("tokens", [0.0, None])
def test_no_visual_tokens_are_no_budget(plan: RunPlan, tokens: float | None) -> None:
    record = build({"many": finished(plan, right, frames=64), "few": finished(plan, right, frames=16)})
    runs = [
        run.model_copy(
            update={"community": run.community and run.community.model_copy(update={"visual_tokens": tokens})}
        )
        for run in record.runs
    ]
    assert measured_points(record)
    assert measured_points(record.model_copy(update={"runs": runs})) == []


def test_published_points_have_their_sources() -> None:
    points = published_points()
    assert {point.system for point in points} == {"FlashVID", "UniComp"}
    assert all("arXiv" in point.source and point.frames > point.reference_frames for point in points)
