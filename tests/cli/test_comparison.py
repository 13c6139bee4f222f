"""`sf-eval run` with several models or numbers of frames: ordinary runs, and what they say together."""

from __future__ import annotations

import json
import re
import shutil
import signal
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from zygote import Ended, Zygote, assert_no_workers, shared_zygote

from sf_eval.editions import mini_root
from sf_eval.harness.record import RunRecord
from sf_eval.report.comparison.answer import answer
from sf_eval.report.comparison.record import ComparisonRecord, ShownRecord

# Few frames: these tests are about what is compared, not about what is answered.
TWO = ("run", "--model", "mini,mini-pooled", "--data", "mini")
TASKS = ("--tasks", "videomme,mlvu", "--limit", "6")
WHOLE = (*TWO, *TASKS, "--num-frames", "4")
QUESTIONS = 12
RUNS = ("mini", "mini-pooled")
FILES = {"comparison.json", "comparison.md", "comparison.csv", "comparison.svg"}

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def zygote() -> Zygote:
    return shared_zygote()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compared")


@pytest.fixture(scope="module")
def ended(zygote: Zygote, folder: Path) -> Ended:
    return zygote.run(folder, *WHOLE, "--output", "out")


@pytest.fixture(scope="module")
def out(ended: Ended, folder: Path) -> Path:
    """A comparison that nothing happened to."""
    assert ended.code == 0, ended
    return folder / "out"


def comparison_of(out: Path) -> ComparisonRecord:
    return ComparisonRecord.model_validate_json((out / "comparison.json").read_text(encoding="utf-8"))


def samples_of(run: Path) -> list[dict[str, Any]]:
    """What was asked and answered, without how long it took."""
    lines = (run / "samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [{**json.loads(line), "timings": None} for line in lines]


def times_answered(run: Path) -> Counter[str]:
    path = run / "journal.jsonl"
    whole = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    lines = [json.loads(line.partition(b" ")[2]) for line in whole]
    return Counter(line["digest"] for line in lines if "answer" in line)


def answered(run: Path) -> int:
    return sum(times_answered(run).values())


MEASURED = dict.fromkeys(
    ("tower_s", "other_s", "llm_s", "tokens_per_s", "peak_bytes", "wall_s", "samples_per_s")
)


def without_times(out: Path) -> ComparisonRecord:
    """The comparison, without the process that made it and how long it took."""
    record = comparison_of(out)
    runs = [
        run.model_copy(
            update={
                "cost": run.cost and run.cost.model_copy(update={"latency_s": 0, "resumed": 0}),
                "community": run.community and run.community.model_copy(update=MEASURED),
            }
        )
        for run in record.runs
    ]
    return record.model_copy(update={"created": "", "command": [], "runs": runs})


# --- what there is then ------------------------------------------------------------------------------------


def test_each_run_has_its_folder_and_the_comparison_lies_above_them(out: Path) -> None:
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {
        *FILES, *RUNS, "run.json"
    }  # fmt: skip
    record = comparison_of(out)
    assert [run.name for run in record.runs] == list(RUNS)
    assert [(gain.tested, gain.reference) for gain in record.gains] == [RUNS]
    for run in record.runs:
        results = RunRecord.model_validate_json((out / run.name / "results.json").read_text())
        assert results.complete
        assert [score.score for score in run.scores] == [task.score for task in results.tasks]
        profile = json.loads((out / run.name / "profile.json").read_text())
        (row,) = [row for row in profile["flops"] if (row["group"], row["who"]) == ("all", "model")]
        assert run.cost is not None
        assert run.cost.prefill_flops == row["flops"]["prefill_flops"]
        assert run.cost.total_flops == row["flops"]["total_flops"]
        assert run.cost.latency_s == row["seconds"]
        assert run.cost.questions == QUESTIONS


def test_only_the_slow_path_tells_the_two_apart(out: Path) -> None:
    slow_fast, baseline = (run.cost for run in comparison_of(out).runs)
    assert slow_fast is not None
    assert baseline is not None
    assert slow_fast.fast_tokens == baseline.fast_tokens > 0
    assert slow_fast.slow_tokens > baseline.slow_tokens == 0
    assert slow_fast.prefill_flops > baseline.prefill_flops


SHORT = ("Accuracy and cost per question:", "Percent right by benchmark:")
ALL = (
    "Compared:",
    "Gain of mini by the mean",
    "Gain of mini by benchmark:",
    "By kind of question:",
    "Cost per question:",
)


def test_the_screen_has_the_answer_first_then_two_short_tables_then_the_files(
    ended: Ended, out: Path
) -> None:
    said = " ".join(ended.out.split())
    places = [said.index(" ".join(sentence.split())) for sentence in answer(comparison_of(out))]
    places += [said.index(title) for title in SHORT]
    places += [said.index("Details in")]
    assert places == sorted(places)
    assert "replay of the answers agrees in all 2 runs" in said
    for title in (*ALL, "Measured:", "Reported:", "FLOPs per question", "Measured latency"):
        assert title not in ended.out
    after_the_runs = ended.out[ended.out.index("replay of the answers") :]
    assert len(after_the_runs.splitlines()) < 40
    details = ended.out[ended.out.index("Details in") :]
    assert all(name in details for name in (*FILES, *RUNS))
    page = (out / "comparison.md").read_text()
    assert all(title in page for title in ALL)
    assert "Measured:" in (out / "mini" / "leaderboard.md").read_text()
    assert ended.err == ""


def test_the_screen_has_a_line_a_run(ended: Ended) -> None:
    for name, place in zip(RUNS, ("1 of 2", "2 of 2"), strict=True):
        (line,) = [line for line in ended.out.splitlines() if line.startswith(place)]
        assert line.endswith(f"-> {name}")


@pytest.mark.parametrize("option", ["--tables", pytest.param("--verbose", marks=pytest.mark.thorough)])
def test_all_tables_are_on_the_screen_where_they_are_asked_for(
    zygote: Zygote, out: Path, tmp_path: Path, option: str
) -> None:
    again = shutil.copytree(out, tmp_path / "again")
    ended = zygote.run(tmp_path, *WHOLE, "--output", again, option)
    assert ended.code == 0, ended
    for title in ALL:
        assert ended.out.count(title) == 1


def test_a_run_of_a_comparison_is_the_run_that_it_would_be_alone(
    zygote: Zygote, out: Path, tmp_path: Path
) -> None:
    alone = ("run", "--model", "mini", "--data", "mini", *TASKS, "--num-frames", "4", "--output", "alone")
    assert zygote.run(tmp_path, *alone).code == 0
    assert samples_of(tmp_path / "alone") == samples_of(out / "mini")
    names = {path.name for path in (tmp_path / "alone").iterdir()}
    assert names == {path.name for path in (out / "mini").iterdir()}
    assert not names & FILES


@pytest.mark.thorough
def test_frames_times_models_is_a_run_each(zygote: Zygote, tmp_path: Path) -> None:
    command = (*TWO, "--tasks", "videomme", "--limit", "1", "--num-frames", "2,8", "--output", "out")
    assert zygote.run(tmp_path, *command).code == 0
    record = comparison_of(tmp_path / "out")
    frames = {run.name: run.num_frames for run in record.runs}
    assert frames == {
        "mini-2f": 2, "mini-8f": 8, "mini-pooled-2f": 2, "mini-pooled-8f": 8
    }  # fmt: skip
    for name, count in frames.items():
        (sample,) = samples_of(tmp_path / "out" / name)
        assert sample["num_frames"] == count
    assert {gain.tested for gain in record.gains} == {"mini-2f"}
    assert "frames shown" in (tmp_path / "out" / "comparison.svg").read_text()


def test_one_model_at_several_numbers_of_frames_is_a_comparison_too(zygote: Zygote, tmp_path: Path) -> None:
    command = ("run", "--model", "mini", "--data", "mini", "--tasks", "videomme", "--limit", "1")
    assert zygote.run(tmp_path, *command, "--num-frames", "2,4").code == 0
    (out,) = (tmp_path / "results" / "runs").iterdir()
    assert out.name.endswith("-comparison")
    assert [run.name for run in comparison_of(out).runs] == ["mini-2f", "mini-4f"]


# --- comparing what is there already -----------------------------------------------------------------------


def test_runs_say_what_they_showed_and_that_it_was_the_same(out: Path) -> None:
    for name in RUNS:
        for sample in samples_of(out / name):
            assert re.fullmatch("[0-9a-f]{64}", sample["frames_digest"])
            assert re.fullmatch("[0-9a-f]{64}", sample["pixels_digest"])
    (gain,) = comparison_of(out).gains
    assert gain.shown == ShownRecord(compared=QUESTIONS, unknown=0, other_frames=[], other_pixels=[])


def test_comparing_the_folders_gives_the_numbers_of_the_command_that_ran_them(
    zygote: Zygote, out: Path, tmp_path: Path
) -> None:
    """To the last digit, from copies that lie elsewhere."""
    folders = [shutil.copytree(out / name, tmp_path / name) for name in RUNS]
    ended = zygote.run(tmp_path, "compare", *folders, "--output", "again", "--gate", "mean>=-100")
    assert ended.code == 0, ended
    before, again = comparison_of(out), comparison_of(tmp_path / "again")
    own = {"created", "command", "runs"}
    assert again.model_dump(exclude=own) == before.model_dump(exclude=own)
    for ours, theirs in zip(again.runs, before.runs, strict=True):
        assert ours.model_copy(update={"folder": None}) == theirs
    assert zygote.run(tmp_path, "compare", out, "--gate", "mean>=101").code == 1


# --- resuming ----------------------------------------------------------------------------------------------


def assert_as_if_undisturbed(run: Path, out: Path) -> None:
    assert without_times(run) == without_times(out)
    for name in RUNS:
        assert samples_of(run / name) == samples_of(out / name)
        assert times_answered(run / name) == times_answered(out / name)
        assert set(times_answered(run / name).values()) == {1}
    assert json.loads((run / "run.json").read_text())["complete"] is True


@linux_only
@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.thorough)])
def test_a_comparison_stopped_in_its_second_run_goes_on_there(
    zygote: Zygote, out: Path, tmp_path: Path, number: signal.Signals
) -> None:
    process = zygote.start(tmp_path, *WHOLE)
    runs = tmp_path / "results" / "runs"
    assert process.wait_until(lambda: any(answered(path) >= 2 for path in runs.glob("*/mini-pooled")))
    process.signal(number)
    ended = process.wait()
    assert_no_workers(process.pid)
    (run,) = runs.iterdir()
    assert not {path.name for path in run.iterdir()} & FILES
    assert json.loads((run / "mini" / "run.json").read_text())["complete"] is True
    if number == signal.SIGINT:
        assert ended.code == 130
        assert "Run the same command again" in ended.complaint
    assert zygote.run(tmp_path, *WHOLE).code == 0
    assert list(runs.iterdir()) == [run]
    assert_as_if_undisturbed(run, out)


def test_a_complete_comparison_is_asked_nothing_again(zygote: Zygote, out: Path, tmp_path: Path) -> None:
    again = shutil.copytree(out, tmp_path / "again")
    assert zygote.run(tmp_path, *WHOLE, "--output", again).code == 0
    assert_as_if_undisturbed(again, out)
    assert [run.cost and run.cost.resumed for run in comparison_of(again).runs] == [QUESTIONS] * 2
    assert "earlier process" in (again / "comparison.md").read_text()


@pytest.mark.thorough
def test_a_named_comparison_may_get_more_models_and_tasks(zygote: Zygote, out: Path, tmp_path: Path) -> None:
    more = shutil.copytree(out, tmp_path / "more")
    before = {name: times_answered(more / name) for name in RUNS}
    command = (
        "run", "--model", "mini-pooled,mini", "--data", "mini", "--tasks", "videomme,mlvu,egoschema_subset",
        "--limit", "6", "--num-frames", "4", "--output", more,
    )  # fmt: skip
    assert zygote.run(tmp_path, *command).code == 0
    record = comparison_of(more)
    assert [run.name for run in record.runs] == ["mini-pooled", "mini"]
    assert len(record.benchmarks) == 3
    for name in RUNS:
        after = times_answered(more / name)
        assert sum((after - before[name]).values()) == 6
        assert not before[name] - after


# --- failures and mistakes ---------------------------------------------------------------------------------


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Data of which the first video cannot be read."""
    shutil.copytree(mini_root(["videomme"]) / "videomme", tmp_path / "data" / "videomme")
    (tmp_path / "data" / "videomme" / "data" / "mini-000.mp4").write_bytes(b"no video")
    return tmp_path / "data"


def test_a_failure_in_any_run_makes_the_exit_code_non_zero(
    zygote: Zygote, damaged: Path, tmp_path: Path
) -> None:
    command = (*TWO[:3], "--data", damaged, "--tasks", "videomme", "--limit", "6", "--num-frames", "2")
    ended = zygote.run(tmp_path, *command, "--output", "out")
    assert ended.code == 1
    assert ended.out.count("5 of 6 questions failed") == 2 + 1  # a line a run, and the note of the table
    assert "--output out to try them again" in ended.out
    record = comparison_of(tmp_path / "out")
    assert [score.score.n for run in record.runs for score in run.scores] == [1, 1]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["complete"] is False

    accepting = zygote.run(tmp_path, *command, "--output", "out", "--fail-on-error", "5")
    assert accepting.code == 0


def test_a_stopped_run_stops_the_comparison(zygote: Zygote, damaged: Path, tmp_path: Path) -> None:
    command = (*TWO[:3], "--data", damaged, "--tasks", "videomme", "--limit", "6", "--num-frames", "2")
    ended = zygote.run(tmp_path, *command, "--output", "out", "--fail-on-error", "any")
    assert ended.code == 1
    assert "more than --fail-on-error accepts" in ended.complaint
    assert not (tmp_path / "out" / RUNS[1]).exists()
    assert not (tmp_path / "out" / "comparison.json").exists()


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (("--model", "mini,mni"), "Did you mean mini"),
        (("--model", "mini,"), "a model name is empty"),
        (("--model", "mini,mini"), "--model names mini twice"),
        (("--model", "mini,self-attention-16f"), "only profiled"),
        (("--model", "mini,./mini"), "two of the models are called mini"),
        (("--model", "mini,./nowhere"), "does not exist"),
        (("--model", "mini", "--num-frames", "4,0"), "0 is not in the range"),
        (("--model", "mini", "--num-frames", "4,"), "--num-frames"),
        (("--model", "mini", "--num-frames", "4,8,4"), "has a number twice"),
    ],
)
def test_a_mistake_in_any_of_them_is_one_line_before_any_is_run(
    zygote: Zygote, tmp_path: Path, args: tuple[str, ...], complaint: str
) -> None:
    from sf_eval.core.paths import PACKAGE

    shutil.copytree(PACKAGE / "assets" / "mini", tmp_path / "mini")
    ended = zygote.run(tmp_path, "run", "--data", "mini", "--tasks", "videomme", *args, "--output", "out")
    assert ended.code == 2
    assert complaint in ended.complaint
    assert not (tmp_path / "out").exists()


def test_a_run_and_a_comparison_do_not_take_each_others_directory(
    zygote: Zygote, out: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(out, tmp_path / "copy")
    single = ("run", "--model", "mini", "--data", "mini", *TASKS, "--num-frames", "4", "--output")
    assert "holds another run (comparison was True" in zygote.run(tmp_path, *single, copy).complaint
    assert "holds another run (comparison was None" in zygote.run(
        tmp_path, *WHOLE, "--output", copy / "mini"
    ).complaint  # fmt: skip
    other_data = (*WHOLE, "--dtype", "bfloat16", "--output", copy)
    assert "dtype was 'auto', now 'bfloat16'" in zygote.run(tmp_path, *other_data).complaint
    assert without_times(copy) == without_times(out)


def test_a_dry_run_tells_of_each_run_and_writes_nothing(zygote: Zygote, tmp_path: Path) -> None:
    ended = zygote.run(tmp_path, *WHOLE, "--output", "out", "--dry-run")
    assert ended.code == 0, ended
    assert ended.out.count("Dry run:") == 2
    assert not (tmp_path / "out").exists()


# --- memory ------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_no_model_is_left_when_the_next_is_loaded(
    sf_eval: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sf_eval.harness import opening

    earlier: list[weakref.ref[Any]] = []
    alive: list[int] = []
    load = opening.open_model

    def watched(*args: Any, **options: Any) -> Any:
        alive.append(sum(model() is not None for model in earlier))
        loaded = load(*args, **options)
        earlier.append(weakref.ref(loaded.loaded.model))
        return loaded

    monkeypatch.setattr(opening, "open_model", watched)
    done = sf_eval(
        *TWO, "--tasks", "videomme", "--limit", "1", "--num-frames", "2,4", "--output", tmp_path / "out"
    )
    assert done.code == 0, done
    assert alive == [0, 0, 0, 0]
