"""Run a plan: load the model, let lmms-eval ask every task, keep every answer, record the scores."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import torch

from sf_eval.core import files
from sf_eval.core.errors import CheckpointError
from sf_eval.harness import context, environment, output_dir
from sf_eval.harness.answering import (
    InterruptedRunError,
    JournaledAnswers,
    ModelIdentity,
    Result,
    StoppedError,
    TooManyFailuresError,
    libraries_that_answer,
)
from sf_eval.harness.journal import Journal
from sf_eval.harness.logs import logging_to
from sf_eval.harness.memory import measure as measure_memory
from sf_eval.harness.plan import OTHER_WAYS, RunPlan, TaskPlan, fingerprint_of
from sf_eval.harness.record import ModelRecord, RunRecord, SampleRecord
from sf_eval.harness.scored import group_records, sample_record, task_record
from sf_eval.inference import machine
from sf_eval.inference.device import resolve_device, resolve_dtype
from sf_eval.inference.engine import Engine
from sf_eval.model.loading import LoadedModel, load_model
from sf_eval.video import ClipLoader

RESULTS = "results.json"
SAMPLES = "samples.jsonl"
LOG = "run.log"


class Watcher(Protocol):
    """Whoever shows what happens."""

    def stage(self, text: str) -> None: ...
    def begin(self, total: int) -> None: ...
    def result(self, result: Result, *, resumed: bool) -> None: ...


@dataclass(frozen=True)
class RunOutput:
    """A run, as written to the output directory.

    Attributes:
        stopped: why the run ended before its end (Ctrl-C, `--fail-on-error`); then it holds what was
            answered until then. None for a complete run.
    """

    plan: RunPlan
    loaded: LoadedModel
    record: RunRecord
    samples: list[SampleRecord]
    stopped: StoppedError | None = None


def execute(plan: RunPlan, watcher: Watcher) -> RunOutput:
    """Evaluate the plan and write `results.json` and `samples.jsonl`. The caller holds the directory's lock.

    Raises:
        CheckpointError: the weights cannot be had or do not fit.
        StoppedError: the run was stopped before there was anything to write, or where writing it would
            replace the results of a complete run.
        OutputError: the output directory cannot be written.
    """
    started = time.perf_counter()
    output_dir.write_state(plan.output, fingerprint_of(plan), complete=False)
    with logging_to(plan.output / LOG):
        loaded = _load(plan, watcher)
        load_seconds = time.perf_counter() - started
        watcher.stage("Starting lmms-eval")
        with (
            ClipLoader(
                plan.context.rule, backend=plan.context.backend, timeout_s=plan.settings.decode_timeout_s
            ) as loader,
            Journal(plan.output / output_dir.JOURNAL) as journal,
            context.activate(plan.context, loader),
        ):
            engine = Engine(loaded, loader, batch_size=plan.settings.batch_size)
            answers = JournaledAnswers(
                engine,
                journal,
                _identity(plan, loaded),
                max_new_tokens=plan.card.max_new_tokens,
                watcher=watcher,
                failures=plan.settings.failures,
                total=plan.total,
            )
            watcher.begin(plan.total)
            samples, stopped = _ask(plan, answers)
    if stopped is not None and (not samples or _holds_complete_results(plan)):
        raise stopped
    record = _record(plan, loaded, samples, time.perf_counter() - started, load_seconds)
    record = record.model_copy(
        update={"degraded": engine.degraded, "complete": stopped is None, "resumed": answers.resumed}
    )
    files.write_text(plan.output / SAMPLES, "".join(f"{sample.model_dump_json()}\n" for sample in samples))
    files.write_json(plan.output / RESULTS, record.model_dump(mode="json"))
    return RunOutput(plan, loaded, record, samples, stopped)


def _ask(plan: RunPlan, answers: JournaledAnswers) -> tuple[list[SampleRecord], StoppedError | None]:
    """The samples of all tasks; or, when stopped, those there are by then, and why it stopped."""
    try:
        return [sample for task in plan.tasks for sample in _run_task(plan, task, answers)], None
    except KeyboardInterrupt:
        stopped: StoppedError = interrupted(plan, len(answers.given))
    except TooManyFailuresError as error:
        stopped = error
    samples = []
    for task in plan.tasks:
        for document in task.documents:
            if given := answers.given.get(f"{task.benchmark.lmms_task}/{document.index}"):
                question, result = given
                samples.append(sample_record(task, document, question.prompt, result))
    return samples, stopped


def interrupted(plan: RunPlan, answered: int | None = None) -> InterruptedRunError:
    """What to say on Ctrl-C."""
    after = "" if answered is None else f" after {answered} of {plan.total} questions"
    return InterruptedRunError(
        f"interrupted{after}; every answer is kept in {plan.output}.",
        hint="Run the same command again to go on.",
    )


def _holds_complete_results(plan: RunPlan) -> bool:
    try:
        results = json.loads((plan.output / RESULTS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(results, dict) and results.get("complete") is True


def _load(plan: RunPlan, watcher: Watcher) -> LoadedModel:
    settings = plan.settings
    torch.manual_seed(settings.seed)
    device = resolve_device(settings.device)
    watcher.stage(f"Loading {plan.card.title} on {device}, {plan.card.num_frames} frames a video")
    try:
        return load_model(
            plan.card, device=device, dtype=resolve_dtype(settings.dtype, device), attn=settings.attn
        )
    except CheckpointError as error:
        if Path(plan.card.weights).expanduser().is_dir() or "mini" in error.hint:
            raise
        raise CheckpointError(error.message, hint=f"{error.hint} {OTHER_WAYS}".strip()) from error


def _run_task(plan: RunPlan, task: TaskPlan, answers: JournaledAnswers) -> list[SampleRecord]:
    """One call of lmms-eval's evaluator. Its limit leaks from task to task, so ours is resolved before."""
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    from sf_eval.core.paths import tasks_dir
    from sf_eval.harness.adapter import SlowFast

    name = task.benchmark.lmms_task
    model = SlowFast(answer=answers)
    evaluated: dict[str, Any] = simple_evaluate(
        model=model,
        tasks=[name],
        task_manager=_task_manager(TaskManager, str(tasks_dir())),
        limit=task.count,
        log_samples=True,
        bootstrap_iters=0,
        cli_args=Namespace(process_with_media=False),  # without it, scoring would decode media again
        random_seed=plan.settings.seed,
        numpy_random_seed=plan.settings.seed,
        torch_random_seed=plan.settings.seed,
        process_docs_parallel=1,
    )
    prompts = {sample["doc_id"]: sample["arguments"][0] for sample in evaluated["samples"][name]}
    return [
        sample_record(task, document, prompts[document.index], model.results[name, document.index])
        for document in task.documents
    ]


_managers: dict[str, Any] = {}


def _task_manager(kind: Any, path: str) -> Any:
    """One index of our yaml files a process; without lmms-eval's own tasks, which cost 5 s to index."""
    if path not in _managers:
        _managers[path] = kind(include_path=path, include_defaults=False, model_name="slowfast")
    return _managers[path]


def _identity(plan: RunPlan, loaded: LoadedModel) -> ModelIdentity:
    card = loaded.card
    return ModelIdentity(
        weights_digest=loaded.weights_digest,
        slow_path=card.slow_path,
        decode_slow_attention=card.decode_slow_attention,
        dtype=str(loaded.model.dtype).removeprefix("torch."),
        attn=plan.settings.attn,
        device_type=loaded.model.device.type,
        sampling=card.sampling,
        num_frames=card.num_frames,
        target_fps=card.target_fps,
        video_backend=plan.context.backend,
        prompt_format=card.prompt_format,
        libraries=libraries_that_answer(),
    )


def _record(
    plan: RunPlan, loaded: LoadedModel, samples: list[SampleRecord], seconds: float, load_seconds: float
) -> RunRecord:
    by_task: dict[str, list[SampleRecord]] = {}
    for sample in samples:
        by_task.setdefault(sample.task, []).append(sample)
    begun = [task for task in plan.tasks if task.benchmark.name in by_task]  # all, unless it was stopped
    tasks = [
        task_record(task, by_task[task.benchmark.name], clip=plan.settings.clip, submission=plan.output)
        for task in begun
    ]
    identity = asdict(_identity(plan, loaded))
    return RunRecord(
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        command=list(plan.settings.command),
        settings={
            "seed": plan.settings.seed,
            "batch_size": plan.settings.batch_size,
            "limit": str(plan.settings.limit.value) if plan.settings.limit else None,
            "max_new_tokens": plan.card.max_new_tokens or None,
            "clip": plan.settings.clip,
            "video_backend": identity["video_backend"],
            "decode_timeout_s": plan.settings.decode_timeout_s,
        },
        versions=environment.versions(),
        git_commit=environment.git_commit(),
        machine=machine.describe(loaded.model.device),
        model=_model_record(loaded, identity),
        data=plan.data_label,
        scoring=plan.settings.scoring,
        seconds=seconds,
        load_seconds=load_seconds,
        memory=measure_memory(loaded.model.device),
        notes=list(loaded.notes),
        complete=True,
        tasks=tasks,
        groups=group_records(begun, samples),
    )


def _model_record(loaded: LoadedModel, identity: dict[str, Any]) -> ModelRecord:
    card = loaded.card
    return ModelRecord(
        name=card.name,
        title=card.title,
        weights=card.weights,
        revision=loaded.revision,
        weights_digest=loaded.weights_digest,
        parameters=loaded.parameters,
        untrained=card.untrained,
        slow_path=card.slow_path,
        decode_slow_attention=card.decode_slow_attention,
        num_frames=card.num_frames,
        sampling=card.sampling,
        target_fps=card.target_fps,
        dtype=identity["dtype"],
        attn=identity["attn"],
        licence=card.licence,
        published=card.published,
    )
