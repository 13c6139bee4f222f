"""The plan of a run: every name resolved, every file looked for, before any weights are loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sf_eval.benchmarks import catalog
from sf_eval.benchmarks.document import Benchmark, Document
from sf_eval.core.cards import ModelCard, card_for, card_names, load_card
from sf_eval.core.errors import DataError, UsageError
from sf_eval.data.opening import DataSource, OpenBenchmark, parse_source
from sf_eval.harness import output_dir
from sf_eval.harness.settings import RunSettings
from sf_eval.inference.device import resolve_device
from sf_eval.lmms.context import RunContext
from sf_eval.model import checkpoint
from sf_eval.model.processor import SlowFastProcessor
from sf_eval.video import SamplingRule
from sf_eval.video.backends import check_backend

EMBEDDED = "The embedded model and data: --model mini --data mini."
OTHER_WAYS = (
    "Without the released weights or data: --model DIR --data DIR for local copies, or "
    "--model mini --data mini for the embedded ones."
)
MiniProgress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class TaskPlan:
    """One task of the run: its benchmark and how many of its documents are asked."""

    benchmark: Benchmark
    opened: OpenBenchmark
    count: int

    @property
    def documents(self) -> list[Document]:
        return self.opened.documents[: self.count]


@dataclass(frozen=True)
class RunPlan:
    """What will be run. Making it has loaded no weights."""

    settings: RunSettings
    card: ModelCard
    source: DataSource
    context: RunContext
    tasks: tuple[TaskPlan, ...]
    output: Path

    @property
    def data_label(self) -> str:
        """The data source as tables name it; a mini edition is called that wherever it was copied to."""
        mini = next((task.opened.source_label for task in self.tasks if task.opened.is_mini), None)
        return mini or self.source.label

    @property
    def total(self) -> int:
        return sum(task.count for task in self.tasks)


def make_plan(
    settings: RunSettings,
    *,
    progress: MiniProgress | None = None,
    opened: dict[str, OpenBenchmark] | None = None,
) -> RunPlan:
    """Resolve names, open the data, look for every media file, choose the output directory.

    Args:
        opened: benchmarks of the same data that were read already, by name; what is opened is added.

    Raises:
        UsageError: an unknown model or task, or a model without weights.
        DataError: annotations or media that are missing or damaged.
        OutputError: the output directory is another run's.
    """
    benchmarks = catalog.resolve_tasks(settings.tasks)
    card = settings.card(card_for(settings.model))
    if not card.weights:
        raise UsageError(
            f"{card.name} is a shape without weights: it cannot be evaluated, only profiled "
            f"(sf-eval profile --model {card.name}).",
            hint=f"With weights: {', '.join(name for name in card_names() if load_card(name).weights)}.",
        )
    _check_usable(card, settings)
    source = parse_source(settings.data, settings.data_revision)
    context = RunContext(
        source=source,
        rule=SamplingRule(card.sampling, card.num_frames, card.target_fps),
        clip_mode=settings.clip,
        backend=settings.video_backend,
        progress=progress,
        fetch_media=settings.fetch_media,
        timeout_s=settings.decode_timeout_s,
        opened={} if opened is None else opened,
    )
    tasks = []
    for benchmark in benchmarks:
        data = context.open(benchmark)
        total = len(data.documents)
        tasks.append(TaskPlan(benchmark, data, settings.limit.of(total) if settings.limit else total))
    _check_media(tasks, may_miss=settings.skip_missing)
    output = output_dir.choose(settings.output, card.name, _fingerprint(settings, card, source, tasks))
    return RunPlan(settings, card, source, context, tuple(tasks), output)


def placed(plan: RunPlan, output: Path) -> RunPlan:
    """The same plan in the directory `output`.

    Raises:
        OutputError: it is another run's.
    """
    return replace(plan, output=output_dir.choose(output, plan.card.name, fingerprint_of(plan)))


def _check_usable(card: ModelCard, settings: RunSettings) -> None:
    """Refuse early what would fail after minutes of fetching and loading.

    Raises:
        UsageError: a device, attention or decoder that is not here.
        CheckpointError: a local checkpoint without a usable configuration, weights or tokenizer.
    """
    resolve_device(settings.device)
    check_backend(settings.video_backend)
    checkpoint.checked_attention(settings.attn)
    directory = Path(card.weights).expanduser()
    if card.weights and directory.is_dir():
        checkpoint.read_config(directory)
        checkpoint.check_shards(directory)
        SlowFastProcessor.from_pretrained(directory)


def _check_media(tasks: list[TaskPlan], *, may_miss: bool) -> None:
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
        hint="Put it there (sf-eval doctor lists all), or add --skip-missing: the questions of missing "
        "files are then recorded as missing_media.",
    )


def fingerprint_of(plan: RunPlan) -> dict[str, Any]:
    """What makes two runs the same run; see `output_dir.choose`."""
    return _fingerprint(plan.settings, plan.card, plan.source, list(plan.tasks))


def _fingerprint(
    settings: RunSettings, card: ModelCard, source: DataSource, tasks: list[TaskPlan]
) -> dict[str, Any]:
    return {
        "model": card.name,
        "weights": card.weights,
        "revision": card.revision,
        "num_frames": card.num_frames,
        "slow_path": card.slow_path,
        "decode_slow_attention": card.decode_slow_attention,
        "max_new_tokens": card.max_new_tokens,
        # Not the directory's path: data that was moved is the same data, and each answer knows its video.
        "data": source.label if source.kind != "directory" else "directory",
        "dtype": settings.dtype,
        "attn": settings.attn,
        "device": resolve_device(settings.device).type,
        "video_backend": settings.video_backend,
        "clip": settings.clip,
        "tasks": [task.benchmark.name for task in tasks],
    }
