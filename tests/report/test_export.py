"""Exports are read by the tools that they are for; mini data and parts of a run never lose their name."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
import jsonschema
import pandas
import pyarrow.parquet
import pytest
import yaml
from huggingface_hub.repocard_data import model_index_to_eval_results

sys.path.insert(0, str(Path(__file__).parent))

from test_comparison import at_random, finished, result, right

from sf_eval.cli.main import _run
from sf_eval.core.errors import OutputError, UsageError
from sf_eval.core.text import printable
from sf_eval.harness.ask import Asked
from sf_eval.harness.facts import documents_of
from sf_eval.harness.finished import FinishedRun, read_finished
from sf_eval.harness.plan import RunPlan, make_plan
from sf_eval.harness.record import RunFacts, RunRecord, Usage
from sf_eval.harness.recording import record
from sf_eval.harness.settings import RunSettings
from sf_eval.report.export.exported import Exported
from sf_eval.report.export.flat import SAMPLE_COLUMNS, latex
from sf_eval.report.export.formats import FORMATS, export

SCHEMAS = Path(__file__).parent / "every_eval_ever_0_3_0"
TASKS = "videomme,mlvu,egoschema,mvbench_action_count"
OTHERS = [name for name in FORMATS if name != "hf-eval-results"]


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> RunPlan:
    output = tmp_path_factory.mktemp("export") / "run"
    output.mkdir()
    return make_plan(RunSettings(model="mini", tasks=TASKS, data="mini", output=output))


@pytest.fixture(scope="module")
def run(plan: RunPlan) -> Exported:
    """One question of Video-MME failed."""

    def play(task: Any, document: Any) -> str | None:
        is_bad = task.benchmark.name == "videomme" and document.index == 3
        return None if is_bad else at_random(1, 0.7)(task, document)

    finished(plan, play)
    return Exported(read_finished(plan.output))


def changed(run: Exported, change: Callable[[RunRecord], RunRecord]) -> Exported:
    output = run.run.output
    return Exported(FinishedRun(replace(output, record=change(output.record)), 0))


@pytest.fixture(scope="module")
def partial(run: Exported) -> Exported:
    return changed(run, lambda record: record.model_copy(update={"complete": False}))


@pytest.fixture(scope="module")
def real(plan: RunPlan, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """As if these answers were to all of Video-MME, by a trained model."""
    folder = tmp_path_factory.mktemp("real")
    alone = replace(plan, output=folder, tasks=plan.tasks[:1])
    finished(alone, right)

    def whole(record: RunRecord) -> RunRecord:
        counts = {"questions_total": 2700, "questions_asked": 2700, "revision": "abc123"}
        return record.model_copy(
            update={
                "data": "lmms-eval/Video-MME",
                "planned": [task.model_copy(update={"is_mini": False}) for task in record.planned],
                "model": record.model.model_copy(update={"untrained": False}),
                "tasks": [task.model_copy(update=counts) for task in record.tasks],
            }
        )

    return changed(Exported(read_finished(folder)), whole)


def made(run: Exported, to: str) -> dict[str, bytes]:
    return dict(FORMATS[to](run))


# --- names -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", OTHERS)
def test_mini_data_never_leave_without_their_name(run: Exported, to: str) -> None:
    for name, data in made(run, to).items():
        assert "mini-edition" in name
        if not name.endswith(".parquet"):
            text = data.decode()
            assert "mini edition" in text or "mini-edition" in text
            assert "lmms-eval/Video-MME" not in text, "no Hub id of the real benchmark"


@pytest.mark.parametrize("to", OTHERS)
def test_a_run_that_was_stopped_is_called_partial_in_every_format(
    run: Exported, partial: Exported, to: str
) -> None:
    assert all("partial" in name for name in made(partial, to))
    assert not any("partial" in name for name in made(run, to))


@pytest.mark.parametrize("to", OTHERS)
@pytest.mark.parametrize(
    "change",
    [
        {"questions_asked": 20},
        {"questions_total": 2000, "questions_asked": 2000},
    ],
)
def test_a_run_of_part_of_a_benchmark_is_called_a_subset_in_every_format(
    real: Exported, to: str, change: dict[str, int]
) -> None:
    limited = changed(
        real,
        lambda record: record.model_copy(
            update={"tasks": [task.model_copy(update=change) for task in record.tasks]}
        ),
    )
    for name, data in made(limited, to).items():
        assert "subset" in name or to == "every-eval-ever"  # whose names of files are its own
        assert to in ("csv", "parquet") or b"subset" in data or name.endswith("_samples.subset.jsonl")
    assert not any("subset" in name or b"(subset)" in data for name, data in made(real, to).items())


def test_a_limited_mini_run_is_a_subset_and_each_benchmark_is_marked_alone(run: Exported) -> None:
    whole = changed(
        run,
        lambda record: record.model_copy(
            update={
                "groups": [],
                "tasks": [
                    task.model_copy(update={"micro": task.micro.model_copy(update={"failures": {}})})
                    for task in record.tasks
                ],
            }
        ),
    )
    assert whole.marks == ("mini-edition",), "mini data are whole at their own size"
    first, second, *others = whole.record.tasks
    limited = first.model_copy(update={"questions_asked": first.questions_total - 1})
    some = changed(whole, lambda record: record.model_copy(update={"tasks": [limited, second, *others]}))
    assert some.marks == ("mini-edition", "subset")
    (text,) = made(some, "model-index").values()
    (index,) = yaml.safe_load(text)["model-index"]
    names = {result["dataset"]["config"]: result["dataset"]["name"] for result in index["results"]}
    assert names["videomme"].endswith("subset)")
    assert "subset" not in names["mlvu"]


def test_a_submission_of_a_part_is_called_partial_until_the_run_is_whole(
    plan: RunPlan, tmp_path: Path
) -> None:
    alone = replace(plan, output=tmp_path, tasks=plan.tasks[2:3])
    whole = finished(alone, right)
    documents, facts = documents_of(alone), whole.output.record
    run_facts = RunFacts(**{name: getattr(facts, name) for name in RunFacts.model_fields})
    (first, *_) = documents
    some = {first.key: result("A", 64)}
    stopped = record(tmp_path, run_facts, documents, Asked(some), Usage(seconds=1.0, memory=None))
    (name,) = (path.name for path in tmp_path.glob("submission_*"))
    assert name == stopped.record.tasks[0].submission_file == "submission_egoschema_mini_edition_partial.json"
    finished(alone, right)
    (name,) = (path.name for path in tmp_path.glob("submission_*"))
    assert name == "submission_egoschema_mini_edition.json"


def test_the_same_run_gives_the_same_files(run: Exported) -> None:
    for to in OTHERS:
        assert made(run, to) == made(run, to)


# --- Every Eval Ever ---------------------------------------------------------------------------------------


def test_every_eval_evers_own_schemas_take_it(run: Exported) -> None:
    (aggregate, samples) = made(run, "every-eval-ever").values()
    value = json.loads(aggregate)
    jsonschema.validate(value, json.loads((SCHEMAS / "eval.schema.json").read_text()))
    lines = [json.loads(line) for line in samples.decode().splitlines()]
    schema = jsonschema.Draft7Validator(json.loads((SCHEMAS / "instance_level_eval.schema.json").read_text()))
    for line in lines:
        schema.validate(line)
    assert value["detailed_evaluation_results"]["total_rows"] == len(lines)
    scores = {each["evaluation_result_id"]: each["score_details"] for each in value["evaluation_results"]}
    micro = next(task.micro for task in run.record.tasks if task.task == "videomme")
    assert scores["videomme/accuracy"]["score"] == micro.accuracy
    right_ones = [
        line["evaluation"]["is_correct"] for line in lines if line["sample_id"].startswith("videomme/")
    ]
    assert (sum(right_ones), len(right_ones)) == (micro.correct, micro.n)


VALIDATORS = Path(sys.prefix) / "validators"
"""Where `make setup` puts the package every-eval-ever, without what it asks for beside its validator."""


def test_every_eval_evers_own_validator_passes(run: Exported, real: Exported, tmp_path: Path) -> None:
    if not (VALIDATORS / "every_eval_ever").is_dir() and importlib.util.find_spec("every_eval_ever") is None:
        pytest.skip("every-eval-ever is not installed (make setup does, where it can be had)")
    beside = {**os.environ, "PYTHONPATH": f"{VALIDATORS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    validate = [sys.executable, "-m", "every_eval_ever", "validate"]
    for name, exported in (("mini", run), ("real", real)):
        written = export(exported, "every-eval-ever", tmp_path / name)
        files = [str(path.relative_to(tmp_path / name)) for path in written]
        done = subprocess.run(
            [*validate, *files], cwd=tmp_path / name, env=beside, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert f"{len(files)} passed" in done.stdout
    (aggregate,) = [path for path in written if path.suffix == ".json"]
    aggregate.write_text(aggregate.read_text().replace('"lower_is_better"', '"lower_is_worse"'))
    damaged = subprocess.run(
        [*validate, files[0]], cwd=tmp_path / "real", env=beside, capture_output=True, check=False
    )
    assert damaged.returncode == 1, "it finds what is wrong"


# --- whose score it is -------------------------------------------------------------------------------------

QWEN = "Qwen/Qwen2.5-VL-7B-Instruct"
CARDED = {"name": "qwen2.5-vl-7b", "title": "Qwen2.5-VL 7B", "weights": QWEN, "revision": "c0ffee",
          "slow_path": "off", "family": "qwen2_5_vl"}  # fmt: skip
SLOW_FAST_7B = {"name": "slowfast-7b-64f", "title": "Slow-Fast Video MLLM 7B", "revision": "c0ffee",
                "weights": "shi-labs/slowfast-video-mllm-qwen2-7b-convnext-576-frame64-s1t4"}  # fmt: skip


def of_model(run: Exported, **changes: Any) -> Exported:
    return changed(
        run,
        lambda record: record.model_copy(update={"model": record.model.model_copy(update=changes)}),
    )


@pytest.mark.parametrize("model", [CARDED, SLOW_FAST_7B])
def test_a_model_as_its_card_asks_for_it_has_the_hubs_id(real: Exported, model: dict[str, Any]) -> None:
    asked = of_model(real, **model)
    assert asked.model_id == model["weights"]
    assert asked.title == f"{model['title']}, 64 frames"
    assert made(asked, "hf-eval-results")


@pytest.mark.parametrize(
    ("model", "title"),
    [
        ({**SLOW_FAST_7B, "slow_path": "off"}, "Slow-Fast Video MLLM 7B, slow path off, 64 frames"),
        ({**SLOW_FAST_7B, "decode_slow_attention": False}, "Slow-Fast Video MLLM 7B, 64 frames"),
        (
            {**CARDED, "name": "qwen2.5-vl-7b-pooled", "title": "Pooled", "options": {"fast_tokens": "1/16"}},
            "Pooled, 64 frames",
        ),
        ({**CARDED, "options": {"resize": "device"}}, "Qwen2.5-VL 7B, resize device, 64 frames"),
        (
            {**CARDED, "name": "mine", "title": "mine", "slow_path": "on", "options": {"slow_path": "mine"}},
            "mine, 64 frames",
        ),
    ],
)
def test_an_altered_model_never_has_the_id_of_its_base(
    real: Exported, model: dict[str, Any], title: str
) -> None:
    altered = of_model(real, **model)
    assert altered.model_id == f"local/{model['name']}"
    assert altered.title == title
    with pytest.raises(UsageError, match="refuses an altered model"):
        made(altered, "hf-eval-results")


def test_a_directory_whose_path_looks_like_an_id_is_none(real: Exported) -> None:
    local = of_model(real, name="my-model", title="my-model", weights="checkpoints/my-model", revision="")
    assert local.model_id == "local/my-model"


# --- Hugging Face ------------------------------------------------------------------------------------------


def test_hugging_faces_own_parser_reads_eval_results(real: Exported) -> None:
    files = made(real, "hf-eval-results")
    assert list(files) == [".eval_results/videomme.yaml"]
    value = yaml.safe_load(files[".eval_results/videomme.yaml"])
    (entry,) = huggingface_hub.parse_eval_result_entries(value)
    assert (entry.dataset_id, entry.task_id, entry.value) == ("lmms-eval/Video-MME", "videomme", 100.0)
    assert entry.dataset_revision == "abc123"
    assert huggingface_hub.eval_result_entries_to_yaml([entry]) == value, (
        "nothing of it is unknown to the Hub"
    )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda record: record.model_copy(update={"complete": False}), "stopped before its end"),
        (
            lambda record: record.model_copy(
                update={"tasks": [record.tasks[0].model_copy(update={"questions_asked": 5})]}
            ),
            "5 of 2700 questions asked",
        ),
        (
            lambda record: record.model_copy(
                update={"model": record.model.model_copy(update={"untrained": True})}
            ),
            "untrained weights",
        ),
    ],
)
def test_hf_eval_results_refuses_what_is_not_a_whole_benchmark(
    real: Exported, change: Callable[[RunRecord], RunRecord], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        made(changed(real, change), "hf-eval-results")


def test_hf_eval_results_refuses_mini_data_and_failures(run: Exported, real: Exported) -> None:
    with pytest.raises(UsageError, match="refuses the mini edition"):
        made(run, "hf-eval-results")
    failed = {"failures": {"timeout": 1}}
    task = real.record.tasks[0]
    worse = task.model_copy(update={"micro": task.micro.model_copy(update=failed)})
    with pytest.raises(UsageError, match="1 questions failed"):
        made(changed(real, lambda record: record.model_copy(update={"tasks": [worse]})), "hf-eval-results")


def test_hugging_faces_own_parser_reads_the_model_index(run: Exported, partial: Exported) -> None:
    (text,) = made(partial, "model-index").values()
    name, results = model_index_to_eval_results(yaml.safe_load(text)["model-index"])
    card = huggingface_hub.ModelCard(f"---\n{text.decode()}---\nwords\n")
    assert (card.data.model_name, card.data.eval_results) == (name, results)
    assert "untrained" in name
    found = {result.dataset_config: result for result in results}
    assert set(found) == {"videomme", "mlvu", "mvbench"}, "EgoSchema's truth is not public"
    score = next(task.score for task in run.record.tasks if task.task == "mlvu")
    assert found["mlvu"].metric_value == score.accuracy
    assert found["mlvu"].dataset_name == f"MLVU (dev) ({run.record.data}, partial)"
    assert found["mlvu"].dataset_type == "sf-eval/mini-edition"


# --- inspect -----------------------------------------------------------------------------------------------


def test_inspect_opens_its_log(run: Exported, partial: Exported, tmp_path: Path) -> None:
    log = pytest.importorskip("inspect_ai.log")
    paths = {path.name.partition(".")[0]: path for path in export(run, "inspect", tmp_path / "whole")}
    read = log.read_eval_log(str(paths["videomme"]))
    task = next(task for task in run.record.tasks if task.task == "videomme")
    assert read.status == "success"
    assert read.results.scores[0].metrics["accuracy"].value == pytest.approx((task.micro.accuracy or 0) / 100)
    assert len(read.samples) == task.questions_asked
    values = [sample.scores["sf_eval"].value for sample in read.samples if sample.scores]
    assert values.count("C") == task.micro.correct
    (failed,) = [sample for sample in read.samples if sample.error is not None]
    assert failed.error.message == "decode_error: damaged"
    stopped = export(partial, "inspect", tmp_path / "partial")
    assert {log.read_eval_log(str(path)).status for path in stopped} == {"cancelled"}


# --- CSV, Parquet, LaTeX -----------------------------------------------------------------------------------


def test_csv_and_parquet_hold_every_question(run: Exported, tmp_path: Path) -> None:
    csv_path, scores_path = export(run, "csv", tmp_path / "csv")
    with csv_path.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    (parquet_path,) = export(run, "parquet", tmp_path / "parquet")
    table = pyarrow.parquet.read_table(parquet_path)
    assert table.column_names == list(SAMPLE_COLUMNS)
    assert b"mini edition" in table.schema.metadata[b"sf_eval.data"]
    for sample, line, row in zip(run.samples, lines, table.to_pylist(), strict=True):
        assert (row["question_id"], row["output"], row["outcome"]) == (
            sample.question_id, sample.output, sample.outcome,
        )  # fmt: skip
        assert line["output"] == (sample.output or "")
        assert (row["mini"], row["complete"], line["mini"]) == (True, True, "True")
    for frame in (pandas.read_csv(csv_path), pandas.read_parquet(parquet_path)):
        counted = frame.groupby("task")["outcome"].value_counts()
        for task in run.record.tasks:
            if task.micro.n:
                assert counted[task.task, "correct"] == task.micro.correct
        assert frame["prompt_tokens"].dropna().tolist() == [
            sample.prompt_tokens for sample in run.samples if sample.prompt_tokens is not None
        ]
    with scores_path.open(newline="") as stream:
        scores = {line["benchmark"]: float(line["accuracy"]) for line in csv.DictReader(stream)}
    assert scores["mlvu"] == next(task.score.accuracy for task in run.record.tasks if task.task == "mlvu")


HOSTILE = (
    r"a_b & 50% #1 \textbf{",
    "[2pt] -- --- `x' ``y''",
    '*{} ~ ^ $x$ <b> "q" \x00 \u202e {',
    "\\\\ \\end{tabular} \\input{/etc/passwd}",
)


def test_pandoc_reads_every_cell_of_the_latex_table(partial: Exported) -> None:
    """A reader of LaTeX that is not ours; no TeX is at hand."""
    pypandoc = pytest.importorskip("pypandoc")
    hostile = changed(
        partial,
        lambda record: record.model_copy(
            update={
                "tasks": [
                    task.model_copy(update={"title": title})
                    for task, title in zip(record.tasks, HOSTILE, strict=False)
                ],
                "model": record.model.model_copy(update={"title": " ".join(HOSTILE)}),
            }
        ),
    )
    for exported in (partial, hostile):
        (text,) = (data.decode() for data in made(exported, "latex").values())
        read = json.loads(pypandoc.convert_text(text, "json", "latex"))
        (table,) = _nodes(read, "Table")
        _, caption, _, head, bodies, _ = table["c"]
        head_row, *rows = [
            [_plain(cell) for cell in row[1]]
            for row in [*head[1], *(row for body in bodies for row in body[3])]
        ]
        assert head_row == ["Benchmark", "Accuracy (%)", "95% interval", "n"]
        assert rows == [
            [
                printable(exported.data_name(entry.title, exported.tasks_of(entry))),
                f"{entry.score.accuracy:.1f}",
                "[{:.1f}, {:.1f}]".format(*entry.score.interval95 or ()),
                str(entry.score.n),
            ]
            for entry in exported.judged()
        ]
        said = [f"{exported.title} on {exported.record.data}.", *exported.caveats]
        assert _plain(caption) == printable(" ".join(" ".join(said).split()))
        assert "mini edition" in _plain(caption)
        assert "stopped before its end" in _plain(caption)


def _nodes(value: Any, kind: str) -> Iterator[dict[str, Any]]:
    """All parts of that kind in what pandoc read."""
    if isinstance(value, dict) and value.get("t") == kind:
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(inner, kind)


def _plain(value: Any) -> str:
    """The words in what pandoc read."""
    if isinstance(value, list):
        return "".join(map(_plain, value))
    if not isinstance(value, dict):
        return ""
    if value["t"] == "Str":
        return str(value["c"])
    if value["t"] == "Math":
        return str(value["c"][1])
    return " " if value["t"] in ("Space", "SoftBreak") else _plain(value.get("c"))


def test_latex_is_told_by_no_text_what_to_do() -> None:
    assert latex("a_b & 50% {x} \\y #1 $ ~ ^\n< | --") == (
        r"a\_b \& 50\% \{x\} \textbackslash{}y \#1 \$ \textasciitilde{} \textasciicircum{} \textless{} "
        r"\textbar{} -{}-"
    )


# --- the command -------------------------------------------------------------------------------------------


def test_the_command_writes_beside_the_run_and_replaces_only_its_own(
    run: Exported, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run.run.output.folder
    assert _run(["export", str(folder), "--to", "csv"]) == 0
    written = [Path(line) for line in capsys.readouterr().out.splitlines()]
    assert all(path.is_file() and path.parent == folder / "exports" / "csv" for path in written)
    assert _run(["export", str(folder), "--to", "csv"]) == 0
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="is no export"):
        export(run, "csv", tmp_path / "mine")
    assert _run(["export", str(folder), "--to", "hf-eval-results"]) == 2
    assert _run(["export", str(tmp_path), "--to", "csv"]) == 2
