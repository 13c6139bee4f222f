"""The plan of a run: every name resolved, every file looked for, before any weights are loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.benchmarks.pinned import pinned_revision
from sf_eval.core.cards import ModelCard, card_for, card_names, load_card
from sf_eval.core.errors import DataError, UsageError
from sf_eval.data.digest import annotations_digest
from sf_eval.data.opened import OpenBenchmark
from sf_eval.data.opening import edition_of, open_benchmark, with_media
from sf_eval.data.source import DataSource, parse_source
from sf_eval.editions.cache import has_edition
from sf_eval.harness import output_dir
from sf_eval.harness.controls.asking import Change, asked_under
from sf_eval.harness.controls.conditions import CHOICE_CARD
from sf_eval.harness.controls.taking import that_can_be_asked
from sf_eval.harness.distributed.cluster import require_ray
from sf_eval.harness.questions import question_of
from sf_eval.harness.settings import RunSettings
from sf_eval.inference import Question, QuestionKey, families
from sf_eval.inference.device import resolve_device
from sf_eval.model import checkpoint
from sf_eval.scoring.lexicons import lexicon_of
from sf_eval.video import SamplingRule
from sf_eval.video.backends import check_backend

EMBEDDED = "The embedded model and data: --model mini --data mini."
MiniProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TaskPlan:
    """One task of the run: its benchmark and how many of its documents are asked.

    Attributes:
        data_digest: of the annotation files (`sf_eval.data.digest`).
        changes: what the run's conditions change about its questions, by row.
    """

    benchmark: Benchmark
    opened: OpenBenchmark
    count: int
    data_digest: str
    changes: Mapping[int, Change]

    @property
    def documents(self) -> Sequence[Document]:
        return self.opened.documents[: self.count]


@dataclass(frozen=True)
class RunPlan:
    """What will be run. Making it has loaded no weights.

    Attributes:
        notes: what the user should know before it begins, a line each.
    """

    settings: RunSettings
    card: ModelCard
    source: DataSource
    tasks: tuple[TaskPlan, ...]
    output: Path
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The model's, with what the run asks otherwise: a new directory is called after it."""
        return self.card.name + self.settings.conditions.slug

    @property
    def data_label(self) -> str:
        """The data source as tables name it; a mini edition is called that wherever it was copied to."""
        mini = next((task.opened.source_label for task in self.tasks if task.opened.is_mini), None)
        return mini or self.source.label

    @property
    def rule(self) -> SamplingRule:
        """Which frames of a clip are shown."""
        return families.rule_of(self.card)

    @property
    def total(self) -> int:
        return sum(task.count for task in self.tasks)

    def questions(self) -> Iterator[Question]:
        """Every question, in the order of tasks and rows."""
        return (self._question(task, document) for task in self.tasks for document in task.documents)

    def question(self, key: QuestionKey) -> Question:
        """The question of that task and row."""
        return self._question(self._task_of(key), self.document(key))

    def document(self, key: QuestionKey) -> Document:
        """The document of that task and row."""
        return self._task_of(key).opened.documents[key.index]

    def _task_of(self, key: QuestionKey) -> TaskPlan:
        return next(task for task in self.tasks if task.benchmark.name == key.task)

    def _question(self, task: TaskPlan, document: Document) -> Question:
        question = question_of(
            task.opened,
            document,
            clip_mode=self.settings.clip,
            # The card's limit of new tokens goes before the task's.
            max_new_tokens=self.card.max_new_tokens or task.benchmark.max_new_tokens,
        )
        return question if self.settings.conditions.shows_video else replace(question, clip=None)


def make_plan(
    settings: RunSettings,
    *,
    progress: MiniProgress | None = None,
    opened: dict[str, OpenBenchmark] | None = None,
) -> RunPlan:
    """Resolve names, open the data, look for every media file, choose the output directory.

    What is cheap to refuse is refused first: names, the output directory, whether the weights can be had, the
    annotations of all tasks. Only then are videos fetched, which may be hundreds of GB.

    Args:
        opened: benchmarks of the same data that were read already, by name; what is opened is added.

    Raises:
        UsageError: an unknown model or task, or a model without weights.
        CheckpointError: weights that cannot be had, or a checkpoint that cannot be used.
        DataError: annotations or media that are missing or damaged, or no WordNet for a task that takes it.
        OutputError: the output directory is another run's.
    """
    benchmarks = catalog.resolve_tasks(settings.tasks)
    conditions = settings.conditions
    card = settings.card(card_for(settings.model)) if conditions.asks_model else CHOICE_CARD
    if conditions.asks_model:
        families.check_card(card)
        _require_weights(card)
    source = parse_source(settings.data, settings.data_revision)
    if settings.subtitles is not None:
        benchmarks = catalog.with_subtitles(benchmarks, settings.subtitles)
    benchmarks, notes = _that_the_source_has(benchmarks, source, settings)
    benchmarks, untakable = that_can_be_asked(benchmarks, card, settings)
    notes = (*notes, *untakable)
    _check_usable(settings)
    _check_judge(settings, benchmarks)
    asked = _settings_fingerprint(settings, card, source)
    output_dir.check(settings.output, asked)
    if conditions.asks_model:
        families.check_weights(card)
    # Without videos none are fetched: another run must not take such a benchmark for one that has them.
    opened = dict(opened or {}) if opened is None or not conditions.shows_video else opened
    new = [benchmark for benchmark in benchmarks if benchmark.name not in opened]
    for benchmark in new:
        opened[benchmark.name] = open_benchmark(
            benchmark, pinned(source, benchmark), progress=progress, fetch_media=False
        )
    for benchmark in benchmarks:  # what settles its answers is here, or this says what is missing
        lexicon_of(benchmark, is_mini=opened[benchmark.name].is_mini)
    for benchmark in new if settings.fetch_media and conditions.shows_video else ():
        opened[benchmark.name] = with_media(opened[benchmark.name])
    tasks = tuple(_task(opened[benchmark.name], settings) for benchmark in benchmarks)
    if conditions.shows_video:
        _check_media(tasks, may_miss=settings.skip_missing)
    name = card.name + conditions.slug
    output = output_dir.choose(settings.output, name, _fingerprint(asked, tasks))
    return RunPlan(settings, card, source, tasks, output, notes)


def _that_the_source_has(
    benchmarks: list[Benchmark], source: DataSource, settings: RunSettings
) -> tuple[list[Benchmark], tuple[str, ...]]:
    """Without benchmarks that have no mini edition, where those are asked; and one line that names them.

    Raises:
        UsageError: one of them was asked for by its name, or none is left.
    """
    without = [benchmark for benchmark in benchmarks if not has_edition(edition_of(benchmark))]
    if source.kind != "mini" or not without:
        return benchmarks, ()
    names = ", ".join(benchmark.name for benchmark in without)
    said = f"{names} {'has' if len(without) == 1 else 'have'} no mini edition"
    by_name = {benchmark.name for benchmark in catalog.resolve_tasks(settings.tasks, groups=False)}
    kept = [benchmark for benchmark in benchmarks if benchmark not in without]
    if not kept or any(benchmark.name in by_name for benchmark in without):
        raise UsageError(f"{said}.", hint="Leave it out, or give real data (--data DIR).")
    return kept, (f"Left out: {said}.",)


def _require_weights(card: ModelCard) -> None:
    """Refuse a shape that no weights were published for.

    Raises:
        UsageError: `card` is one.
    """
    if not card.weights:
        raise UsageError(
            f"{card.name} is a shape without weights: it cannot be evaluated, only profiled "
            f"(sf-eval profile --model {card.name}).",
            hint=f"With weights: {', '.join(name for name in card_names() if load_card(name).weights)}.",
        )


def pinned(source: DataSource, benchmark: Benchmark) -> DataSource:
    """The source at the commit that the task's yaml pins, where the user names none."""
    if source.kind == "hub" and source.revision is None:
        return replace(source, revision=pinned_revision(benchmark))
    return source


def _task(opened: OpenBenchmark, settings: RunSettings) -> TaskPlan:
    total = len(opened.documents)
    count = settings.count_of(total)
    asked = asked_under(opened, settings.conditions)
    return TaskPlan(opened.benchmark, asked.opened, count, annotations_digest(opened), asked.changes)


def placed(plan: RunPlan, output: Path) -> RunPlan:
    """The same plan in the directory `output`.

    Raises:
        OutputError: it is another run's.
    """
    return replace(plan, output=output_dir.choose(output, plan.name, fingerprint_of(plan)))


def _check_usable(settings: RunSettings) -> None:
    """Refuse early what would fail after minutes of fetching and loading.

    Raises:
        UsageError: a device, attention, decoder or Ray that is not here.
    """
    if settings.workers is not None:
        require_ray()
    _device_type(settings)
    check_backend(settings.video_backend)
    checkpoint.checked_attention(settings.attn)


def _check_judge(settings: RunSettings, benchmarks: Sequence[Benchmark]) -> None:
    """Refuse a judge that is not there, or that has nothing to judge.

    Raises:
        UsageError, CheckpointError: as `JudgeSettings.check`, or no task has open answers that need a judge.
    """
    if settings.judge is None:
        return
    if not any(benchmark.settled_by == "judge" for benchmark in benchmarks):
        raise UsageError("--judge: none of the tasks needs a judge.", hint="Leave it out.")
    settings.judge.check()


def _check_media(tasks: Sequence[TaskPlan], *, may_miss: bool) -> None:
    """Look for every file: refuse a path that leaves its root, and a missing one unless it `may_miss`.

    The error is the first missing file's, with how many more there are.
    """
    missing = [(task, item) for task in tasks for item in task.opened.missing_media(task.documents)]
    if not missing or may_miss:
        return
    task, first = missing[0]
    others = f" {len(missing) - 1} more are missing." if len(missing) > 1 else ""
    raise DataError(
        f"{task.benchmark.name}: the video {first.video_id} is missing; looked for "
        f"{', '.join(map(str, first.looked_at))}.{others}",
        hint=task.benchmark.layout.note
        or "Put it there (sf-eval doctor lists all), or add --skip-missing: the questions of missing files "
        "are then recorded as missing_media.",
    )


def _device_type(settings: RunSettings) -> str:
    """What kind of device will answer; on other machines, GPUs unless the CPU is asked for.

    Raises:
        UsageError: a device that is not here.
    """
    if settings.is_remote:
        return "cpu" if settings.device == "cpu" else "cuda"
    return resolve_device(settings.device).type


def fingerprint_of(plan: RunPlan) -> dict[str, Any]:
    """What makes two runs the same run; see `output_dir.choose`."""
    return _fingerprint(_settings_fingerprint(plan.settings, plan.card, plan.source), plan.tasks)


def _fingerprint(asked: dict[str, Any], tasks: Sequence[TaskPlan]) -> dict[str, Any]:
    of_tasks = {task.benchmark.name: {"questions": task.count, "data": task.data_digest} for task in tasks}
    return {**asked, output_dir.TASKS: of_tasks}


def _settings_fingerprint(settings: RunSettings, card: ModelCard, source: DataSource) -> dict[str, Any]:
    """The part of the fingerprint that is known before any data is read."""
    return {
        "model": card.name,
        "weights": card.weights,
        "revision": card.revision,
        "num_frames": card.num_frames,
        "slow_path": card.slow_path,
        "decode_slow_attention": card.decode_slow_attention,
        "max_new_tokens": card.max_new_tokens,
        **families.determinants(card),
        # Not the directory's path: data that was moved is the same data. The tasks' digests tell which it is.
        "data": source.label if source.kind != "directory" else "directory",
        "dtype": settings.dtype,
        "attn": settings.attn,
        "device": _device_type(settings),
        "video_backend": settings.video_backend,
        "clip": settings.clip,
        **settings.conditions.fingerprint,
    }


def questions_per_video(plan: RunPlan) -> int:
    """How many stand together, on average and rounded down; at least 1."""
    questions = sum(len(task.documents) for task in plan.tasks)
    videos = {(task.opened.folder, document.video_id) for task in plan.tasks for document in task.documents}
    return max(1, questions // max(1, len(videos)))
