"""lmms-eval evaluates a recorded run: the very plugin of the stock command, with answers from the journal.

What it says must be what we say, to the last digit; and what it writes about it, in its own format, is there
for whatever reads lmms-eval's logs. No video is opened and no model is asked.
"""

from __future__ import annotations

import importlib
import math
import threading
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core import files
from sf_eval.core.errors import SfEvalError
from sf_eval.core.paths import tasks_dirs
from sf_eval.harness.judged.judgements import judged_tasks
from sf_eval.harness.judged.settled import settlings_of
from sf_eval.harness.logs import logging_to
from sf_eval.harness.recording import RunOutput
from sf_eval.harness.rescoring import KeptRun, read_run
from sf_eval.harness.run import LOG
from sf_eval.inference import Answer, Question, QuestionKey, Result
from sf_eval.lmms import context
from sf_eval.scoring.settling import Settling
from sf_eval.video import Clip

FOLDER = "lmms_eval"
_TOLERANCE = 1e-9  # both sides divide the same two numbers
_HEAVY = "lmms_eval.evaluator"


class ReplayDisagreementError(SfEvalError):
    """lmms-eval makes another number of the same answers: one of the two is wrong."""

    exit_code = 1


@dataclass(frozen=True)
class ReplayedTask:
    """One task's numbers in percent; None where nothing could be judged."""

    task: str
    accuracy: float | None
    replayed: float | None
    coverage: float
    replayed_coverage: float

    @property
    def agrees(self) -> bool:
        if (self.accuracy is None) != (self.replayed is None):
            return False
        same = self.accuracy is None or _equal(self.accuracy, self.replayed)
        return same and _equal(self.coverage, self.replayed_coverage)


def import_ahead() -> None:
    """Import lmms-eval in a thread, which takes seconds, so that nobody waits for it when a run ends."""
    threading.Thread(target=importlib.import_module, args=(_HEAVY,), daemon=True).start()


def replay(output: RunOutput) -> list[ReplayedTask]:
    """Let lmms-eval evaluate the run again from its folder, and write `lmms_eval/` there.

    Returns:
        Its numbers beside ours, one entry a task that has answers.

    Raises:
        ReplayDisagreementError: they differ; the message shows both.
        OutputError: the folder cannot be read or written.
    """
    with logging_to(output.folder / LOG):
        run = _as_recorded(read_run(output.folder), output)
        evaluated = _evaluate(run, seed=int(run.facts.settings["seed"]))
        try:
            with files.replacing_folder(output.folder / FOLDER) as folder:
                _write(evaluated, folder, model=run.facts.model.name)
        except OSError as error:
            raise files.output_error(output.folder / FOLDER, error) from error
    tasks = [
        _replayed(record.task, record.micro.accuracy, record.micro.coverage, evaluated["results"])
        for record in output.record.tasks
    ]
    if wrong := [task for task in tasks if not task.agrees]:
        said = "; ".join(
            f"{task.task}: ours {_percent(task.accuracy)} ({_percent(task.coverage)} answered), "
            f"lmms-eval {_percent(task.replayed)} ({_percent(task.replayed_coverage)} answered)"
            for task in wrong
        )
        raise ReplayDisagreementError(
            f"lmms-eval's replay of the same answers gives other numbers: {said}.",
            hint=f"Trust neither: please report this with {output.folder / FOLDER}.",
        )
    return tasks


def _as_recorded(run: KeptRun, output: RunOutput) -> KeptRun:
    """The run with the results that were recorded: Ctrl-C may come between the journal and the record."""
    recorded = {QuestionKey(sample.task, sample.doc_id) for sample in output.samples}
    return replace(run, results={key: result for key, result in run.results.items() if key in recorded})


class _Recorded:
    """The context of tasks in a replay: documents and prompts as the run recorded them."""

    def __init__(self, run: KeptRun) -> None:
        self._documents: dict[str, list[Document]] = {}
        self._results = run.results
        asked_documents = [(asked.key, asked.document) for asked in run.documents]
        self._settlings = settlings_of(run.facts, judged_tasks(run.folder, asked_documents, run.results))
        for asked in run.documents:
            if asked.key in run.results:
                self._documents.setdefault(asked.key.task, []).append(asked.document)

    @property
    def tasks(self) -> list[str]:
        return list(self._documents)

    def documents(self, benchmark: Benchmark) -> Sequence[Document]:
        return self._documents[benchmark.name]

    def prompt(self, benchmark: Benchmark, document: Document) -> str:
        result = self._results[QuestionKey(benchmark.name, document.index)]
        return result.prompt if isinstance(result, Answer) else document.prompt

    def clip(self, benchmark: Benchmark, document: Document) -> Clip:
        """The video's name; nobody opens it."""
        return Clip(Path(document.media.candidates[0]))

    def settling(self, benchmark: Benchmark) -> Settling:
        return self._settlings[benchmark.name]

    def was_cut_off(self, benchmark: Benchmark, document: Document) -> bool:
        result = self._results[QuestionKey(benchmark.name, document.index)]
        return isinstance(result, Answer) and result.finish_reason == "length"


def _evaluate(run: KeptRun, *, seed: int) -> dict[str, Any]:
    """One call of lmms-eval's evaluator for all tasks. Documents are limited by the context, not by it: its
    limits leak from one task to the next."""
    from lmms_eval.evaluator import simple_evaluate

    from sf_eval.lmms.adapter import SlowFast

    recorded = _Recorded(run)
    tasks = {task: catalog.get_benchmark(task).lmms_task for task in recorded.tasks}
    with context.activate(recorded):
        evaluated: dict[str, Any] = simple_evaluate(
            model=SlowFast(answer=_answers_from(run.results, {name: task for task, name in tasks.items()})),
            tasks=list(tasks.values()),
            task_manager=_task_manager(),
            log_samples=True,
            bootstrap_iters=0,
            cli_args=Namespace(process_with_media=False),  # without it, scoring would open the media
            random_seed=seed,
            numpy_random_seed=seed,
            torch_random_seed=seed,
            process_docs_parallel=1,
        )
    return evaluated


def _answers_from(results: Mapping[QuestionKey, Result], ours: Mapping[str, str]) -> Any:
    """A model that says what was said; it is asked by lmms-eval's names of our tasks."""

    def answer(questions: Iterable[Question]) -> Iterator[Result]:
        for question in questions:
            key = QuestionKey(ours[question.key.task], question.key.index)
            yield replace(results[key], key=question.key)

    return answer


@cache
def _task_manager() -> Any:
    """One index of our yaml files a process; without lmms-eval's own tasks, which cost 5 s to index."""
    from lmms_eval.tasks import TaskManager

    return TaskManager(
        include_path=[str(path) for path in tasks_dirs()], include_defaults=False, model_name="slowfast"
    )


def _write(evaluated: dict[str, Any], folder: Path, *, model: str) -> None:
    """Results and per-sample logs by lmms-eval's own writer.

    Raises:
        SfEvalError: it wrote less than it should have; it tells its log alone.
    """
    from lmms_eval.loggers.evaluation_tracker import EvaluationTracker
    from lmms_eval.utils import get_datetime_str, sanitize_model_name

    tracker = EvaluationTracker(output_path=str(folder))
    described = tracker.general_config_tracker
    described.model_source, described.model_name = "slowfast", model
    described.model_name_sanitized = sanitize_model_name(model)
    samples = evaluated.pop("samples")
    tracker.save_results_aggregated(
        results=evaluated, samples=samples, datetime_str=get_datetime_str(timezone="UTC")
    )
    for task, lines in samples.items():
        tracker.save_results_samples(task_name=task, samples=lines)
    written = list(folder.rglob("*.json*"))
    if len(written) != 1 + len(samples):
        raise SfEvalError(
            f"lmms-eval wrote {len(written)} of {1 + len(samples)} files about the run.",
            hint=f"{LOG} in the run's folder says why.",
        )


def _replayed(
    task: str, accuracy: float | None, coverage: float, evaluated: Mapping[str, Mapping[str, Any]]
) -> ReplayedTask:
    numbers = evaluated[catalog.get_benchmark(task).lmms_task]
    replayed = float(numbers["accuracy,none"])
    return ReplayedTask(
        task=task,
        accuracy=accuracy,
        replayed=None if math.isnan(replayed) else replayed,
        coverage=coverage,
        replayed_coverage=float(numbers["coverage,none"]),
    )


def _equal(one: float, other: float | None) -> bool:
    return other is not None and math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)


def _percent(value: float | None) -> str:
    return "unjudged" if value is None else f"{value:.6g}%"
